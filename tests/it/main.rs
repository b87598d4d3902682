//! The one binary of tests that look at zapgate from outside, and at its own house rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stops loudly; clippy.toml's switches reach only #[test] functions, not what they call"
)]

mod app;
mod aside;
mod bad_input;
mod broken_rows;
mod command_line;
mod connect;
mod delivery;
mod dependencies;
mod docs;
mod doors;
mod evolution;
mod flows;
mod forms;
mod full_disk;
mod identity;
mod isolation;
mod judge;
mod kill;
mod limits_live;
mod listeners;
mod live;
mod own_frames;
mod power;
mod process;
mod proofs;
mod qr;
mod recorded;
mod recordings;
mod recordings_live;
mod recovery;
mod retention;
mod sabotage;
mod secrets;
mod shutdown;
mod simulator;
mod smoke;
mod socket;
mod store_down;
mod tail;
mod tidy;
mod traffic;
mod upgrades;
mod whatsapp;
