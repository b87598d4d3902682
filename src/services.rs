//! One room per thing zapgate does. May use `adapters` and `domain`; a sibling only through its public door.

pub mod hub;
pub mod identity;
pub mod ingest;
pub mod instances;
pub mod live;
pub mod supervisor;
pub mod tail;
