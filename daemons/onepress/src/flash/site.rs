//! What of the site goes onto the stick: its configuration and its ticket, on the partition that is made for them.

use super::partition::{Window, named};
use alarm::ticket::Ticket;
use anyhow::{Context, ensure};
use fatfs::{FileSystem, FsOptions};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

/// Name of the partition in the image's table, and of its FAT file system.
pub const PARTITION: &str = "PROVISION";
/// What the files are called there.
pub const SITE_FILE: &str = "site.toml";
/// As [`SITE_FILE`].
pub const TICKET_FILE: &str = "ticket.txt";
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
        let place = named(device, PARTITION)?;
        let window = Window::new(device.try_clone()?, place);
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
        let window = Window::new(device.try_clone()?, place);
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

#[cfg(test)]
mod tests {
    use super::super::partition::{BLOCK, Place};
    use super::*;
    use std::io::{Seek, SeekFrom};

    const FIRST: u64 = 64;
    const LAST: u64 = 64 + 8_191;
    const PLACE: Place = Place { number: 2, start: FIRST * BLOCK, length: (LAST - FIRST + 1) * BLOCK };

    /// A stick whose second partition has this name; the first is not used.
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
        let mut window = Window::new(device.try_clone().unwrap(), PLACE);
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
        let place = named(&mut device, PARTITION).unwrap();
        assert_eq!(place, PLACE);
        let volume = FileSystem::new(Window::new(device, place), FsOptions::new()).unwrap();
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
