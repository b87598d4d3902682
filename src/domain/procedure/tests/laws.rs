//! What holds whatever Evolution answers and tells, and whenever.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::lifecycle::Cause;

/// Longer than any procedure may take between two answers that come at once.
const PATIENCE: Duration = Duration::from_mins(5);

/// Answers that are drawn per call, each fitting whatever was called.
#[derive(Clone, Debug)]
struct Luck {
    found: Connection,
    row: Option<Connection>,
    connect: ConnectAnswer,
    version: Version,
    failure: Option<usize>,
}

fn failure(which: usize) -> Failure {
    match which {
        0 => Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, cause: None },
        1 => Failure::NoAnswer { how: NoAnswer::Refused, sent: false, cause: None },
        2 => Failure::Down { status: 500 },
        3 => Failure::BreakerOpen { until: Millis(0) },
        4 => Failure::NameInUse,
        5 => Failure::NoSuchInstance,
        6 => Failure::NotConnected,
        7 => Failure::KeyRefused,
        _ => Failure::NotEvolution("drawn"),
    }
}

impl Luck {
    fn reply(&self, call: Call) -> Result<Reply, Failure> {
        if let Some(which) = self.failure {
            return Err(failure(which));
        }
        Ok(match call {
            Call::Version => Reply::Version(self.version),
            Call::Connection => Reply::Connection(self.found),
            Call::Row => Reply::Row(self.row.map(|status| RowSight { status, phone_number: None, profile_name: None })),
            Call::Connect => Reply::Connect(self.connect.clone()),
            Call::Create | Call::Webhook | Call::Logout | Call::Delete => Reply::Done,
        })
    }
}

fn connection() -> impl Strategy<Value = Connection> {
    use Connection::{Absent, Close, Connecting, Open, Unloaded};
    select(vec![Absent, Unloaded, Close, Connecting, Open])
}

fn luck() -> impl Strategy<Value = Luck> {
    let answers = [
        ConnectAnswer::Open,
        ConnectAnswer::Failed,
        ConnectAnswer::Pairing { has_code: false },
        ConnectAnswer::Pairing { has_code: true },
    ];
    let versions = [Version(2, 3, 6), Version(2, 3, 7)];
    let fails = prop_oneof![3 => Just(None), 1 => (0..9_usize).prop_map(Some)];
    (connection(), proptest::option::of(connection()), select(answers.to_vec()), select(versions.to_vec()), fails)
        .prop_map(|(found, row, connect, version, failure)| Luck { found, row, connect, version, failure })
}

fn told() -> impl Strategy<Value = Input> {
    let code = || select(vec![None, Some(401), Some(403), Some(408), Some(428), Some(440), Some(515)]);
    prop_oneof![
        Just(Input::Created),
        Just(Input::Connecting),
        Just(open()),
        "[ab]".prop_map(|hash| Input::Qr { hash }),
        Just(Input::QrLimit),
        code().prop_map(|code| Input::Closed { code }),
        (code(), select(vec![None, Some(Cause::DeviceRemoved), Some(Cause::LoggedOutByApi)]))
            .prop_map(|(code, cause)| Input::Ended { code, cause }),
        Just(Input::LoggedOut),
        Just(Input::Removed),
    ]
}

/// Webhooks at rising times, from that long before the command to that long after its beginning.
fn webhooks(from_ms: i64, to_ms: i64) -> impl Strategy<Value = Vec<(i64, Input)>> {
    proptest::collection::vec((from_ms..to_ms, told()), 0..6).prop_map(|mut story| {
        story.sort_by_key(|(at, _)| *at);
        story
    })
}

/// What a command did, in its order: its calls with their answers and what was known when they were made.
#[derive(Debug)]
struct Made {
    call: Call,
    reply: Result<Reply, Failure>,
    /// A phone was linked, and Evolution was heard trying to connect within the quiet.
    in_a_loop: bool,
}

/// Carries a command out. Each call takes its luck from the list, and the last one over again when that is used up.
fn carried_out(order: Order, before: &[(i64, Input)], during: &[(i64, Input)], lucks: &[Luck]) -> (Vec<Made>, End) {
    let mut state = having_heard(before);
    let mut procedure = Procedure::of(order);
    let mut webhooks: VecDeque<_> = during.to_vec().into();
    let mut now = order.asked_at;
    let mut made = Vec::new();
    let mut heard = Heard::Begun;
    let until = now + PATIENCE;
    for _ in 0..1_000 {
        while let Some((at, input)) = webhooks.pop_front_if(|(at, _)| Millis(*at) <= now) {
            state = lifecycle::step(&state, &input, Millis(at), now).0;
        }
        let sight = Sight { state: &state, now, quiet: QUIET };
        heard = match procedure.next(heard, &sight) {
            Next::Call(call) => {
                let luck = &lucks[made.len().min(lucks.len() - 1)];
                let loops = state.last_connecting().is_some_and(|last| now < last + QUIET);
                made.push(Made { call, reply: luck.reply(call), in_a_loop: state.is_linked() && loops });
                Heard::Reply(luck.reply(call))
            }
            Next::Tell(act) => {
                state = lifecycle::step(&state, &Input::Own(act), now, now).0;
                Heard::Told
            }
            Next::Wait(until) => {
                assert!(until > now, "it waits for the past: {made:?}");
                now = webhooks.front().map_or(until, |(at, _)| Millis(*at).min(until));
                Heard::Woken
            }
            Next::End(end) => return (made, end),
        };
        assert!(now < until, "it never ends: {made:?}");
    }
    panic!("it goes in circles: {made:?}")
}

fn is_absent(made: &Made) -> bool {
    matches!(made.reply, Ok(Reply::Connection(Connection::Absent)))
}

/// When commands are asked for here; what was heard before has earlier times.
const ASKED: i64 = 100_000;

proptest! {
    #[test]
    fn whatever_evolution_does_a_command_ends_and_harms_nothing(
        kind in select(Kind::ALL.to_vec()),
        by_number in any::<bool>(),
        attempts in 0..3_u32,
        before in webhooks(0, ASKED),
        during in webhooks(ASKED, ASKED + 120_000),
        lucks in proptest::collection::vec(luck(), 1..30),
    ) {
        let order = Order { kind, by_number, asked_at: Millis(ASKED), attempts };

        let (made, end) = carried_out(order, &before, &during, &lucks);

        let mut may_exist = false;
        for (at, step) in made.iter().enumerate() {
            match step.call {
                // A second create of a name would remove the first one's instance.
                Call::Create => {
                    prop_assert!(!may_exist, "created twice without looking: {made:?}");
                    may_exist = !matches!(&step.reply, Err(failure) if !failure.may_have_worked());
                }
                Call::Connection if is_absent(step) => may_exist = false,
                Call::Logout => {
                    let told = made[..at].iter().find_map(|made| match &made.reply {
                        Ok(Reply::Version(version)) => Some(*version),
                        _ => None,
                    });
                    prop_assert!(told >= Some(Version::SAFE_LOGOUT), "a logout that kills: {made:?}");
                }
                // Nothing was just begun anew: a second socket beside the one that Evolution opens.
                Call::Connect if !made[..at].iter().any(|made| made.call == Call::Delete) => {
                    let seen = made[..at].iter().rfind(|made| made.call == Call::Connection);
                    let closed = seen.is_some_and(|seen| matches!(seen.reply, Ok(Reply::Connection(Connection::Close))));
                    prop_assert!(!(step.in_a_loop && closed), "called into a reconnect loop: {made:?}");
                }
                _ => {}
            }
        }
        if end == End::Removed {
            prop_assert!(made.last().is_some_and(is_absent), "removed on no proof: {made:?}");
        }
        let destroys = made.iter().any(|made| matches!(made.call, Call::Delete | Call::Logout));
        prop_assert!(!destroys || !matches!(kind, Kind::Check), "a look destroyed something: {made:?}");
    }
}
