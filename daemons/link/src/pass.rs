//! Passes: what a person at a seat shows at the relay's door. The desk signs them, the relay knows the desk's
//! public key. Not a session: short, and good at the relay only.
//!
//! Written form: base64url of the JSON of [`alarm::media::Pass`], a dot, base64url of the Ed25519 signature (RFC
//! 8032) over the first part as it stands.

use crate::state::{self, StateError};
use alarm::Wall;
use alarm::media::Pass;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::path::Path;

/// Longest pass that is read: boxes of one incident are few, and it travels in a URL.
pub const LONGEST: usize = 4096;

/// The key that signs passes.
pub struct PassKey(Ed25519KeyPair);

/// Its public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPassKey(Vec<u8>);

/// A pass that opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPass {
    /// Not two parts of base64url with JSON in the first.
    #[error("the pass is not readable")]
    Malformed,
    /// Another key signed it, or nobody.
    #[error("the pass is not this desk's")]
    NotOurs,
    /// Too old.
    #[error("the pass has expired: ask the desk for a new one")]
    Expired,
}

/// The key cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum PassKeyError {
    /// The file.
    #[error(transparent)]
    State(#[from] StateError),
    /// No randomness.
    #[error("the key for passes cannot be made")]
    Unmade,
}

impl PassKey {
    /// Reads `pass.key` (PKCS#8, base64) in the directory, or makes it. One that is sealed and cannot be opened here is
    /// made anew: passes are good for minutes, and the relay is told the public half at every connection.
    ///
    /// # Errors
    /// [`PassKeyError`].
    pub fn open(dir: &Path) -> Result<Self, PassKeyError> {
        let path = dir.join("pass.key");
        if let Some(text) = state::unless_locked(state::read_text(&path))? {
            let der = BASE64_STANDARD.decode(text.trim()).map_err(|why| StateError::damaged(&path, why))?;
            let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|why| StateError::damaged(&path, why))?;
            return Ok(Self(pair));
        }
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| PassKeyError::Unmade)?;
        state::write(&path, BASE64_STANDARD.encode(&der).as_bytes())?;
        Ed25519KeyPair::from_pkcs8(der.as_ref()).map(Self).map_err(|_| PassKeyError::Unmade)
    }

    /// Signs a pass.
    pub fn sign(&self, pass: &Pass) -> String {
        let json = serde_json::to_vec(pass).expect("a pass is plain data");
        let body = BASE64_URL_SAFE_NO_PAD.encode(json);
        let signature = self.0.sign(body.as_bytes());
        format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public half.
    pub fn public(&self) -> PublicPassKey {
        PublicPassKey(self.0.public_key().as_ref().to_vec())
    }
}

impl PublicPassKey {
    /// As it travels to the relay.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// Reads what [`PublicPassKey::to_text`] wrote; `None` when it is no key.
    pub fn from_text(text: &str) -> Option<Self> {
        BASE64_STANDARD.decode(text).ok().filter(|key| key.len() == 32).map(Self)
    }

    /// Reads a pass and judges it.
    ///
    /// # Errors
    /// [`BadPass`].
    pub fn judge(&self, text: &str, now: Wall) -> Result<Pass, BadPass> {
        let (body, signature) =
            text.split_once('.').filter(|_| text.len() <= LONGEST).ok_or(BadPass::Malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadPass::Malformed)?;
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(body.as_bytes(), &signature).map_err(|_| BadPass::NotOurs)?;
        let json = BASE64_URL_SAFE_NO_PAD.decode(body).map_err(|_| BadPass::Malformed)?;
        let pass: Pass = serde_json::from_slice(&json).map_err(|_| BadPass::Malformed)?;
        if now < pass.until { Ok(pass) } else { Err(BadPass::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{BoxId, IncidentId, SeatId, UserId};

    fn pass() -> Pass {
        Pass {
            until: Wall::from_millis(1_000),
            user: UserId::new("li").unwrap(),
            seat: SeatId::new("seat-1").unwrap(),
            incident: Some(IncidentId(7)),
            boxes: vec![BoxId::new("school-1").unwrap()],
            publish: true,
            recordings_since: None,
            line: 3,
        }
    }

    #[test]
    fn a_pass_is_good_until_it_expires_and_for_nobody_elses_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = PassKey::open(dir.path()).unwrap();
        let text = key.sign(&pass());
        let public = PublicPassKey::from_text(&key.public().to_text()).unwrap();
        assert_eq!(public.judge(&text, Wall::from_millis(999)), Ok(pass()));
        assert_eq!(public.judge(&text, Wall::from_millis(1_000)), Err(BadPass::Expired));
        let again = PassKey::open(dir.path()).unwrap();
        assert_eq!(again.public(), public);
        let other = PassKey::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(other.public().judge(&text, Wall::from_millis(0)), Err(BadPass::NotOurs));
    }

    #[test]
    fn any_changed_letter_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let key = PassKey::open(dir.path()).unwrap();
        let text = key.sign(&pass());
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(key.public().judge(&changed, Wall::from_millis(0)).is_err(), "{at}");
        }
        for no in ["", ".", "a.b", &"x".repeat(LONGEST + 1)] {
            assert!(key.public().judge(no, Wall::from_millis(0)).is_err());
        }
    }
}
