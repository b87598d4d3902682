//! What the gateway itself does to an instance and says on its channel, in the same transactions as the webhooks.

use std::time::Duration;

use bytes::Bytes;

use super::{Plan, status_data};
use crate::adapters::store::batch::{NewCommand, NewInstance, Settled, Subject};
use crate::domain::command::Kind;
use crate::domain::event::EventName;
use crate::domain::ids::InstanceName;
use crate::domain::lifecycle::{Act, Input};
use crate::domain::procedure::End;

/// What the gateway itself appends to a user's channel.
#[derive(Clone, Debug)]
pub enum Announcement {
    /// This instance must exist; its beginning is told when it is made now.
    Make(Box<NewInstance>),
    /// A notification whose `data` is ready.
    Notification { instance: InstanceName, data: String },
    /// Time passed for an instance that wanted to be woken.
    Wake { instance: InstanceName },
    /// Somebody wants this done at Evolution. Asked again while it is open, it is done once.
    Order { instance: InstanceName, kind: Kind, number: Option<String> },
    /// This gateway did or found out something.
    Tell { instance: InstanceName, act: Act },
    /// It goes, and nobody else has to be asked.
    Remove { instance: InstanceName },
    /// A command has ended, or is put off.
    Settle { instance: InstanceName, kind: Kind, settled: Settled },
}

impl Announcement {
    pub fn instance(&self) -> &InstanceName {
        match self {
            Self::Make(new) => &new.name,
            Self::Notification { instance, .. }
            | Self::Wake { instance }
            | Self::Order { instance, .. }
            | Self::Tell { instance, .. }
            | Self::Remove { instance }
            | Self::Settle { instance, .. } => instance,
        }
    }
}

impl Plan<'_> {
    /// Appends what the gateway itself has to say.
    pub fn announce(&mut self, announcement: &Announcement) {
        let Some(mut subject) = self.subjects.remove(announcement.instance()) else { return };
        match announcement {
            // Several may ask at once; it begins once.
            Announcement::Make(_) if !self.made.remove(&subject.name) => {}
            Announcement::Make(new) => {
                // A removed one comes back with what is known of it, and none of what was done about it.
                subject.state.own.clone_from(&new.state.own);
                subject.touched = true;
                let view = subject.state.view(self.now);
                let data = status_data(&subject.name, &view);
                self.say(&mut subject, EventName::STATUS, Bytes::from(data));
            }
            Announcement::Notification { data, .. } => {
                self.say(&mut subject, EventName::NOTIFICATION, Bytes::copy_from_slice(data.as_bytes()));
            }
            Announcement::Wake { .. } => self.go_on(&mut subject, &Input::Tick),
            Announcement::Order { kind, number, .. } => {
                self.go_on(&mut subject, &Input::Own(Act::Began(*kind)));
                self.order(&subject, *kind, number.clone(), Duration::ZERO);
            }
            Announcement::Tell { act, .. } => self.go_on(&mut subject, &Input::Own(act.clone())),
            Announcement::Remove { .. } => self.remove(&mut subject),
            Announcement::Settle { kind, settled, .. } => self.settle(&mut subject, *kind, settled),
        }
        self.subjects.insert(announcement.instance().clone(), subject);
    }

    /// A step of the gateway's own making, told in frames of its own.
    fn go_on(&mut self, subject: &mut Subject, input: &Input) {
        let lived = self.live(subject, input, self.now);
        self.tell(subject, lived, true);
    }

    pub(super) fn order(&mut self, subject: &Subject, kind: Kind, number: Option<String>, after: Duration) {
        let due_at = self.now + after;
        self.changes.ordered.push(NewCommand { session_id: subject.session_id, kind, number, due_at });
    }

    fn remove(&mut self, subject: &mut Subject) {
        subject.removed = true;
        self.go_on(subject, &Input::Own(Act::FoundAbsent));
    }

    fn settle(&mut self, subject: &mut Subject, kind: Kind, settled: &Settled) {
        let note = match &settled.end {
            End::Confirmed(note) => Some(note.clone()),
            End::Unconfirmed(note) => Some(Some(note.clone())),
            End::Removed => {
                self.remove(subject);
                Some(None)
            }
            End::Later(..) => None,
        };
        if let Some(note) = note {
            self.go_on(subject, &Input::Own(Act::Ended(kind, note)));
        }
        self.changes.settled.push(settled.clone());
    }
}
