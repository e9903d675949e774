//! The bundles on the disk: each under its own SHA-256. They are too large for memory: they come in and go out in
//! pieces, on threads that may wait for the disk.

use alarm::rollout::{BUNDLES_MAX, Signature, Version};
use anyhow::Context;
use bundle::look::{Beginning, compare};
use bundle::signed::hex;
use bundle::tar::Archive;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Largest bundle: twice what the images make today.
pub(crate) const LARGEST: u64 = 400 << 20;
/// What stays free on the rack's disk beside a new bundle: journal and recordings lie there too.
const RESERVE: u64 = 1 << 30;
/// A piece while reading a bundle.
const CHUNK: usize = 1 << 18;
/// The ending of files that are not whole; a start removes them.
const DRAFT: &str = "draft";
const BUNDLE: &str = "bundle";

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Bad {
    /// Above [`LARGEST`].
    #[error("the bundle is larger than {} MB: a bundle holds one version of one appliance", LARGEST >> 20)]
    Long,
    /// Another upload has the folder.
    #[error("another bundle is being added: wait until it is there")]
    Busy,
    /// Journal and recordings come first.
    #[error("no space for the bundle: {free} MB are free and {need} MB are needed; remove an old one")]
    NoSpace {
        /// Megabytes.
        free: u64,
        /// Megabytes.
        need: u64,
    },
    /// Not what an image build makes.
    #[error("this is no bundle of an update: {0}")]
    NoBundle(bundle::look::Bad),
    /// It is the rack's own.
    #[error("this bundle is for {0}, which is no box at a site: put it on with `onepress update apply`")]
    Image(String),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) sha256: String,
    pub(crate) image: String,
    pub(crate) version: Version,
    pub(crate) bytes: u64,
    pub(crate) signature: Signature,
}

/// The folder that they lie in.
#[derive(Debug)]
pub(crate) struct Bundles {
    dir: PathBuf,
    keys: PathBuf,
}

/// A file that comes in. Dropped before it is kept, it leaves nothing.
pub(crate) struct Draft {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
    kept: bool,
}

impl Bundles {
    /// A folder of the state directory; `keys` are those that sign updates, where the rack has them.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(state_dir: &Path, keys: &Path) -> anyhow::Result<Self> {
        let dir = state_dir.join("bundles");
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        for entry in fs::read_dir(&dir).with_context(|| format!("looking into {}", dir.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == DRAFT) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(Self { dir, keys: keys.to_owned() })
    }

    /// Begins to take a file of so many bytes, if that is known.
    ///
    /// # Errors
    /// [`Bad::Long`], [`Bad::Busy`], [`Bad::NoSpace`], [`Bad::Disk`].
    pub(crate) fn draft(&self, length: Option<u64>) -> Result<Draft, Bad> {
        if length.is_some_and(|length| length > LARGEST) {
            return Err(Bad::Long);
        }
        let disk = rustix::fs::statvfs(&self.dir).map_err(std::io::Error::from)?;
        let (free, need) = (disk.f_bavail.saturating_mul(disk.f_frsize), length.unwrap_or(LARGEST) + RESERVE);
        if free < need {
            return Err(Bad::NoSpace { free: free >> 20, need: need >> 20 });
        }
        // One at a time: what the check promised to one upload is not promised to another.
        let path = self.dir.join(format!("incoming.{DRAFT}"));
        let file = match File::options().read(true).write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(Bad::Busy),
            opened => opened?,
        };
        Ok(Draft { path, file, hash: Sha256::new(), bytes: 0, kept: false })
    }

    /// Looks at a whole file: its list, every file in it, and its signature, where the rack has keys.
    ///
    /// # Errors
    /// [`Bad`].
    pub(crate) fn judge(&self, draft: &mut Draft) -> Result<Found, Bad> {
        draft.file.seek(SeekFrom::Start(0))?;
        let mut archive = Archive::new(BufReader::with_capacity(CHUNK, &draft.file));
        let beginning = Beginning::read(&mut archive).map_err(Bad::NoBundle)?;
        let signature = self.signature(&beginning)?;
        let contents = beginning.contents().map_err(Bad::NoBundle)?;
        let release = &contents.release;
        if release.profile.role() != "edge" {
            return Err(Bad::Image(release.profile.to_string()));
        }
        compare(&mut archive, &contents).map_err(Bad::NoBundle)?;
        Ok(Found {
            sha256: hex(&draft.hash.clone().finalize()),
            image: release.profile.to_string(),
            version: release.version.clone(),
            bytes: draft.bytes,
            signature,
        })
    }

    fn signature(&self, beginning: &Beginning) -> Result<Signature, Bad> {
        if !self.keys.exists() {
            return Ok(Signature::Unchecked);
        }
        let scratch = self.dir.join(format!("signature.{DRAFT}"));
        fs::create_dir_all(&scratch)?;
        let checked = beginning.check(&self.keys, &scratch);
        fs::remove_dir_all(&scratch)?;
        checked.map(|()| Signature::Good).map_err(Bad::NoBundle)
    }

    /// Keeps a file that was judged.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&self, mut draft: Draft, sha256: &str) -> Result<(), Bad> {
        draft.file.sync_all()?;
        fs::rename(&draft.path, self.path(sha256))?;
        draft.kept = true;
        Ok(File::open(&self.dir)?.sync_all()?)
    }

    /// Opens a bundle at a byte.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn open_at(&self, sha256: &str, from: u64) -> std::io::Result<File> {
        let mut file = File::open(self.path(sha256))?;
        file.seek(SeekFrom::Start(from))?;
        Ok(file)
    }

    /// Removes a bundle; none is no error.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub(crate) fn forget(&self, sha256: &str) -> anyhow::Result<()> {
        let path = self.path(sha256);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// At the start: removes what is not `known`, which a crash has left between the disk and the journal.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub(crate) fn forget_all_but(&self, known: &[String]) -> anyhow::Result<()> {
        for entry in
            fs::read_dir(&self.dir).with_context(|| format!("looking into {}", self.dir.display()))?
        {
            let path = entry?.path();
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|end| end == BUNDLE) && !known.contains(&stem) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.dir.join(format!("{sha256}.{BUNDLE}"))
    }
}

impl Draft {
    /// More of it.
    ///
    /// # Errors
    /// [`Bad::Long`], [`Bad::Disk`].
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.bytes > LARGEST {
            return Err(Bad::Long);
        }
        self.hash.update(bytes);
        Ok(self.file.write_all(bytes)?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The next piece of a bundle, and the file at the byte after it; empty at its end.
///
/// # Errors
/// When the disk cannot be read.
pub(crate) fn piece(mut file: File, longest: usize) -> std::io::Result<(File, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(longest);
    (&mut file).take(u64::try_from(longest).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

const _: () =
    assert!(BUNDLES_MAX as u64 * LARGEST < 4 << 30, "the store fits beside a journal on a small disk");

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::made;

    fn there(dir: &Path) -> usize {
        fs::read_dir(dir.join("bundles")).unwrap().count()
    }

    #[test]
    fn a_draft_leaves_nothing_and_what_is_kept_is_read_from_any_byte() {
        let dir = tempfile::tempdir().unwrap();
        let bundles = Bundles::open(dir.path(), Path::new("/nowhere")).unwrap();
        let bytes = made::unsigned("onepress-edge-x86_2", b"root");
        let mut draft = bundles.draft(Some(10)).unwrap();
        draft.add(&bytes[..10]).unwrap();
        assert!(matches!(bundles.draft(None), Err(Bad::Busy)));
        assert!(bundles.judge(&mut draft).is_err());
        drop(draft);
        assert_eq!(there(dir.path()), 0);
        let mut draft = bundles.draft(None).unwrap();
        draft.add(&bytes).unwrap();
        let found = bundles.judge(&mut draft).unwrap();
        assert_eq!((found.image.as_str(), found.signature), ("onepress-edge-x86", Signature::Unchecked));
        bundles.keep(draft, &found.sha256).unwrap();
        let (file, first) = piece(bundles.open_at(&found.sha256, 5).unwrap(), 7).unwrap();
        let (_, second) = piece(file, bytes.len()).unwrap();
        assert!([first, second].concat() == bytes[5..]);
        bundles.forget_all_but(std::slice::from_ref(&found.sha256)).unwrap();
        assert_eq!(there(dir.path()), 1);
        bundles.forget_all_but(&[]).unwrap();
        assert_eq!(there(dir.path()), 0);
    }

    #[test]
    fn a_start_removes_what_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Path::new("/nowhere");
        std::mem::forget(Bundles::open(dir.path(), keys).unwrap().draft(None).unwrap());
        assert_eq!(there(dir.path()), 1);
        Bundles::open(dir.path(), keys).unwrap();
        assert_eq!(there(dir.path()), 0);
    }

    #[test]
    fn with_keys_a_signature_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys.gpg");
        fs::write(&keys, "").unwrap();
        let bundles = Bundles::open(dir.path(), &keys).unwrap();
        let mut draft = bundles.draft(None).unwrap();
        draft.add(&made::unsigned("onepress-edge-x86_2", b"root")).unwrap();
        let error = bundles.judge(&mut draft).unwrap_err().to_string();
        assert!(error.contains("signature"), "{error}");
        drop(draft);
        assert_eq!(there(dir.path()), 0);
    }
}
