//! The desk: journal, queue, seats, register, enrolment, and the HTTP interface with the console.
//!
//! What may happen is decided in `alarm::centre`; this crate moves notices, clicks and time there and carries the
//! events to the journal, the seats and the walls. Media, telephone and lamps do not belong here.

pub mod accounts;
pub mod boxes;
mod bundles;
mod clock;
pub mod config;
pub mod engine;
mod feed;
pub mod http;
mod kept;
mod live;
mod lockout;
mod passes;
mod random;
pub mod run;
mod sessions;
mod setup;
mod show;
mod sound;
mod tick;
mod tickets;
pub mod view;

pub use config::Config;
pub use engine::Engine;
