//! The door: HTTP, WebSocket and SSE. Handlers translate, services decide; nothing below knows actix.

pub mod api;
pub mod listening;
pub mod sockets;
pub mod sse;
