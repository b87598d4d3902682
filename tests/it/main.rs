//! Behaviour from outside, in one binary: a module per area.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod identity;
