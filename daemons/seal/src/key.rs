use base64::prelude::{BASE64_STANDARD, Engine};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How a sealed secret begins. A new form gets a new number.
const MARK: &str = "onepress-sealed-1:";
/// The credential's name, for the service manager and for `systemd-creds`.
const NAME: &str = "onepress.key";
/// Where the credential lies while the machine runs (tmpfs, root only): for a command that root types, which the service
/// manager hands nothing.
const STORE: &str = "/run/credstore";
/// Length of the key in bytes.
const LENGTH: usize = 32;

/// What key files of this machine are sealed with, if with anything.
pub struct Seal(Option<LessSafeKey>);

/// A secret as it was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// Anybody who has the file has it.
    Plain(Vec<u8>),
    /// It was sealed.
    Sealed(Vec<u8>),
}

/// A sealed secret that cannot be opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Locked {
    /// This process has no key.
    #[error("the key of this machine is not there: see `journalctl -u onepress-seal`")]
    NoKey,
    /// Another key sealed it, or it was kept under another name, or it was changed.
    #[error("another machine's key sealed it, or it was changed")]
    WrongKey,
    /// It has the mark and is cut or not base64.
    #[error("it is cut or garbled")]
    Malformed,
}

impl Seal {
    /// That of this process: the credential `onepress.key` that the service manager handed over, else for root the one
    /// that it would hand over. Read once.
    pub fn of_this_process() -> &'static Self {
        static SEAL: OnceLock<Seal> = OnceLock::new();
        SEAL.get_or_init(|| Self::in_folder(&folder()))
    }

    /// Seals and opens nothing: files are plain.
    pub fn none() -> Self {
        Self(None)
    }

    /// With a key of its own.
    pub fn with_key(key: &[u8; LENGTH]) -> Self {
        // The length is that of the algorithm, the only thing that is checked.
        Self(UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new))
    }

    fn in_folder(folder: &Path) -> Self {
        let path = folder.join(NAME);
        match std::fs::read(&path) {
            Ok(bytes) => match <[u8; LENGTH]>::try_from(bytes) {
                Ok(key) => Self::with_key(&key),
                Err(bytes) => {
                    tracing::warn!(path = %path.display(), length = bytes.len(), "this is no key: nothing is sealed");
                    Self::none()
                }
            },
            Err(_) => Self::none(),
        }
    }

    /// Whether secrets are sealed here.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A secret as it is to be kept under a name: sealed, or as it is when there is no key.
    pub fn close(&self, name: &str, secret: &[u8]) -> Vec<u8> {
        let Some(key) = &self.0 else { return secret.to_vec() };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the kernel has randomness once it has booted");
        let mut sealed = secret.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(name), &mut sealed)
            .expect("key files are far shorter than the 64 GiB that the algorithm takes");
        let whole = [&nonce[..], &sealed].concat();
        format!("{MARK}{}\n", BASE64_STANDARD.encode(whole)).into_bytes()
    }

    /// Reads what was kept under a name, sealed or not.
    ///
    /// # Errors
    /// [`Locked`].
    pub fn open(&self, name: &str, stored: &[u8]) -> Result<Opened, Locked> {
        let Some(text) = stored.strip_prefix(MARK.as_bytes()) else {
            return Ok(Opened::Plain(stored.to_vec()));
        };
        let key = self.0.as_ref().ok_or(Locked::NoKey)?;
        let whole = BASE64_STANDARD.decode(text.trim_ascii_end()).map_err(|_| Locked::Malformed)?;
        let (nonce, sealed) = whole
            .split_at_checked(NONCE_LEN)
            .filter(|(_, sealed)| sealed.len() >= MAX_TAG_LEN)
            .ok_or(Locked::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Locked::Malformed)?;
        let mut sealed = sealed.to_vec();
        let secret = key.open_in_place(nonce, aad(name), &mut sealed).map_err(|_| Locked::WrongKey)?;
        Ok(Opened::Sealed(secret.to_vec()))
    }
}

impl Opened {
    /// The secret, however it was found.
    pub fn into_secret(self) -> Vec<u8> {
        match self {
            Self::Plain(secret) | Self::Sealed(secret) => secret,
        }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Seal(secret)" } else { "Seal(none)" })
    }
}

fn aad(name: &str) -> Aad<String> {
    Aad::from(format!("{MARK}{name}"))
}

fn folder() -> PathBuf {
    std::env::var_os("CREDENTIALS_DIRECTORY").map_or_else(|| STORE.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_under_its_name_and_its_key_only() {
        let seal = Seal::with_key(&[7; 32]);
        let kept = seal.close("ca.pem", b"-----BEGIN PRIVATE KEY-----");
        assert!(kept.starts_with(MARK.as_bytes()) && kept.ends_with(b"\n") && kept.is_ascii());
        assert!(!kept.windows(7).any(|part| part == b"PRIVATE"));
        assert_ne!(kept, seal.close("ca.pem", b"-----BEGIN PRIVATE KEY-----"), "never the same nonce");
        let opened = seal.open("ca.pem", &kept).unwrap();
        assert_eq!(opened, Opened::Sealed(b"-----BEGIN PRIVATE KEY-----".to_vec()));
        assert_eq!(seal.open("pass.key", &kept), Err(Locked::WrongKey));
        assert_eq!(Seal::with_key(&[8; 32]).open("ca.pem", &kept), Err(Locked::WrongKey));
        assert_eq!(Seal::none().open("ca.pem", &kept), Err(Locked::NoKey));
    }

    #[test]
    fn what_was_never_sealed_is_read_as_it_is() {
        for seal in [Seal::none(), Seal::with_key(&[7; 32])] {
            assert_eq!(seal.open("x", b"plain"), Ok(Opened::Plain(b"plain".to_vec())));
        }
        assert_eq!(Seal::none().close("x", b"plain"), b"plain");
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let seal = Seal::with_key(&[7; 32]);
        let kept = seal.close("x", b"secret");
        for at in MARK.len()..kept.len() - 1 {
            let mut changed = kept.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(seal.open("x", &changed).is_err(), "{at}");
            let cut = seal.open("x", &kept[..at]);
            assert!(matches!(cut, Err(Locked::Malformed | Locked::WrongKey)), "{at}");
        }
    }

    #[test]
    fn a_credential_that_is_no_key_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Seal::in_folder(dir.path()).is_on());
        std::fs::write(dir.path().join(NAME), "short").unwrap();
        assert!(!Seal::in_folder(dir.path()).is_on());
        std::fs::write(dir.path().join(NAME), [1; 32]).unwrap();
        assert!(Seal::in_folder(dir.path()).is_on());
    }
}
