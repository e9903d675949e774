//! Shapes about pictures and sound.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One uninterrupted run of one camera, or of a guest of the room, as far as it is recorded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Take {
    /// `<box>/<camera>/<began>`, or `room/<incident>/<guest>-<began>` of a guest of the room. The relay has it at
    /// `/recordings/<take>.mp4`.
    pub take: String,
    /// The box; absent for a guest.
    pub r#box: Option<String>,
    /// The camera; absent for a guest.
    pub camera: Option<String>,
    /// When its time zero was, by the box's clock.
    pub began: i64,
    /// First recorded moment, milliseconds of the take.
    pub from: u64,
    /// Last recorded moment, milliseconds of the take.
    pub to: u64,
    /// What is missing between.
    pub gaps: Vec<Gap>,
    /// Nothing more will come.
    pub ended: bool,
    /// Its time was over: it is no longer at the relay.
    pub removed: bool,
}

/// Something that is missing in a take.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Gap {
    /// In which track.
    pub track: String,
    /// Where it begins, milliseconds of the take.
    pub from: u64,
    /// Where it goes on.
    pub to: u64,
}

/// A camera of a box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Camera {
    /// Identifier.
    pub id: String,
    /// It publishes now.
    pub live: bool,
    /// When its last proof of life came.
    pub still: Option<i64>,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// A seat that looks at cameras without a press.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Watching {
    /// The seat.
    pub seat: String,
    /// Who sits there.
    pub user: String,
    /// Which cameras.
    pub cameras: Vec<String>,
    /// When it ends itself.
    pub until: i64,
}

/// How a relay is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RelayState {
    /// Its port, UDP and TCP.
    pub port: u16,
    /// Bytes free for recordings.
    pub free: u64,
    /// Sessions over raw QUIC, WebTransport and WebSocket.
    pub sessions: Vec<u32>,
}

/// What opens the relay's door, and where that is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Pass {
    /// Goes into the URL as `?pass=`.
    pub pass: String,
    /// When it ends: ask for a new one before.
    pub until: i64,
    /// The relay's host; empty: the one that this page came from.
    pub host: String,
    /// Its UDP port (WebTransport) and TCP port (WebSocket, recordings).
    pub port: u16,
    /// Whether the TCP port speaks TLS.
    pub tls: bool,
    /// SHA-256 of the certificates that the UDP port may show, base64.
    pub certificates: Vec<String>,
    /// The room's prefix; absent where there is no room.
    pub room: Option<String>,
    /// The broadcast that this seat may publish. Absent for guests, in silent mode and after the end.
    pub publish: Option<String>,
    /// Prefixes of what may be watched.
    pub see: Vec<String>,
    /// `silent` or `ordinary`; absent where there is no incident.
    pub mode: Option<String>,
    /// The seat that the site hears; absent when nobody is heard.
    pub voice: Option<String>,
}

/// Looks at cameras of a box without a press.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewWatch {
    /// Which cameras.
    pub cameras: Vec<String>,
    /// Why: it stands in the journal.
    pub reason: String,
}

/// Keeps an incident's recordings, or lets them go.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Hold {
    /// Keep them.
    pub held: bool,
}

/// A still picture that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// SHA-256 of the JPEG, hex: its name under `/api/snapshots/`.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// A recorded message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Announcement {
    /// SHA-256 of the WAV file, hex: also its name.
    pub sha256: String,
    /// What people call it.
    pub name: String,
    /// Length of the file.
    pub bytes: u64,
    /// Length of the sound, milliseconds.
    pub length: u64,
    /// When it was added.
    pub added: i64,
    /// By whom; `desk` for what came with the software.
    pub by: String,
}

/// An announcement that is being played into a site.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Playing {
    /// Which.
    pub sha256: String,
    /// Its name when it began.
    pub name: String,
    /// From which seat.
    pub seat: String,
    /// Since when.
    pub since: i64,
    /// It ends itself then.
    pub until: i64,
}

/// Begins a loop.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewLoop {
    /// Which announcement.
    pub sha256: String,
}

/// Gives an announcement another name.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewName {
    /// 1 to 40 characters.
    pub name: String,
}
