//! Codes to scan and to type, their renewal and their limit (§5.4), and the scan.

use super::instance::{Code, Session, Stage, State};
use super::{Due, World};
use crate::domain::time::Millis;
use crate::simulator::{Phone, answers, qr};

impl World {
    /// WhatsApp sent a reference. A code to type is asked for first, which takes a while (§6.3).
    pub(super) fn code_wanted(&mut self, name: &str, socket: u64, now: Millis) {
        let wait = self.latencies.pairing_code;
        let by_number = self.memory_mut(name).is_some_and(|memory| memory.pairing_number.is_some());
        if by_number {
            self.later(now + wait, Due::Code { name: name.to_owned(), socket });
        } else {
            self.show_code(name, socket, now);
        }
    }

    pub(super) fn show_code(&mut self, name: &str, socket: u64, now: Millis) {
        let (limit, period) = (self.code_limit, self.latencies.code_period);
        let text = qr::text(&mut self.dice);
        let typed = self.dice.text(8, b"ABCDEFGHJKLMNPQRSTVWXYZ123456789");
        let Some(instance) = self.instances.get_mut(name) else { return };
        let Some(memory) = instance.memory.as_mut() else { return };
        if memory.socket(socket).is_none_or(|found| found.stage != Stage::Pairing) {
            return;
        }
        if memory.count >= limit {
            return self.codes_used_up(name, now);
        }
        memory.count += 1;
        let pairing = memory.pairing_number.is_some().then_some(typed);
        let code = Code { image: qr::image(&text), text, pairing };
        memory.code = Some(code.clone());
        if let Some(found) = memory.socket(socket) {
            found.references = found.references.saturating_sub(1);
        }
        instance.row.status = State::Connecting;
        instance.row.updated_at = now;
        self.emit(name, "qrcode.updated", answers::code_shown(name, &code), None, now);
        self.later(now + period, Due::NextCode { name: name.to_owned(), socket });
    }

    /// The time of a code is up: the next, or, with no reference left, a new socket (408, silent; final from 2.4 on).
    pub(super) fn next_code(&mut self, name: &str, socket: u64, now: Millis) {
        let Some(memory) = self.memory_mut(name) else { return };
        match memory.socket(socket).filter(|found| found.stage == Stage::Pairing).map(|found| found.references) {
            None => {}
            Some(0) => {
                memory.drop_socket(socket);
                if self.is_calm() {
                    self.end_finally(name, 408, &answers::ending(408, &answers::Cause::TimedOut, now), now);
                } else {
                    self.open_socket(name, now);
                }
            }
            Some(_) => self.code_wanted(name, socket, now),
        }
    }

    /// The limit: Evolution gives up without a `close`; the row stays `connecting` (§5.4).
    fn codes_used_up(&mut self, name: &str, now: Millis) {
        let run = self.fresh();
        let Some(instance) = self.instances.get_mut(name) else { return };
        let refused = answers::refused(name, &instance.row);
        let Some(memory) = instance.memory.as_mut() else { return };
        memory.sockets.clear();
        memory.run = run;
        memory.state = State::Close;
        memory.count = 0;
        self.emit(name, "qrcode.updated", answers::limit_reached(), None, now);
        self.emit(name, "connection.update", refused, None, now);
    }

    /// Whether a code is shown that can be scanned now.
    pub(in crate::simulator) fn is_scannable(&self, name: &str) -> bool {
        let memory = self.instances.get(name).and_then(|instance| instance.memory.as_ref());
        memory.is_some_and(|memory| {
            memory.code.is_some() && memory.sockets.iter().any(|socket| socket.stage == Stage::Pairing)
        })
    }

    /// The phone scans the current code: 515, which nobody sees, then `connecting` and `open` (§5.2).
    pub(in crate::simulator) fn scan(&mut self, name: &str, phone: Phone, now: Millis) -> bool {
        if !self.is_scannable(name) {
            return false;
        }
        let (link, wait) = (self.fresh(), self.latencies.scan);
        let Some(instance) = self.instances.get_mut(name) else { return false };
        instance.session = Some(Session { phone, link, is_linked: true, is_synced: false });
        let Some(memory) = instance.memory.as_mut() else { return false };
        memory.sockets.clear();
        let run = memory.run;
        self.later(now + wait, Due::Reconnect { name: name.to_owned(), run });
        true
    }

    /// The phone's owner types the code instead. Whether it was the current one.
    pub(in crate::simulator) fn type_code(&mut self, name: &str, typed: &str, phone: Phone, now: Millis) -> bool {
        let memory = self.instances.get(name).and_then(|instance| instance.memory.as_ref());
        let current = memory.and_then(|memory| memory.code.as_ref()).and_then(|code| code.pairing.as_deref());
        current == Some(typed) && self.scan(name, phone, now)
    }
}
