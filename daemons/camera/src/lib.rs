//! The cameras of a site: the picture and the sound from before a press, and everything after it.
//!
//! ```text
//!  camera ──RTSP──▶ source ──frames──▶ ┌──────┐ ──ring, then live──▶ takes ──MoQ──▶ relay
//!  button ──raised──▶ ┌─────────┐      │ feed │                        │
//!  relay ───wish────▶ │ opening │ ───▶ └──────┘                        └──▶ disk, while an incident is open
//!                     └─────────┘
//!  relay ───talk────▶ speaker
//! ```
//!
//! | module | what |
//! |---|---|
//! | `source` | one camera or microphone: connects, reads, begins anew whatever breaks |
//! | `ring` | the last half minute of it, in locked memory |
//! | `opening` | whether anybody may have it now. Pure |
//! | `feed` | joins the three: what a camera publishes |
//! | `buffer` | what has left memory and may still be asked for, on the disk |
//! | `relay` | the connection to the relay |
//! | `press` | hears of presses from the button daemon |
//! | `voice` | plays what the seat says |
//!
//! The wire belongs to `media`, names and contracts to `alarm::media`, certificates to `link`. No alarm ever comes
//! through here: the button daemon sends it, whatever becomes of the cameras.

mod arena;
mod buffer;
mod config;
mod control;
mod daemon;
mod feed;
mod opening;
mod press;
mod relay;
mod ring;
mod show;
mod source;
mod takes;
mod voice;

pub use config::{Config, Raw};
pub use control::{CameraStatus, Status};
pub use daemon::Daemon;
