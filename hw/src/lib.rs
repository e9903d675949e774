//! Inputs and outputs of an appliance: buttons, contacts, beacons, sirens.
//!
//! What belongs here: the two small traits ([`Inputs`], [`Outputs`]), one module per real part,
//! a fake beside them, and the board files that say which role-named line sits where.
//! What does not: debouncing, supervision of antivalent pairs and light patterns (rules, crate `alarm`),
//! threads and async runtimes (the daemons own those).
//!
//! Every call blocks at most for the timeout it names, so that a daemon can give each device its own thread:
//!
//! ```
//! use std::time::Duration;
//! use hw::{Inputs, fake};
//!
//! let (mut inputs, hand) = fake::inputs("simulated", &["button-1-no"]);
//! inputs.read().expect("fakes fail only when told to");
//! hand.set("button-1-no", true);
//! let edges = inputs.wait(Duration::from_millis(10)).expect("fakes fail only when told to");
//! assert!(edges[0].active);
//! ```

mod bank;
pub mod board;
mod crc;
mod edges;
mod error;
pub mod fake;
pub mod gpio;
mod line;
pub mod modbus;
pub mod pi;
pub mod pty;
pub mod serial;
pub mod serialbox;
mod traits;

pub use bank::Wired;
pub use board::{Board, ConfigError, OpenError};
pub use error::{Error, Result, Severity};
pub use line::{Edge, Held, Line, Reading};
pub use traits::{Inputs, Outputs, Supervision};
