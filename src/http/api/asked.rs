//! What every request needs that asks something of an instance.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use super::whatsapp::Whose;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::caller::{Caller, Scope};
use crate::domain::error::Error;
use crate::domain::instance::Instance;
use crate::domain::wire::InstanceJson;
use crate::http::extract::shared;
use crate::http::problem::Problem;
use crate::services::instances::Instances;

/// The rooms behind such a request.
pub(super) struct Asked {
    pub(super) instances: Data<Instances>,
    pub(super) store: Data<Store>,
    clock: Data<Clock>,
}

impl FromRequest for Asked {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(Problem))
    }
}

impl Asked {
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        Ok(Self { instances: shared(request)?, store: shared(request)?, clock: shared(request)? })
    }

    /// The instance that the caller may drive: the own one, or for an operator that of the user it names.
    ///
    /// # Errors
    /// [`Error::ScopeMissing`], [`Error::NotYours`], [`Error::NotFound`].
    pub(super) async fn instance(&self, caller: &Caller, whose: &Whose) -> Result<Instance, Error> {
        caller.require_scope(Scope::Connect)?;
        let user = caller.acting_for(whose.user_id.as_deref())?;
        self.store.instance_of(&user).await?.ok_or(Error::NotFound("instance"))
    }

    /// 202: it is on its way.
    pub(super) fn accepted(&self, instance: &Instance) -> HttpResponse {
        HttpResponse::Accepted().json(InstanceJson::of(instance, self.clock.now(), true))
    }

    /// 204, or 202 while it is still there.
    pub(super) fn removed(&self, left: Option<&Instance>) -> HttpResponse {
        left.map_or_else(|| HttpResponse::NoContent().finish(), |instance| self.accepted(instance))
    }
}
