//! Procedures against a pretended Evolution whose every call is scripted, on a clock that jumps to whatever is waited for.

mod connecting;
mod laws;
mod unlinking;

use std::collections::VecDeque;

use super::*;
use crate::domain::evolution::NoAnswer;
use crate::domain::lifecycle::{self, Input};

const QUIET: Duration = Duration::from_secs(20);

/// What the script says to one call.
type Answer = (Call, Result<Reply, Failure>);

/// A command carried out against a script; webhooks arrive at their times.
struct Run {
    procedure: Procedure,
    state: State,
    now: Millis,
    script: VecDeque<Answer>,
    webhooks: VecDeque<(Millis, Input)>,
    /// What was called, and when.
    calls: Vec<(Call, i64)>,
    told: Vec<Act>,
}

fn order(kind: Kind) -> Order {
    Order { kind, by_number: false, asked_at: Millis(0), attempts: 0 }
}

impl Run {
    fn new(order: Order, state: State, script: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            procedure: Procedure::of(order),
            state,
            now: order.asked_at,
            script: script.into_iter().collect(),
            webhooks: VecDeque::new(),
            calls: Vec::new(),
            told: Vec::new(),
        }
    }

    fn hearing(mut self, webhooks: impl IntoIterator<Item = (i64, Input)>) -> Self {
        self.webhooks = webhooks.into_iter().map(|(ms, input)| (Millis(ms), input)).collect();
        self
    }

    /// To the end.
    fn end(&mut self) -> End {
        let mut heard = Heard::Begun;
        for _ in 0..500 {
            self.hear_what_is_due();
            let sight = Sight { state: &self.state, now: self.now, quiet: QUIET };
            heard = match self.procedure.next(heard, &sight) {
                Next::Call(call) => self.answer(call),
                Next::Tell(act) => {
                    self.state = lifecycle::step(&self.state, &Input::Own(act.clone()), self.now, self.now).0;
                    self.told.push(act);
                    Heard::Told
                }
                Next::Wait(until) => {
                    assert!(until > self.now, "it waits for the past");
                    let next = self.webhooks.front().map(|(at, _)| *at);
                    self.now = next.map_or(until, |at| at.min(until));
                    Heard::Woken
                }
                Next::End(end) => {
                    assert!(self.script.is_empty(), "never called: {:?}", self.script);
                    return end;
                }
            };
        }
        panic!("it goes in circles: {:?}", self.calls)
    }

    fn answer(&mut self, call: Call) -> Heard {
        self.calls.push((call, self.now.0));
        let (expected, answer) = self.script.pop_front().unwrap_or_else(|| panic!("unexpected {call:?}"));
        assert_eq!(expected, call, "after {:?}", self.calls);
        Heard::Reply(answer)
    }

    fn hear_what_is_due(&mut self) {
        while self.webhooks.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((at, input)) = self.webhooks.pop_front() else { return };
            self.state = lifecycle::step(&self.state, &input, at, self.now).0;
        }
    }

    fn called(&self) -> Vec<Call> {
        self.calls.iter().map(|(call, _)| *call).collect()
    }
}

fn found(connection: Connection) -> Answer {
    (Call::Connection, Ok(Reply::Connection(connection)))
}

fn done(call: Call) -> Answer {
    (call, Ok(Reply::Done))
}

fn pairing(has_code: bool) -> Answer {
    (Call::Connect, Ok(Reply::Connect(ConnectAnswer::Pairing { has_code })))
}

fn row(status: Connection) -> Answer {
    (Call::Row, Ok(Reply::Row(Some(RowSight { status, phone_number: None, profile_name: None }))))
}

fn lost(call: Call) -> Answer {
    (call, Err(Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, cause: None }))
}

fn qr() -> Input {
    Input::Qr { hash: "a".into() }
}

fn open() -> Input {
    Input::Opened { phone_number: Some("5511900000001".into()), profile_name: None }
}

/// A state that has heard this.
fn having_heard(story: &[(i64, Input)]) -> State {
    story.iter().fold(State::default(), |state, (ms, input)| lifecycle::step(&state, input, Millis(*ms), Millis(*ms)).0)
}
