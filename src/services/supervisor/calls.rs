//! The calls of one command, with what they need and no procedure must know: the number, the token, the webhook.

use secrecy::SecretString;

use crate::adapters::evolution::{Evolution, NewConnection, WebhookSetting};
use crate::adapters::store::commands::Claimed;
use crate::domain::evolution::Failure;
use crate::domain::procedure::{Call, Reply, RowSight};

pub(super) struct Calls<'a> {
    evolution: &'a Evolution,
    command: &'a Claimed,
    webhook: WebhookSetting,
    /// Of the row that was read last: an instance that is created again keeps it.
    token: Option<SecretString>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(evolution: &'a Evolution, command: &'a Claimed, webhook: WebhookSetting) -> Self {
        Self { evolution, command, webhook, token: None }
    }

    pub(super) async fn make(&mut self, call: Call) -> Result<Reply, Failure> {
        let (evolution, name) = (self.evolution, &self.command.instance);
        match call {
            Call::Version => evolution.version().await.map(Reply::Version),
            Call::Connection => evolution.connection(name).await.map(Reply::Connection),
            Call::Row => self.read_row().await,
            Call::Create => {
                let (name, webhook, token) = (name.clone(), self.webhook.clone(), self.token.clone());
                evolution.create(&NewConnection { name, webhook, token }).await.map(|()| Reply::Done)
            }
            Call::Connect => evolution.connect(name, self.command.number.as_deref()).await.map(Reply::Connect),
            Call::Webhook => self.set_webhook_right().await,
            Call::Logout => evolution.logout(name).await.map(|()| Reply::Done),
            Call::Delete => evolution.delete(name).await.map(|()| Reply::Done),
        }
    }

    async fn read_row(&mut self) -> Result<Reply, Failure> {
        let row = self.evolution.row(&self.command.instance).await?;
        self.token = row.as_ref().and_then(|row| row.token.clone());
        Ok(Reply::Row(row.map(|row| RowSight {
            status: row.status,
            phone_number: row.phone_number,
            profile_name: row.profile_name,
        })))
    }

    /// Writes only what differs: a `set` takes away what only `create` can subscribe to (CONTRACT §2).
    async fn set_webhook_right(&self) -> Result<Reply, Failure> {
        let name = &self.command.instance;
        let there = self.evolution.webhook(name).await?;
        if !there.is_some_and(|there| self.webhook.is_satisfied_by(&there)) {
            self.evolution.set_webhook(name, &self.webhook).await?;
        }
        Ok(Reply::Done)
    }
}
