//! The control socket: what the `onepress` command asks of a running box. One JSON object a line, both ways.
//!
//! ```text
//! {"do":"press","point":"gate","mode":"silent"}   {"is":"pressed","alarm":"019...","spooled":true}
//! {"do":"status"}                                 {"is":"status","enrolled":true,...}
//! {"do":"watch"}                                  {"is":"raised","alarm":"019...","point":"gate","mode":"silent",
//!                                                  "nature":"real","at":1763740800123} for each of the last minutes,
//!                                                 {"is":"watching"}, then each new one, {"is":"alive"} in between
//! anything else                                   {"is":"error","error":"..."}
//! ```

mod message;
mod server;
mod watched;

pub use message::{Answer, Overview, PathState, Request, Told};
pub use server::{Ask, CONNECTIONS_MAX, REQUEST_MAX, listen, serve};
pub use watched::{ALIVE_EVERY, RECENT, WATCHERS_MAX, Watched};
