//! The bundle on the disk while it comes: one part file, whose beginning outlives connections and restarts.

use super::Place;
use alarm::Wall;
use alarm::rollout::{Cause, Offer};
use bundle::{Release, signed};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What stays free beside a bundle, and beside its files while the updater has unpacked them: presses and faults go on
/// being spooled on the same disk.
pub const RESERVE: u64 = 64 << 20;
/// Bytes after which the disk is waited for: a press that has to be on the disk waits for no more than these.
const SYNC_EVERY: u64 = 1 << 20;
/// The only file of ours in a folder into which we cannot look.
const PART: &str = ".link.part";

/// Why a bundle does not come to lie where the updater looks. Trying again alone does not help.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Not for this box.
    #[error("the bundle is for {theirs}, and this box runs {ours}")]
    Image {
        /// The bundle's.
        theirs: String,
        /// The box's.
        ours: String,
    },
    /// Never back.
    #[error("version {theirs} is older than {ours}, which runs here")]
    Older {
        /// The bundle's.
        theirs: String,
        /// The box's.
        ours: String,
    },
    /// No image of ours runs, or its folder is missing.
    #[error("this box has no folder for updates: only an appliance image can be updated")]
    NoFolder,
    /// Presses come first.
    #[error("no space for the update: {free} MB are free, {need} MB are needed")]
    NoSpace {
        /// Megabytes.
        free: u64,
        /// Megabytes.
        need: u64,
    },
    /// It came, and is not what was promised.
    #[error("what came is not the bundle that was offered: remove it in the console and add it again")]
    Hash,
    /// The disk.
    #[error("the bundle cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

impl Trouble {
    /// What it comes down to.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Image { .. } => Cause::Image,
            Self::Older { .. } => Cause::NotNewer,
            Self::NoFolder => Cause::NoAppliance,
            Self::NoSpace { .. } => Cause::NoSpace,
            Self::Hash => Cause::Changed,
            Self::Disk(_) => Cause::NotWritten,
        }
    }
}

/// What there is of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// So many bytes; the rest is to be fetched.
    Has(u64),
    /// All of it, and the updater has been given it in this try.
    Arrived,
}

/// What is remembered of the part file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Note {
    sha256: String,
    since: Wall,
    arrived: bool,
}

/// The folder of incoming bundles, as far as it is ours.
#[derive(Debug)]
pub struct Shelf {
    release: Option<Release>,
    incoming: PathBuf,
    note: PathBuf,
    part: Option<Part>,
}

#[derive(Debug)]
struct Part {
    file: File,
    bytes: u64,
    unsynced: u64,
}

impl Shelf {
    /// Of an appliance.
    pub fn new(place: &Place) -> Self {
        Self { release: place.release(), incoming: place.incoming(), note: place.note(), part: None }
    }

    /// Takes up a bundle where it was left.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn begin(&mut self, offer: &Offer) -> Result<Begun, Trouble> {
        self.part = None;
        self.judge(offer)?;
        let note = self.noted().filter(|note| note.sha256 == offer.sha256);
        let path = self.incoming.join(PART);
        let done = note.as_ref().is_some_and(|note| note.arrived && note.since == offer.since);
        if done && !path.exists() {
            return Ok(Begun::Arrived);
        }
        let file = open(&path)?;
        if note.is_none() || file.metadata()?.len() > offer.bytes {
            file.set_len(0)?;
        }
        self.remember(offer, false)?;
        let bytes = file.metadata()?.len();
        room(&self.incoming, offer.bytes, bytes)?;
        self.part = Some(Part { file, bytes, unsynced: 0 });
        Ok(Begun::Has(bytes))
    }

    /// More of it has come. Bytes on the disk in all.
    ///
    /// # Errors
    /// [`Trouble::Disk`].
    pub fn add(&mut self, bytes: &[u8]) -> Result<u64, Trouble> {
        let part = self.part.as_mut().ok_or(Trouble::NoFolder)?;
        part.file.write_all(bytes)?;
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        (part.bytes, part.unsynced) = (part.bytes + count, part.unsynced + count);
        if part.unsynced >= SYNC_EVERY {
            part.file.sync_data()?;
            part.unsynced = 0;
        }
        Ok(part.bytes)
    }

    /// All has come: the updater gets it, if it is what was offered.
    ///
    /// # Errors
    /// [`Trouble::Hash`], after which nothing of it is left; [`Trouble::Disk`].
    pub fn complete(&mut self, offer: &Offer) -> Result<(), Trouble> {
        self.part = None;
        let path = self.incoming.join(PART);
        let file = File::open(&path)?;
        if file.metadata()?.len() != offer.bytes || signed::sum(&file)? != offer.sha256 {
            fs::remove_file(&path)?;
            return Err(Trouble::Hash);
        }
        file.sync_all()?;
        // Before it is given away: a cut in between leaves the part, and the next start gives it then.
        self.remember(offer, true)?;
        let name = format!("{}_{}.bundle", offer.image, offer.version);
        fs::rename(&path, self.incoming.join(name))?;
        // The folder cannot be opened by us; the kernel writes the new name with its own next commit.
        Ok(())
    }

    /// Nothing is offered any more.
    pub fn clear(&mut self) {
        self.part = None;
        if let Err(error) = fs::remove_file(self.incoming.join(PART))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::debug!(%error, "what had come of a bundle cannot be removed");
        }
    }

    fn judge(&self, offer: &Offer) -> Result<(), Trouble> {
        let release = self.release.as_ref().ok_or(Trouble::NoFolder)?;
        if offer.image != release.profile.id() {
            let (theirs, ours) = (offer.image.clone(), release.profile.id().to_owned());
            return Err(Trouble::Image { theirs, ours });
        }
        if offer.version < release.version {
            let (theirs, ours) = (offer.version.to_string(), release.version.to_string());
            return Err(Trouble::Older { theirs, ours });
        }
        if self.incoming.is_dir() { Ok(()) } else { Err(Trouble::NoFolder) }
    }

    fn noted(&self) -> Option<Note> {
        serde_json::from_slice(&fs::read(&self.note).ok()?).ok()
    }

    fn remember(&self, offer: &Offer, arrived: bool) -> Result<(), Trouble> {
        let note = Note { sha256: offer.sha256.clone(), since: offer.since, arrived };
        if self.noted().as_ref() == Some(&note) {
            return Ok(());
        }
        let new = self.note.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&note).map_err(io::Error::from)?)?;
        file.sync_all()?;
        Ok(fs::rename(&new, &self.note)?)
    }
}

/// Others may write into this folder: what they link to is not followed.
fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
}

/// The bundle, its files unpacked beside it, and what presses may need.
fn room(folder: &Path, bytes: u64, have: u64) -> Result<(), Trouble> {
    let disk = rustix::fs::statvfs(folder).map_err(io::Error::from)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let need = bytes.saturating_mul(2).saturating_sub(have).saturating_add(RESERVE);
    if free < need {
        return Err(Trouble::NoSpace { free: free >> 20, need: need >> 20 });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
