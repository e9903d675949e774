//! The edge daemon: watches the inputs of a box, makes alarms of presses, keeps them in its spool and delivers them
//! over every path until the rack has written them down.
//!
//! | module | what | kernel |
//! |---|---|---|
//! | [`core`] | every rule: points, spool, outbox, lamp | none |
//! | [`config`] | `/etc/onepress/button.toml` | reads the board file |
//! | [`inputs`] | a thread for each bank of inputs | devices |
//! | [`spool`] | the spool file and its thread | disk |
//! | [`links`] | a task for each path; enrolment and renewal | network |
//! | [`update`] | what runs, and the bundle that comes in | disk |
//! | [`control`] | what the `onepress` command asks | Unix socket |
//! | [`daemon`] | puts them together | signals, systemd |
//!
//! How a reading becomes a press, what a spool record looks like and when a notice is sent again is not here: that
//! is the crate `alarm`. Devices are `hw`'s, connections `link`'s.

pub mod clock;
pub mod config;
pub mod control;
pub mod core;
pub mod daemon;
pub mod inputs;
mod lamp;
pub mod links;
pub mod relays;
pub mod spool;
pub mod update;

pub use daemon::{Button, PROGRAM};
