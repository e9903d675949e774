//! The files of the buffer and their index.

use super::{Group, Key};
use bytes::Bytes;
use media::Frame;
use rustix::fs::{FallocateFlags, fallocate};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Older groups are of no use: the box itself gives up after this time ([`alarm::media::OPEN_ALONE`]).
const AGE_MAX: Duration = alarm::media::OPEN_ALONE;

/// Blocks of a file system, or a multiple of them.
const BLOCK: u64 = 4096;

pub(super) struct Store {
    dir: PathBuf,
    limit: u64,
    used: u64,
    takes: BTreeMap<Key, TakeFile>,
    /// All groups, the oldest first.
    order: VecDeque<(Group, Instant)>,
}

struct TakeFile {
    path: PathBuf,
    file: File,
    end: u64,
    /// Everything before is given back to the disk.
    freed: u64,
    groups: BTreeMap<Group, Vec<Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: u64,
    len: usize,
    time: Duration,
    key: bool,
}

impl Store {
    pub(super) fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(dir)?;
        let (takes, order) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { dir: dir.to_owned(), limit, used: 0, takes, order })
    }

    pub(super) fn begin(&mut self, key: Key, name: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
        self.takes.insert(key, TakeFile { path, file, end: 0, freed: 0, groups: BTreeMap::new() });
        Ok(())
    }

    /// `first`: the frame begins the group.
    pub(super) fn write(&mut self, group: Group, first: bool, frame: &Frame) -> io::Result<()> {
        let now = Instant::now();
        self.make_room(frame.data.len() as u64, now)?;
        let Some(take) = self.takes.get_mut(&group.0) else { return Ok(()) };
        let entry = Entry { at: take.end, len: frame.data.len(), time: frame.time, key: frame.key };
        if let Err(error) = take.file.write_all_at(&frame.data, entry.at) {
            self.spoil(group);
            return Err(error);
        }
        take.end += entry.len as u64;
        self.used += entry.len as u64;
        let entries = take.groups.entry(group).or_default();
        // A group that has lost a frame stays away.
        if entries.is_empty() && !first {
            return Ok(());
        }
        if entries.is_empty() {
            self.order.push_back((group, now));
        }
        entries.push(entry);
        Ok(())
    }

    /// A group is not whole: it is as if it were not there.
    pub(super) fn spoil(&mut self, group: Group) {
        if let Some(take) = self.takes.get_mut(&group.0) {
            take.groups.remove(&group);
        }
    }

    pub(super) fn read(&self, group: Group) -> io::Result<Option<Vec<Frame>>> {
        let Some(take) = self.takes.get(&group.0) else { return Ok(None) };
        let Some(entries) = take.groups.get(&group).filter(|entries| !entries.is_empty()) else {
            return Ok(None);
        };
        let frame = |entry: &Entry| {
            let mut data = vec![0; entry.len];
            take.file.read_exact_at(&mut data, entry.at)?;
            Ok(Frame { kind: group.1, time: entry.time, key: entry.key, data: Bytes::from(data) })
        };
        entries.iter().map(frame).collect::<io::Result<_>>().map(Some)
    }

    pub(super) fn forget(&mut self, key: Key) -> io::Result<()> {
        let Some(take) = self.takes.remove(&key) else { return Ok(()) };
        self.used = self.used.saturating_sub(take.end - take.freed);
        self.order.retain(|((of, ..), _)| *of != key);
        fs::remove_file(&take.path)
    }

    fn make_room(&mut self, bytes: u64, now: Instant) -> io::Result<()> {
        while let Some((group, at)) = self.order.front().copied() {
            if self.used + bytes <= self.limit && now.saturating_duration_since(at) < AGE_MAX {
                return Ok(());
            }
            self.order.pop_front();
            self.drop_group(group)?;
        }
        Ok(())
    }

    /// Drops a group and gives back everything before the oldest that is left.
    fn drop_group(&mut self, group: Group) -> io::Result<()> {
        let Some(take) = self.takes.get_mut(&group.0) else { return Ok(()) };
        take.groups.remove(&group);
        let oldest = take.groups.values().filter_map(|entries| entries.first()).map(|entry| entry.at).min();
        let oldest = oldest.unwrap_or(take.end);
        if oldest > take.freed {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Only whole blocks are given back: the one that the last hole ended in belongs to this one.
            let from = take.freed - take.freed % BLOCK;
            fallocate(&take.file, hole, from, oldest - from)?;
            self.used = self.used.saturating_sub(oldest - take.freed);
            take.freed = oldest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Kind;

    const TAKE: Key = Key(1);

    fn frame(n: u8, key: bool) -> Frame {
        let data = Bytes::from(vec![n; 1000]);
        Frame { kind: Kind::Video, time: Duration::from_millis(u64::from(n) * 40), key, data }
    }

    fn group(number: u64) -> Group {
        (TAKE, Kind::Video, number)
    }

    fn store(limit: u64) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("buffer"), limit).unwrap();
        store.begin(TAKE, "gate-1").unwrap();
        (dir, store)
    }

    #[test]
    fn a_group_reads_back_whole() {
        let (_dir, mut store) = store(1 << 20);
        store.write(group(0), true, &frame(1, true)).unwrap();
        store.write((TAKE, Kind::Audio, 0), true, &Frame { kind: Kind::Audio, ..frame(9, true) }).unwrap();
        store.write(group(0), false, &frame(2, false)).unwrap();
        assert_eq!(store.read(group(0)).unwrap(), Some(vec![frame(1, true), frame(2, false)]));
        assert_eq!(store.read(group(1)).unwrap(), None);
    }

    #[test]
    fn the_oldest_group_gives_way_and_the_disk_gets_its_blocks_back() {
        let (dir, mut store) = store(50_000);
        for n in 0..2000 {
            store.write(group(n / 10), n % 10 == 0, &frame(1, n % 10 == 0)).unwrap();
        }
        assert_eq!(store.read(group(190)).unwrap(), None);
        assert_eq!(store.read(group(199)).unwrap().map(|frames| frames.len()), Some(10));
        let file = fs::metadata(dir.path().join("buffer/gate-1")).unwrap();
        let held = std::os::unix::fs::MetadataExt::blocks(&file) * 512;
        assert!(file.len() == 2_000_000 && held < 500_000, "{held} of {}", file.len());
    }

    #[test]
    fn a_group_that_lost_a_frame_is_not_there() {
        let (_dir, mut store) = store(1 << 20);
        store.write(group(0), true, &frame(1, true)).unwrap();
        store.spoil(group(0));
        store.write(group(0), false, &frame(3, false)).unwrap();
        assert_eq!(store.read(group(0)).unwrap(), None);
        store.write(group(1), true, &frame(4, true)).unwrap();
        assert!(store.read(group(1)).unwrap().is_some());
    }

    #[test]
    fn nothing_is_left_of_what_is_forgotten_or_of_an_earlier_life() {
        let (dir, mut store) = store(1 << 20);
        store.write(group(0), true, &frame(1, true)).unwrap();
        store.forget(TAKE).unwrap();
        assert_eq!((store.used, store.read(group(0)).unwrap()), (0, None));
        store.begin(TAKE, "gate-2").unwrap();
        let again = Store::open(&dir.path().join("buffer"), 1).unwrap();
        assert_eq!(fs::read_dir(&again.dir).unwrap().count(), 0);
    }
}
