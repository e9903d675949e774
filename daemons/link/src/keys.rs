use crate::state::{self, StateError};
use quinn_proto::HashedConnectionIdGenerator;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// No pause between stateless resets. quinn's default of 20 ms, and any other, lets one reset out per batch of
/// packets read: 200 boxes learned of a restart over six seconds. A pause would guard against floods and loops; a
/// reset is always shorter than what provoked it (RFC 9000 section 10.3.3), so it neither amplifies nor loops, and
/// connection ids that were never issued here (40 keyed bits of each) are dropped unanswered.
const RESET_PAUSE: Duration = Duration::ZERO;

/// The secret of one endpoint that outlives the process: with it a restarted endpoint recognises the connections
/// of its former self and answers them with a stateless reset (RFC 9000 section 10.3), so that the other side
/// notices at its next keep-alive instead of at the idle timeout.
#[derive(Clone)]
pub struct Keys([u8; 32]);

impl Keys {
    /// Loads `link.key` from the directory, or makes it. One that is sealed and cannot be opened here is made anew: the
    /// other side then takes seconds longer to notice this restart, and no more.
    ///
    /// # Errors
    /// [`StateError`] when the directory cannot be written, or the file is not 32 bytes.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join("link.key");
        match state::unless_locked(state::read(&path))? {
            Some(bytes) => {
                bytes.try_into().map(Self).map_err(|_| StateError::damaged(&path, "it must have 32 bytes"))
            }
            None => {
                let keys = Self::random();
                state::write(&path, &keys.0)?;
                Ok(keys)
            }
        }
    }

    /// Keys for an endpoint that nobody will miss, such as that of an enrolment.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).expect("the kernel has randomness once it has booted");
        Self(bytes)
    }

    pub(crate) fn endpoint(&self) -> quinn::EndpointConfig {
        let reset = hmac::Key::new(hmac::HMAC_SHA256, &self.derive::<32>(b"reset"));
        let ids = u64::from_be_bytes(self.derive(b"connection ids"));
        let mut config = quinn::EndpointConfig::new(Arc::new(reset));
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
        config.min_reset_interval(RESET_PAUSE);
        config
    }

    /// Seals Retry tokens (RFC 9000 section 8.1.2); kept too, so that one issued before a restart is good after.
    pub(crate) fn token(&self) -> Arc<hkdf::Prk> {
        Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, b"onepress link token").extract(&self.0))
    }

    fn derive<const N: usize>(&self, purpose: &[u8]) -> [u8; N] {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), purpose);
        let mut bytes = [0; N];
        bytes.copy_from_slice(&key.as_ref()[..N]);
        bytes
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_directory_gives_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path()).unwrap();
        assert_eq!(Keys::open(dir.path()).unwrap().0, first.0);
        assert_ne!(Keys::random().0, first.0);
        assert_ne!(first.derive::<32>(b"reset"), first.derive::<32>(b"connection ids"));
    }

    #[test]
    fn a_damaged_key_is_an_error_not_a_new_key() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("link.key"), "short").unwrap();
        assert!(Keys::open(dir.path()).unwrap_err().to_string().contains("link.key"));
    }
}
