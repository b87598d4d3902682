//! One file per noun: wire types and thin handlers.

pub mod session;
pub mod tickets;
pub mod tokens;
