//! The JSON API, one file per noun.

pub mod tail;
