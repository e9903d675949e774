//! The wall: a beacon and a siren that show what the desk says, and say by themselves when no desk is heard.
//!
//! ```text
//!  path task ──Signals──▶ ┌──────┐ ──Lit──▶ slot ──▶ thread of one device: siren first, read back, 1 Hz
//!  path task ──Signals──▶ │ Wall │ ◀─health──────────┘
//!  button thread ────────▶│(pure)│ ──Report, Acknowledge──▶ every path
//!  control socket ───────▶└──────┘
//! ```
//!
//! What the lamps mean is decided in `alarm::panel`, what a press of the acknowledge button is in `alarm::point`;
//! devices belong to `hw`, connections to `link`. Here they are joined.

mod bank;
mod button;
mod clock;
mod config;
mod control;
mod daemon;
mod device;
mod enrol;
mod line;
mod route;
mod state;

#[cfg(test)]
mod tests;

pub use config::{Config, Raw};
pub use control::{Failure, Status};
pub use daemon::Daemon;
