//! What can be asked of an instance. Everything that Evolution has to do is a command; whoever asked waits for it a
//! little, and hears of the rest on the channel.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Instances;
use crate::adapters::evolution::Evolution;
use crate::domain::command::{Kind, Note, Progress};
use crate::domain::error::Error;
use crate::domain::ids::{OrgId, UserId};
use crate::domain::instance::{Instance, Status};
use crate::domain::lifecycle::{Act, reason};
use crate::services::ingest::Announcement;

/// How long a request waits for what it asked for (INTERFACE §3: `connect` answers within 5 s).
const PATIENCE: Duration = Duration::from_millis(4_800);
/// After how long to try again what Evolution did not answer.
const SOON: Duration = Duration::from_secs(5);

impl Instances {
    /// Ensures the user's one instance and starts its connection. What comes back may already show a code.
    ///
    /// # Errors
    /// [`Error::EvolutionUnreachable`], [`Error::EvolutionRefused`] when that is known in time; the row stays. Those of
    /// [`Instances::ensure`].
    pub async fn connect(&self, user: &UserId, org: Option<&OrgId>, number: Option<&str>) -> Result<Instance, Error> {
        let instance = self.ensure(user, org).await?;
        if self.evolution.is_none() || self.shows_what_is_wanted(&instance, number) {
            return Ok(instance);
        }
        self.ask_and_wait(&instance, Kind::Connect, number).await?.ok_or(Error::NotFound("instance"))
    }

    /// "Reconectar agora": asks for it and doesn't wait.
    ///
    /// # Errors
    /// [`Error::EvolutionNotConfigured`], [`Error::Store`], [`Error::Overloaded`].
    pub async fn reconnect(&self, instance: &Instance) -> Result<Instance, Error> {
        self.ask(instance, Kind::Reconnect, None).await?;
        self.again(instance).await
    }

    /// Unlinks the phone: asks for it and doesn't wait.
    ///
    /// # Errors
    /// As [`Instances::reconnect`].
    pub async fn unlink(&self, instance: &Instance) -> Result<Instance, Error> {
        self.ask(instance, Kind::Unlink, None).await?;
        self.again(instance).await
    }

    /// Removes the instance here and at Evolution. `None` when that is confirmed, else how it stands.
    ///
    /// # Errors
    /// [`Error::EvolutionRefused`] when it can't be done until somebody changes the configuration; [`Error::Store`],
    /// [`Error::Overloaded`].
    pub async fn remove(&self, instance: &Instance) -> Result<Option<Instance>, Error> {
        if self.evolution.is_none() {
            self.ingest.announce(Announcement::Remove { instance: instance.name.clone() }).await?;
            return self.store.instance_of(&instance.user).await;
        }
        match self.ask_and_wait(instance, Kind::Remove, None).await {
            // It is tried again until it is done.
            Err(Error::EvolutionUnreachable { .. }) => self.store.instance_of(&instance.user).await,
            outcome => outcome,
        }
    }

    /// The owner scanned, and nothing happened.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Overloaded`].
    pub async fn scanned(&self, instance: &Instance) -> Result<Instance, Error> {
        self.ingest.announce(Announcement::Tell { instance: instance.name.clone(), act: Act::Scanned }).await?;
        self.again(instance).await
    }

    async fn again(&self, instance: &Instance) -> Result<Instance, Error> {
        self.store.instance_of(&instance.user).await?.ok_or(Error::NotFound("instance"))
    }

    pub(super) async fn ask(&self, instance: &Instance, kind: Kind, number: Option<&str>) -> Result<(), Error> {
        if self.evolution.is_none() {
            return Err(Error::EvolutionNotConfigured);
        }
        let (instance, number) = (instance.name.clone(), number.map(str::to_owned));
        self.ingest.announce(Announcement::Order { instance, kind, number }).await?;
        self.news.order();
        Ok(())
    }

    async fn ask_and_wait(
        &self,
        instance: &Instance,
        kind: Kind,
        number: Option<&str>,
    ) -> Result<Option<Instance>, Error> {
        let mut follower = self.news.follow(&instance.name);
        self.ask(instance, kind, number).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            follower.mark_unchanged();
            let Some(current) = self.store.instance_of(&instance.user).await? else { return Ok(None) };
            match self.store.progress(current.session_id, kind, number).await? {
                Some(Progress::Unconfirmed(note)) => return self.failed(&note).map_or(Ok(Some(current)), Err),
                // Its number follows its code by a second.
                Some(Progress::Confirmed) if number.is_none() => return Ok(Some(current)),
                _ if kind == Kind::Connect && self.shows_what_is_wanted(&current, number) => return Ok(Some(current)),
                _ => {}
            }
            if !changed_before(&mut follower, deadline).await {
                return Ok(Some(current));
            }
        }
    }

    /// What a command's end means to whoever waits for it; `None` where the instance says it itself.
    fn failed(&self, note: &Note) -> Option<Error> {
        let advice = note.advice.clone().unwrap_or_default();
        match note.code.as_str() {
            reason::EVOLUTION_UNREACHABLE => {
                let pause = self.evolution.as_ref().map_or(SOON, Evolution::pause);
                Some(Error::EvolutionUnreachable { advice, retry_after: pause.max(SOON) })
            }
            reason::EVOLUTION_REFUSED => Some(Error::EvolutionRefused(advice)),
            _ => None,
        }
    }

    /// A code is on show: asking Evolution again could only replace it.
    fn shows_what_is_wanted(&self, instance: &Instance, number: Option<&str>) -> bool {
        let now = self.clock.now();
        let code = instance.qr.as_ref().filter(|qr| qr.valid_at(now));
        let fits = code.is_some_and(|code| number.is_none() || code.pairing_code.is_some());
        fits && instance.state.view(now).status == Status::WaitingQr
    }
}

async fn changed_before(follower: &mut watch::Receiver<()>, deadline: Instant) -> bool {
    matches!(timeout_at(deadline, follower.changed()).await, Ok(Ok(())))
}
