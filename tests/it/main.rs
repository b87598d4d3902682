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
mod dependencies;
mod identity;
mod judge;
mod kill;
mod live;
mod power;
mod process;
mod recorded;
mod recordings;
mod sabotage;
mod shutdown;
mod smoke;
mod socket;
mod store_down;
mod tidy;
mod traffic;
