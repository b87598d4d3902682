//! Live delivery: the seam between log and live, limits, and the sockets themselves.

mod pages;
mod replay;
mod rig;
mod seam;
mod sockets;
mod sse;
mod tail;
