//! The relay: live media from the boxes to the seats and back, and its recording.
//!
//! ```text
//!  boxes ──QUIC, mTLS──┐   ┌────────┐                       ┌─────────┐
//!  seats ──WebTransport┼──▶│ admit  │──▶ Session ──▶ Origin │ record  │──▶ disk, index, chain
//!  seats ──WebSocket───┤   │ (pure) │        ▲         │    └────┬────┘
//!  relays ─QUIC, mTLS──┘   └───▲────┘   rooms: wishes, voices  outbox
//!                              │             ▲                  │
//!  desk ◀──link────────── Told: rooms, members, wanted, holds ──┴──▶ desk
//! ```
//!
//! Who is in which room, and who may see what, is the desk's decision; the wire belongs to `media`, certificates and
//! passes to `link`. Here sessions are let in, voices go to boxes in ordinary mode only, and everything of an open
//! incident is written down.

mod admit;
mod cameras;
mod config;
mod daemon;
mod desk;
mod door;
mod house;
mod http;
mod outbox;
mod peers;
mod record;
mod report;
mod rooms;
mod sessions;
mod told;
mod web;

pub use config::{Config, Raw};
pub use daemon::Daemon;
