//! The simulated Evolution against the recordings of a real one, and by itself.

mod contract;
mod demo;
mod deliveries;
mod flows;
mod rig;
mod shape;
