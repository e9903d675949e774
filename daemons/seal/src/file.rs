use crate::{Locked, Opened, Seal};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Key material is for its owner only.
const PRIVATE: u32 = 0o600;

/// A key file that is there and cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is sealed, and not for this process.
    #[error(transparent)]
    Locked(#[from] Locked),
}

/// The secret in a file that is kept under the file's own name; `None` when there is no such file. A plain one is sealed
/// now, where there is a key: the secret of a machine that has got one later.
///
/// # Errors
/// [`Unread`].
pub fn read(path: &Path, seal: &Seal) -> Result<Option<Vec<u8>>, Unread> {
    let stored = match fs::read(path) {
        Ok(stored) => stored,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match seal.open(&name(path), &stored)? {
        Opened::Sealed(secret) => Ok(Some(secret)),
        Opened::Plain(secret) => {
            if seal.is_on() {
                tell(path, write(path, &secret, seal));
            }
            Ok(Some(secret))
        }
    }
}

/// Keeps a secret in a file under the file's own name (mode 0600), sealed where there is a key.
///
/// # Errors
/// What the file system said; the old file is then as it was.
pub fn write(path: &Path, secret: &[u8], seal: &Seal) -> io::Result<()> {
    replace(path, &seal.close(&name(path), secret), PRIVATE)
}

/// Writes a new file beside the old one, makes it durable, and puts it in its place. What the old one held is written
/// over then: a flash chip may keep it all the same, but no program reads it any more.
///
/// # Errors
/// What the file system said; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Left over from a power cut; `create_new` then gives the mode to a file that is surely ours.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let old = OpenOptions::new().write(true).open(path);
    fs::rename(&beside, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()?;
    if let Ok(old) = old {
        // The new one is in its place: whatever this says, the secret is kept.
        let _ = blank(old);
    }
    Ok(())
}

fn blank(mut old: File) -> io::Result<()> {
    let length = old.metadata()?.len();
    io::copy(&mut io::Read::take(io::repeat(0), length), &mut old)?;
    old.sync_all()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Says whether a key that had been kept plain has been sealed; that it has not, once. Who may only read a file leaves it
/// to its owner.
pub fn tell(path: &Path, sealed: io::Result<()>) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    match sealed {
        Ok(()) => tracing::info!(path = %path.display(), "a key that was kept plain is sealed now"),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
        }
        Err(error) if !TOLD.swap(true, Ordering::Relaxed) => {
            tracing::warn!(path = %path.display(), %error, "a key stays unsealed");
        }
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.pem");
        let seal = Seal::none();
        assert!(read(&path, &seal).unwrap().is_none());
        fs::write(path.with_extension("new"), "torn by a power cut").unwrap();
        write(&path, b"one", &seal).unwrap();
        write(&path, b"two", &seal).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_plain_key_is_sealed_when_it_is_read_and_its_old_bytes_are_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("key"), dir.path().join("the same file by another name"));
        fs::write(&path, "plain").unwrap();
        fs::hard_link(&path, &other).unwrap();
        let seal = Seal::with_key(&[7; 32]);
        assert_eq!(read(&path, &seal).unwrap().as_deref(), Some(&b"plain"[..]));
        assert!(fs::read_to_string(&path).unwrap().starts_with("onepress-sealed-1:"));
        assert_eq!(fs::read(&other).unwrap(), [0; 5]);
        assert_eq!(read(&path, &seal).unwrap().as_deref(), Some(&b"plain"[..]));
        assert!(matches!(read(&path, &Seal::none()), Err(Unread::Locked(Locked::NoKey))));
    }

    #[test]
    fn a_file_under_another_name_is_not_that_key() {
        let dir = tempfile::tempdir().unwrap();
        let seal = Seal::with_key(&[7; 32]);
        write(&dir.path().join("one"), b"secret", &seal).unwrap();
        fs::rename(dir.path().join("one"), dir.path().join("two")).unwrap();
        let read = read(&dir.path().join("two"), &seal);
        assert!(matches!(read, Err(Unread::Locked(Locked::WrongKey))), "{read:?}");
    }
}
