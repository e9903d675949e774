//! What an earlier life left: takes without their end, segments without their line, torn fragments.

use super::folder::{self, Folder, Hash, Track, init_path, segment_path, sha};
use super::mp4;
use crate::outbox::Outbox;
use alarm::media::Recorded;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a track has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of the next segment.
    pub(crate) segments: u64,
    /// The chain so far.
    pub(crate) chain: Hash,
    /// The group after the last one.
    pub(crate) next: u64,
    /// Where the last one ended.
    pub(crate) end: Duration,
    /// Groups that are missing, with the times around them.
    pub(crate) missing: Vec<(std::ops::Range<u64>, Duration, Duration)>,
}

/// The folders of takes, by their names.
pub(crate) fn takes(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for one in sorted(root) {
        for two in sorted(&one) {
            for three in sorted(&two).into_iter().filter(|dir| dir.join(folder::INDEX).exists()) {
                let name = three.strip_prefix(root).ok().and_then(Path::to_str);
                found.extend(name.map(str::to_owned));
            }
        }
    }
    found
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Brings a take that was interrupted into order. `None` when it had ended.
///
/// # Errors
/// When the disk says no.
pub(crate) fn recover(root: &Path, take: &str, outbox: &Outbox) -> io::Result<Option<Folder>> {
    let dir = root.join(take);
    cut_torn_line(&dir.join(folder::INDEX))?;
    if Folder::lines(&dir)?.iter().any(|line| matches!(line, Recorded::Ended { .. })) {
        return Ok(None);
    }
    let folder = Folder::open(root, take, outbox)?;
    for track in tracks(&dir) {
        let progress = progress(&dir, &track)?;
        adopt(&folder, &track, &progress)?;
    }
    Ok(Some(folder))
}

/// The tracks that have an init segment.
pub(crate) fn tracks(dir: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("init-")?.strip_suffix(".mp4")?.to_owned())
    };
    let mut tracks: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(name).collect();
    tracks.sort();
    tracks
}

fn cut_torn_line(index: &Path) -> io::Result<()> {
    let text = fs::read(index)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < text.len() {
        let file = OpenOptions::new().write(true).open(index)?;
        file.set_len(u64::try_from(whole).unwrap_or(0))?;
        file.sync_all()?;
    }
    Ok(())
}

/// How far a track has got, by its index and its fragments.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn progress(dir: &Path, track: &str) -> io::Result<Progress> {
    let init = fs::read(init_path(dir, track))?;
    let timescale = mp4::timescale(&init).unwrap_or(1000);
    let mut progress = Progress { chain: sha(&init), ..Progress::default() };
    let mut spans: BTreeMap<u64, (Duration, Duration)> = BTreeMap::new();
    let lines = Folder::lines(dir)?;
    // What was before the first group is only missing when it was said to be.
    let from_start =
        lines.iter().any(|line| matches!(line, Recorded::Gap { track: of, from: 0, .. } if of == track));
    for line in lines {
        let Recorded::Segment { track: of, number, sha256, .. } = line else { continue };
        if of != track {
            continue;
        }
        let hash = read_hex(&sha256).ok_or_else(|| io::Error::other("an index line has no SHA-256"))?;
        progress.chain = folder::link(&progress.chain, &hash);
        progress.segments = number + 1;
    }
    for number in 0.. {
        let Ok(segment) = fs::read(segment_path(dir, track, number)) else { break };
        let time = |ticks: u64| {
            let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(timescale);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        for one in mp4::fragments(&segment) {
            spans.insert(one.group, (time(one.from), time(one.from + one.ticks)));
        }
    }
    for (group, (from, to)) in spans {
        let first = progress.next == 0 && !from_start;
        if group > progress.next && !first {
            progress.missing.push((progress.next..group, progress.end, from));
        }
        (progress.next, progress.end) = (group + 1, to.max(progress.end));
    }
    Ok(progress)
}

/// Segments after the last line: what is whole of them gets its line, what is torn is cut off.
fn adopt(folder: &Folder, track: &str, progress: &Progress) -> io::Result<()> {
    let timescale = mp4::timescale(&fs::read(init_path(&folder.dir, track))?).unwrap_or(1000);
    let mut resumed = Track::resume(folder, track, progress.segments, progress.chain);
    for number in progress.segments.. {
        let path = segment_path(&folder.dir, track, number);
        let Ok(mut segment) = fs::read(&path) else { break };
        let whole = mp4::fragments(&segment).last().map_or(0, |last| last.bytes.end);
        if whole == 0 {
            fs::remove_file(&path)?;
            break;
        }
        segment.truncate(usize::try_from(whole).unwrap_or(usize::MAX));
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(whole)?;
        file.sync_all()?;
        resumed.adopt(&segment, timescale)?;
        tracing::info!(take = folder.take, track, number, "a segment of an earlier life is kept");
    }
    File::open(&folder.dir)?.sync_all()
}

fn read_hex(text: &str) -> Option<Hash> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        text.as_bytes().chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::mp4::tests::fragment;
    use super::*;

    #[test]
    fn after_a_power_cut_what_is_whole_is_kept_and_chained() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), 1).unwrap();
        let root = dir.path().join("recordings");
        let second = Duration::from_secs(1);
        {
            let folder = Folder::open(&root, "school-1/gate/5", &outbox).unwrap();
            let mut track = Track::create(&folder, "video", b"init").unwrap();
            track.append(&fragment(0, 0, 500, b"abc"), (Duration::ZERO, second), second * 10).unwrap();
            track.close().unwrap();
            track.append(&fragment(1, 1000, 500, b"abc"), (second, second * 2), second * 10).unwrap();
            track
                .append(&fragment(4, 4000, 500, b"torn")[..40], (second * 4, second * 5), second * 10)
                .unwrap();
        }
        let index = root.join("school-1/gate/5/index.jsonl");
        let lines = fs::read_to_string(&index).unwrap();
        fs::write(&index, format!("{lines}{{\"recorded\":\"se")).unwrap();
        assert_eq!(takes(&root), ["school-1/gate/5"]);
        let folder = recover(&root, "school-1/gate/5", &outbox).unwrap().unwrap();
        let lines = Folder::lines(&folder.dir).unwrap();
        let Some(Recorded::Segment { number: 1, from: 1000, to: 2000, chain, .. }) = lines.last() else {
            panic!("{lines:?}");
        };
        let segments = [0, 1].map(|n| sha(&fs::read(segment_path(&folder.dir, "video", n)).unwrap()));
        let expected = segments.iter().fold(sha(b"init"), |chain, hash| folder::link(&chain, hash));
        assert_eq!(read_hex(chain), Some(expected));
        let progress = progress(&folder.dir, "video").unwrap();
        assert_eq!((progress.segments, progress.next, progress.chain), (2, 2, expected));
        // Once more changes nothing.
        let before = lines.len();
        recover(&root, "school-1/gate/5", &outbox).unwrap().unwrap();
        assert_eq!(Folder::lines(&folder.dir).unwrap().len(), before);
        folder.tell(Recorded::Ended { take: folder.take.clone(), length: 2000 }).unwrap();
        assert!(recover(&root, "school-1/gate/5", &outbox).unwrap().is_none());
    }
}
