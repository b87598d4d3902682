//! The client of Evolution, against servers that say byte for byte what they are told to.

mod breaker;
mod failures;
mod recordings;
mod repeats;
mod requests;
mod server;
mod transport;
