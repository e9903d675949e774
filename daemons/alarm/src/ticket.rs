//! The ticket with which a new box obtains its first certificate: one line of text, in a file on the USB stick or
//! in a QR code. `OP1.` and the base64url of a JSON object.

use crate::{BoxId, SiteId, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a ticket is good for: a week covers the way from the console to the site.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest ticket text: fits a version 25 QR code with medium correction.
pub const LONGEST: usize = 1000;
const PREFIX: &str = "OP1.";

/// What a new box must know to enrol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Public number of the ticket.
    #[serde(rename = "t")]
    pub number: String,
    /// The secret, 32 random bytes, base64url.
    #[serde(rename = "s")]
    pub secret: String,
    /// SHA-256 of the rack's site root certificate (DER), base64url.
    #[serde(rename = "r")]
    pub root: String,
    /// Addresses of the rack, `host:port`, at most four.
    #[serde(rename = "a")]
    pub addresses: Vec<String>,
    /// The box that it makes.
    #[serde(rename = "b")]
    pub name: BoxId,
    /// Its site; absent for a wall.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// When it ends. The rack decides; a box with a wrong clock does not look at it.
    #[serde(rename = "e")]
    pub expires: Wall,
}

/// A text that is not a ticket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTicket {
    /// Does not begin with `OP1.`.
    #[error("this is not a ticket: a ticket is one line that begins with {PREFIX}")]
    NotATicket,
    /// Cut or altered.
    #[error("the ticket is damaged ({0}): copy the whole line again, or issue a new one in the console")]
    Damaged(String),
}

impl Ticket {
    /// The one line of text.
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", encode(&json))
    }

    /// Reads the line; white space around it does not matter.
    ///
    /// # Errors
    /// [`BadTicket`] with the remedy.
    pub fn from_text(text: &str) -> Result<Self, BadTicket> {
        let body = text.trim().strip_prefix(PREFIX).ok_or(BadTicket::NotATicket)?;
        if body.len() > LONGEST {
            return Err(BadTicket::Damaged(format!("longer than {LONGEST} characters")));
        }
        let json = decode(body).ok_or_else(|| BadTicket::Damaged("not base64url".into()))?;
        let ticket: Self =
            serde_json::from_slice(&json).map_err(|error| BadTicket::Damaged(error.to_string()))?;
        if ticket.addresses.is_empty() || ticket.addresses.len() > 4 {
            return Err(BadTicket::Damaged("no rack address, or more than four".into()));
        }
        Ok(ticket)
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64url without padding (RFC 4648 section 5).
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let six = (word >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[usize::try_from(six).unwrap_or(0)]));
        }
    }
    text
}

/// Reads base64url without padding; `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let mut word = 0u32;
        for letter in chunk {
            let six = ALPHABET.iter().position(|known| known == letter)?;
            word = word << 6 | u32::try_from(six).ok()?;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        Ticket {
            number: "k3".into(),
            secret: encode(&[7; 32]),
            root: encode(&[9; 32]),
            addresses: vec!["10.0.0.1:4110".into()],
            name: BoxId::new("school-1-gate").unwrap(),
            site: SiteId::new("school-1").ok(),
            expires: Wall::from_millis(1),
        }
    }

    #[test]
    fn a_ticket_reads_back() {
        let text = ticket().to_text();
        assert_eq!(Ticket::from_text(&format!(" {text}\n")), Ok(ticket()));
        assert!(text.len() < LONGEST);
    }

    #[test]
    fn a_damaged_ticket_says_so() {
        let text = ticket().to_text();
        assert_eq!(Ticket::from_text("hello"), Err(BadTicket::NotATicket));
        for cut in 4..text.len() {
            assert!(matches!(Ticket::from_text(&text[..cut]), Err(BadTicket::Damaged(_))), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn base64url_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_never_panics(text in ".{0,80}") {
            let _ = Ticket::from_text(&text);
            let _ = Ticket::from_text(&format!("OP1.{text}"));
        }
    }
}
