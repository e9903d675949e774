//! Board files: which role-named line sits on which device. The shipped ones are `hw/boards/*.toml`.
//!
//! ```toml
//! name = "example"
//!
//! [devices.gpio]
//! part = "gpio"                     # gpio | pi | serial-box | modbus
//!
//! [devices.relays]
//! part = "modbus"
//! path = "/dev/onepress/relay0"
//!
//! [inputs]
//! button-1-no = { device = "gpio", line = "GPIO17", active-low = true, bias = "pull-up" }
//!
//! [outputs]
//! red = { device = "relays", line = 0 }
//! ```
//!
//! A wrong file is a [`ConfigError`]: it names file, key, reason and remedy, and a daemon ends with 78 (EX_CONFIG).
//! A device that is missing or broken is a [`crate::Error`].

mod check;
mod error;
mod open;
mod raw;

pub use check::Board;
pub use error::{ConfigError, OpenError};
