//! Evolution itself goes away: its port refuses connections, or its process dies with all that was in memory (§5.8).

use std::time::Duration;

use super::instance::{Memory, State};
use super::{Due, World};
use crate::domain::evolution::Version;
use crate::domain::time::Millis;

/// A time in which the port refuses connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// `None` until it is ended by hand.
    pub until: Option<Millis>,
}

impl World {
    /// The port refuses connections, for so long or until it is opened; what lives inside lives on.
    pub(in crate::simulator) fn shut(&mut self, lasts: Option<Duration>, now: Millis) {
        let outage = self.fresh();
        let end = lasts.map(|lasts| now + lasts);
        self.outage = Some((outage, end));
        if let Some(end) = end {
            self.later(end, Due::Reopen { outage });
        }
    }

    /// The process dies: memory and pending deliveries are lost, and nothing is said.
    pub(in crate::simulator) fn die(&mut self, lasts: Option<Duration>, now: Millis) {
        self.is_down = true;
        self.due.retain(|_, due| matches!(due, Due::Receipt { .. }));
        self.creating.clear();
        self.outbox.clear();
        for instance in self.instances.values_mut() {
            instance.memory = None;
            // What was being deleted stays as a row.
            instance.is_removing = false;
        }
        self.shut(lasts, now);
    }

    /// The port listens again. After a death everything that has a row connects at once; from 2.3.7 on only what was
    /// open or connecting (§9).
    pub(in crate::simulator) fn open_door(&mut self, now: Millis) {
        self.outage = None;
        if !std::mem::take(&mut self.is_down) {
            return;
        }
        let names: Vec<String> = self.instances.keys().cloned().collect();
        for name in names {
            let id = self.fresh();
            let Some(instance) = self.instances.get_mut(&name) else { continue };
            instance.memory = Some(Memory::new(id));
            if self.version < Version::SAFE_LOGOUT || instance.row.status != State::Close {
                self.open_socket(&name, now);
            }
        }
    }

    pub(super) fn reopen(&mut self, outage: u64, now: Millis) {
        if self.outage.is_some_and(|(current, _)| current == outage) {
            self.open_door(now);
        }
    }

    /// Whether the port refuses connections, and until when.
    pub(in crate::simulator) fn outage(&self) -> Option<Outage> {
        self.outage.map(|(_, until)| Outage { until })
    }
}
