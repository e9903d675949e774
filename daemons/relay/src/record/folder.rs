//! One take on the disk.
//!
//! ```text
//! <recordings>/<box>/<camera>/<began>/          or  room/<incident>/<guest>-<began>/
//!     index.jsonl            what is reported to the desk, line by line
//!     init-<track>.mp4       codec parameters
//!     <track>-<n>.m4s        fragments, at most SEGMENT_MAX of them; n counts in the order of writing
//! ```
//!
//! The chain of a track begins with the SHA-256 of its init segment; each segment continues it with SHA-256(chain so
//! far || SHA-256 of the segment), all as 32 bytes. A segment gets its line when it is whole and on the disk.

use super::mp4;
use crate::outbox::Outbox;
use crate::web::to_hex;
use alarm::media::Recorded;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The index of a take.
pub(crate) const INDEX: &str = "index.jsonl";
/// Longest name of a track in a file name.
const NAME_MAX: usize = 40;

pub(crate) type Hash = [u8; 32];

pub(crate) fn sha(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The next link of a chain.
pub(crate) fn link(chain: &Hash, segment: &Hash) -> Hash {
    let mut next = Sha256::new();
    next.update(chain);
    next.update(segment);
    next.finalize().into()
}

/// The take whose folder this is: as it is reported, and as its path below the recordings.
#[derive(Clone)]
pub(crate) struct Folder {
    /// `<box>/<camera>/<began>` or `room/<incident>/<guest>-<began>`.
    pub(crate) take: String,
    /// Where it lies.
    pub(crate) dir: PathBuf,
    index: Arc<Mutex<File>>,
    outbox: Outbox,
}

impl Folder {
    /// Opens the folder of a take, or makes it and says that it has begun.
    ///
    /// # Errors
    /// When the disk says no.
    pub(crate) fn open(root: &Path, take: &str, outbox: &Outbox) -> io::Result<Self> {
        let dir = root.join(take);
        let fresh = !dir.join(INDEX).exists();
        fs::create_dir_all(&dir)?;
        let index = OpenOptions::new().create(true).append(true).open(dir.join(INDEX))?;
        let folder =
            Self { take: take.into(), dir, index: Arc::new(Mutex::new(index)), outbox: outbox.clone() };
        if fresh {
            for made in folder.dir.ancestors().take_while(|dir| dir.starts_with(root)) {
                File::open(made)?.sync_all()?;
            }
            folder.tell(Recorded::Began { take: take.into() })?;
        }
        Ok(folder)
    }

    /// Writes a line and reports it.
    ///
    /// # Errors
    /// When the index cannot be written; it is reported all the same.
    pub(crate) fn tell(&self, what: Recorded) -> io::Result<()> {
        let mut line = serde_json::to_vec(&what)?;
        line.push(b'\n');
        let written = {
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            index.write_all(&line).and_then(|()| index.sync_data())
        };
        self.outbox.push(what);
        written
    }

    /// The lines of its index. A torn last line is left out.
    pub(crate) fn lines(dir: &Path) -> io::Result<Vec<Recorded>> {
        let text = fs::read(dir.join(INDEX))?;
        let lines = String::from_utf8_lossy(&text);
        Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// A name that can stand in a file name.
pub(crate) fn file_name(track: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    track.chars().map(plain).take(NAME_MAX).collect()
}

/// Where the init segment of a track lies.
pub(crate) fn init_path(dir: &Path, track: &str) -> PathBuf {
    dir.join(format!("init-{track}.mp4"))
}

/// Where a segment lies.
pub(crate) fn segment_path(dir: &Path, track: &str, number: u64) -> PathBuf {
    dir.join(format!("{track}-{number}.m4s"))
}

/// A segment that is being written.
struct Open {
    file: File,
    sha: Sha256,
    from: Duration,
    to: Duration,
    bytes: u64,
}

/// One track of a take on the disk.
pub(crate) struct Track {
    folder: Folder,
    name: String,
    number: u64,
    chain: Hash,
    open: Option<Open>,
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Track {
    /// A new track begins with its init segment.
    ///
    /// # Errors
    /// When the disk says no.
    pub(crate) fn create(folder: &Folder, name: &str, init: &[u8]) -> io::Result<Self> {
        let path = init_path(&folder.dir, name);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(init)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&folder.dir)?.sync_all()?;
        Ok(Self { folder: folder.clone(), name: name.into(), number: 0, chain: sha(init), open: None })
    }

    /// Goes on with a track that is on the disk already.
    pub(crate) fn resume(folder: &Folder, name: &str, number: u64, chain: Hash) -> Self {
        Self { folder: folder.clone(), name: name.into(), number, chain, open: None }
    }

    /// Appends a fragment, which lasts from `from` to `to`, and closes the segment before it when that would become
    /// longer than `longest`.
    ///
    /// # Errors
    /// When the disk says no: the fragment is not written, or not whole.
    pub(crate) fn append(
        &mut self,
        fragment: &[u8],
        (from, to): (Duration, Duration),
        longest: Duration,
    ) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| to.saturating_sub(open.from) > longest) {
            self.close()?;
        }
        let open = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let file = File::create(segment_path(&self.folder.dir, &self.name, self.number))?;
                self.open.insert(Open { file, sha: Sha256::new(), from, to, bytes: 0 })
            }
        };
        if let Err(error) = open.file.write_all(fragment) {
            // A piece of a fragment must not be followed by others.
            let _ = open.file.set_len(open.bytes);
            let _ = io::Seek::seek(&mut open.file, io::SeekFrom::Start(open.bytes));
            return Err(error);
        }
        open.sha.update(fragment);
        open.bytes += u64::try_from(fragment.len()).unwrap_or(0);
        (open.from, open.to) = (open.from.min(from), open.to.max(to));
        Ok(())
    }

    /// The segment that is open is whole: on the disk, hashed, and reported.
    ///
    /// # Errors
    /// When the disk says no.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take().filter(|open| open.bytes > 0) else { return Ok(()) };
        open.file.sync_all()?;
        File::open(&self.folder.dir)?.sync_all()?;
        let span = (millis(open.from), millis(open.to));
        self.seal(open.sha.finalize().into(), open.bytes, span)
    }

    /// A segment without its line, as after a power cut, gets it.
    ///
    /// # Errors
    /// When the disk says no.
    pub(crate) fn adopt(&mut self, segment: &[u8], timescale: u32) -> io::Result<()> {
        let fragments = mp4::fragments(segment);
        let ms = |ticks: u64| ticks.saturating_mul(1000) / u64::from(timescale.max(1));
        let from = fragments.iter().map(|fragment| ms(fragment.from)).min().unwrap_or_default();
        let to = fragments.iter().map(|one| ms(one.from + one.ticks)).max().unwrap_or_default();
        self.seal(sha(segment), u64::try_from(segment.len()).unwrap_or(u64::MAX), (from, to))
    }

    fn seal(&mut self, sha: Hash, bytes: u64, (from, to): (u64, u64)) -> io::Result<()> {
        self.chain = link(&self.chain, &sha);
        let number = self.number;
        self.number += 1;
        self.folder.tell(Recorded::Segment {
            take: self.folder.take.clone(),
            track: self.name.clone(),
            number,
            from,
            to,
            bytes,
            sha256: to_hex(&sha),
            chain: to_hex(&self.chain),
        })
    }

    /// States a gap.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub(crate) fn gap(&self, from: Duration, to: Duration) -> io::Result<()> {
        let (take, track) = (self.folder.take.clone(), self.name.clone());
        self.folder.tell(Recorded::Gap { take, track, from: millis(from), to: millis(to) })
    }

    /// States that a gap is closed.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub(crate) fn filled(&self, from: Duration, to: Duration) -> io::Result<()> {
        let (take, track) = (self.folder.take.clone(), self.name.clone());
        self.folder.tell(Recorded::Filled { take, track, from: millis(from), to: millis(to) })
    }

    /// Its name in file names and reports.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::super::mp4::tests::fragment;
    use super::*;

    #[test]
    fn the_chain_can_be_computed_again_from_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), 1).unwrap();
        let folder = Folder::open(dir.path(), "school-1/gate/5", &outbox).unwrap();
        let mut track = Track::create(&folder, "video", b"init").unwrap();
        let second = Duration::from_secs(1);
        for n in 0..5u32 {
            let one = fragment(n, u64::from(n) * 1000, 500, b"abc");
            track.append(&one, (second * n, second * (n + 1)), second * 2).unwrap();
        }
        track.close().unwrap();
        let mut chain = sha(b"init");
        let mut spans = Vec::new();
        for line in Folder::lines(&folder.dir).unwrap() {
            if let Recorded::Segment { number, from, to, sha256, chain: said, .. } = line {
                let bytes = fs::read(segment_path(&folder.dir, "video", number)).unwrap();
                assert_eq!(sha256, to_hex(&sha(&bytes)));
                chain = link(&chain, &sha(&bytes));
                assert_eq!(said, to_hex(&chain));
                spans.push((from, to));
            }
        }
        assert_eq!(spans, [(0, 2000), (2000, 4000), (4000, 5000)]);
        let reported: Vec<_> = outbox.after(None, 99).into_iter().map(|(_, what)| what).collect();
        assert_eq!(reported, Folder::lines(&folder.dir).unwrap(), "the index is what is reported");
    }
}
