//! What is known of an instance, as facts that can be learnt in any order: of each kind the newest, of two kinds the
//! newest few. Learning is taking a maximum, so it is commutative, associative and idempotent, and a late, repeated or
//! reordered webhook can't leave a trace that a punctual one would not.

use serde::{Deserialize, Serialize};

use super::{Act, Cause, Input};
use crate::domain::time::Millis;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Facts {
    pub(super) created: Option<Millis>,
    pub(super) removed: Option<Millis>,
    /// As many as make a storm.
    pub(super) connecting: Newest<9>,
    /// As many as make a conflict.
    pub(super) opened: Newest<6>,
    /// The newest code's hash.
    pub(super) qr: Option<At<String>>,
    pub(super) qr_limit: Option<Millis>,
    /// The newest of the three webhooks of an ending, which come in any order (CONTRACT §5.6).
    pub(super) ended: Option<Millis>,
    pub(super) code: Option<At<u16>>,
    pub(super) cause: Option<At<Cause>>,
    /// `logout.instance`: the session can't come back.
    pub(super) wiped: Option<Millis>,
    /// The newest `open` when a read found a fought-over session open: the fight up to there is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reclaimed: Option<Millis>,
    /// Each of the newest `open` that told it.
    pub(super) phone_number: Option<At<String>>,
    pub(super) profile_name: Option<At<String>>,
}

/// A value and when it was true; the newest is the greatest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At<T> {
    pub(super) at: Millis,
    pub(super) value: T,
}

/// The newest `K` distinct instants, newest first.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Newest<const K: usize>(Vec<Millis>);

impl Facts {
    /// Joins what `input`, emitted at `at`, says to what is known.
    pub(super) fn learn(&mut self, input: &Input, at: Millis) {
        match input {
            Input::Created => raise(&mut self.created, at),
            Input::Removed => raise(&mut self.removed, at),
            Input::Connecting => self.connecting.learn(at),
            Input::Opened { phone_number, profile_name } => {
                self.opened.learn(at);
                raise_told(&mut self.phone_number, at, phone_number.clone());
                raise_told(&mut self.profile_name, at, profile_name.clone());
            }
            Input::Qr { hash } => raise(&mut self.qr, At { at, value: hash.clone() }),
            Input::QrLimit => raise(&mut self.qr_limit, at),
            Input::Closed { code } => self.learn_ending(at, *code, None),
            Input::Ended { code, cause } => self.learn_ending(at, *code, *cause),
            Input::LoggedOut => {
                self.learn_ending(at, None, None);
                raise(&mut self.wiped, at);
            }
            Input::Tick | Input::Own(_) => {}
        }
    }

    /// Joins what a read of ours found. It is placed right behind the newest thing heard: Evolution's clock and ours may
    /// differ, and what Evolution tells next must count.
    pub(super) fn find(&mut self, act: &Act, now: Millis) {
        let newest = self.newest_heard();
        match act {
            Act::FoundOpen { phone_number, profile_name } => {
                let was_fought_over = self.is_fought_over(now);
                let at = match newest {
                    Some(_) if self.is_open() => self.opened.first().unwrap_or(now),
                    Some(newest) => Millis(newest.0.saturating_add(1)),
                    None => now,
                };
                let (phone_number, profile_name) = (phone_number.clone(), profile_name.clone());
                self.learn(&Input::Opened { phone_number, profile_name }, at);
                if was_fought_over {
                    raise(&mut self.reclaimed, at);
                }
            }
            Act::FoundAbsent => {
                raise(&mut self.removed, newest.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn newest_heard(&self) -> Option<Millis> {
        let qr = self.qr.as_ref().map(|qr| qr.at);
        let signs = [self.created, self.removed, self.connecting.first(), self.opened.first(), qr, self.qr_limit];
        signs.into_iter().chain([self.ended, self.wiped]).flatten().max()
    }

    fn learn_ending(&mut self, at: Millis, code: Option<u16>, cause: Option<Cause>) {
        raise(&mut self.ended, at);
        raise_told(&mut self.code, at, code);
        raise_told(&mut self.cause, at, cause);
    }
}

fn raise<T: Ord>(known: &mut Option<T>, fact: T) {
    if known.as_ref().is_none_or(|known| *known < fact) {
        *known = Some(fact);
    }
}

fn raise_told<T: Ord>(known: &mut Option<At<T>>, at: Millis, told: Option<T>) {
    if let Some(value) = told {
        raise(known, At { at, value });
    }
}

impl<const K: usize> Newest<K> {
    fn learn(&mut self, at: Millis) {
        if !self.0.contains(&at) {
            self.0.push(at);
            self.0.sort_unstable_by(|a, b| b.cmp(a));
            self.0.truncate(K);
        }
    }

    pub(super) fn first(&self) -> Option<Millis> {
        self.0.first().copied()
    }

    /// The `nth` newest, counted from 1.
    pub(super) fn nth(&self, nth: usize) -> Option<Millis> {
        self.0.get(nth.checked_sub(1)?).copied()
    }

    /// Newest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Millis> + '_ {
        self.0.iter().copied()
    }
}

/// Names no phone number, person or code.
impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("created", &self.created)
            .field("removed", &self.removed)
            .field("connecting", &self.connecting.0)
            .field("opened", &self.opened.0)
            .field("qr", &self.qr.as_ref().map(|qr| qr.at))
            .field("qr_limit", &self.qr_limit)
            .field("ended", &self.ended)
            .field("code", &self.code.as_ref().map(|code| code.value))
            .field("cause", &self.cause.as_ref().map(|cause| cause.value))
            .field("wiped", &self.wiped)
            .finish_non_exhaustive()
    }
}
