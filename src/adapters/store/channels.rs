//! What a listener needs at its start: where the channel stands and what it shows.

use std::collections::BTreeMap;

use super::Store;
use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::domain::instance::Instance;

/// A channel at one moment, read in one transaction.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The last number given; 0 when there is none.
    pub head: i64,
    /// The lowest number still kept; `head + 1` when none is.
    pub kept_from: i64,
    pub snapshot: Snapshot,
}

/// What `hello` shows.
#[derive(Clone, Debug)]
pub enum Snapshot {
    User(Option<Box<Instance>>),
    /// At most 500, by session id.
    Org(Vec<Instance>),
    /// Instances per status.
    Admin(BTreeMap<String, i64>),
}

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn opening(&self, channel: &Channel) -> Result<Opening, Error> {
        let _ = channel;
        Err(Error::Internal("not wired"))
    }
}
