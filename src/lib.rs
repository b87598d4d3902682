//! zapgate: the durable, multi-tenant gateway between Evolution API (`WhatsApp`) and a `SaaS`.
//!
//! Floors, top to bottom; a file may use any floor below it, never one above (`tests/it/tidy.rs` checks):
//! [`cli`], [`simulator`] · [`app`] · [`http`] · [`services`] · [`adapters`] · [`domain`].

pub mod cli;
pub mod config;
pub mod telemetry;

pub mod simulator;

pub mod app;

pub mod http;

pub mod services;

pub mod adapters;

pub mod domain;

pub mod sabotage;
