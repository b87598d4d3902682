//! Composition: the only code that sees every floor.

pub mod pumps;
