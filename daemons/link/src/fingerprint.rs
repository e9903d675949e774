use alarm::ticket;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a certificate (DER) or of a public key (SubjectPublicKeyInfo, DER). Written as 64 hexadecimal
/// digits; in a ticket as base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

/// A text that is not a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits")]
pub struct BadFingerprint;

impl Fingerprint {
    /// The fingerprint of `der`.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As a ticket carries it (`alarm::ticket::Ticket::root`).
    pub fn to_ticket(&self) -> String {
        ticket::encode(&self.0)
    }

    /// Reads what a ticket carries; `None` when it is not 32 bytes of base64url.
    pub fn from_ticket(text: &str) -> Option<Self> {
        Some(Self(ticket::decode(text)?.try_into().ok()?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let bytes = text.as_bytes().chunks_exact(2).map(|pair| {
            let value = hex(pair[0])? * 16 + hex(pair[1])?;
            u8::try_from(value).ok()
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        let whole = bytes.filter(|_| text.len() == 64).ok_or(BadFingerprint)?;
        Ok(Self(whole.try_into().map_err(|_| BadFingerprint)?))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = BadFingerprint;

    fn try_from(text: String) -> Result<Self, BadFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_in_both_forms() {
        let print = Fingerprint::of(b"abc");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(print.to_string(), known, "FIPS 180-2 appendix B.1");
        assert_eq!(known.parse(), Ok(print));
        assert_eq!(Fingerprint::from_ticket(&print.to_ticket()), Some(print));
        for bad in ["", "ba", &known[1..], &format!("{known}0"), &known.replace('b', "g")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
        }
    }
}
