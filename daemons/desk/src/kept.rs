//! Files that the journal names, beside it: still pictures and announcements, each under its own SHA-256, so that it
//! cannot be changed without it being seen.

use anyhow::Context;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder that they lie in.
#[derive(Debug)]
pub(crate) struct Kept {
    dir: PathBuf,
    ending: &'static str,
}

impl Kept {
    /// Files with this ending, in a folder of the state directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(state_dir: &Path, folder: &str, ending: &'static str) -> anyhow::Result<Self> {
        let dir = state_dir.join(folder);
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self { dir, ending })
    }

    /// Writes a file and gives its name, when it is on the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&self, bytes: &[u8]) -> anyhow::Result<String> {
        let name = name(bytes);
        let path = self.path(&name);
        if !path.exists() {
            let draft = self.dir.join(format!(".{name}.{}", crate::random::text::<6>()));
            let write = || -> std::io::Result<()> {
                let mut file = File::create_new(&draft)?;
                file.write_all(bytes)?;
                file.sync_all()?;
                fs::rename(&draft, &path)?;
                File::open(&self.dir)?.sync_all()
            };
            let written = write();
            if written.is_err() {
                let _ = fs::remove_file(&draft);
            }
            written.with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(name)
    }

    /// Reads a file; `None` when there is none of this name, or the disk has changed it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if !is_name(name) {
            return Ok(None);
        }
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) if self::name(&bytes) == name => Ok(Some(bytes)),
            Ok(_) => {
                tracing::warn!(file = %path.display(), "a file is not what the journal says: it is not shown");
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Removes a file; none is no error.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub(crate) fn forget(&self, name: &str) -> anyhow::Result<()> {
        if !is_name(name) {
            return Ok(());
        }
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{}", self.ending))
    }
}

fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(crate) fn name(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_once_and_read_back_under_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path(), "snapshots", "jpg").unwrap();
        let name = kept.keep(b"bytes").unwrap();
        assert_eq!(kept.keep(b"bytes").unwrap(), name);
        assert_eq!(kept.read(&name).unwrap().as_deref(), Some(&b"bytes"[..]));
        assert_eq!(fs::read_dir(dir.path().join("snapshots")).unwrap().count(), 1);
        fs::write(kept.path(&name), b"changed").unwrap();
        assert_eq!(kept.read(&name).unwrap(), None);
        kept.forget(&name).unwrap();
        kept.forget(&name).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("snapshots")).unwrap().count(), 0);
    }

    #[test]
    fn a_name_is_a_hash_and_no_path() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path(), "snapshots", "jpg").unwrap();
        let key = dir.path().join("journal.jpg");
        fs::write(&key, b"x").unwrap();
        for no in ["", "../journal", &"g".repeat(64), &"A".repeat(64), &"0".repeat(64)] {
            assert_eq!(kept.read(no).unwrap(), None, "{no}");
            kept.forget(no).unwrap();
        }
        assert!(key.exists());
    }
}
