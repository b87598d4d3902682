//! Why no answer came, from what lies at the bottom of the error.

use std::error::Error as StdError;
use std::io;

use reqwest::dns::{Name, Resolve, Resolving};
use thiserror::Error as ThisError;

use crate::domain::evolution::{Failure, NoAnswer};

/// What the system's resolver says, kept as a type: the client has no other way to tell it from a refused connection.
#[derive(Debug, ThisError)]
#[error("the host name is unknown")]
struct NameUnknown(#[source] io::Error);

/// The system's resolver.
#[derive(Debug)]
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NameUnknown)?.collect();
            Ok(Box::new(found.into_iter()) as Box<_>)
        })
    }
}

/// No answer, or one that is not HTTP.
pub(super) fn failure(error: reqwest::Error) -> Failure {
    let never_left = error.is_connect();
    let how = match known_cause(&error) {
        Some(Cause::NotHttp) => return Failure::NotEvolution("its answer is not HTTP"),
        Some(Cause::Of(how)) => how,
        None if error.is_timeout() => NoAnswer::TimedOut,
        None if never_left => NoAnswer::Unreachable,
        None => NoAnswer::Broken,
    };
    Failure::NoAnswer { how, sent: !never_left, cause: Some(error.without_url().into()) }
}

enum Cause {
    NotHttp,
    Of(NoAnswer),
}

fn known_cause(error: &reqwest::Error) -> Option<Cause> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = next {
        let known = cause_in(cause);
        if known.is_some() {
            return known;
        }
        next = beneath(cause);
    }
    None
}

/// The source of an I/O error is its inner error's source: the inner one itself, a TLS error, would be passed over.
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn cause_in(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<NameUnknown>() {
        return Some(Cause::Of(NoAnswer::NameUnknown));
    }
    if let Some(http) = error.downcast_ref::<hyper::Error>() {
        return http.is_parse().then_some(Cause::NotHttp);
    }
    if error.is::<rustls::Error>() {
        return Some(Cause::Of(NoAnswer::Tls));
    }
    of_io(error.downcast_ref::<io::Error>()?.kind()).map(Cause::Of)
}

const fn of_io(kind: io::ErrorKind) -> Option<NoAnswer> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some(NoAnswer::Refused),
        io::ErrorKind::TimedOut => Some(NoAnswer::TimedOut),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            Some(NoAnswer::Unreachable)
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(NoAnswer::Broken),
        _ => None,
    }
}
