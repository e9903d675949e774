//! The partitions of a disk, and one of them as a thing that can be read and written by itself. No mounting, no ioctl:
//! an image in a file is a disk like any other.

use anyhow::{Context, bail, ensure};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Block size of our images.
pub const BLOCK: u64 = 512;
/// Most entries of a table that are looked at, and the largest entry: eight times what everybody writes.
const ENTRIES_MAX: u32 = 1024;

/// Where a partition lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1 on, as the kernel and firmware count.
    pub number: u32,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// The partition of a name. The first one, should there be two.
///
/// # Errors
/// When there is none, or no table.
pub fn named(device: &mut (impl Read + Seek), name: &str) -> anyhow::Result<Place> {
    let found = table(device)?.into_iter().find(|(called, _)| called == name);
    match found {
        Some((_, place)) => Ok(place),
        None => bail!("the image has no partition {name:?}: only images for sticks take files of a site"),
    }
}

/// All partitions and their names, from the GUID partition table (UEFI specification 2.10, section 5.3).
///
/// # Errors
/// When there is no table, or it makes no sense.
pub fn table(device: &mut (impl Read + Seek)) -> anyhow::Result<Vec<(String, Place)>> {
    let mut header = [0; 92];
    device.seek(SeekFrom::Start(BLOCK))?;
    device.read_exact(&mut header)?;
    ensure!(&header[..8] == b"EFI PART", "the image has no partition table for files of a site");
    let (entries, count, size) = (word64(&header, 72), word32(&header, 80), word32(&header, 84));
    let known = (128..=ENTRIES_MAX).contains(&size) && count <= ENTRIES_MAX;
    ensure!(known, "the partition table cannot be read");
    let mut found = Vec::new();
    for index in 0..count {
        let mut entry = vec![0; usize::try_from(size)?];
        let at = entries.checked_mul(BLOCK).context("the partition table cannot be read")?;
        device.seek(SeekFrom::Start(at + u64::from(index) * u64::from(size)))?;
        device.read_exact(&mut entry)?;
        let (first, last) = (word64(&entry, 32), word64(&entry, 40));
        if first == 0 {
            continue;
        }
        ensure!(first <= last && last < u64::MAX / BLOCK - 1, "the partition table cannot be read");
        let place = Place { number: index + 1, start: first * BLOCK, length: (last - first + 1) * BLOCK };
        found.push((called(&entry), place));
    }
    Ok(found)
}

fn called(entry: &[u8]) -> String {
    let units = entry[56..128].chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|letter| letter.unwrap_or('?')).collect()
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// One partition of a device.
pub struct Window<D> {
    device: D,
    start: u64,
    length: u64,
    at: u64,
}

impl<D: Seek> Window<D> {
    /// At its beginning.
    pub fn new(device: D, place: Place) -> Self {
        Self { device, start: place.start, length: place.length, at: 0 }
    }

    fn limit(&mut self, wanted: usize) -> io::Result<usize> {
        self.device.seek(SeekFrom::Start(self.start + self.at))?;
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        Ok(wanted.min(left))
    }
}

impl<D: Read + Seek> Read for Window<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.limit(buffer.len())?;
        let count = self.device.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<D: Write + Seek> Write for Window<D> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let most = self.limit(buffer.len())?;
        let count = self.device.write(&buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.flush()
    }
}

impl<D> Seek for Window<D> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the partition's beginning"))?;
        Ok(self.at)
    }
}
