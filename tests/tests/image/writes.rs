//! What a disk holds after a power cut. QEMU's `blklogwrites` writes down every write and flush of a disk, in the form of
//! the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst); here a disk is made anew as it may
//! have been at any of them: what was flushed is there; of what came later, each write is there, or not, or in part.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;

/// Numbers that look like chance and are the same for the same seed (splitmix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

/// One request to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    /// First sector and how many.
    at: u64,
    sectors: u64,
    flags: u64,
    /// Where its data is in the log, and where the log goes on.
    data: u64,
    end: u64,
}

/// All requests to a disk, in their order.
pub(crate) struct Log {
    file: File,
    requests: Vec<Request>,
}

impl Log {
    /// Reads what QEMU wrote.
    pub(crate) fn read(path: &Path) -> Self {
        let file = File::open(path).expect("the log of writes");
        let word = |at: u64| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, at).ok().map(|()| u64::from_le_bytes(bytes))
        };
        assert_eq!((word(0), word(8)), (Some(MAGIC), Some(1)), "{} is no log of writes", path.display());
        let (mut requests, mut place) = (Vec::new(), SECTOR);
        while let (Some(at), Some(sectors), Some(flags)) = (word(place), word(place + 8), word(place + 16)) {
            if (sectors, flags) == (0, 0) {
                break;
            }
            assert_eq!(flags & !(FLUSH | FUA), 0, "the disk was made without discard");
            let data = place + SECTOR;
            let end = data + sectors * SECTOR;
            requests.push(Request { at, sectors, flags, data, end });
            place = end;
        }
        Self { file, requests }
    }

    /// How many requests.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many of them were in the log when it was so long.
    pub(crate) fn when(&self, long: u64) -> usize {
        self.requests.partition_point(|request| request.end <= long)
    }

    /// The requests that write to the first or the last sectors of a disk of this size, where its table is.
    pub(crate) fn of_the_table(&self, size: u64) -> Vec<usize> {
        let table = |at: u64| at < 34 || at >= size / SECTOR - 34;
        let hits = self.requests.iter().enumerate().filter(|(_, one)| one.sectors > 0 && table(one.at));
        hits.map(|(number, _)| number).collect()
    }

    /// Brings the disk from before all requests to a cut after the first `count`.
    pub(crate) fn cut(&self, disk: &File, count: usize, dice: &mut Dice) {
        let before = &self.requests[..count];
        let safe = before.iter().rposition(|one| one.flags & FLUSH != 0).unwrap_or(0);
        for (number, request) in before.iter().enumerate() {
            let kept = number < safe || request.flags & FUA != 0;
            match if kept { 0 } else { dice.below(3) } {
                0 => self.put(disk, request, |_| true),
                1 => self.put(disk, request, |_| dice.below(2) == 0),
                _ => {}
            }
        }
    }

    fn put(&self, disk: &File, request: &Request, mut kept: impl FnMut(u64) -> bool) {
        let mut sector = [0; SECTOR as usize];
        for number in (0..request.sectors).filter(|number| kept(*number)) {
            self.file.read_exact_at(&mut sector, request.data + number * SECTOR).expect("the log of writes");
            disk.write_all_at(&sector, (request.at + number) * SECTOR).expect("the disk");
        }
    }
}

#[test]
fn a_log_is_replayed_as_it_was_written() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let at = |name: &str| dir.path().join(name);
    for (name, size) in [("disk", 1 << 20), ("before", 1 << 20), ("log", 0)] {
        File::create(at(name)).and_then(|file| file.set_len(size)).expect("a file");
    }
    let driver = format!(
        "json:{{\"driver\":\"blklogwrites\",\"file\":{{\"driver\":\"file\",\"filename\":\"{}\"}},\
         \"log\":{{\"driver\":\"file\",\"filename\":\"{}\"}}}}",
        at("disk").display(),
        at("log").display()
    );
    let commands =
        ["write -P 1 0 4k", "write -P 2 4k 4k", "flush", "write -P 3 0 4k", "write -P 4 8k 4k", "flush"];
    let mut qemu = std::process::Command::new("qemu-io");
    for command in commands {
        qemu.args(["-c", command]);
    }
    let done = qemu.arg(driver).output().expect("qemu-io: tests/setup/image.sh");
    assert!(done.status.success(), "{done:?}");
    let log = Log::read(&at("log"));
    let whole = std::fs::read(at("disk")).expect("read");
    let cut = |count: usize, seed: u64| {
        std::fs::copy(at("before"), at("cut")).expect("copied");
        let disk = File::options().write(true).open(at("cut")).expect("opened");
        log.cut(&disk, count, &mut Dice(seed));
        std::fs::read(at("cut")).expect("read")
    };
    assert_eq!(cut(log.len(), 1), whole, "at the end all was flushed");
    let first = log.requests.iter().position(|one| one.flags & FLUSH != 0).expect("a flush") + 1;
    for seed in 0..50 {
        let disk = cut(first + 2, seed);
        assert!(disk[..4096].iter().all(|byte| matches!(byte, 1 | 3)), "old or new, never gone");
        assert!(disk[4096..8192].iter().all(|byte| *byte == 2), "what was flushed stays");
        assert!(disk[8192..12288].iter().all(|byte| matches!(byte, 0 | 4)));
    }
}
