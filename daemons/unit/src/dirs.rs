//! Where a daemon's files are: systemd says, and a default stands in when it is started by hand.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A key or a certificate chain is some kilobytes; systemd itself stops at a megabyte for all together.
const MAX_CREDENTIAL_BYTES: u64 = 1 << 20;

/// A secret by name, from `LoadCredential=` of the unit. `None` when there is none; one that is there and
/// cannot be read is logged, and is `None` too.
#[must_use]
pub fn credential(name: &str) -> Option<Vec<u8>> {
    credential_in(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?), name)
}

/// Where state lives that must outlast a restart: `StateDirectory=` of the unit, else `default`.
#[must_use]
pub fn state_dir(default: impl Into<PathBuf>) -> PathBuf {
    first_of("STATE_DIRECTORY").unwrap_or_else(|| default.into())
}

/// Where sockets and other short-lived files live: `RuntimeDirectory=` of the unit, else `default`.
#[must_use]
pub fn runtime_dir(default: impl Into<PathBuf>) -> PathBuf {
    first_of("RUNTIME_DIRECTORY").unwrap_or_else(|| default.into())
}

fn first_of(variable: &str) -> Option<PathBuf> {
    first(&std::env::var_os(variable)?)
}

/// A unit with several directories gets them in one variable, colons between (systemd.exec(5)).
fn first(list: &OsStr) -> Option<PathBuf> {
    let path = list.as_bytes().split(|byte| *byte == b':').next()?;
    (!path.is_empty()).then(|| OsStr::from_bytes(path).into())
}

fn credential_in(directory: &Path, name: &str) -> Option<Vec<u8>> {
    let mut secret = Vec::new();
    let read = std::fs::File::open(directory.join(name))
        .and_then(|file| file.take(MAX_CREDENTIAL_BYTES).read_to_end(&mut secret));
    match read {
        Ok(_) => Some(secret),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(name, %error, "credential is there and cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_directory_of_a_list_counts() {
        assert_eq!(first(OsStr::new("/var/lib/a:/var/lib/b")), Some("/var/lib/a".into()));
        assert_eq!(first(OsStr::new("/var/lib/a")), Some("/var/lib/a".into()));
        assert_eq!(first(OsStr::new("")), None);
    }

    #[test]
    fn a_credential_is_its_bytes_and_an_absent_one_is_none() {
        let directory = tempfile::tempdir().expect("temporary directory");
        std::fs::write(directory.path().join("reset-key"), [7, 0, 7]).expect("written");
        assert_eq!(credential_in(directory.path(), "reset-key"), Some(vec![7, 0, 7]));
        assert_eq!(credential_in(directory.path(), "other"), None);
        assert_eq!(credential_in(Path::new("/dev/null"), "no-directory"), None);
    }
}
