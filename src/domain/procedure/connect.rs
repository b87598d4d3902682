//! Connecting: ensure the instance at Evolution with our webhook, then one `connect`, and wait for its event. It never
//! acts into a reconnect loop, where a `connect` would open a second socket and a war of two (CONTRACT §5.9), nor before
//! an earlier ending was told to its end (§1.6).

use std::time::Duration;

use super::creation::{Created, Creation};
use super::recreation::Recreation;
use super::{Call, End, Heard, Next, Order, Reply, Sight, Step, note_of};
use crate::domain::command::Note;
use crate::domain::evolution::{Blame, ConnectAnswer, Connection, Failure};
use crate::domain::instance::Status;
use crate::domain::lifecycle::{Act, reason};
use crate::domain::time::Millis;

#[derive(Debug)]
pub struct Connect {
    order: Order,
    stage: Stage,
    webhook_is_right: bool,
    /// It began anew: what there is now was made for this pairing.
    recreated: bool,
    /// The newest `open` and the status when this began; a newer one is our success.
    before: Option<(Option<Millis>, Status)>,
    /// `connect` calls made.
    connects: u8,
    /// Looks that found it not ready.
    unready: u8,
    /// When an answer showed that Evolution has a code.
    code_at: Option<Millis>,
    looked_at: Millis,
    /// Since when the end of a fight over the session is awaited.
    calming_since: Option<Millis>,
    /// Until when Evolution may try by itself before this gives up waiting for it to be quiet.
    quiet_by: Option<Millis>,
}

#[derive(Debug)]
enum Stage {
    Looking,
    /// Until a fight over the session is over.
    Calming,
    /// Before another look.
    Resting,
    Webhook(Connection),
    Creating(Creation),
    Recreating(Recreation),
    /// At the longest until then.
    AwaitingWipe(Millis),
    WentOnUnwiped,
    Connecting,
    /// Waiting for the event that `connect` leads to, since then.
    Pairing(Millis),
    LookingWhilePairing(Millis),
    /// It is open; for the phone's number.
    Reading,
    Telling,
}

/// A code comes within seconds; preparing gives up here.
const CODE_COMES_IN: Duration = Duration::from_secs(45);
/// A webhook follows the answer that shows its code at once.
const WEBHOOK_COMES_IN: Duration = Duration::from_secs(10);
/// How often a pairing's state is read while its event is awaited.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Of an instance that Evolution has not loaded yet, or is about to remove (CONTRACT §5.8, §5.11).
const UNREADY: (u8, Duration) = (10, Duration::from_secs(2));
/// Two servers that fight over a session replace each other within seconds (CONTRACT §5.9).
const CALM: Duration = Duration::from_secs(10);
/// How long the end of such a fight is awaited.
const FIGHT_ENDS_IN: Duration = Duration::from_secs(45);
/// How long a wipe is waited for at the most, whatever its ending's date.
const WIPE_COMES_IN: Duration = Duration::from_secs(30);
/// How long an instance that tries by itself is waited for, beyond the silence that is asked of it.
const QUIET_COMES_IN: Duration = Duration::from_mins(2);
/// How often `connect` is called at the most.
const CONNECTS: u8 = 3;

impl Connect {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            stage: Stage::Looking,
            webhook_is_right: false,
            recreated: false,
            before: None,
            connects: 0,
            unready: 0,
            code_at: None,
            looked_at: Millis::default(),
            calming_since: None,
            quiet_by: None,
        }
    }

    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Next {
        self.before.get_or_insert_with(|| (sight.state.last_opened(), sight.state.view(sight.now).status));
        match (&mut self.stage, heard) {
            (Stage::Looking, Heard::Begun) | (Stage::Resting, Heard::Woken) => self.look(),
            (Stage::Looking, Heard::Reply(Ok(Reply::Connection(found)))) => self.found(found, sight),
            (Stage::Webhook(found), Heard::Reply(Ok(_))) => {
                let found = *found;
                self.webhook_is_right = true;
                self.found(found, sight)
            }
            (Stage::Webhook(_) | Stage::Connecting, Heard::Reply(Err(Failure::NoSuchInstance))) => self.rest(sight),
            (Stage::Creating(creation), heard) => {
                let step = creation.next(heard, sight);
                self.created(step, sight)
            }
            (Stage::Recreating(recreation), heard) => {
                let step = recreation.next(heard, sight);
                self.begun_anew(step, sight)
            }
            (Stage::AwaitingWipe(_) | Stage::WentOnUnwiped, Heard::Told | Heard::Woken) => self.proceed(sight),
            (Stage::Calming, Heard::Woken) => self.calm(sight),
            (Stage::Connecting, Heard::Reply(outcome)) => self.answered(outcome, sight),
            (Stage::Pairing(since), Heard::Woken) => {
                let since = *since;
                self.wait_for_event(since, sight)
            }
            (Stage::LookingWhilePairing(since), Heard::Reply(Ok(Reply::Connection(found)))) => {
                let since = *since;
                self.found_while_pairing(found, since, sight)
            }
            (Stage::LookingWhilePairing(since), Heard::Reply(Err(failure))) if failure.blame() == Blame::Outage => {
                let since = *since;
                self.wait_for_event(since, sight)
            }
            (Stage::Reading, Heard::Reply(Ok(Reply::Row(row)))) => {
                self.stage = Stage::Telling;
                let (phone_number, profile_name) = row.map_or((None, None), |row| (row.phone_number, row.profile_name));
                Next::Tell(Act::FoundOpen { phone_number, profile_name })
            }
            (Stage::Telling, Heard::Told) => CONFIRMED,
            (_, Heard::Reply(Err(failure))) => Next::End(End::Unconfirmed(note_of(&failure))),
            _ => Next::End(End::Unconfirmed(Note::new(reason::UNCONFIRMED))),
        }
    }

    fn look(&mut self) -> Next {
        self.stage = Stage::Looking;
        Next::Call(Call::Connection)
    }

    fn rest(&mut self, sight: &Sight<'_>) -> Next {
        self.unready += 1;
        let (most, pause) = UNREADY;
        if self.unready > most {
            let advice =
                "Evolution has the instance in its database but not in memory; if this stays, restart Evolution.";
            return Next::End(End::Unconfirmed(Note::new(reason::EVOLUTION_UNREACHABLE).with_advice(advice)));
        }
        self.stage = Stage::Resting;
        Next::Wait(sight.now + pause)
    }

    fn found(&mut self, found: Connection, sight: &Sight<'_>) -> Next {
        let linked = sight.state.is_linked();
        match found {
            Connection::Absent => self.create(sight),
            Connection::Unloaded => self.rest(sight),
            // Evolution is about to remove it: what is begun now would go with it.
            Connection::Close if sight.state.is_removed() && self.unready < UNREADY.0 => self.rest(sight),
            _ if !self.webhook_is_right => {
                self.stage = Stage::Webhook(found);
                Next::Call(Call::Webhook)
            }
            Connection::Open if sight.state.own.is_wiped() && !self.recreated => self.begin_anew(sight),
            Connection::Open => self.is_open(sight),
            Connection::Connecting if self.order.by_number && !linked && !self.recreated => self.begin_anew(sight),
            Connection::Connecting if is_fought_over(sight) && !is_quiet(sight) => self.calm(sight),
            Connection::Connecting if linked => self.wait_for_event(sight.now, sight),
            // Harmless while it connects: the answer only tells what there is (CONTRACT §6.3).
            Connection::Connecting => self.connect(),
            Connection::Close if linked => self.connect_once_quiet(sight),
            Connection::Close => self.proceed(sight),
        }
    }

    /// It drops and tries by itself: our `connect` has its turn when it was silent, and none if it never is.
    fn connect_once_quiet(&mut self, sight: &Sight<'_>) -> Next {
        let quiet_at = sight.state.last_connecting().map(|last| last + sight.quiet);
        let Some(quiet_at) = quiet_at.filter(|at| sight.now < *at) else { return self.connect() };
        let given_up_at = *self.quiet_by.get_or_insert(sight.now + sight.quiet + QUIET_COMES_IN);
        if sight.now >= given_up_at {
            let advice =
                "Evolution tries to reach WhatsApp without a pause, and goes on by itself: look at its network.";
            return Next::End(End::Unconfirmed(Note::new(reason::WHATSAPP_UNREACHABLE).with_advice(advice)));
        }
        self.stage = Stage::Resting;
        Next::Wait(quiet_at.min(given_up_at))
    }

    fn create(&mut self, sight: &Sight<'_>) -> Next {
        let resumed = self.order.attempts > 0 && self.connects == 0;
        let mut creation = if resumed { Creation::resumed() } else { Creation::default() };
        let step = creation.next(Heard::Begun, sight);
        self.stage = Stage::Creating(creation);
        self.created(step, sight)
    }

    fn created(&mut self, step: Step<Created>, sight: &Sight<'_>) -> Next {
        match step {
            Step::Next(next) => next,
            Step::Failed(failure) => Next::End(End::Unconfirmed(note_of(&failure))),
            Step::Done(Created::Existing) => self.look(),
            Step::Done(Created::New) => {
                self.webhook_is_right = true;
                self.proceed(sight)
            }
        }
    }

    fn begin_anew(&mut self, sight: &Sight<'_>) -> Next {
        self.recreated = true;
        let mut recreation = Recreation::default();
        let step = recreation.next(Heard::Begun, sight);
        self.stage = Stage::Recreating(recreation);
        self.begun_anew(step, sight)
    }

    fn begun_anew(&mut self, step: Step<()>, sight: &Sight<'_>) -> Next {
        match step {
            Step::Next(next) => next,
            Step::Failed(failure) => Next::End(End::Unconfirmed(note_of(&failure))),
            Step::Done(()) => {
                self.webhook_is_right = true;
                self.proceed(sight)
            }
        }
    }

    /// A new pairing, once it is safe.
    fn proceed(&mut self, sight: &Sight<'_>) -> Next {
        let Some(until) = sight.state.wipe_awaited(sight.now) else { return self.connect() };
        let (until, is_told) = match self.stage {
            Stage::WentOnUnwiped => return self.connect(),
            Stage::AwaitingWipe(until) => (until, true),
            // The ending is dated by Evolution's clock, which may run ahead.
            _ => (until.min(sight.now + WIPE_COMES_IN), false),
        };
        if sight.now >= until {
            self.stage = Stage::WentOnUnwiped;
            return Next::Tell(Act::WentOnUnwiped);
        }
        if is_told {
            return Next::Wait(until);
        }
        self.stage = Stage::AwaitingWipe(until);
        Next::Tell(Act::AwaitingWipe)
    }

    fn connect(&mut self) -> Next {
        self.stage = Stage::Connecting;
        self.connects += 1;
        Next::Call(Call::Connect)
    }

    fn answered(&mut self, outcome: Result<Reply, Failure>, sight: &Sight<'_>) -> Next {
        match outcome {
            Ok(Reply::Connect(ConnectAnswer::Open)) => self.is_open(sight),
            Ok(Reply::Connect(ConnectAnswer::Pairing { has_code })) => {
                if has_code {
                    self.code_at.get_or_insert(sight.now);
                }
                self.wait_for_event(sight.now, sight)
            }
            Ok(Reply::Connect(ConnectAnswer::Failed)) if self.connects < CONNECTS => self.rest(sight),
            Ok(_) => {
                let advice = "Evolution answered `error: true` to connect; its log says why.";
                Next::End(End::Unconfirmed(Note::new(reason::EVOLUTION_REFUSED).with_advice(advice)))
            }
            Err(failure) if failure.may_have_worked() => self.wait_for_event(sight.now, sight),
            Err(failure) => Next::End(End::Unconfirmed(note_of(&failure))),
        }
    }

    fn wait_for_event(&mut self, since: Millis, sight: &Sight<'_>) -> Next {
        if self.has_come(sight) {
            return CONFIRMED;
        }
        self.stage = Stage::Pairing(since);
        let given_up_at = since + CODE_COMES_IN;
        let silent_at = self.code_at.map(|at| at + WEBHOOK_COMES_IN);
        let look_at = self.looked_at.max(since) + LOOK_EVERY;
        if silent_at.is_some_and(|at| sight.now >= at) {
            let advice = "Evolution made a code, but its webhook does not arrive here: check WEBHOOK_URL as Evolution reaches it.";
            return Next::End(End::Unconfirmed(Note::new(reason::WEBHOOK_SILENT).with_advice(advice)));
        }
        if sight.now >= given_up_at {
            let code = if sight.state.is_linked() { reason::UNCONFIRMED } else { reason::NO_CODE };
            return Next::End(End::Unconfirmed(Note::new(code)));
        }
        if sight.now >= look_at {
            self.looked_at = sight.now;
            self.stage = Stage::LookingWhilePairing(since);
            return Next::Call(Call::Connection);
        }
        Next::Wait(look_at.min(given_up_at).min(silent_at.unwrap_or(given_up_at)))
    }

    /// A code on show, an `open`, or whatever else the owner has to know instead.
    fn has_come(&self, sight: &Sight<'_>) -> bool {
        let status = sight.state.view(sight.now).status;
        let (opened_before, status_before) = self.before.unwrap_or((None, status));
        let opened = sight.state.last_opened() > opened_before;
        let code = sight.state.shown_qr().is_some_and(|(_, expires_at)| sight.now < expires_at);
        let banned = status == Status::Restricted && status_before != Status::Restricted;
        (opened && status != Status::Conflict)
            || code
            || banned
            || matches!(status, Status::Finishing | Status::ActionRequired)
    }

    fn found_while_pairing(&mut self, found: Connection, since: Millis, sight: &Sight<'_>) -> Next {
        let linked = sight.state.is_linked();
        self.stage = Stage::Pairing(since);
        match found {
            Connection::Open => self.is_open(sight),
            Connection::Absent => self.rest(sight),
            Connection::Connecting if !linked && self.code_at.is_none() && self.connects < CONNECTS => self.connect(),
            Connection::Close if !linked && self.connects < CONNECTS => self.connect(),
            _ => self.wait_for_event(since, sight),
        }
    }

    /// The webhook of an `open` may be on its way, or lost; and of a fight's end there is none: what was read counts.
    fn is_open(&mut self, sight: &Sight<'_>) -> Next {
        if is_fought_over(sight) && !is_quiet(sight) {
            return self.calm(sight);
        }
        if sight.state.is_open() && !is_fought_over(sight) {
            return CONFIRMED;
        }
        self.stage = Stage::Reading;
        Next::Call(Call::Row)
    }

    /// In a fight an `open` lasts for moments: it counts once nothing has happened since for a while.
    fn calm(&mut self, sight: &Sight<'_>) -> Next {
        let given_up_at = *self.calming_since.get_or_insert(sight.now) + FIGHT_ENDS_IN;
        if sight.now >= given_up_at {
            return Next::End(End::Unconfirmed(Note::new(reason::UNCONFIRMED)));
        }
        if !is_fought_over(sight) || is_quiet(sight) {
            return self.look();
        }
        self.stage = Stage::Calming;
        Next::Wait(quiet_at(sight).min(given_up_at))
    }
}

fn is_fought_over(sight: &Sight<'_>) -> bool {
    sight.state.view(sight.now).status == Status::Conflict
}

fn is_quiet(sight: &Sight<'_>) -> bool {
    sight.now >= quiet_at(sight)
}

fn quiet_at(sight: &Sight<'_>) -> Millis {
    let last = sight.state.last_opened().max(sight.state.last_connecting());
    last.map_or(sight.now, |last| last + CALM)
}

const CONFIRMED: Next = Next::End(End::Confirmed(None));
