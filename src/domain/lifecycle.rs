//! The life of an instance as one pure function (DESIGN "The life of an instance").

use serde::{Deserialize, Serialize};

use super::instance::View;
use super::time::Millis;

/// Everything remembered of an instance's connection; kept as JSON in its row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct State {}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `instance.create`.
    Created,
    /// `connection.update` with `connecting`.
    Connecting,
    /// `connection.update` with `open` (or with `wuid`, CONTRACT §3.1).
    Opened { phone_number: Option<String>, profile_name: Option<String> },
    /// `qrcode.updated` with a code.
    Qr { hash: String, expires_at: Millis },
    /// `qrcode.updated` without a code, or state `refused`: Evolution stopped making codes.
    QrLimit,
    /// `connection.update` with `close`.
    Closed { code: Option<u16> },
    /// `status.instance`: how the session ended, and by whom.
    Ended { code: Option<u16>, cause: Option<Cause> },
    /// `logout.instance`.
    LoggedOut,
    /// `remove.instance` and `instance.delete`.
    Removed,
    /// Time passed.
    Tick,
}

/// Who ended a session with 401 (CONTRACT §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    DeviceRemoved,
    LoggedOutByApi,
}

/// What must follow from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Append this notification to the log.
    Notify(Notice),
    /// Feed [`Input::Tick`] at this time; replaces an earlier one.
    WakeAt(Millis),
}

/// A notification's published code (INTERFACE §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Connected,
    Reconnected,
    LoggedOut,
    Conflict,
    Restricted,
    QrLimit,
}

/// The one transition function. `emitted` is when the input happened at Evolution, `now` when we learnt of it.
pub fn step(state: &State, input: &Input, emitted: Millis, now: Millis) -> (State, Vec<Action>) {
    let _ = (input, emitted, now);
    (state.clone(), Vec::new())
}

impl State {
    /// What the outside sees at `now`.
    pub fn view(&self, now: Millis) -> View {
        let _ = now;
        View::default()
    }
}
