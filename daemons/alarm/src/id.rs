use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A name in a configuration, a form or a frame that is not usable as an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {given:?} is not usable: use 1 to {LONGEST} small letters, digits and hyphens, beginning with a letter or digit"
)]
pub struct BadId {
    what: &'static str,
    given: String,
}

/// Longest name of a site, box, point, path, seat or user: a DNS label, so that any of them can become one.
const LONGEST: usize = 63;

fn well_formed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.len() <= LONGEST && bytes.first().is_some_and(plain) && bytes.iter().all(|b| plain(b) || *b == b'-')
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Takes `text` when it is 1 to 63 small letters, digits and hyphens; [`BadId`] names it otherwise.
            pub fn new(text: impl Into<String>) -> Result<Self, BadId> {
                let given = text.into();
                if well_formed(&given) { Ok(Self(given)) } else { Err(BadId { what: $what, given }) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl FromStr for $type {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(/** An enrolled school or enterprise. */ SiteId, "site");
name!(/** An appliance: a site's edge box, or a wall. */ BoxId, "box");
name!(/** A supervised input of a box. */ PointId, "point");
name!(/** One way from a box to the rack, such as `wired`. */ PathId, "path");
name!(/** A workplace in the centre. */ SeatId, "seat");
name!(/** An account of the console. */ UserId, "user");
name!(/** A camera of a site, or another source of picture or sound. */ CameraId, "camera");

/// The number of an incident: its place in the order in which incidents were opened, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The one identity of a notice wherever it travels: a UUID version 7 (RFC 9562), so that it sorts by the time
/// at which it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoticeId([u8; 16]);

impl NoticeId {
    /// Makes an id from the time in Unix milliseconds and ten random bytes (74 bits of them are used).
    pub fn new(unix_ms: i64, random: [u8; 10]) -> Self {
        let ms = u64::try_from(unix_ms).unwrap_or(0).to_be_bytes();
        let mut id = [0; 16];
        id[..6].copy_from_slice(&ms[2..]);
        id[6..].copy_from_slice(&random);
        id[6] = 0x70 | (id[6] & 0x0f);
        id[8] = 0x80 | (id[8] & 0x3f);
        Self(id)
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NoticeId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "notice id", given: text.chars().take(LONGEST).collect() };
        let hyphens = [8, 13, 18, 23];
        let bytes = text.as_bytes();
        if bytes.len() != 36 || hyphens.iter().any(|place| bytes[*place] != b'-') {
            return Err(bad());
        }
        let digits: Vec<u8> = bytes.iter().copied().filter(|b| *b != b'-').collect();
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
            let hex = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (hex(pair[0]), pair.get(1).copied().and_then(hex)) else {
                return Err(bad());
            };
            *byte = u8::try_from(high * 16 + low).map_err(|_| bad())?;
        }
        if digits.len() == 32 { Ok(Self(id)) } else { Err(bad()) }
    }
}

impl TryFrom<String> for NoticeId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<NoticeId> for String {
    fn from(id: NoticeId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_id_sorts_by_time_and_reads_back() {
        let early = NoticeId::new(1_000, [0xff; 10]);
        let late = NoticeId::new(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<NoticeId>(), Ok(early));
        assert_eq!(early.to_string(), "00000000-03e8-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn an_unusable_name_is_named_in_the_error() {
        for bad in ["", "-a", "Gate", "no spaces", "ü", &"x".repeat(64)] {
            let error = PointId::new(bad).unwrap_err().to_string();
            assert!(error.contains("point") && error.contains(bad), "{error}");
        }
        for bad in [
            "",
            "00000000-03e8-7fff-bfff-fffffffffff",
            "0000000--03e8-7fff-bfff-ffffffffffff",
            "zz000000-03e8-7fff-bfff-ffffffffffff",
        ] {
            assert!(bad.parse::<NoticeId>().is_err(), "{bad}");
        }
        assert!(PointId::new("gate-1").is_ok());
    }
}
