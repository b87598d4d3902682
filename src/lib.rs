//! zapgate: the durable, multi-tenant gateway between Evolution API (WhatsApp) and a SaaS.
//!
//! Floors, top to bottom; a file may use any floor below it, never one above (`tests/it/tidy.rs` checks):
//! `app` · `http` · `services` · `adapters` · `domain`.

pub mod domain;

pub mod adapters;

pub mod services;

pub mod http;
