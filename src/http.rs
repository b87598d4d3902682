//! The door for programs and browsers: routes, who is let in, and what an error looks like. actix lives here; what is
//! decided is decided below.

pub mod api;
pub mod door;
pub mod extract;
pub mod limits;
pub mod problem;
pub mod session_cookie;
