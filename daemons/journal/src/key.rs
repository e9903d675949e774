use alarm::chain::Head;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use seal::{Seal, Unread};
use std::fs;
use std::path::Path;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// It cannot be read or written.
    #[error("journal key {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its content is not a key.
    #[error("journal key {0} is damaged: restore it from the backup; without it new heads cannot be signed")]
    Damaged(String),
    /// Another machine sealed it.
    #[error(
        "journal key {path} is sealed and cannot be opened here ({why}): give the rack its key back with \
         `onepress seal --restore`, or the file from a backup"
    )]
    Locked {
        /// The file.
        path: String,
        /// Why not.
        why: seal::Locked,
    },
}

/// The key that signs where the journal ends (Ed25519, RFC 8032).
pub struct HeadKey {
    pair: Ed25519KeyPair,
}

/// Its public half, with which anybody can check a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl HeadKey {
    /// Reads the key at `path` (PKCS#8, sealed where the machine has a key for that), or makes one there (mode 0600) with
    /// its public half beside it (`.pub`).
    ///
    /// # Errors
    /// [`BadKey`] names the file.
    pub fn load_or_make(path: &Path) -> Result<Self, BadKey> {
        if !path.exists() {
            make(path)?;
        }
        let bytes = read(path)?;
        let pair =
            Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| BadKey::Damaged(path.display().to_string()))?;
        Ok(Self { pair })
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> Vec<u8> {
        self.pair.sign(&head.to_sign()).as_ref().to_vec()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().to_vec())
    }
}

impl PublicKey {
    /// Reads the 32 bytes at `path`.
    ///
    /// # Errors
    /// [`BadKey`] names the file.
    pub fn load(path: &Path) -> Result<Self, BadKey> {
        let bytes = fs::read(path).map_err(|source| io(path, source))?;
        if bytes.len() == 32 { Ok(Self(bytes)) } else { Err(BadKey::Damaged(path.display().to_string())) }
    }

    /// Whether `signature` is this key's over `head`.
    pub fn signed(&self, head: Head, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&head.to_sign(), signature).is_ok()
    }
}

fn io(path: &Path, source: std::io::Error) -> BadKey {
    BadKey::Io { path: path.display().to_string(), source }
}

fn make(path: &Path) -> Result<(), BadKey> {
    let damaged = |_| BadKey::Damaged(path.display().to_string());
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(damaged)?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref())
        .map_err(|_| BadKey::Damaged(path.display().to_string()))?;
    let public = path.with_extension("pub");
    seal::replace(&public, pair.public_key().as_ref(), 0o644).map_err(|source| io(&public, source))?;
    seal::write(path, pkcs8.as_ref(), Seal::of_this_process()).map_err(|source| io(path, source))
}

fn read(path: &Path) -> Result<Vec<u8>, BadKey> {
    let absent = || io(path, std::io::ErrorKind::NotFound.into());
    match seal::read(path, Seal::of_this_process()) {
        Ok(bytes) => bytes.ok_or_else(absent),
        Err(Unread::File(source)) => Err(io(path, source)),
        Err(Unread::Locked(why)) => Err(BadKey::Locked { path: path.display().to_string(), why }),
    }
}
