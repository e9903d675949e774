//! Announcements: messages that a centre has recorded beforehand, and their playing again and again into a site
//! (looped broadcast, 循环广播). Only what stands in the journal; the sound itself is a file of the desk's, and it is
//! played by the console of the incident's host.
//!
//! ```text
//!              loop began                       stopped, closed, limit, silent, left, broken
//!   (nothing) ───────────▶ playing(until) ─────────────────────────────────────────────────▶ (nothing)
//!                            │    ▲
//!                            └────┘ another announcement: the one before is stopped
//! ```

use crate::event::Actor;
use crate::{SeatId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Announcements of one centre: a list that somebody finds the right one in while people wait for it.
pub const ANNOUNCEMENTS_MAX: usize = 40;
/// Longest name, in characters: what a button shows whole.
pub const NAME_MAX: usize = 40;
/// Longest announcement: what people in danger listen to. It is repeated anyway.
pub const LONGEST: Duration = Duration::from_secs(60);
/// Shortest announcement: less is a click that would be repeated without an end.
pub const SHORTEST: Duration = Duration::from_millis(500);
/// How long one loop goes on. Whoever wants more looks at the site again and begins another: a message that nobody
/// attends to any more must not go on telling people what to do.
pub const LOOP_LONGEST: Duration = Duration::from_secs(10 * 60);

/// One announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Announcement {
    /// SHA-256 of the sound file, hex: also its name on the disk.
    pub sha256: String,
    /// What people call it.
    pub name: String,
    /// Length of the file.
    pub bytes: u64,
    /// Length of the sound, milliseconds.
    pub length: u64,
    /// When it was added.
    pub added: Wall,
    /// By whom.
    pub by: Actor,
}

/// An announcement that is being played in an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Playing {
    /// Which.
    pub sha256: String,
    /// Its name when it began.
    pub name: String,
    /// By whom.
    pub user: UserId,
    /// From which seat: the host's.
    pub seat: SeatId,
    /// Since when.
    pub since: Wall,
    /// It ends itself then.
    pub until: Wall,
}

/// Why a loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoopEnd {
    /// The host stopped it, or began another.
    Stopped,
    /// [`LOOP_LONGEST`] is over.
    Limit,
    /// The incident has become silent.
    Silent,
    /// The seat is host no longer.
    Left,
    /// The incident was closed.
    Closed,
    /// The page that played it has gone, or could not play it.
    Broken,
}
