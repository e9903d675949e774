//! A Pi's disk in memory whose every write can be cut, and a firmware that reads it as the Pi's does.

use super::disk::{Disk, Durable};
use super::plan::{Autoboot, Commit, Slot};
use crate::flash::partition::{BLOCK, Place, Window};
use ::bundle::made::archive;
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

/// Partition 1, 2 and 3: where they begin, and how long they are, in blocks.
const PLACES: [(u64, u64); 3] = [(64, 2_048), (2_112, 4_096), (6_208, 4_096)];

/// Files of a boot partition.
type Files = BTreeMap<String, Vec<u8>>;

/// A disk that remembers what was written to it, in order.
#[derive(Clone)]
struct Tape {
    bytes: Vec<u8>,
    at: u64,
    written: Vec<(usize, Vec<u8>)>,
}

impl Read for Tape {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut cursor = Cursor::new(&self.bytes);
        cursor.set_position(self.at);
        let count = cursor.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Tape {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let at = usize::try_from(self.at).unwrap();
        self.bytes[at..at + buffer.len()].copy_from_slice(buffer);
        self.written.push((at, buffer.to_vec()));
        self.at += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Tape {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut cursor = Cursor::new(&self.bytes);
        cursor.set_position(self.at);
        self.at = cursor.seek(to)?;
        Ok(self.at)
    }
}

impl Durable for Tape {
    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a boot partition holds of a version: its root hash, and a kernel of some clusters.
fn files(version: u8) -> Files {
    let of = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    BTreeMap::from([
        of("cmdline.txt", format!("roothash={version:064}\n").into_bytes()),
        of("config.txt", b"arm_64bit=1\n".to_vec()),
        of("kernel8.img", vec![version; 9_000]),
    ])
}

fn packed(version: u8) -> Vec<u8> {
    let files = files(version);
    let members: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    archive(&members)
}

fn place(number: usize) -> Place {
    let (first, blocks) = PLACES[number - 1];
    Place { number: u32::try_from(number).unwrap(), start: first * BLOCK, length: blocks * BLOCK }
}

/// A disk as it leaves the factory: version 1 in A, which is started; version 0 in B.
fn factory() -> Vec<u8> {
    let length = PLACES.iter().map(|(first, blocks)| first + blocks).max().unwrap() + 40;
    let mut disk = Cursor::new(vec![0; usize::try_from(length * BLOCK).unwrap()]);
    let mut put = |at: u64, bytes: &[u8]| {
        disk.set_position(at);
        disk.write_all(bytes).unwrap();
    };
    put(BLOCK, b"EFI PART");
    put(BLOCK + 72, &2u64.to_le_bytes());
    put(BLOCK + 80, &[4u32.to_le_bytes(), 128u32.to_le_bytes()].concat());
    for (index, (first, blocks)) in (0u64..).zip(PLACES) {
        let range = [first.to_le_bytes(), (first + blocks - 1).to_le_bytes()].concat();
        put(2 * BLOCK + 128 * index + 32, &range);
    }
    let autoboot = Autoboot::text(Slot::A, 128).unwrap();
    let first = Files::from([("autoboot.txt".to_owned(), autoboot), ("config.txt".to_owned(), vec![])]);
    for (number, files) in [(1, first), (2, files(1)), (3, files(0))] {
        fatfs::format_volume(Window::new(&mut disk, place(number)), FormatVolumeOptions::new()).unwrap();
        let volume = FileSystem::new(Window::new(&mut disk, place(number)), FsOptions::new()).unwrap();
        for (name, bytes) in files {
            volume.root_dir().create_file(&name).unwrap().write_all(&bytes).unwrap();
        }
        volume.unmount().unwrap();
    }
    disk.into_inner()
}

/// What the firmware starts, and the files it finds there; `None` when it finds nothing to start.
fn firmware(disk: &[u8], tryboot: bool) -> Option<(Slot, Files)> {
    let first = read(disk, 1)?;
    let autoboot = Autoboot::read(first.get("autoboot.txt")?);
    let slot = if tryboot { autoboot.trial } else { autoboot.usual }?;
    Some((slot, read(disk, usize::try_from(slot.partition()).unwrap())?))
}

fn read(disk: &[u8], number: usize) -> Option<Files> {
    let volume =
        FileSystem::new(Window::new(Cursor::new(disk.to_vec()), place(number)), FsOptions::new()).ok()?;
    let mut files = Files::new();
    for entry in volume.root_dir().iter() {
        let entry = entry.ok()?;
        let mut bytes = Vec::new();
        entry.to_file().read_to_end(&mut bytes).ok()?;
        files.insert(entry.file_name(), bytes);
    }
    Some(files)
}

fn disk(bytes: &[u8]) -> Disk<Tape> {
    Disk::open(Tape { bytes: bytes.to_vec(), at: 0, written: Vec::new() }).unwrap()
}

/// Stages a version; the disk then, and what was written to it.
fn stage(bytes: &[u8], booted: Slot, version: u8) -> anyhow::Result<Tape> {
    let mut disk = disk(bytes);
    disk.stage(booted, &|| Ok(Box::new(Cursor::new(packed(version))) as Box<dyn Read>))?;
    Ok(disk.close())
}

fn commit(bytes: &[u8], booted: Slot) -> (Commit, Tape) {
    let mut disk = disk(bytes);
    let commit = disk.commit(booted).unwrap();
    (commit, disk.close())
}

/// The disk after so many writes, and so many bytes of the next.
fn cut(bytes: &[u8], tape: &Tape, writes: usize, torn: usize) -> Vec<u8> {
    let mut disk = bytes.to_vec();
    for (index, (at, written)) in tape.written.iter().take(writes + 1).enumerate() {
        let length = if index == writes { torn.min(written.len()) } else { written.len() };
        disk[*at..at + length].copy_from_slice(&written[..length]);
    }
    disk
}

#[test]
fn a_version_is_staged_tried_and_kept() {
    let old = factory();
    let staged = stage(&old, Slot::A, 2).unwrap().bytes;
    assert_eq!(firmware(&staged, false), Some((Slot::A, files(1))));
    assert_eq!(firmware(&staged, true), Some((Slot::B, files(2))));
    let (done, kept) = commit(&staged, Slot::B);
    assert_eq!(done, Commit::Write(Slot::B));
    assert_eq!(firmware(&kept.bytes, false), Some((Slot::B, files(2))));
    assert_eq!(firmware(&kept.bytes, true), Some((Slot::A, files(1))));
    assert_eq!(commit(&kept.bytes, Slot::B).0, Commit::AlreadySo(Slot::B));
    let next = stage(&kept.bytes, Slot::B, 3).unwrap().bytes;
    assert_eq!(
        (firmware(&next, false), firmware(&next, true)),
        (Some((Slot::B, files(2))), Some((Slot::A, files(3))))
    );
}

#[test]
fn nothing_is_staged_during_a_trial() {
    let staged = stage(&factory(), Slot::A, 2).unwrap().bytes;
    let error = stage(&staged, Slot::B, 3).err().unwrap().to_string();
    assert!(error.contains("runs for once"), "{error}");
}

#[test]
fn a_cut_at_any_write_of_an_update_starts_what_ran() {
    let old = factory();
    let tape = stage(&old, Slot::A, 2).unwrap();
    assert!(tape.written.len() > 20);
    for writes in 0..=tape.written.len() {
        let length = tape.written.get(writes).map_or(0, |(_, bytes)| bytes.len());
        for torn in [0, 1, length / 2] {
            let disk = cut(&old, &tape, writes, torn);
            assert_eq!(firmware(&disk, false), Some((Slot::A, files(1))), "write {writes}, byte {torn}");
        }
    }
}

#[test]
fn a_cut_at_any_byte_of_a_commit_starts_a_whole_system_and_the_next_healthy_boot_mends_it() {
    let staged = stage(&factory(), Slot::A, 2).unwrap().bytes;
    let (_, tape) = commit(&staged, Slot::B);
    let mut started = BTreeMap::new();
    for writes in 0..=tape.written.len() {
        let length = tape.written.get(writes).map_or(0, |(_, bytes)| bytes.len());
        for torn in 0..=length {
            let disk = cut(&staged, &tape, writes, torn);
            let (slot, found) = firmware(&disk, false).expect("something is started");
            assert_eq!(
                found,
                if slot == Slot::A { files(1) } else { files(2) },
                "write {writes}, byte {torn}"
            );
            *started.entry(slot.partition()).or_insert(0) += 1;
            let (_, mended) = commit(&disk, slot);
            assert_eq!(commit(&mended.bytes, slot).0, Commit::AlreadySo(slot));
        }
    }
    assert_eq!(started.len(), 2, "cuts before and after the digit");
}

#[test]
fn a_commit_is_one_write_of_data_and_it_does_not_cross_a_block() {
    let staged = stage(&factory(), Slot::A, 2).unwrap().bytes;
    let (_, tape) = commit(&staged, Slot::B);
    let data: Vec<_> = tape.written.iter().filter(|(_, bytes)| bytes.starts_with(b"[all]")).collect();
    let [(at, bytes)] = data[..] else { panic!("{} writes", data.len()) };
    assert_eq!(at / 512, (at + bytes.len() - 1) / 512);
}

#[test]
fn a_disk_that_is_none_of_ours_is_refused_by_what_it_lacks() {
    let mut two = factory();
    let third = usize::try_from(2 * BLOCK + 128 * 2).unwrap();
    two[third..third + 128].fill(0);
    let open =
        |bytes: Vec<u8>| Disk::open(Tape { bytes, at: 0, written: Vec::new() }).err().unwrap().to_string();
    assert!(open(two).contains("no partition 3"));
    assert!(open(vec![0; 1 << 16]).contains("no GUID partition table"));
}

#[test]
fn files_that_do_not_fit_leave_what_runs_as_it_is() {
    let old = factory();
    let large = archive(&[("kernel8.img", &vec![7; 3 << 20])]);
    let mut disk = disk(&old);
    let error =
        disk.stage(Slot::A, &|| Ok(Box::new(Cursor::new(large.clone())) as Box<dyn Read>)).unwrap_err();
    assert!(format!("{error:#}").contains("is the partition full?"), "{error:#}");
    assert_eq!(firmware(&disk.close().bytes, false), Some((Slot::A, files(1))));
}

/// What happens to a Pi.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A newer version comes; the power may go at a share of its writes.
    Update(Option<u16>),
    /// It is restarted for a try.
    Try,
    /// Power-on, a crash, a plain restart.
    Start,
    /// What runs is found healthy; the power may go at a share of the writes.
    Healthy(Option<u16>),
}

fn step() -> impl Strategy<Value = Step> {
    let power = || prop::option::of(any::<u16>());
    prop_oneof![
        power().prop_map(Step::Update),
        Just(Step::Try),
        Just(Step::Start),
        power().prop_map(Step::Healthy)
    ]
}

/// The disk when the power went after a share of what was written, or at the end.
fn until(old: &[u8], tape: &Tape, power: Option<u16>) -> Vec<u8> {
    let Some(power) = power else { return tape.bytes.clone() };
    let total: usize = tape.written.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut left = total * usize::from(power) / usize::from(u16::MAX);
    for (writes, (_, bytes)) in tape.written.iter().enumerate() {
        if left <= bytes.len() {
            return cut(old, tape, writes, left);
        }
        left -= bytes.len();
    }
    tape.bytes.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_what_is_started_is_whole_and_was_healthy_once(steps in prop::collection::vec(step(), 1..12)) {
        let (mut disk, mut runs, mut newest, mut healthy) = (factory(), Slot::A, 1, vec![1]);
        for step in steps {
            let before = disk.clone();
            let mut lost = true;
            match step {
                Step::Update(power) => {
                    let Ok(tape) = stage(&before, runs, newest + 1) else { continue };
                    newest += 1;
                    lost = power.is_some();
                    disk = until(&before, &tape, power);
                }
                Step::Healthy(power) => {
                    healthy.push(version(&disk, runs));
                    lost = power.is_some();
                    disk = until(&before, &commit(&before, runs).1, power);
                }
                Step::Start => {}
                Step::Try => {
                    // A slot that was cut off while it was written may start nothing; the flag is for once.
                    runs = match firmware(&disk, true) {
                        Some((slot, found)) if (0..=newest).any(|version| found == files(version)) => slot,
                        _ => firmware(&disk, false).expect("started").0,
                    };
                    continue;
                }
            }
            if lost {
                runs = firmware(&disk, false).expect("something is started").0;
                let version = version(&disk, runs);
                prop_assert!(healthy.contains(&version), "{} was never healthy: {:?}", version, step);
            }
        }
    }
}

/// Which version a slot holds, all of it.
fn version(disk: &[u8], slot: Slot) -> u8 {
    let found = read(disk, usize::try_from(slot.partition()).unwrap()).expect("a file system");
    (0..=u8::MAX).find(|version| found == files(*version)).expect("a whole version")
}
