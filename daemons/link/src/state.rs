//! Key material in a state directory: written whole or not at all, readable by its owner only, sealed where the machine
//! has a key for that.

use seal::{Locked, Seal, Unread};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Largest file that is read: an identity with its chain needs about 4 KiB.
const FILE_MAX: u64 = 64 * 1024;

/// Key material that cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system said no.
    #[error("cannot {what} {path}: {error}", path = path.display())]
    File {
        /// `read`, `write` or `remove`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is there and cannot be used. It is left as it is.
    #[error("{path} is damaged ({why}): restore it from a backup or remove it", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is sealed, and this machine cannot open it: its TPM or its disk is another one. It is left as it is.
    #[error("{path} is sealed and cannot be opened here ({why}): {remedy}", path = path.display())]
    Locked {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: Locked,
        /// What somebody has to do.
        remedy: &'static str,
    },
}

/// What helps a box whose key is lost.
const ENROL: &str = "enrol it again with a new ticket from the console";
/// What helps a rack, whose root every box trusts.
const RESTORE: &str = "give the rack its key back with `onepress seal --restore`, or the file from a backup";

impl StateError {
    pub(crate) fn damaged(path: &Path, why: impl ToString) -> Self {
        Self::Damaged { path: path.into(), why: why.to_string() }
    }

    /// Whether it is there and whole, and for another machine's key.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    pub(crate) fn locked(path: &Path, why: Locked) -> Self {
        let centre = path.file_name().is_some_and(|name| name == "ca.pem");
        Self::Locked { path: path.into(), why, remedy: if centre { RESTORE } else { ENROL } }
    }

    pub(crate) fn file(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File { what, path: path.into(), error }
    }
}

/// The secret in a file; `None` when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    read_with(path, Seal::of_this_process())
}

fn read_with(path: &Path, seal: &Seal) -> Result<Option<Vec<u8>>, StateError> {
    measure(path)?;
    seal::read(path, seal).map_err(|error| match error {
        Unread::File(error) => StateError::file("read", path, error),
        Unread::Locked(why) => StateError::locked(path, why),
    })
}

/// The same as text.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    let bytes = read(path)?;
    bytes.map(|bytes| String::from_utf8(bytes).map_err(|error| StateError::damaged(path, error))).transpose()
}

/// For a key that can be made anew without harm: one that cannot be opened here counts as none.
pub(crate) fn unless_locked<T>(read: Result<Option<T>, StateError>) -> Result<Option<T>, StateError> {
    read.or_else(|error| {
        if !error.is_locked() {
            return Err(error);
        }
        tracing::warn!(%error, "a new one is made");
        Ok(None)
    })
}

/// Text that is no secret as a whole; `None` when there is no such file.
pub(crate) fn read_open(path: &Path) -> Result<Option<String>, StateError> {
    measure(path)?;
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(StateError::damaged(path, error)),
        Err(error) => Err(StateError::file("read", path, error)),
    }
}

/// Writes a secret whole or not at all, and makes it durable (mode 0600).
pub(crate) fn write(path: &Path, secret: &[u8]) -> Result<(), StateError> {
    seal::write(path, secret, Seal::of_this_process()).map_err(|error| StateError::file("write", path, error))
}

/// Removes the file; it is no error when there is none.
pub(crate) fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::file("remove", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn measure(path: &Path) -> Result<(), StateError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_MAX => {
            let why = format!("{} bytes, at most {FILE_MAX} make sense", metadata.len());
            Err(StateError::damaged(path, why))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::file("read", path, error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, vec![0; 70_000]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("key") && error.contains("backup"), "{error}");
        let error = write(&dir.path().join("none/key"), b"").unwrap_err().to_string();
        assert!(error.contains("none/key"), "{error}");
    }

    #[test]
    fn what_another_machine_sealed_is_named_with_what_helps() {
        let dir = tempfile::tempdir().unwrap();
        for (name, remedy) in [("enrol-key.pem", "new ticket"), ("ca.pem", "onepress seal --restore")] {
            let path = dir.path().join(name);
            seal::write(&path, b"secret", &Seal::with_key(&[1; 32])).unwrap();
            let error = read_with(&path, &Seal::with_key(&[2; 32])).unwrap_err();
            assert!(error.is_locked());
            assert!(error.to_string().contains(name) && error.to_string().contains(remedy), "{error}");
            let read = read_with(&path, &Seal::with_key(&[1; 32])).unwrap();
            assert_eq!(read.as_deref(), Some(&b"secret"[..]), "it is left as it is");
        }
    }
}
