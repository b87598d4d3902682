//! One room per thing zapgate does. May use `adapters` and `domain`; a sibling only through its public door.

pub mod identity;
