//! Tickets: how a page opens a socket without putting its token into an address.

use std::fmt;

use actix_web::{HttpRequest, post, web};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::domain::caller::Caller;
use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::http::door::Door;
use crate::http::extract::OptionalBody;
use crate::http::problem::Problem;
use crate::services::identity::Identity;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketRequest {
    /// `user` when absent.
    #[serde(default)]
    channel: ChannelKind,
    /// For an operator: whose channel.
    user_id: Option<String>,
    /// For an operator: which organisation's channel.
    organization_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChannelKind {
    #[default]
    User,
    Org,
    Admin,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// For `?ticket=`: good once.
    ticket: String,
    /// RFC 3339, 30 s from now.
    expires_at: String,
}

/// Without the ticket.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl TicketRequest {
    fn channel(&self, caller: &Caller) -> Result<Channel, Error> {
        caller.may_name(self.user_id.as_deref(), self.organization_id.as_deref())?;
        match self.channel {
            ChannelKind::User => caller.acting_for(self.user_id.as_deref()).map(Channel::User),
            ChannelKind::Org => {
                let org = caller.acting_in(self.organization_id.as_deref())?;
                org.map(Channel::Org)
                    .ok_or_else(|| Error::bad_input("channel", "is `org`, but no organisation is named"))
            }
            ChannelKind::Admin => Ok(Channel::Admin),
        }
    }
}

/// A ticket for one socket
#[utoipa::path(tag = "live", operation_id = "create_ticket", request_body = Option<TicketRequest>, responses(
    (status = 200, body = Ticket), (status = 401), (status = 403)
))]
#[post("/api/ws/ticket")]
async fn create(
    caller: Caller,
    request: HttpRequest,
    body: OptionalBody<TicketRequest>,
    identity: web::Data<Identity>,
    door: web::Data<Door>,
) -> Result<web::Json<Ticket>, Problem> {
    let channel = body.0.channel(&caller)?;
    let origin = door.own_origin(&request)?;
    let sold = identity.sell_ticket(&caller, &channel, origin).await?;
    Ok(web::Json(Ticket { ticket: sold.ticket.expose_secret().to_owned(), expires_at: sold.expires_at.to_string() }))
}

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(create);
}
