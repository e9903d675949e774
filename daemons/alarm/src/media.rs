//! What the alarm side and the media side say to each other: takes, rooms, passes, and what was recorded. Media
//! itself never comes here.
//!
//! A *take* is one uninterrupted, unchanging run of one camera: the same picture size, the same codecs, one
//! timeline. Whatever breaks it (a reconnect, new parameter sets, a clock that jumps) ends the take and begins the
//! next. On the wire a take is one broadcast, on the disk one folder, on a seat's screen one picture.
//!
//! | broadcast | who publishes | who may watch |
//! |---|---|---|
//! | `box/<box>/cam/<camera>/<take>` | the box, from the press on, or on demand | the recorder; guests of a room with this box |
//! | `box/<box>/still/<camera>` | the box, every few minutes: proof of life | the relay |
//! | `box/<box>/state` | the box: how its cameras are ([`CameraState`]) | the relay |
//! | `room/<incident>/<guest>` | a guest: the seat, later a phone or a telephone leg | the recorder; the room's guests |
//! | `talk/<box>/<incident>/<guest>/<n>` | the relay: the host's own broadcast, in ordinary mode only | the box |
//! | `wish/<box>` | the relay: what it wants of the box ([`Wish`]) | the box |

use crate::{BadId, BoxId, CameraId, IncidentId, Mode, SeatId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Media from before the press that a box keeps in memory (DB15/T 3968-2025: 30 s). Two seconds more, so that it
/// still begins 30 s before the press with a key frame every two seconds.
pub const PRE_ALARM: Duration = Duration::from_secs(32);
/// How long a box goes on after a press without a word of its relay: longer than any incident waits for a seat.
pub const OPEN_ALONE: Duration = Duration::from_secs(30 * 60);
/// Most cameras of one box: what a small arm64 box can take in beside everything else.
pub const CAMERAS_MAX: usize = 16;
/// How long a pass opens the relay's door. The console asks for a new one before that.
pub const PASS_LIFE: Duration = Duration::from_secs(10 * 60);
/// How many [`Void`]s are remembered: everybody of a large centre at two changes of shift. A relay that comes back hears
/// them all, so that who has gone meanwhile goes there too.
pub const VOIDS_MAX: usize = 1_000;
/// Longest segment of a recording: what a broken disk can cost at most, and how far evidence lags behind.
pub const SEGMENT_MAX: Duration = Duration::from_secs(10);

/// One uninterrupted run of one camera, centre-wide: `<box>/<camera>/<begin>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TakeId {
    /// Of which box.
    pub from: BoxId,
    /// Of which camera.
    pub camera: CameraId,
    /// Unix time of its time zero, milliseconds, by the box's clock.
    pub began: i64,
}

/// A text that is not the name of a take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTake {
    /// Box or camera.
    #[error(transparent)]
    Id(#[from] BadId),
    /// Something else.
    #[error("{0:?} is not a take: expected <box>/<camera>/<unix milliseconds>")]
    Shape(String),
}

impl TakeId {
    /// The broadcast that carries it.
    pub fn broadcast(&self) -> String {
        format!("box/{}/cam/{}/{}", self.from, self.camera, self.began)
    }

    /// Reads the name of a broadcast; `None` when it carries no take.
    pub fn of_broadcast(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let (kind, from, cam) = (parts.next()?, parts.next()?, parts.next()?);
        let rest = parts.collect::<Vec<_>>().join("/");
        (kind == "box" && cam == "cam").then(|| format!("{from}/{rest}").parse().ok()).flatten()
    }
}

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.from, self.camera, self.began)
    }
}

impl FromStr for TakeId {
    type Err = BadTake;

    fn from_str(text: &str) -> Result<Self, BadTake> {
        let shape = || BadTake::Shape(text.to_owned());
        let [from, camera, began] = text.split('/').collect::<Vec<_>>()[..] else { return Err(shape()) };
        // Only digits: the same take has one name.
        if !began.bytes().all(|b| b.is_ascii_digit()) {
            return Err(shape());
        }
        let began = began.parse().map_err(|_| shape())?;
        Ok(Self { from: BoxId::new(from)?, camera: CameraId::new(camera)?, began })
    }
}

impl TryFrom<String> for TakeId {
    type Error = BadTake;
    fn try_from(text: String) -> Result<Self, BadTake> {
        text.parse()
    }
}

impl From<TakeId> for String {
    fn from(take: TakeId) -> Self {
        take.to_string()
    }
}

/// Everything that a box publishes.
pub fn box_prefix(name: &BoxId) -> String {
    format!("box/{name}")
}

/// The broadcast of a camera's proof of life.
pub fn still_broadcast(name: &BoxId, camera: &CameraId) -> String {
    format!("box/{name}/still/{camera}")
}

/// The track of [`still_broadcast`]: one group and one frame for every still. The frame is a line of JSON ([`Still`]), a
/// newline, and a fragmented MP4 file with one picture.
pub const STILL_TRACK: &str = "still";

/// What stands before the file in a still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Still {
    /// When it was taken, by the box's clock.
    pub at: Wall,
    /// The codec as RFC 6381 writes it.
    pub codec: String,
}

/// The broadcast in which a box tells how its cameras are, and its only track.
pub fn state_broadcast(name: &BoxId) -> String {
    format!("box/{name}/state")
}

/// The track of [`state_broadcast`]: one group and one frame of JSON (a list of [`CameraState`]) for every change.
pub const STATE_TRACK: &str = "state";

/// Everything of a room.
pub fn room_prefix(incident: IncidentId) -> String {
    format!("room/{incident}")
}

/// What a seat publishes into a room.
pub fn seat_broadcast(incident: IncidentId, seat: &SeatId) -> String {
    format!("room/{incident}/seat-{seat}")
}

/// Everything that a box may hear.
pub fn talk_prefix(name: &BoxId) -> String {
    format!("talk/{name}")
}

/// The broadcast with the relay's wishes, and its only track.
pub fn wish_broadcast(name: &BoxId) -> String {
    format!("wish/{name}")
}

/// The track of [`wish_broadcast`]: one group and one frame of JSON ([`Wish`]) for every change.
pub const WISH_TRACK: &str = "wish";

/// What the relay wants of a box. Sent whole on every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Wish {
    /// Incidents of this box that are open: its cameras stay open as long as there is one.
    pub incidents: Vec<IncidentId>,
    /// Cameras that a seat wants to see without a press. The desk has written down who and why.
    pub cameras: Vec<CameraId>,
}

/// A room as the desk has it, for its relays: an open incident, its boxes, its mode and its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Room {
    /// Whose room.
    pub incident: IncidentId,
    /// The boxes that are guests.
    pub boxes: Vec<BoxId>,
    /// In [`Mode::Silent`] nothing goes to the boxes.
    pub mode: Mode,
    /// The seat that is host; none while it rings.
    pub host: Option<SeatId>,
    /// When the first alarm of it was received.
    pub opened: Wall,
}

impl Room {
    /// Whose broadcast a box may hear: the host's, and in ordinary mode only.
    pub fn voice(&self) -> Option<&SeatId> {
        match self.mode {
            Mode::Silent => None,
            Mode::Ordinary => self.host.as_ref(),
        }
    }
}

/// What a person may do at the relay, and until when. The desk signs it (`link::pass`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pass {
    /// Good until then, by the rack's clock.
    pub until: Wall,
    /// Who.
    pub user: UserId,
    /// At which seat.
    pub seat: SeatId,
    /// Into which room; none for the wall screen's mosaic.
    pub incident: Option<IncidentId>,
    /// Boxes whose pictures may be seen.
    pub boxes: Vec<BoxId>,
    /// May publish microphone and camera into the room.
    pub publish: bool,
    /// May read these recordings: takes of these boxes that began at or after this time.
    pub recordings_since: Option<Wall>,
    /// The last line of the journal when it was signed.
    #[serde(default)]
    pub line: u64,
}

/// Passes that open nothing any more: those that fit everything that is said and were signed before a line of the
/// journal. Lines and not times: no clock that is set makes them good again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Void {
    /// Those of this seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<SeatId>,
    /// Those of this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Those into this room; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Signed before this line.
    pub line: u64,
}

impl Void {
    /// Whether it is about a pass of these, signed at `line`.
    pub fn hits(&self, user: &UserId, seat: &SeatId, incident: Option<IncidentId>, line: u64) -> bool {
        line < self.line
            && self.seat.as_ref().is_none_or(|known| known == seat)
            && self.user.as_ref().is_none_or(|known| known == user)
            && (self.incident.is_none() || self.incident == incident)
    }
}

/// Something that a relay recorded, for the journal. The relay numbers what it says and repeats it until the desk
/// has written it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "recorded", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Recorded {
    /// A take has begun.
    Began {
        /// Which, or the broadcast of a guest of a room.
        take: String,
    },
    /// A segment is complete and on the disk.
    Segment {
        /// Of which take.
        take: String,
        /// Of which track.
        track: String,
        /// Its place in the track's order of writing, from 0.
        number: u64,
        /// Its first moment, milliseconds of the take.
        from: u64,
        /// Its end.
        to: u64,
        /// Its length.
        bytes: u64,
        /// SHA-256 of its bytes, hex.
        sha256: String,
        /// The chain so far: SHA-256 of the one before (or of the track's init segment) and this one, hex.
        chain: String,
    },
    /// Something is missing.
    Gap {
        /// Of which take.
        take: String,
        /// Of which track.
        track: String,
        /// Where it begins, milliseconds of the take.
        from: u64,
        /// Where it goes on.
        to: u64,
    },
    /// What was missing came later.
    Filled {
        /// Of which take.
        take: String,
        /// Of which track.
        track: String,
        /// Where it began, milliseconds of the take.
        from: u64,
        /// Where it went on.
        to: u64,
    },
    /// A take has ended.
    Ended {
        /// Which.
        take: String,
        /// Its length, milliseconds.
        length: u64,
    },
    /// A take was removed because its time was over; never one on hold.
    Removed {
        /// Which.
        take: String,
    },
}

/// How a relay is, and what it knows of cameras. Sent on change and every [`crate::path::STATUS_EVERY`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Report {
    /// Where browsers find the relay; empty: at the rack's own address.
    pub host: String,
    /// UDP port of QUIC and WebTransport, and TCP port of WebSocket and recordings.
    pub port: u16,
    /// SHA-256 of the certificates that browsers may meet on the UDP port, base64: the present and the next one.
    pub certificates: Vec<String>,
    /// The TCP port speaks TLS.
    pub tls: bool,
    /// Every camera that boxes have told of.
    pub cameras: Vec<Camera>,
    /// Faults of the relay itself.
    pub faults: Vec<crate::Fault>,
    /// Bytes free for recordings.
    pub free: u64,
    /// Sessions by transport: raw QUIC, WebTransport, WebSocket.
    pub sessions: [u32; 3],
}

/// A camera as its box knows it. Sent whole, for all cameras of a box, on every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CameraState {
    /// Which.
    pub camera: CameraId,
    /// It publishes now.
    pub live: bool,
    /// What is wrong with it.
    #[serde(default)]
    pub fault: Option<crate::Fault>,
}

/// A camera as a relay knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Camera {
    /// Of which box.
    pub from: BoxId,
    /// Which.
    pub camera: CameraId,
    /// When the last still came.
    pub still: Option<Wall>,
    /// It publishes now.
    pub live: bool,
    /// What is wrong with it.
    pub fault: Option<crate::Fault>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take() -> TakeId {
        TakeId {
            from: BoxId::new("school-1").unwrap(),
            camera: CameraId::new("gate").unwrap(),
            began: 1_763_740_800_123,
        }
    }

    #[test]
    fn a_take_has_one_name() {
        assert_eq!(take().to_string(), "school-1/gate/1763740800123");
        assert_eq!(take().to_string().parse(), Ok(take()));
        assert_eq!(take().broadcast(), "box/school-1/cam/gate/1763740800123");
        assert_eq!(TakeId::of_broadcast(&take().broadcast()), Some(take()));
        for no in
            ["box/school-1/still/gate", "room/1/seat-a", "box/school-1/cam/gate", "box/A/cam/gate/1", ""]
        {
            assert_eq!(TakeId::of_broadcast(no), None, "{no}");
        }
        for no in ["a/b", "a/b/", "a/b/+1", "a/b/-1", "a/b/1/2", "a/../1", "a/b/99999999999999999999"] {
            assert!(no.parse::<TakeId>().is_err(), "{no}");
        }
    }

    #[test]
    fn a_silent_room_has_no_voice() {
        let host = SeatId::new("seat-1").ok();
        let room = |mode, host| Room {
            incident: IncidentId(1),
            boxes: vec![take().from],
            mode,
            host,
            opened: Wall::from_millis(0),
        };
        assert_eq!(room(Mode::Ordinary, host.clone()).voice(), host.as_ref());
        assert_eq!(room(Mode::Silent, host).voice(), None);
        assert_eq!(room(Mode::Ordinary, None).voice(), None);
    }
}
