//! Everything that can go wrong on the way of a request, named by what happened. The published `code` of each is
//! [`Error::code`]; the HTTP status is decided at the edge, in `http/problem.rs`.

use std::time::Duration;

use thiserror::Error as ThisError;

/// A cause from below (database, network), kept for the log and never shown to a caller.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, ThisError)]
pub enum Error {
    #[error("`{field}` {problem}")]
    BadInput { field: &'static str, problem: String },
    #[error("the body is not valid JSON: {0}")]
    NotJson(String),
    #[error("the webhook names no event")]
    NoEvent,
    #[error("neither the path nor the body names an instance")]
    NoInstance,
    #[error("credentials are missing")]
    CredentialsMissing,
    #[error("the credentials are not valid: {0}")]
    CredentialsInvalid(&'static str),
    #[error("the credentials expired or were revoked")]
    CredentialsExpired,
    #[error("the webhook carries no proof that it comes from this installation's Evolution API")]
    ProofMissing,
    #[error("the webhook's proof is not valid: {0}")]
    ProofInvalid(&'static str),
    #[error("the path and the body name different instances")]
    InstanceMismatch,
    #[error("that belongs to somebody else")]
    NotYours,
    #[error("only an operator may do that")]
    AdminOnly,
    #[error("the token lacks the scope `{0}`")]
    ScopeMissing(&'static str),
    #[error("requests from this origin are not allowed")]
    ForeignOrigin,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It is there and may be acted on, but not so, not now.
    #[error("{0}")]
    NotPossible(&'static str),
    #[error("this address doesn't know the method {0}")]
    MethodNotAllowed(String),
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    /// Too slow, or cut short. Evolution sends again what is answered so (CONTRACT §1.3).
    #[error("the body did not arrive whole and in time")]
    BodyTimeout,
    #[error("{0}")]
    UnsupportedMedia(&'static str),
    #[error("too many requests")]
    TooManyRequests { retry_after: Duration },
    /// The one 4xx for a fault of ours (INTERFACE §3): a `logout.instance` or `remove.instance` that could not be
    /// committed, since Evolution would wipe a later session of that name when a re-send is answered.
    #[error("this ending could not be stored and must not be sent again")]
    EndingNotStored,
    #[error("overloaded: the ingest queue is full")]
    Overloaded,
    #[error("the disk is nearly full")]
    DiskNearlyFull,
    #[error("the quarantine is full")]
    QuarantineFull,
    #[error("the server is stopping")]
    Stopping,
    #[error("the store failed while {doing}")]
    Store {
        doing: &'static str,
        #[source]
        cause: Cause,
    },
    /// Later may help; the advice is for whoever runs the server.
    #[error("Evolution can't be reached. {advice}")]
    EvolutionUnreachable { advice: String, retry_after: Duration },
    /// It answered, and somebody must change the configuration; what, is said.
    #[error("Evolution refused. {0}")]
    EvolutionRefused(String),
    #[error("EVOLUTION_API_URL is not set on this server, so nothing can be asked of Evolution")]
    EvolutionNotConfigured,
    #[error("the key set could not be read")]
    KeySetUnreachable(#[source] Cause),
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Error {
    pub fn bad_input(field: &'static str, problem: impl Into<String>) -> Self {
        Self::BadInput { field, problem: problem.into() }
    }

    pub fn store(doing: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Store { doing, cause: cause.into() }
    }

    /// The published name of this error: stable, never renamed, the last part of the problem's `type`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadInput { .. } => "bad_input",
            Self::NotJson(_) => "not_json",
            Self::NoEvent => "no_event",
            Self::NoInstance => "no_instance",
            Self::CredentialsMissing => "credentials_missing",
            Self::CredentialsInvalid(_) => "credentials_invalid",
            Self::CredentialsExpired => "credentials_expired",
            Self::ProofMissing => "webhook_proof_missing",
            Self::ProofInvalid(_) => "webhook_proof_invalid",
            Self::InstanceMismatch => "instance_mismatch",
            Self::NotYours => "not_yours",
            Self::AdminOnly => "admin_only",
            Self::ScopeMissing(_) => "scope_missing",
            Self::ForeignOrigin => "foreign_origin",
            Self::NotFound(_) => "not_found",
            Self::NotPossible(_) => "not_possible",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::TooLarge { .. } => "too_large",
            Self::BodyTimeout => "body_timeout",
            Self::UnsupportedMedia(_) => "unsupported_media",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::EndingNotStored => "ending_not_stored",
            Self::Overloaded => "overloaded",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::QuarantineFull => "quarantine_full",
            Self::Stopping => "stopping",
            Self::Store { .. } => "store_unavailable",
            Self::EvolutionUnreachable { .. } => "evolution_unreachable",
            Self::EvolutionRefused(_) => "evolution_refused",
            Self::EvolutionNotConfigured => "evolution_not_configured",
            Self::KeySetUnreachable(_) => "key_set_unreachable",
            Self::Internal(_) => "internal",
        }
    }
}
