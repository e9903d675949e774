//! The words and the rules of Onepress: what a press is, when it counts, how it is delivered, what an
//! incident may do next, and what passes between box and rack.
//!
//! Pure: no tokio, no sockets, no files and no clock. Time comes in as an argument ([`Mono`], [`Wall`]) and what
//! is to be done comes out as a value. The daemons move bytes and time between the kernel and this crate; the
//! simulation moves them between one model and another.

pub mod centre;
pub mod chain;
pub mod commission;
pub mod delivery;
pub mod event;
pub mod film;
mod id;
pub mod incident;
pub mod media;
pub mod notice;
pub mod panel;
pub mod path;
pub mod point;
pub mod queue;
pub mod register;
pub mod role;
pub mod rollout;
pub mod room;
pub mod selftest;
pub mod spool;
pub mod ticket;
mod time;
pub mod wire;

pub use id::{BadId, BoxId, CameraId, IncidentId, NoticeId, PathId, PointId, SeatId, SiteId, UserId};
pub use notice::{Fault, Mode, Nature, Notice, What};
pub use time::{Mono, Wall};
