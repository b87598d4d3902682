//! The pure floor: nouns, rules and decisions. No async, no I/O, no clock, no randomness; time comes in as [`time::Millis`].
//! Everything above may use this; this uses nothing of the crate.

pub mod breaker;
pub mod caller;
pub mod channel;
pub mod close;
pub mod command;
pub mod emission;
pub mod entry;
pub mod error;
pub mod event;
pub mod evolution;
pub mod frame;
pub mod ids;
pub mod instance;
pub mod json;
pub mod lifecycle;
pub mod masking;
pub mod procedure;
pub mod retry;
pub mod time;
pub mod webhook;
pub mod wire;
pub mod words;
