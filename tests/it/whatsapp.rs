//! "Conectar WhatsApp" and all that can be asked of an instance, against the simulated Evolution on a port of its own.

mod adopting;
mod attacks;
mod connecting;
mod failing;
mod killed;
mod lives;
mod rig;
mod unlinking;
mod waiting;
