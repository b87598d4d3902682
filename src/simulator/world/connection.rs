//! The life of a socket to WhatsApp: greeting, login, silent endings, the reconnect loop without a pause (§5.9, §5.10) and
//! the war of two sockets over one session (440).

use std::time::Duration;

use serde_json::json;

use super::instance::{Memory, Session, Socket, Stage, State};
use super::{Due, World};
use crate::domain::evolution::Version;
use crate::domain::time::Millis;
use crate::simulator::answers;

/// References for codes that WhatsApp hands to one socket (§5.4).
const REFERENCES: u32 = 6;
/// From here on a reconnect waits, and a time-out is an ending (§9).
const CALM: Version = Version(2, 4, 0);

impl World {
    pub(super) fn memory_mut(&mut self, name: &str) -> Option<&mut Memory> {
        self.instances.get_mut(name)?.memory.as_mut()
    }

    pub(super) fn is_calm(&self) -> bool {
        self.version >= CALM
    }

    /// Opens one more socket, whatever others there are.
    pub(super) fn open_socket(&mut self, name: &str, now: Millis) {
        let (id, fast, slow) = (self.fresh(), self.latencies.storm / 2, self.latencies.greeting);
        let Some(instance) = self.instances.get_mut(name) else { return };
        let wait = if instance.cut_until.is_some_and(|until| until > now) { fast } else { slow };
        let Some(memory) = instance.memory.as_mut() else { return };
        memory.sockets.push(Socket { id, stage: Stage::Greeting, references: REFERENCES });
        memory.state = State::Connecting;
        self.emit(name, "connection.update", answers::state(name, State::Connecting, 200), None, now);
        self.later(now + wait, Due::Greeted { name: name.to_owned(), socket: id });
    }

    /// WhatsApp answers a socket: it may go on, or fails and the loop turns once more.
    pub(super) fn greeted(&mut self, name: &str, socket: u64, now: Millis) {
        let login = self.latencies.login;
        let Some(instance) = self.instances.get_mut(name) else { return };
        let is_cut = instance.cut_until.is_some_and(|until| until > now)
            || instance.silent_until.is_some_and(|until| until > now);
        let session = instance.session.clone();
        let Some(memory) = instance.memory.as_mut() else { return };
        let Some(found) = memory.socket(socket) else { return };
        match session {
            _ if is_cut => self.socket_failed(name, socket, now),
            None => {
                found.stage = Stage::Pairing;
                self.code_wanted(name, socket, now);
            }
            Some(Session { is_linked: false, .. }) => {
                self.end_finally(name, 401, &answers::ending(401, &answers::Cause::DeviceRemoved, now), now);
            }
            Some(Session { link, .. }) => {
                found.stage = Stage::Login(link);
                self.later(now + login, Due::LoggedIn { name: name.to_owned(), socket });
            }
        }
    }

    /// The attempt came to nothing: state `close` for an instant, then the next (§5.9: bursts of about 15, a pause).
    fn socket_failed(&mut self, name: &str, socket: u64, now: Millis) {
        let (storm, pause) = (self.latencies.storm, self.latencies.storm_pause);
        let calm = self.is_calm().then_some(self.latencies.calm_reconnect);
        let Some(memory) = self.memory_mut(name) else { return };
        if !memory.drop_socket(socket) {
            return;
        }
        memory.state = State::Close;
        memory.tries += 1;
        let run = memory.run;
        let wait = if memory.tries.is_multiple_of(15) { pause } else { storm / 2 };
        self.later(now + calm.unwrap_or(wait), Due::Reconnect { name: name.to_owned(), run });
    }

    pub(super) fn reconnect(&mut self, name: &str, run: u64, now: Millis) {
        if self.memory_mut(name).is_some_and(|memory| memory.run == run) {
            self.open_socket(name, now);
        }
    }

    /// A login is through: the connection is open, and whoever else is logged in with that session is thrown out.
    pub(super) fn logged_in(&mut self, name: &str, socket: u64, now: Millis) {
        let war = self.latencies.war;
        let Some(instance) = self.instances.get_mut(name) else { return };
        let is_cut = instance.cut_until.is_some_and(|until| until > now);
        let has_rival = instance.rival_until.is_some_and(|until| until > now);
        let phone = instance.session.as_ref().map(|session| session.phone.clone());
        let Some(memory) = instance.memory.as_mut() else { return };
        let Some(found) = memory.socket(socket) else { return };
        let (Stage::Login(link), false) = (found.stage, is_cut) else {
            return self.socket_failed(name, socket, now);
        };
        // A session wiped between greeting and login: WhatsApp knows nothing of that, the next socket will.
        let Some(phone) = phone else { return self.socket_failed(name, socket, now) };
        found.stage = Stage::Open(link);
        let others = memory.sockets.iter().filter(|other| other.id != socket && other.stage == Stage::Open(link));
        let others: Vec<u64> = others.map(|other| other.id).collect();
        memory.state = State::Open;
        memory.tries = 0;
        memory.sender = Some(phone.jid());
        instance.row.status = State::Open;
        instance.row.owner = Some(phone.jid());
        instance.row.profile_name = Some(phone.name.clone());
        instance.row.picture = phone.picture();
        instance.row.updated_at = now;
        for other in others {
            self.later(now + war, Due::Replaced { name: name.to_owned(), socket: other });
        }
        self.emit(name, "connection.update", answers::open(name, &phone), None, now);
        if has_rival {
            self.later(now + war, Due::Replaced { name: name.to_owned(), socket });
        }
        self.opened(name, now);
    }

    /// 440: someone else logged in with the same session. Silent, and at once the next login, which throws out the other.
    pub(super) fn replaced(&mut self, name: &str, socket: u64, now: Millis) {
        let Some(memory) = self.memory_mut(name) else { return };
        if memory.drop_socket(socket) {
            memory.state = State::Connecting;
            self.open_socket(name, now);
        }
    }

    // ── what a test or the demo does to it ─────────────────────────────────────────────────────────────────────────

    /// Ends the connection without a word (408, 428, 440, 503, 515…): the next thing seen is `connecting` (§3.2).
    pub(in crate::simulator) fn end_silently(&mut self, name: &str, code: u16, now: Millis) -> bool {
        if self.is_calm() && code == 408 {
            return self.end(name, 408, now);
        }
        let calm = self.is_calm().then_some(self.latencies.calm_reconnect);
        let Some(memory) = self.memory_mut(name) else { return false };
        if memory.sockets.is_empty() {
            return false;
        }
        memory.sockets.clear();
        let run = memory.run;
        match calm {
            Some(wait) => {
                memory.state = State::Close;
                self.later(now + wait, Due::Reconnect { name: name.to_owned(), run });
            }
            None => self.open_socket(name, now),
        }
        true
    }

    /// WhatsApp can't be reached by this instance for so long: a storm of `connecting`, and `open` after it.
    pub(in crate::simulator) fn cut(&mut self, name: &str, lasts: Duration, now: Millis) -> bool {
        let Some(instance) = self.instances.get_mut(name) else { return false };
        instance.cut_until = Some(now + lasts);
        self.end_silently(name, 428, now)
    }

    /// WhatsApp is reached again.
    pub(in crate::simulator) fn mend(&mut self, name: &str) {
        if let Some(instance) = self.instances.get_mut(name) {
            instance.cut_until = None;
            instance.silent_until = None;
            instance.rival_until = None;
        }
    }

    /// WhatsApp says nothing more for so long, without closing (§5.9): `open` until the keep-alive notices.
    pub(in crate::simulator) fn mute(&mut self, name: &str, lasts: Duration, now: Millis) -> bool {
        let notice = self.latencies.silence_noticed;
        let Some(instance) = self.instances.get_mut(name) else { return false };
        let Some(memory) = instance.memory.as_ref() else { return false };
        instance.silent_until = Some(now + lasts);
        let sockets: Vec<u64> = memory.sockets.iter().map(|socket| socket.id).collect();
        for socket in &sockets {
            self.later(now + notice, Due::Noticed { name: name.to_owned(), socket: *socket });
        }
        !sockets.is_empty()
    }

    pub(super) fn noticed(&mut self, name: &str, socket: u64, now: Millis) {
        let is_there = self.memory_mut(name).is_some_and(|memory| memory.socket(socket).is_some());
        let is_mute = self.instance(name).and_then(|instance| instance.silent_until).is_some_and(|until| until > now);
        if is_there && is_mute {
            self.end_silently(name, 408, now);
        }
    }

    /// Another server uses this session for so long: 440 after each opening.
    pub(in crate::simulator) fn rival(&mut self, name: &str, lasts: Duration, now: Millis) -> bool {
        let Some(instance) = self.instances.get_mut(name) else { return false };
        instance.rival_until = Some(now + lasts);
        let open = |socket: &&Socket| matches!(socket.stage, Stage::Open(_));
        let socket =
            instance.memory.as_ref().and_then(|memory| memory.sockets.iter().find(open)).map(|socket| socket.id);
        let Some(socket) = socket else { return false };
        self.later(now, Due::Replaced { name: name.to_owned(), socket });
        true
    }

    /// What follows an opening: the history of a new pairing (§5.3), then what came meanwhile.
    fn opened(&mut self, name: &str, now: Millis) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let is_new = instance.session.as_mut().is_some_and(|session| !std::mem::replace(&mut session.is_synced, true));
        let (id, own) = (instance.id.clone(), instance.row.owner.clone().unwrap_or_default());
        let offline = std::mem::take(&mut instance.offline);
        if is_new {
            let picture = json!([{"remoteJid": own, "profilePicUrl": instance.row.picture, "instanceId": id}]);
            self.share_history(name, picture, now);
        }
        for message in offline {
            self.incoming(name, message, now);
        }
    }
}
