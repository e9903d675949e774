//! What passes between box and rack: length-prefixed JSON frames on QUIC streams, one stream per purpose.
//!
//! A frame is four bytes of length (big endian, of what follows) and that many bytes of JSON. Alarms are rare and
//! must be readable in a debugger in ten years; media never travels here. The first frame of a stream says its
//! purpose and the protocol version; frames of a kind that this version does not know are skipped, so that a
//! newer box can talk to an older rack.

use crate::media::{self, Recorded, Room};
use crate::panel::{self, Signals};
use crate::rollout::{Offer, Told};
use crate::{BoxId, CameraId, Fault, IncidentId, Notice, NoticeId, PathId, PointId, Wall, What, point};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// ALPN of the link between an enrolled box and its rack.
pub const ALPN: &[u8] = b"onepress/1";
/// ALPN of the one connection on which a new box shows its ticket.
pub const ALPN_ENROL: &[u8] = b"onepress-enrol/1";
/// The version that this code speaks.
pub const VERSION: u16 = 1;
/// Largest frame, in bytes of JSON: a status report of 256 points fits eight times.
pub const FRAME_MAX: usize = 64 * 1024;
/// Most points that one box may have: more than any board has inputs.
pub const POINTS_MAX: usize = 256;
/// Most paths that one box may have: wired, two SIM cards and a spare.
pub const PATHS_MAX: usize = 4;

/// The purpose of a stream, said in its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Notices and their ACKs. The only one that a box with an expired certificate may open.
    Alarm,
    /// Status reports of an edge box.
    Status,
    /// Signals to a wall, its reports and its acknowledge button.
    Wall,
    /// A new certificate for a new key.
    Renew,
    /// Rooms and members to a relay; what it recorded and how it is.
    Relay,
    /// A bundle to a box that was told to fetch it: one question, one answer, and then its bytes.
    Update,
}

/// From a box to its rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ToRack {
    /// First frame of every stream.
    Hello {
        /// Protocol version, [`VERSION`].
        version: u16,
        /// What the stream is for.
        purpose: Purpose,
        /// The path that this connection runs over.
        path: PathId,
        /// Every path that the box is set up for, so that one never seen is missed too.
        paths: Vec<PathId>,
        /// The box's clock.
        now: Wall,
        /// Version of its software.
        software: String,
    },
    /// Something happened. Repeated until it is ACKed.
    Notice(Notice),
    /// As a notice, with contents that an older rack does not know and would end the stream for.
    Report(Notice),
    /// How the box is.
    Status(Status),
    /// How the wall is.
    Wall(panel::Report),
    /// Somebody pressed the acknowledge button at the wall: alarms up to this mark have been seen.
    Acknowledge {
        /// [`Signals::newest`] as the wall last had it.
        newest: u64,
    },
    /// Asks for a certificate for a new key (PKCS#10, DER, base64).
    Renew {
        /// The request.
        csr: String,
    },
    /// A relay recorded something. Repeated until it is written down.
    Recorded {
        /// The relay's own number for it, ascending by one.
        number: u64,
        /// What.
        what: Recorded,
    },
    /// How the relay is.
    Relay(media::Report),
    /// Asks for a bundle, from this byte on.
    Fetch {
        /// SHA-256 of the bundle, hex.
        sha256: String,
        /// Bytes that the box has.
        from: u64,
    },
    /// A frame of a newer version.
    #[serde(other)]
    Unknown,
}

impl ToRack {
    /// The frame in which a notice travels.
    pub fn of(notice: Notice) -> Self {
        if matches!(notice.what, What::SelfTest(_)) { Self::Report(notice) } else { Self::Notice(notice) }
    }
}

/// From the rack to a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ToBox {
    /// Answer to `Hello`.
    Welcome {
        /// The rack's clock.
        now: Wall,
    },
    /// The notice is written down: the box may forget it.
    Ack {
        /// Which.
        id: NoticeId,
    },
    /// The status report was read; also the rack's sign of life.
    Seen {
        /// The rack's clock.
        now: Wall,
    },
    /// Every point is to prove itself now.
    SelfTest {
        /// The same on every path: a question that was heard already is no other one.
        number: u64,
    },
    /// On the status stream: what the box is to fetch now; nothing when it is to let it be.
    Update {
        /// Which bundle.
        offer: Option<Offer>,
    },
    /// Answer to `Fetch`. The rest of the stream is the bundle itself, from the byte that was asked for.
    Bundle {
        /// Length of the whole.
        bytes: u64,
    },
    /// What the wall is to show.
    Signals(Signals),
    /// The new certificate chain (DER, base64, leaf first).
    Certificate {
        /// Leaf, then the site root.
        chain: Vec<String>,
    },
    /// To a relay: this room is so now.
    Room(Room),
    /// To a relay: this incident is closed.
    RoomClosed {
        /// Which.
        incident: IncidentId,
    },
    /// To a relay: this box is in the register, with these keys (SHA-256 of the SPKI, hex).
    Member {
        /// Which.
        name: BoxId,
        /// Its present key and the one before a renewal.
        keys: Vec<String>,
    },
    /// To a relay: this box is no longer in the register.
    MemberGone {
        /// Which.
        name: BoxId,
    },
    /// To a relay: a seat wants to see these cameras of a box without a press; none ends it.
    Wanted {
        /// Which box.
        name: BoxId,
        /// Which cameras.
        cameras: Vec<CameraId>,
    },
    /// To a relay: passes are good when this key signed them (Ed25519, base64).
    PassKey {
        /// The public key.
        key: String,
    },
    /// To a relay: passes that open nothing any more; who is in with one leaves.
    Void(media::Void),
    /// To a relay: takes that may not be removed, because an incident or a court still needs them.
    Hold {
        /// All of them.
        takes: Vec<String>,
    },
    /// To a relay: everything that there is has been said once. What was not said is no more.
    Told,
    /// To a relay: everything that it recorded up to this number is written down.
    Written {
        /// Up to which.
        number: u64,
    },
    /// The rack will not go on with this stream, and why.
    Refused {
        /// Why.
        reason: Refusal,
        /// The version that the rack speaks.
        version: u16,
    },
    /// A frame of a newer version.
    #[serde(other)]
    Unknown,
}

/// Why a rack ends a stream. Never for housekeeping on the alarm stream of a registered box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The protocol version is not spoken here.
    #[error("the rack does not speak this protocol version: update the older of the two")]
    UnknownVersion,
    /// The first frame was not a `Hello`.
    #[error("the first frame of the stream was not a hello")]
    NoHello,
    /// The box is not (or no longer) in the register.
    #[error("the box is not in the rack's register: give it a new ticket")]
    NotRegistered,
    /// Only alarms are taken from a box with an expired certificate, and its renewal.
    #[error("the certificate has expired: only the alarm and renewal streams are open until it is renewed")]
    CertificateExpired,
    /// A frame could not be read.
    #[error("a frame could not be read")]
    BadFrame,
    /// The request is not acceptable.
    #[error("the certificate request is not acceptable")]
    BadRequest,
    /// No bundle is offered to this box, or not this one.
    #[error("the rack does not offer this bundle to this box")]
    NotOffered,
    /// A newer rack's reason.
    #[serde(other)]
    #[error("the rack refused for a reason that this version does not know")]
    Other,
}

/// How a box is: sent on connecting, on change, and every [`crate::path::STATUS_EVERY`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Its clock.
    pub now: Wall,
    /// Each point and what it has settled on; at most [`POINTS_MAX`].
    pub points: Vec<PointStatus>,
    /// Notices waiting to be written down by the desk.
    pub waiting: u32,
    /// Faults of the box itself that stand now.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Its software, where it is an appliance's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Box<Told>>,
}

/// One point in a status report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PointStatus {
    /// Which.
    pub point: PointId,
    /// What it watches.
    #[serde(flatten)]
    pub kind: point::Kind,
    /// How it is wired.
    pub wiring: point::Wiring,
    /// What it has settled on.
    pub state: point::State,
}

/// From a new box on the enrolment connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnrolRequest {
    /// [`VERSION`].
    pub version: u16,
    /// The ticket's public number.
    pub ticket: String,
    /// HMAC-SHA256 over the TLS exporter and the request, keyed with the ticket's secret; base64.
    pub proof: String,
    /// PKCS#10 request, DER, base64.
    pub csr: String,
}

/// The rack's answer to a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum EnrolAnswer {
    /// Welcome.
    Enrolled {
        /// Certificate chain, DER, base64, leaf first.
        chain: Vec<String>,
    },
    /// No, and why.
    Refused {
        /// Why.
        reason: EnrolRefusal,
    },
}

/// Why a ticket was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum EnrolRefusal {
    /// There is no such ticket, or the proof is wrong.
    #[error("the rack does not know this ticket")]
    UnknownTicket,
    /// Too old.
    #[error("the ticket has expired: issue a new one in the console")]
    Expired,
    /// Another key has been enrolled with it.
    #[error("the ticket has been used: issue a new one in the console")]
    Used,
    /// The request cannot be read or asks for the wrong name.
    #[error("the certificate request is not acceptable")]
    BadRequest,
    /// The protocol version is not spoken here.
    #[error("the rack does not speak this protocol version")]
    UnknownVersion,
    /// The rack could not write it down.
    #[error("the rack could not write the enrolment down: try again")]
    TryAgain,
    /// A newer rack's reason.
    #[serde(other)]
    #[error("the rack refused for a reason that this version does not know")]
    Other,
}

/// A frame that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`FRAME_MAX`].
    #[error("frame of {0} bytes: the limit is {FRAME_MAX}")]
    TooLong(usize),
    /// Not the JSON that was expected.
    #[error("frame is not readable: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Writes one message as a frame.
///
/// # Errors
/// [`BadFrame::TooLong`] when the message needs more than [`FRAME_MAX`] bytes.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, BadFrame> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    let prefix =
        u32::try_from(length).ok().filter(|_| length <= FRAME_MAX).ok_or(BadFrame::TooLong(length))?;
    frame[..4].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// The length that a frame's first four bytes announce.
///
/// # Errors
/// [`BadFrame::TooLong`] above [`FRAME_MAX`].
pub fn length(prefix: [u8; 4]) -> Result<usize, BadFrame> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > FRAME_MAX { Err(BadFrame::TooLong(length)) } else { Ok(length) }
}

/// Reads the JSON of one frame (without its length).
///
/// # Errors
/// [`BadFrame::Malformed`] says where.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, BadFrame> {
    Ok(serde_json::from_slice(json)?)
}

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes came. After an error the stream is of no more use.
    ///
    /// # Errors
    /// [`BadFrame`].
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BadFrame> {
        let Some(prefix) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let end = 4 + length(*prefix)?;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let message = decode(&self.buffer[4..end])?;
        self.buffer.drain(..end);
        Ok(Some(message))
    }

    /// What came after the last message: on a stream that goes on with other bytes.
    pub fn into_rest(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> ToRack {
        ToRack::Hello {
            version: VERSION,
            purpose: Purpose::Alarm,
            path: PathId::new("wired").unwrap(),
            paths: vec![PathId::new("wired").unwrap()],
            now: Wall::from_millis(5),
            software: "0.1.0".into(),
        }
    }

    #[test]
    fn a_frame_cut_anywhere_reads_the_same() {
        let bytes = [encode(&hello()).unwrap(), encode(&ToRack::Acknowledge { newest: 7 }).unwrap()].concat();
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut read = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(message) = decoder.next_message::<ToRack>().unwrap() {
                    read.push(message);
                }
            }
            assert_eq!(read, [hello(), ToRack::Acknowledge { newest: 7 }]);
        }
    }

    #[test]
    fn an_oversize_frame_is_refused_before_it_is_buffered() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_message::<ToRack>(), Err(BadFrame::TooLong(_))));
        let long = ToRack::Renew { csr: "x".repeat(FRAME_MAX) };
        assert!(matches!(encode(&long), Err(BadFrame::TooLong(_))));
    }

    #[test]
    fn a_message_of_a_newer_version_is_skipped_not_fatal() {
        let mut decoder = Decoder::default();
        let newer = br#"{"type":"telemetry","fan":3}"#;
        decoder.push(&u32::try_from(newer.len()).unwrap().to_be_bytes());
        decoder.push(newer);
        assert_eq!(decoder.next_message::<ToRack>().unwrap(), Some(ToRack::Unknown));
    }

    #[test]
    fn malformed_json_says_where() {
        let error = decode::<ToRack>(br#"{"type":"notice"}"#).unwrap_err().to_string();
        assert!(error.contains("missing field"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_message::<ToRack>() {}
            let _ = decode::<ToBox>(&bytes);
            let _ = decode::<EnrolRequest>(&bytes);
        }
    }
}
