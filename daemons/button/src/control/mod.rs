//! The control socket: what the `onepress` command asks of a running box. One JSON object a line, both ways.
//!
//! ```text
//! {"do":"press","point":"gate","mode":"silent"}   {"is":"pressed","alarm":"019...","spooled":true}
//! {"do":"status"}                                 {"is":"status","enrolled":true,...}
//! anything else                                   {"is":"error","error":"..."}
//! ```

mod message;
mod server;

pub use message::{Answer, Overview, PathState, Request};
pub use server::{Ask, CONNECTIONS_MAX, REQUEST_MAX, listen, serve};
