use crate::core::{Found, Write};
use alarm::spool::Spool;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const SPOOL: &str = "spool";
const BESIDE: &str = "spool.new";
const LOCK: &str = "spool.lock";
/// A spool that could not be read is kept for whoever comes to look.
const UNREADABLE: &str = "spool.unreadable";

/// Another daemon writes this spool.
#[derive(Debug, thiserror::Error)]
#[error("the spool in {} is in use by another onepress-button; stop that one, or give this one a `state-dir` of its own", .dir.display())]
pub struct Locked {
    dir: PathBuf,
}

/// A spool that was opened, or taken in hand without one.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    /// What stood in it.
    pub spool: Spool,
    /// How it was found.
    pub found: Found,
}

/// The spool file of one daemon.
#[derive(Debug)]
pub struct File {
    dir: PathBuf,
    /// Absent until a [`Write::Replace`] has made it.
    file: Option<fs::File>,
    /// Bytes of whole records.
    good: u64,
    /// Held as long as this lives; absent when the directory cannot be written, and then nobody else can either.
    _lock: Option<fs::File>,
}

impl File {
    /// Opens the spool of a state directory and cuts off a torn end. A directory or file that cannot be used is no
    /// reason not to watch buttons: see [`Found::Unusable`].
    ///
    /// # Errors
    /// [`Locked`].
    pub fn open(dir: &Path) -> Result<Opened, Locked> {
        let lock = lock(dir)?;
        let mut file = Self { dir: dir.to_owned(), file: None, good: 0, _lock: lock };
        Ok(match file.replay() {
            Ok((spool, found)) => Opened { file, spool, found },
            Err(error) => {
                tracing::error!(%error, dir = %dir.display(), "spool unusable, presses are kept in memory; check the disk");
                file.file = None;
                file.set_aside();
                Opened { file, spool: Spool::default(), found: Found::Unusable }
            }
        })
    }

    /// Does as told. After an error the file is as it was before.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, write: &Write) -> io::Result<()> {
        match write {
            Write::Append { bytes, sync } => self.append(bytes, *sync),
            Write::Replace(bytes) => self.replace(bytes),
        }
    }

    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(ErrorKind::NotFound)?;
        let appended = file.write_all(bytes).and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        match appended {
            Ok(()) => {
                self.good += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record in the middle would hide all that follows it.
                let cut = cut(file, self.good);
                if cut.is_err() {
                    self.file = None;
                }
                Err(error)
            }
        }
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file = Some(self.make(SPOOL, bytes)?);
        self.good = bytes.len() as u64;
        Ok(())
    }

    /// A whole new file in the place of an old one, or the old one.
    fn make(&self, name: &str, bytes: &[u8]) -> io::Result<fs::File> {
        let beside = self.dir.join(BESIDE);
        // What was begun may be what fills the disk.
        self.try_make(&beside, name, bytes).inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    fn try_make(&self, beside: &Path, name: &str, bytes: &[u8]) -> io::Result<fs::File> {
        fs::create_dir_all(&self.dir)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, self.dir.join(name))?;
        fs::File::open(&self.dir)?.sync_all()?;
        Ok(file)
    }

    fn replay(&mut self) -> io::Result<(Spool, Found)> {
        let path = self.dir.join(SPOOL);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        let replay = Spool::replay(&bytes);
        self.good = replay.good as u64;
        if replay.torn {
            tracing::warn!(good = replay.good, read = bytes.len(), "spool ended in a torn record, cut off");
            cut(&mut file, self.good)?;
            file.sync_all()?;
        }
        fs::File::open(&self.dir)?.sync_all()?;
        self.file = Some(file);
        Ok((replay.spool, if replay.torn { Found::Torn } else { Found::Whole }))
    }

    fn set_aside(&self) {
        let path = self.dir.join(SPOOL);
        if let Err(error) = fs::rename(&path, self.dir.join(UNREADABLE))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::debug!(%error, "the unreadable spool stays where it is");
        }
    }
}

fn cut(file: &mut fs::File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    Ok(())
}

fn lock(dir: &Path) -> Result<Option<fs::File>, Locked> {
    let opened = fs::create_dir_all(dir).and_then(|()| {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(LOCK))
    });
    // What cannot be opened or locked shows again when the spool itself is opened.
    let Ok(file) = opened else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "the spool cannot be locked");
            Ok(None)
        }
    }
}
