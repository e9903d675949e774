//! Key material in a state directory: written whole or not at all, readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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
}

impl StateError {
    pub(crate) fn damaged(path: &Path, why: impl ToString) -> Self {
        Self::Damaged { path: path.into(), why: why.to_string() }
    }

    fn file(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File { what, path: path.into(), error }
    }
}

/// The file's bytes; `None` when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::file("read", path, error)),
    };
    if length > FILE_MAX {
        return Err(StateError::damaged(path, format!("{length} bytes, at most {FILE_MAX} make sense")));
    }
    let bytes = fs::read(path).map_err(|error| StateError::file("read", path, error))?;
    Ok(Some(bytes))
}

/// The same as text.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    let bytes = read(path)?;
    bytes.map(|bytes| String::from_utf8(bytes).map_err(|error| StateError::damaged(path, error))).transpose()
}

/// Writes a new file beside the old one, makes it durable, and puts it in its place (mode 0600).
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    replace(path, bytes).map_err(|error| StateError::file("write", path, error))
}

/// Removes the file; it is no error when there is none.
pub(crate) fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::file("remove", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Left over from a power cut; `create_new` then gives the mode to a file that is surely ours.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.pem");
        assert!(read(&path).unwrap().is_none());
        fs::write(path.with_extension("new"), "torn by a power cut").unwrap();
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read_text(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

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
}
