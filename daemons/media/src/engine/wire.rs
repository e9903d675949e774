//! moq-lite-05 and 06 as far as an engine needs them: SUBSCRIBE and its updates in, its answers and group streams out.
//! Every control message is a size and a body; numbers are QUIC's (RFC 9000 section 16).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use moq_net::{DecodeError, VarInt};
use std::time::Duration;

/// Type of a SUBSCRIBE stream.
pub(crate) const SUBSCRIBE: u64 = 2;
/// Largest SUBSCRIBE or update that is read here: two names of at most a few hundred bytes and some numbers.
pub(crate) const MESSAGE_MAX: u64 = 16 * 1024;

const GROUP: u64 = 0;
const START: u64 = 0;
const END: u64 = 1;

/// A version that engines speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Lite05,
    Lite06,
}

impl Version {
    /// By the protocol that was negotiated; `None` leaves the session to moq-net.
    pub(crate) fn of(protocol: &str) -> Option<Self> {
        match protocol {
            "moq-lite-05" => Some(Self::Lite05),
            "moq-lite-06" => Some(Self::Lite06),
            _ => None,
        }
    }

    /// Whether a subscription without a first group begins as far back as its greatest age allows, and not with the
    /// newest group.
    pub(crate) fn begins_by_age(self) -> bool {
        self == Self::Lite06
    }
}

/// SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscribe {
    pub(crate) id: u64,
    pub(crate) broadcast: String,
    pub(crate) track: String,
    pub(crate) range: Range,
}

/// What SUBSCRIBE and SUBSCRIBE_UPDATE have in common. The ends are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) priority: u8,
    pub(crate) max_age: Duration,
    pub(crate) start_group: Option<u64>,
    pub(crate) end_group: Option<u64>,
    pub(crate) start_frame: u64,
    pub(crate) end_frame: Option<u64>,
}

impl Subscribe {
    /// Reads the body of a message.
    pub(crate) fn decode(mut body: &[u8], version: Version) -> Result<Self, DecodeError> {
        let id = number(&mut body)?;
        let (broadcast, track) = (text(&mut body)?, text(&mut body)?);
        let range = Range::decode(body, version)?;
        Ok(Self { id, broadcast, track, range })
    }
}

impl Range {
    /// Reads the body of a SUBSCRIBE_UPDATE, or the rest of a SUBSCRIBE's.
    pub(crate) fn decode(mut body: &[u8], version: Version) -> Result<Self, DecodeError> {
        let priority = byte(&mut body)?;
        if version == Version::Lite05 {
            byte(&mut body)?;
        }
        let max_age = Duration::from_millis(number(&mut body)?);
        let mut range =
            Self { priority, max_age, start_group: None, end_group: None, start_frame: 0, end_frame: None };
        match version {
            Version::Lite05 => {
                range.start_group = optional(&mut body)?;
                range.end_group = optional(&mut body)?;
            }
            Version::Lite06 => {
                range.start_group = Some(number(&mut body)?).filter(|group| *group > 0);
                range.end_group = optional(&mut body)?;
                range.start_frame = number(&mut body)?;
                range.end_frame = optional(&mut body)?;
            }
        }
        if body.is_empty() { Ok(range) } else { Err(DecodeError::Long) }
    }

    /// As moq-net's model has it.
    pub(crate) fn subscription(&self) -> moq_net::track::Subscription {
        moq_net::track::Subscription::default()
            .with_priority(self.priority)
            .with_max_age(self.max_age)
            .with_start(self.start_group.map(moq_net::track::Position::group))
            .with_end(self.end_group.and_then(moq_net::track::Position::after_group))
    }
}

/// The body of the next message, when all of it has come.
pub(crate) fn message(buffer: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
    let Some((size, start)) = peek(buffer) else { return Ok(None) };
    if size > MESSAGE_MAX {
        return Err(DecodeError::InvalidValue);
    }
    let end = start + usize::try_from(size).map_err(|_| DecodeError::InvalidValue)?;
    if buffer.len() < end {
        return Ok(None);
    }
    Ok(Some(buffer.split_to(end).freeze().slice(start..)))
}

/// The first number and how many bytes it takes; `None` when it is not all there.
pub(crate) fn peek(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut rest = bytes;
    let value = VarInt::decode_quic(&mut rest).ok()?;
    Some((value.into_inner(), bytes.len() - rest.len()))
}

/// SUBSCRIBE_START: no group below this one will come.
pub(crate) fn start(group: u64) -> Bytes {
    typed(START, group)
}

/// SUBSCRIBE_END: this group and all after it will never be.
pub(crate) fn end(group: u64) -> Bytes {
    typed(END, group)
}

fn typed(kind: u64, group: u64) -> Bytes {
    let (mut out, mut body) = (BytesMut::new(), BytesMut::new());
    put(&mut body, group);
    put(&mut out, kind);
    put(&mut out, body.len() as u64);
    out.put(body);
    out.freeze()
}

/// What a group's stream begins with.
pub(crate) fn group(version: Version, subscribe: u64, sequence: u64) -> Bytes {
    let (mut out, mut body) = (BytesMut::new(), BytesMut::new());
    put(&mut body, subscribe);
    put(&mut body, sequence);
    if version == Version::Lite06 {
        put(&mut body, 0);
    }
    put(&mut out, GROUP);
    put(&mut out, body.len() as u64);
    out.put(body);
    out.freeze()
}

/// What each frame in a group begins with: its time less that of the frame before, and its size.
///
/// # Errors
/// [`DecodeError::InvalidValue`] when the times are further apart than a number can say.
pub(crate) fn frame(out: &mut BytesMut, time: u64, before: u64, size: u64) -> Result<(), DecodeError> {
    let delta = i64::try_from(i128::from(time) - i128::from(before)).ok();
    let delta = delta.and_then(|delta| VarInt::from_zigzag(delta).ok()).ok_or(DecodeError::InvalidValue)?;
    put(out, delta.into_inner());
    put(out, size);
    Ok(())
}

/// The body of a QUIC datagram that stands for a group of one frame.
pub(crate) fn datagram(subscribe: u64, datagram: &moq_net::Datagram) -> Bytes {
    let mut out = BytesMut::new();
    for value in [subscribe, datagram.sequence, datagram.timestamp.value()] {
        put(&mut out, value);
    }
    out.put(&datagram.payload[..]);
    out.freeze()
}

fn put(out: &mut BytesMut, value: u64) {
    let value = VarInt::from_u64(value).unwrap_or(VarInt::MAX);
    value.encode_quic(out).expect("a buffer that grows takes every number");
}

fn number(body: &mut &[u8]) -> Result<u64, DecodeError> {
    Ok(VarInt::decode_quic(body)?.into_inner())
}

fn optional(body: &mut &[u8]) -> Result<Option<u64>, DecodeError> {
    Ok(number(body)?.checked_sub(1))
}

fn byte(body: &mut &[u8]) -> Result<u8, DecodeError> {
    if body.is_empty() { Err(DecodeError::Short) } else { Ok(body.get_u8()) }
}

fn text(body: &mut &[u8]) -> Result<String, DecodeError> {
    let size = usize::try_from(number(body)?).map_err(|_| DecodeError::InvalidValue)?;
    let (text, rest) = body.split_at_checked(size).ok_or(DecodeError::Short)?;
    *body = rest;
    Ok(String::from_utf8(text.to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_read_as_each_version_writes_it() {
        let old = [7, 1, b'a', 1, b'v', 9, 0, 0x43, 0xe8, 0, 0];
        let subscribe = Subscribe::decode(&old, Version::Lite05).unwrap();
        assert_eq!((subscribe.id, subscribe.broadcast.as_str(), subscribe.track.as_str()), (7, "a", "v"));
        assert_eq!((subscribe.range.priority, subscribe.range.max_age.as_millis()), (9, 1000));
        assert_eq!((subscribe.range.start_group, subscribe.range.end_group), (None, None));
        let new = [7, 1, b'a', 1, b'v', 9, 0x43, 0xe8, 5, 8, 2, 3];
        let range = Subscribe::decode(&new, Version::Lite06).unwrap().range;
        assert_eq!((range.start_group, range.end_group), (Some(5), Some(7)));
        assert_eq!((range.start_frame, range.end_frame), (2, Some(2)));
        for cut in 0..new.len() {
            assert!(Subscribe::decode(&new[..cut], Version::Lite06).is_err(), "cut at {cut}");
        }
        assert!(Subscribe::decode(&[&new[..], &[0]].concat(), Version::Lite06).is_err());
    }

    #[test]
    fn a_message_is_taken_when_it_is_whole_and_not_too_long() {
        let mut buffer = BytesMut::from(&[2, 10][..]);
        assert_eq!(message(&mut buffer).unwrap(), None);
        buffer.put(&[11, 1][..]);
        assert_eq!(message(&mut buffer).unwrap().unwrap(), &[10, 11][..]);
        assert_eq!(buffer, [1][..]);
        assert!(message(&mut BytesMut::from(&[0xbf, 0xff, 0xff, 0xff][..])).is_err());
    }

    #[test]
    fn times_within_a_group_go_both_ways() {
        let mut out = BytesMut::new();
        frame(&mut out, 3, 0, 1).unwrap();
        frame(&mut out, 1, 3, 0).unwrap();
        assert_eq!(out, [6, 1, 3, 0][..]);
        assert_eq!(group(Version::Lite05, 1, 2), [0, 2, 1, 2][..]);
        assert_eq!(group(Version::Lite06, 1, 2), [0, 3, 1, 2, 0][..]);
        assert_eq!((start(4), end(5)), (Bytes::from_static(&[0, 1, 4]), Bytes::from_static(&[1, 1, 5])));
    }
}
