//! One door each to the outside world: the store, the bus, the clock, running tasks. May use `domain`, nothing above.

pub mod bus;
pub mod clock;
pub mod connections;
pub mod evolution;
pub mod jwks;
pub mod store;
pub mod tasks;
pub mod tls;
