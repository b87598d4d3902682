//! The door: HTTP, WebSocket and SSE. Handlers translate, services decide; nothing below knows actix.

pub mod assets;
