//! What of the site goes onto the stick: its configuration and its ticket, on the partition that is made for them.

use alarm::ticket::Ticket;
use anyhow::{Context, bail, ensure};
use fatfs::{FileSystem, FsOptions};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Name of the partition in the image's table, and of its FAT file system.
pub const PARTITION: &str = "PROVISION";
/// What the files are called there.
pub const SITE_FILE: &str = "site.toml";
/// As [`SITE_FILE`].
pub const TICKET_FILE: &str = "ticket.txt";
/// Block size of our images.
const BLOCK: u64 = 512;
/// Longest site file: a configuration of a few hundred lines.
const SITE_MAX: u64 = 256 * 1024;

/// The files of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Site {
    /// Reads and checks them.
    ///
    /// # Errors
    /// Names the file and what is wrong; never shows a ticket's secret.
    pub fn read(site: Option<&Path>, ticket: Option<&Path>) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        if let Some(path) = site {
            let text = text(path)?;
            toml::from_str::<toml::Table>(&text)
                .with_context(|| format!("the site file {}", path.display()))?;
            files.push((SITE_FILE, text.into_bytes()));
        }
        if let Some(path) = ticket {
            let text = text(path)?;
            Ticket::from_text(&text).with_context(|| format!("the ticket in {}", path.display()))?;
            files.push((TICKET_FILE, text.into_bytes()));
        }
        Ok(Self { files })
    }

    /// There is nothing to copy.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Copies the files onto a written device, and reads them back.
    ///
    /// # Errors
    /// When the image has no such partition, or it cannot be written.
    pub fn put(&self, device: &mut File) -> anyhow::Result<()> {
        let (start, length) = partition(device, PARTITION)?;
        let window = Window { device: device.try_clone()?, start, length, at: 0 };
        let volume =
            FileSystem::new(window, FsOptions::new()).context("the partition for the site is no FAT")?;
        for (name, content) in &self.files {
            let mut file = volume.root_dir().create_file(name)?;
            file.truncate()?;
            file.write_all(content)?;
            file.flush()?;
        }
        volume.unmount()?;
        device.sync_all()?;
        let window = Window { device: device.try_clone()?, start, length, at: 0 };
        let volume = FileSystem::new(window, FsOptions::new())?;
        for (name, content) in &self.files {
            let mut found = Vec::new();
            volume.root_dir().open_file(name)?.read_to_end(&mut found)?;
            ensure!(found == *content, "{name} reads back otherwise than it was written");
        }
        Ok(())
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    let length = fs::metadata(path).with_context(|| format!("{}", path.display()))?.len();
    ensure!(length <= SITE_MAX, "{} has {length} bytes: at most {SITE_MAX}", path.display());
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Where a partition lies, by its name in the GUID partition table (UEFI specification 2.10, section 5.3).
fn partition(device: &mut File, name: &str) -> anyhow::Result<(u64, u64)> {
    let mut header = [0; 92];
    device.seek(SeekFrom::Start(BLOCK))?;
    device.read_exact(&mut header)?;
    ensure!(&header[..8] == b"EFI PART", "the image has no partition table for files of a site");
    let (entries, number, size) = (word64(&header, 72), word32(&header, 80), word32(&header, 84));
    ensure!((128..=1024).contains(&size) && number <= 1024, "the partition table cannot be read");
    for place in 0..u64::from(number) {
        let mut entry = vec![0; usize::try_from(size)?];
        let at = entries.checked_mul(BLOCK).context("the partition table cannot be read")?;
        device.seek(SeekFrom::Start(at + place * u64::from(size)))?;
        device.read_exact(&mut entry)?;
        let units = entry[56..128].chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let called: String =
            char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|c| c.unwrap_or('?')).collect();
        if called == name {
            let (first, last) = (word64(&entry, 32), word64(&entry, 40));
            ensure!(first <= last && last < u64::MAX / BLOCK - 1, "the partition table cannot be read");
            return Ok((first * BLOCK, (last - first + 1) * BLOCK));
        }
    }
    bail!("the image has no partition {name:?}: only images for sticks take files of a site")
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// One partition of a device.
struct Window {
    device: File,
    start: u64,
    length: u64,
    at: u64,
}

impl Window {
    fn limit(&mut self, wanted: usize) -> io::Result<usize> {
        self.device.seek(SeekFrom::Start(self.start + self.at))?;
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        Ok(wanted.min(left))
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.limit(buffer.len())?;
        let count = self.device.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Window {
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

impl Seek for Window {
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

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u64 = 64;
    const LAST: u64 = 64 + 8_191;

    /// A stick with one partition of this name.
    fn stick(name: &str) -> File {
        let mut device = tempfile::tempfile().unwrap();
        device.set_len((LAST + 40) * BLOCK).unwrap();
        let mut put = |at: u64, bytes: &[u8]| {
            device.seek(SeekFrom::Start(at)).unwrap();
            device.write_all(bytes).unwrap();
        };
        put(BLOCK, b"EFI PART");
        put(BLOCK + 72, &2u64.to_le_bytes());
        put(BLOCK + 80, &[4u32.to_le_bytes(), 128u32.to_le_bytes()].concat());
        put(2 * BLOCK + 128 + 32, &[FIRST.to_le_bytes(), LAST.to_le_bytes()].concat());
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(2 * BLOCK + 128 + 56, &units);
        let mut window = Window {
            device: device.try_clone().unwrap(),
            start: FIRST * BLOCK,
            length: (LAST - FIRST + 1) * BLOCK,
            at: 0,
        };
        fatfs::format_volume(&mut window, fatfs::FormatVolumeOptions::new()).unwrap();
        device
    }

    #[test]
    fn the_files_of_a_site_are_on_the_stick() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        fs::write(&file, "box = 'school-1'\n").unwrap();
        let site = Site::read(Some(&file), None).unwrap();
        let mut device = stick(PARTITION);
        site.put(&mut device).unwrap();
        site.put(&mut device).unwrap();
        let (start, length) = partition(&mut device, PARTITION).unwrap();
        assert_eq!((start, length), (FIRST * BLOCK, (LAST - FIRST + 1) * BLOCK));
        let volume = FileSystem::new(Window { device, start, length, at: 0 }, FsOptions::new()).unwrap();
        let mut found = String::new();
        volume.root_dir().open_file(SITE_FILE).unwrap().read_to_string(&mut found).unwrap();
        assert_eq!(found, "box = 'school-1'\n");
    }

    #[test]
    fn what_cannot_be_used_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "box = \n").unwrap();
        assert!(Site::read(Some(&file), None).unwrap_err().to_string().contains("site file"));
        fs::write(&file, "secret-looking text").unwrap();
        let error = format!("{:#}", Site::read(None, Some(&file)).unwrap_err());
        assert!(error.contains("the ticket in") && !error.contains("secret-looking"), "{error}");
    }

    #[test]
    fn an_image_without_the_partition_says_so() {
        let site = Site { files: vec![(SITE_FILE, vec![])] };
        let error = site.put(&mut stick("ROOT")).unwrap_err().to_string();
        assert!(error.contains("\"PROVISION\""), "{error}");
        let mut empty = tempfile::tempfile().unwrap();
        empty.set_len(1 << 20).unwrap();
        assert!(site.put(&mut empty).unwrap_err().to_string().contains("no partition table"));
    }
}
