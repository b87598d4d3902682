//! Endings that stay (§3.2, §5.5, §5.6, §5.11) and what Evolution wipes behind them, late and by name (§1.6).

use serde_json::{Value, json};

use super::instance::State;
use super::{Due, Then, World};
use crate::domain::evolution::Version;
use crate::domain::time::Millis;
use crate::simulator::answers::{self, Cause, Reply};

impl World {
    /// WhatsApp ends the connection for good: 401 (the device was removed on the phone), 402, 403, 406. Whether there was one.
    pub(in crate::simulator) fn end(&mut self, name: &str, code: u16, now: Millis) -> bool {
        let Some(instance) = self.instances.get_mut(name) else { return false };
        if instance.session.is_none() && code != 408 {
            return false;
        }
        if let Some(session) = &mut instance.session {
            session.is_linked = false;
        }
        if instance.memory.as_ref().is_none_or(|memory| memory.sockets.is_empty()) {
            // Nobody is there to hear it: the next login will.
            return true;
        }
        let cause = if code == 401 { Cause::DeviceRemoved } else { Cause::Failure };
        self.end_finally(name, code, &answers::ending(code, &cause, now), now);
        true
    }

    /// The three webhooks of a final ending. The session goes when `logout.instance` was delivered.
    pub(super) fn end_finally(&mut self, name: &str, code: u16, object: &str, now: Millis) {
        let run = self.fresh();
        let Some(instance) = self.instances.get_mut(name) else { return };
        if let Some(memory) = instance.memory.as_mut() {
            memory.sockets.clear();
            memory.run = run;
            memory.state = State::Close;
        }
        instance.row.status = State::Close;
        instance.row.ending = Some((code, object.to_owned(), now));
        instance.row.updated_at = now;
        self.farewell(name, code, object, now);
    }

    fn farewell(&mut self, name: &str, code: u16, object: &str, now: Millis) {
        let status = json!({
            "instance": name, "status": "closed", "disconnectionAt": now.to_string(),
            "disconnectionReasonCode": code, "disconnectionObject": object,
        });
        self.emit(name, "status.instance", status, None, now);
        self.emit(name, "logout.instance", Value::Null, Some(Then::Wipe { name: name.to_owned() }), now);
        self.emit(name, "connection.update", answers::state(name, State::Close, code), None, now);
    }

    /// Goes by name: a session paired meanwhile, or a new instance of that name, is hit as well. An open socket lives on.
    pub(in crate::simulator) fn wipe(&mut self, name: &str) {
        if let Some(instance) = self.instances.get_mut(name) {
            instance.session = None;
            instance.row.status = State::Close;
        }
    }

    /// `DELETE /instance/logout`.
    pub(in crate::simulator) fn log_out(&mut self, name: &str, now: Millis) -> Reply {
        let (kills_queue, forgives) = (self.version < Version::SAFE_LOGOUT, self.is_calm());
        let Some(instance) = self.instances.get_mut(name) else { return answers::no_instance(name) };
        let Some(memory) = instance.memory.as_mut().filter(|memory| memory.state != State::Close) else {
            return if forgives {
                answers::done("Instance was already disconnected")
            } else {
                answers::bad_request(json!([format!("The \"{name}\" instance is not connected")]))
            };
        };
        memory.is_queue_dead |= kills_queue;
        instance.session = None;
        let object = answers::ending(401, &Cause::LoggedOut(name.to_owned()), now);
        self.end_finally(name, 401, &object, now);
        answers::done("Instance logged out")
    }

    /// `DELETE /instance/delete`: answered at once, done when `remove.instance` was delivered.
    pub(in crate::simulator) fn delete(&mut self, name: &str, now: Millis) -> Reply {
        let run = self.fresh();
        let Some(instance) = self.instances.get_mut(name) else { return answers::no_instance(name) };
        if std::mem::replace(&mut instance.is_removing, true) {
            return answers::done("Instance deleted");
        }
        let was_connected =
            instance.memory.as_ref().is_some_and(|memory| memory.state != State::Close) && instance.session.is_some();
        let data = json!({"instanceName": name, "instanceId": instance.id});
        let then = Then::Remove { name: name.to_owned(), serial: Some(instance.serial) };
        if let Some(memory) = instance.memory.as_mut() {
            memory.sockets.clear();
            memory.run = run;
            memory.state = State::Close;
        }
        instance.row.status = State::Close;
        instance.session = None;
        self.emit(name, "instance.delete", data, None, now);
        self.emit(name, "remove.instance", Value::Null, Some(then), now);
        if was_connected {
            let object = answers::ending(401, &Cause::LoggedOut(name.to_owned()), now);
            self.farewell(name, 401, &object, now);
        }
        answers::done("Instance deleted")
    }

    /// First from memory, a moment later from the database (§5.11). Without `serial` it hits whatever has that name.
    pub(super) fn remove(&mut self, name: &str, serial: Option<u64>, now: Millis) {
        let wait = self.latencies.removal;
        let Some(instance) = self.instances.get_mut(name) else { return };
        if serial.is_some_and(|serial| serial != instance.serial) {
            return;
        }
        let serial = instance.serial;
        instance.memory = None;
        instance.is_removing = true;
        self.later(now + wait, Due::Gone { name: name.to_owned(), serial });
    }

    pub(super) fn gone(&mut self, name: &str, serial: u64) {
        if self.instances.get(name).is_some_and(|instance| instance.serial == serial) {
            self.instances.remove(name);
        }
    }
}
