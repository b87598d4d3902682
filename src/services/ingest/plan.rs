//! What a batch of arrivals becomes: a pure decision over what the store knows of it.

mod announced;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::json;

pub use self::announced::Announcement;
use super::QuarantineGauge;
use crate::adapters::store::batch::{
    Appended, Changes, ChannelId, Key, Known, Lookups, NewInstance, Quarantined, Remembered, Seen, ShownChange, Subject,
};
use crate::domain::emission;
use crate::domain::entry::{Entry, Outcome, QrMark};
use crate::domain::error::Error;
use crate::domain::event::EventName;
use crate::domain::frame;
use crate::domain::ids::InstanceName;
use crate::domain::instance::{Qr, View};
use crate::domain::lifecycle::{self, Action, Input};
use crate::domain::time::Millis;
use crate::domain::webhook::{Keep, ShownCode, Webhook};
use crate::domain::words;
use crate::sabotage::{self, Sabotage};

/// A webhook on its way into the log.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub webhook: Webhook,
    pub received: Millis,
    /// Kept aside before: marked in the log, and no input to the instance's life.
    pub late: bool,
    /// The quarantine row it comes from, deleted in the same transaction.
    pub released: Option<i64>,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Stored { seq: i64 },
    Duplicate { seq: i64, differs: bool },
    Folded { seq: i64 },
    Quarantined,
}

/// What the operator decided about the log.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Messages go to the organisation's channel too.
    pub org_sees_messages: bool,
    pub quarantine: QuarantineGauge,
}

const DAY_MS: i64 = 86_400_000;

/// What has to be made and looked up before these can be decided.
pub fn lookups<'a>(
    arrivals: impl Iterator<Item = &'a Arrival>,
    announcements: impl Iterator<Item = &'a Announcement>,
    now: Millis,
) -> Lookups {
    let mut wanted = Lookups { today: now.0.div_euclid(DAY_MS), ..Lookups::default() };
    for Arrival { webhook, .. } in arrivals {
        if !wanted.names.contains(&webhook.instance) {
            wanted.names.push(webhook.instance.clone());
        }
        match webhook.identity.keep {
            Keep::WithEntry => wanted.with_entry.push(webhook.identity.key),
            Keep::TwoDays => wanted.recent.push(webhook.identity.key),
        }
    }
    for announcement in announcements {
        if !wanted.names.contains(announcement.instance()) {
            wanted.names.push(announcement.instance().clone());
        }
        if let Announcement::Make(new) = announcement {
            wanted.make.push(NewInstance::clone(new));
        }
    }
    wanted
}

/// The growing plan of one batch.
#[derive(Debug)]
pub struct Plan<'a> {
    rules: &'a Rules,
    made: HashSet<InstanceName>,
    subjects: HashMap<InstanceName, Subject>,
    seen: HashMap<Key, Seen>,
    heads: HashMap<ChannelId, i64>,
    last_id: i64,
    now: Millis,
    changes: Changes,
}

impl<'a> Plan<'a> {
    pub fn new(rules: &'a Rules, known: Known, now: Millis) -> Self {
        let changes = Changes { admin_head: known.admin_head, now, ..Changes::default() };
        Self {
            rules,
            made: known.made,
            subjects: known.subjects,
            seen: known.seen,
            heads: known.heads,
            last_id: known.last_id,
            now,
            changes,
        }
    }

    /// Decides one arrival; the order of calls is the order of the log.
    ///
    /// # Errors
    /// [`Error::QuarantineFull`]: nobody owns the instance, and nothing of it is kept.
    pub fn arrive(&mut self, arrival: &Arrival) -> Result<Verdict, Error> {
        let webhook = &arrival.webhook;
        let Some(mut subject) = self.subjects.remove(&webhook.instance) else {
            if self.rules.quarantine.is_full_with(&self.changes.quarantined) {
                return Err(Error::QuarantineFull);
            }
            self.changes.quarantined.push(quarantined(arrival));
            return Ok(Verdict::Quarantined);
        };
        self.changes.released.extend(arrival.released);
        let verdict = match self.seen_before(webhook) {
            Some(seen) => Verdict::Duplicate { seq: seen.seq, differs: seen.content != webhook.identity.content },
            None => self.take_in(&mut subject, arrival),
        };
        self.subjects.insert(webhook.instance.clone(), subject);
        Ok(verdict)
    }

    pub fn finish(mut self) -> Changes {
        self.changes.subjects = self.subjects.into_values().collect();
        self.changes
    }

    fn seen_before(&self, webhook: &Webhook) -> Option<Seen> {
        if sabotage::is(Sabotage::NoDedupe) {
            return None;
        }
        self.seen.get(&webhook.identity.key).copied()
    }

    fn take_in(&mut self, subject: &mut Subject, arrival: &Arrival) -> Verdict {
        let webhook = &arrival.webhook;
        let (emitted, clock) = emission::settle(&webhook.emission, subject.state.clock, arrival.received);
        if clock != subject.state.clock {
            subject.state.clock = clock;
            subject.touched = true;
        }
        let input = webhook.input.as_ref().filter(|_| !arrival.late);
        let folds_into = input.and_then(|input| subject.state.storm.folds_into(input, emitted));
        let lived = input.map(|input| self.live(subject, input, emitted));
        if let Some(seq) = folds_into {
            self.changes.folded.push((subject.channel, seq));
            self.remember(webhook, seq);
            if let Some(lived) = lived {
                self.tell(subject, lived, true);
            }
            return Verdict::Folded { seq };
        }
        let qr = webhook.qr.as_ref().and_then(|code| show(subject, code, input.is_some()));
        let outcome = outcome(subject, webhook, qr.as_ref(), self.now);
        let seq = self.append(subject, webhook, arrival, emitted, outcome, qr);
        if let Some(input) = input {
            subject.state.storm.stored(input, seq, emitted);
        }
        self.remember(webhook, seq);
        if let Some(lived) = lived {
            self.tell(subject, lived, !frame::is_status(&webhook.event));
        }
        Verdict::Stored { seq }
    }

    /// One step of the instance's life, with what it does to the row.
    fn live(&self, subject: &mut Subject, input: &Input, emitted: Millis) -> Lived {
        let before = subject.state.view(self.now);
        let seen_before = subject.state.last_seen(self.now);
        let (state, actions) = lifecycle::step(&subject.state, input, emitted, self.now);
        subject.state = state;
        let after = subject.state.view(self.now);
        if after.is_connected && !before.is_connected {
            subject.connected_at = Some(self.now);
        }
        if subject.state.shown_qr().is_none() && subject.shown.is_some() {
            subject.shown_change = ShownChange::Clear;
            subject.shown = None;
        }
        subject.wake_at = actions.iter().rev().find_map(|action| match action {
            Action::WakeAt(at) => Some(*at),
            Action::Notify(_) | Action::Order(..) => None,
        });
        subject.touched = true;
        Lived { changed: seen_before != subject.state.last_seen(self.now), after, actions }
    }

    /// Says what changed in frames of its own: the status unless a webhook's frame already does, then notifications.
    fn tell(&mut self, subject: &mut Subject, lived: Lived, status_too: bool) {
        if status_too && lived.changed {
            let data = status_data(&subject.name, &lived.after);
            self.say(subject, EventName::STATUS, Bytes::from(data));
        }
        for action in lived.actions {
            match action {
                Action::Notify(notice) => {
                    let data = words::notice(notice, &lived.after).frame_data(&subject.name);
                    self.say(subject, EventName::NOTIFICATION, data);
                }
                Action::Order(kind, after) => self.order(subject, kind, None, after),
                Action::WakeAt(_) => {}
            }
        }
    }

    /// A row of the gateway's own, whose body is the frame's `data`.
    fn say(&mut self, subject: &mut Subject, event: &str, data: Bytes) {
        let event = EventName::dotted(event);
        let position = self.next(subject, &event);
        self.changes.appended.push(Appended {
            entry: position.entry(subject, event, self.now, data),
            user_channel: subject.channel,
            org_channel: subject.org.as_ref().map(|(_, channel)| *channel),
            identity: None,
            qr: None,
        });
    }

    fn append(
        &mut self,
        subject: &mut Subject,
        webhook: &Webhook,
        arrival: &Arrival,
        emitted: Millis,
        outcome: Option<Outcome>,
        qr: Option<Qr>,
    ) -> i64 {
        let position = self.next(subject, &webhook.event);
        let seq = position.seq;
        let entry = Entry {
            emitted_at: emitted,
            late: arrival.late,
            outcome,
            ..position.entry(subject, webhook.event.clone(), self.now, webhook.body.clone())
        };
        self.changes.appended.push(Appended {
            user_channel: subject.channel,
            org_channel: entry.org.as_ref().and(subject.org.as_ref()).map(|(_, channel)| *channel),
            identity: (webhook.identity.keep == Keep::WithEntry).then_some(webhook.identity.key),
            entry,
            qr,
        });
        seq
    }

    /// The next numbers on all channels that an event of this name goes to.
    fn next(&mut self, subject: &Subject, event: &EventName) -> Position {
        self.last_id += 1;
        let for_org = frame::goes_to_org(event) && (self.rules.org_sees_messages || !frame::is_about_messages(event));
        let org = subject.org.as_ref().filter(|_| for_org);
        Position {
            id: self.last_id,
            seq: self.bump(subject.channel),
            org_seq: org.map(|(_, channel)| self.bump(*channel)),
            admin_seq: frame::goes_to_admin(event).then(|| {
                self.changes.admin_head += 1;
                self.changes.admin_head
            }),
        }
    }

    fn bump(&mut self, channel: ChannelId) -> i64 {
        let head = self.heads.entry(channel).or_default();
        *head += 1;
        self.changes.heads.insert(channel, *head);
        *head
    }

    fn remember(&mut self, webhook: &Webhook, seq: i64) {
        if sabotage::is(Sabotage::NoDedupe) {
            return;
        }
        let identity = &webhook.identity;
        let seen = Seen { seq, content: identity.content };
        self.seen.insert(identity.key, seen);
        self.changes.remembered.push(Remembered { key: identity.key, keep: identity.keep, seen });
    }
}

/// What a step did.
struct Lived {
    after: View,
    /// Status or reason differ from what was last shown.
    changed: bool,
    actions: Vec<Action>,
}

struct Position {
    id: i64,
    seq: i64,
    org_seq: Option<i64>,
    admin_seq: Option<i64>,
}

impl Position {
    fn entry(&self, subject: &Subject, event: EventName, now: Millis, body: Bytes) -> Entry {
        Entry {
            id: self.id,
            user: subject.user.clone(),
            seq: self.seq,
            org: subject.org.as_ref().zip(self.org_seq).map(|((org, _), seq)| (org.clone(), seq)),
            admin_seq: self.admin_seq,
            instance: subject.name.clone(),
            event,
            at: now,
            emitted_at: now,
            late: false,
            folded: 0,
            outcome: None,
            body,
        }
    }
}

fn quarantined(arrival: &Arrival) -> Quarantined {
    let webhook = &arrival.webhook;
    Quarantined {
        instance: webhook.instance.clone(),
        identity: webhook.identity.key,
        event: webhook.event.clone(),
        at: arrival.received,
        issued_at: webhook.emission.issued_at,
        body: webhook.body.clone(),
    }
}

/// Puts a code on show, if the instance's life says that this is the one. What comes back is kept with the row either
/// way: a code that is not shown is announced as expired.
fn show(subject: &mut Subject, code: &ShownCode, alive: bool) -> Option<Qr> {
    let (_, expires_at) = subject.state.shown_qr().filter(|(hash, _)| alive && *hash == code.hash)?;
    let qr = Qr {
        hash: code.hash.clone(),
        image: code.image.clone(),
        code: code.code.clone(),
        pairing_code: code.pairing_code.clone(),
        count: subject.shown.map_or(1, |before| before + 1),
        expires_at,
    };
    subject.shown = Some(qr.count);
    subject.shown_change = ShownChange::Show(qr.clone());
    Some(qr)
}

fn outcome(subject: &Subject, webhook: &Webhook, qr: Option<&Qr>, now: Millis) -> Option<Outcome> {
    let is_qr = frame::is_qrcode(&webhook.event);
    if !is_qr && !frame::is_status(&webhook.event) {
        return None;
    }
    let mark = qr.map(|qr| QrMark { hash: qr.hash.clone(), count: qr.count, expires_at: qr.expires_at });
    Some(Outcome { view: subject.state.view(now), qr: mark })
}

fn status_data(name: &InstanceName, view: &View) -> String {
    json!({
        "instanceName": name,
        "status": view.status,
        "isConnected": view.is_connected,
        "phoneNumber": view.phone_number,
        "reason": view.reason,
    })
    .to_string()
}
