//! Still pictures that seats keep: files under their own SHA-256, so that what the journal names cannot be changed
//! without it being seen.

use anyhow::Context;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Largest picture: a 4K frame as a good JPEG.
pub(crate) const LARGEST: usize = 4 * 1024 * 1024;

/// The folder that they lie in.
#[derive(Debug)]
pub(crate) struct Pictures {
    dir: PathBuf,
}

impl Pictures {
    /// In a folder `snapshots` of the state directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(state_dir: &Path) -> anyhow::Result<Self> {
        let dir = state_dir.join("snapshots");
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// Writes a picture and gives its name, when it is on the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&self, jpeg: &[u8]) -> anyhow::Result<String> {
        let name = name(jpeg);
        let path = self.path(&name);
        if !path.exists() {
            let draft = self.dir.join(format!(".{name}.{}", crate::random::text::<6>()));
            let write = || -> std::io::Result<()> {
                let mut file = File::create_new(&draft)?;
                file.write_all(jpeg)?;
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

    /// Reads a picture; `None` when there is none of this name, or the disk has changed it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if name.len() != 64 || !name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let path = self.path(name);
        match fs::read(&path) {
            Ok(jpeg) if self::name(&jpeg) == name => Ok(Some(jpeg)),
            Ok(_) => {
                tracing::warn!(file = %path.display(), "a snapshot is not what the journal says: it is not shown");
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.jpg"))
    }
}

/// Whether the bytes begin and end as a JPEG does (ITU-T T.81 annex B: SOI, a marker, EOI).
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.len() > 8 && bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

fn name(jpeg: &[u8]) -> String {
    Sha256::digest(jpeg).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 2, 1, 2, 3, 0xff, 0xd9];

    #[test]
    fn a_picture_is_kept_once_and_read_back_under_its_hash() {
        let dir = tempfile::tempdir().unwrap();
        let pictures = Pictures::open(dir.path()).unwrap();
        let name = pictures.keep(JPEG).unwrap();
        assert_eq!(pictures.keep(JPEG).unwrap(), name);
        assert_eq!(pictures.read(&name).unwrap().as_deref(), Some(JPEG));
        assert_eq!(fs::read_dir(dir.path().join("snapshots")).unwrap().count(), 1);
        fs::write(pictures.path(&name), b"changed").unwrap();
        assert_eq!(pictures.read(&name).unwrap(), None);
    }

    #[test]
    fn a_name_is_a_hash_and_no_path() {
        let pictures = Pictures::open(tempfile::tempdir().unwrap().path()).unwrap();
        for no in ["", "../journal.key", &"g".repeat(64), &"A".repeat(64), &"0".repeat(64)] {
            assert_eq!(pictures.read(no).unwrap(), None, "{no}");
        }
    }

    #[test]
    fn what_is_no_jpeg_is_told_from_one() {
        assert!(is_jpeg(JPEG));
        for no in [&b""[..], b"GIF89a.....", &JPEG[..9], &[0xff, 0xd8, 0xff, 0xd9]] {
            assert!(!is_jpeg(no), "{no:?}");
        }
    }
}
