//! The JSON API, one file per noun.

pub mod aside;
mod asked;
pub mod instances;
pub mod live;
pub mod migration;
pub mod operations;
pub mod page;
pub mod session;
pub mod tail;
pub mod tickets;
pub mod tokens;
pub mod webhook_test;
pub mod whatsapp;
