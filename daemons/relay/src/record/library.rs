//! Reads recordings, also those that grow: which takes there are, and a take as one file that any player takes.

use super::folder::{Folder, init_path, segment_path};
use super::{mp4, recover};
use alarm::Wall;
use alarm::media::Recorded;
use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A take in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    /// `<box>/<camera>/<began>` or `room/<incident>/<guest>-<began>`; its file is `/recordings/<take>.mp4`.
    pub(crate) take: String,
    /// Unix milliseconds.
    pub(crate) began: Wall,
    /// Milliseconds on the disk so far.
    pub(crate) length: u64,
    /// It has ended.
    pub(crate) ended: bool,
    /// What is missing, milliseconds of the take.
    pub(crate) gaps: Vec<Missing>,
    /// Bytes in closed segments.
    pub(crate) bytes: u64,
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Missing {
    pub(crate) track: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The takes for which `open` says yes.
pub(crate) fn list(root: &Path, open: impl Fn(&str, Wall) -> bool) -> Vec<Entry> {
    let entry = |take: String| {
        let began = take.rsplit(['/', '-']).next()?.parse().ok().map(Wall::from_millis)?;
        let lines = open(&take, began).then(|| Folder::lines(&root.join(&take)).ok()).flatten()?;
        Some(describe(take, began, &lines))
    };
    recover::takes(root).into_iter().filter_map(entry).collect()
}

fn describe(take: String, began: Wall, lines: &[Recorded]) -> Entry {
    let mut entry = Entry { take, began, length: 0, ended: false, gaps: Vec::new(), bytes: 0 };
    for line in lines {
        match line {
            Recorded::Began { .. } | Recorded::Removed { .. } => {}
            Recorded::Segment { to, bytes, .. } => {
                entry.length = entry.length.max(*to);
                entry.bytes += bytes;
            }
            Recorded::Gap { track, from, to, .. } => {
                entry.gaps.push(Missing { track: track.clone(), from: *from, to: *to });
            }
            Recorded::Filled { track, from, to, .. } => {
                let filled = Missing { track: track.clone(), from: *from, to: *to };
                entry.gaps.retain(|gap| *gap != filled);
            }
            Recorded::Ended { length, .. } => (entry.ended, entry.length) = (true, *length),
        }
    }
    entry
}

/// The length of what is on the disk, milliseconds.
pub(crate) fn length(dir: &Path) -> u64 {
    let lines = Folder::lines(dir).unwrap_or_default();
    describe(String::new(), Wall::default(), &lines).length
}

/// Whether a take is there and has ended.
pub(crate) fn has_ended(dir: &Path) -> bool {
    Folder::lines(dir).is_ok_and(|lines| lines.iter().any(|line| matches!(line, Recorded::Ended { .. })))
}

/// A piece of the file.
struct Piece {
    path: PathBuf,
    bytes: Range<u64>,
    /// Ticks to take off its time.
    back: u64,
    /// For the order: microseconds, then track.
    at: (u64, usize),
}

/// A take as one file: the init segments joined, then every fragment by its time. It begins at 0.
pub(crate) struct Movie {
    head: Bytes,
    pieces: Vec<Piece>,
}

impl Movie {
    /// What there is now. Blocks.
    ///
    /// # Errors
    /// When there is no such take, or it cannot be read.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let mut inits = Vec::new();
        let mut pieces = Vec::new();
        for (place, track) in recover::tracks(dir).iter().enumerate() {
            let init = fs::read(init_path(dir, track))?;
            let timescale = mp4::timescale(&init).context("an init segment has no time scale")?;
            let before = pieces.len();
            read_track(dir, track, (place, timescale), &mut pieces)?;
            if pieces.len() > before {
                inits.push((Bytes::from(init), timescale));
            }
        }
        anyhow::ensure!(!pieces.is_empty(), "nothing is recorded yet");
        let first = pieces.iter().map(|piece| piece.at.0).min().unwrap_or_default();
        pieces.sort_by_key(|piece| piece.at);
        for piece in &mut pieces {
            // `back` holds the track's time scale up to here.
            piece.back = (u128::from(first) * u128::from(piece.back) / 1_000_000).try_into().unwrap_or(0);
        }
        let inits: Vec<Bytes> = inits.into_iter().map(|(init, _)| init).collect();
        Ok(Self { head: media::mp4::merge(&inits)?, pieces })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        let pieces: u64 = self.pieces.iter().map(|piece| piece.bytes.end - piece.bytes.start).sum();
        to_u64(self.head.len()) + pieces
    }

    /// The parts that cover a range of its bytes: each is read when it is asked for.
    pub(crate) fn parts(self, range: Range<u64>) -> impl Iterator<Item = io::Result<Bytes>> + Send + 'static {
        let head_end = to_u64(self.head.len());
        let head = cut(0..head_end, &range).map(|within| Ok(self.head.slice(within)));
        let mut at = head_end;
        let placed = self.pieces.into_iter().map(move |piece| {
            let begin = at;
            at += piece.bytes.end - piece.bytes.start;
            (begin..at, piece)
        });
        let read = move |(place, piece): (Range<u64>, Piece)| {
            let within = cut(place, &range)?;
            Some(piece.read().map(|bytes| bytes.slice(within)))
        };
        head.into_iter().chain(placed.filter_map(read))
    }
}

fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// The part of `place` that `range` covers, counted from its beginning.
fn cut(place: Range<u64>, range: &Range<u64>) -> Option<Range<usize>> {
    let (from, to) = (place.start.max(range.start), place.end.min(range.end));
    let within = |at: u64| usize::try_from(at - place.start).ok();
    (from < to).then(|| Some(within(from)?..within(to)?)).flatten()
}

impl Piece {
    fn read(&self) -> io::Result<Bytes> {
        let size = usize::try_from(self.bytes.end - self.bytes.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        File::open(&self.path)?.read_exact_at(&mut bytes, self.bytes.start)?;
        mp4::shift(&mut bytes, self.back);
        Ok(bytes.into())
    }
}

fn read_track(
    dir: &Path,
    track: &str,
    (place, timescale): (usize, u32),
    pieces: &mut Vec<Piece>,
) -> io::Result<()> {
    for number in 0.. {
        let path = segment_path(dir, track, number);
        let segment = match fs::read(&path) {
            Ok(segment) => segment,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        for one in mp4::fragments(&segment) {
            let micros = u128::from(one.from) * 1_000_000 / u128::from(timescale);
            let at = (u64::try_from(micros).unwrap_or(u64::MAX), place);
            pieces.push(Piece { path: path.clone(), bytes: one.bytes, back: u64::from(timescale), at });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_out_of_its_parts() {
        assert_eq!(cut(0..10, &(0..10)), Some(0..10));
        assert_eq!(cut(10..20, &(5..12)), Some(0..2));
        assert_eq!(cut(10..20, &(15..99)), Some(5..10));
        assert_eq!(cut(10..20, &(20..30)), None);
    }

    #[test]
    fn a_gap_that_was_filled_is_none() {
        let (take, track) = ("a/b/5".to_owned(), "video".to_owned());
        let gap = |from, to| Recorded::Gap { take: take.clone(), track: track.clone(), from, to };
        let lines = [
            gap(0, 10),
            gap(20, 30),
            Recorded::Filled { take: take.clone(), track: track.clone(), from: 0, to: 10 },
            Recorded::Ended { take: take.clone(), length: 99 },
        ];
        let entry = describe(take.clone(), Wall::from_millis(5), &lines);
        assert_eq!(entry.gaps, [Missing { track: track.clone(), from: 20, to: 30 }]);
        assert_eq!((entry.ended, entry.length), (true, 99));
    }
}
