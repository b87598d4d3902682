//! The simulated Evolution against the recordings of a real one, and by itself.

mod contract;
mod deliveries;
mod demo;
mod faults;
mod flows;
mod rig;
mod shape;
