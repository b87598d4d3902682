//! Deleting an instance and creating it again under its name and with its token: the only way below 2.3.7 to unlink a
//! phone without killing the instance's queue of incoming messages (CONTRACT §5.5).

use super::creation::Creation;
use super::deletion::Deletion;
use super::{Call, Heard, Next, Reply, Sight, Step};

#[derive(Debug, Default)]
pub enum Recreation {
    /// For the token.
    #[default]
    Reading,
    Deleting(Deletion),
    Creating(Creation),
}

impl Recreation {
    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Step<()> {
        match self {
            Self::Reading => match heard {
                Heard::Reply(Ok(Reply::Row(_))) => self.enter(Self::Deleting(Deletion::default()), sight),
                Heard::Reply(Err(failure)) => Step::Failed(failure),
                _ => Step::Next(Next::Call(Call::Row)),
            },
            Self::Deleting(deletion) => match deletion.next(heard, sight) {
                Step::Next(next) => Step::Next(next),
                Step::Failed(failure) => Step::Failed(failure),
                Step::Done(()) => self.enter(Self::Creating(Creation::default()), sight),
            },
            Self::Creating(creation) => match creation.next(heard, sight) {
                Step::Next(next) => Step::Next(next),
                Step::Failed(failure) => Step::Failed(failure),
                Step::Done(_) => Step::Done(()),
            },
        }
    }

    fn enter(&mut self, stage: Self, sight: &Sight<'_>) -> Step<()> {
        *self = stage;
        self.next(Heard::Begun, sight)
    }
}
