//! Ways in which the server misbehaves on request, by kind of call.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::time::Millis;

/// A kind of call to Evolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Every call.
    Any,
    /// `GET /`.
    Info,
    /// `POST /verify-creds`.
    VerifyKey,
    Metrics,
    Create,
    Connect,
    /// `connectionState`.
    State,
    /// `fetchInstances`.
    Rows,
    Restart,
    Logout,
    Delete,
    /// `/webhook/…`.
    Webhook,
    /// `/settings/…`.
    Settings,
    /// `/proxy/…`.
    Proxy,
    /// `/message/…`.
    Send,
    /// `/chat/…`.
    Chat,
    /// No route of Evolution.
    Unknown,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A proxy's answer with this status and a page, as when Evolution behind it is down.
    Status(u16),
    /// 200 with a web page.
    Html,
    /// 200 with text that only begins like JSON.
    Garbage,
    /// 200 with well-formed JSON of no known shape.
    Lie,
    /// 200 with a body that never ends.
    Endless,
    /// 302 to another address of the same server.
    Redirect,
    /// 503 `LICENSE_REQUIRED` of version 2.4.
    Licence,
    /// 401.
    WrongKey,
    /// Nothing is done and nothing is answered.
    Hang,
    /// Done and never answered.
    Lost,
    /// Done; the connection breaks in the middle of the answer.
    Broken,
    /// Done at once, answered so many milliseconds later.
    LateMs(u64),
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    ask: Ask,
    fault: Fault,
    /// Calls that it still hits; `None` for all.
    left: Option<u32>,
    until: Option<Millis>,
}

/// The rules that hold, newest last; the newest that fits is taken.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Rule>);

/// Rules kept; the oldest give way.
const KEPT: usize = 64;

impl Faults {
    pub(super) fn add(&mut self, ask: Ask, fault: Fault, times: Option<u32>, lasts: Option<Duration>, now: Millis) {
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(Rule { ask, fault, left: times, until: lasts.map(|lasts| now + lasts) });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that this call meets; one that has a number of calls is used up by it.
    pub(super) fn take(&mut self, ask: Ask, now: Millis) -> Option<Fault> {
        self.0.retain(|rule| rule.left != Some(0) && rule.until.is_none_or(|until| until > now));
        let rule = self.0.iter_mut().rev().find(|rule| rule.ask == ask || rule.ask == Ask::Any)?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_many_calls_of_its_kind_as_it_was_made_for() {
        let mut faults = Faults::default();
        faults.add(Ask::Create, Fault::Lost, Some(1), None, Millis(0));
        faults.add(Ask::Any, Fault::Html, None, Some(Duration::from_millis(5)), Millis(0));

        assert_eq!(faults.take(Ask::State, Millis(1)), Some(Fault::Html));
        assert_eq!(faults.take(Ask::Create, Millis(5)), Some(Fault::Lost));
        assert_eq!(faults.take(Ask::Create, Millis(5)), None);
    }
}
