//! The three FAT partitions on their disk, read and written without mounting them: what is written when, and in which
//! order, is then the same on a card and in a test that cuts it off.

use super::plan::{AUTOBOOT_MAX, Autoboot, Commit, Seen, Slot};
use crate::flash::partition::{Place, Window, table};
use crate::update::tar::Archive;
use anyhow::{Context, bail, ensure};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use std::io::{self, Read, Seek, Write};

/// The partition of [`AUTOBOOT`], as the firmware counts.
const FIRST: u32 = 1;
/// Which slot is started.
const AUTOBOOT: &str = "autoboot.txt";
/// Made so long, that a later one has room.
const AUTOBOOT_LENGTH: usize = 256;
/// Largest file of a boot partition: kernel and initrd are some 20 MB each.
const FILE_MAX: u64 = 256 << 20;
/// A piece while copying.
const CHUNK: usize = 1 << 20;

/// A disk of a Pi. `D` is a block device, or a file of a test.
pub struct Disk<D> {
    device: D,
    first: Place,
    boots: [Place; 2],
}

/// A disk that can be flushed to its last block.
pub trait Durable {
    /// What was written is on the disk when this returns, and is read from there next.
    ///
    /// # Errors
    /// When it is not.
    fn settle(&mut self) -> io::Result<()>;
}

impl Durable for std::fs::File {
    fn settle(&mut self) -> io::Result<()> {
        self.sync_all()?;
        Ok(rustix::fs::fadvise(&*self, 0, None, rustix::fs::Advice::DontNeed)?)
    }
}

impl<D: Read + Write + Seek + Durable> Disk<D> {
    /// Finds the partitions by their numbers, which are what the firmware goes by.
    ///
    /// # Errors
    /// When it is no disk of a Pi with two systems.
    pub fn open(mut device: D) -> anyhow::Result<Self> {
        let found = table(&mut device).context("this disk has no GUID partition table")?;
        let numbered = |number: u32| {
            let place = found.iter().find(|(_, place)| place.number == number).map(|(_, place)| *place);
            place.with_context(|| {
                format!("this disk has no partition {number}: it was not made from our image")
            })
        };
        let boots = [numbered(Slot::A.partition())?, numbered(Slot::B.partition())?];
        Ok(Self { first: numbered(FIRST)?, boots, device })
    }

    /// What `autoboot.txt` says, and how long it is; 0 when there is none.
    ///
    /// # Errors
    /// When its partition cannot be read.
    pub fn autoboot(&mut self) -> anyhow::Result<(Autoboot, usize)> {
        let volume = volume(&mut self.device, self.first)?;
        let mut text = Vec::new();
        match volume.root_dir().open_file(AUTOBOOT) {
            Ok(file) => drop(file.take(AUTOBOOT_MAX as u64 + 1).read_to_end(&mut text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(AUTOBOOT),
        }
        Ok((Autoboot::read(&text), text.len()))
    }

    /// What a healthy boot does.
    ///
    /// # Errors
    /// When the disk cannot be written, or reads back otherwise.
    pub fn commit(&mut self, booted: Slot) -> anyhow::Result<Commit> {
        let (autoboot, length) = self.autoboot()?;
        let commit = Seen { booted, autoboot }.healthy();
        if let Commit::Write(slot) = commit {
            self.point(slot, length)?;
        }
        Ok(commit)
    }

    /// Puts the files of a tar archive into the slot that does not run, and makes sure that the file points as it should:
    /// after a tear, "once" could be the slot that runs.
    ///
    /// # Errors
    /// When something runs for once, the files do not fit, or the disk cannot be written or reads back otherwise.
    pub fn stage(
        &mut self,
        booted: Slot,
        open: &dyn Fn() -> io::Result<Box<dyn Read>>,
    ) -> anyhow::Result<Slot> {
        let (autoboot, length) = self.autoboot()?;
        let seen = Seen { booted, autoboot };
        let Some(target) = seen.target() else {
            bail!("system {booted} runs for once and has not been found healthy yet: wait for that");
        };
        if let Commit::Write(slot) = seen.healthy() {
            self.point(slot, length)?;
        }
        let place = self.boots[usize::from(target == Slot::B)];
        let written = put(&mut self.device, place, open()?)
            .with_context(|| format!("writing the files to start system {target}"))?;
        self.device.settle()?;
        compare(&mut self.device, place, open()?, written)
            .with_context(|| format!("reading back the files to start system {target}"))?;
        Ok(target)
    }

    /// Lets the file say which slot is started, in one write of one block.
    fn point(&mut self, slot: Slot, length: usize) -> anyhow::Result<()> {
        let wanted = if length == 0 { AUTOBOOT_LENGTH } else { length };
        ensure!(wanted <= AUTOBOOT_MAX, "{AUTOBOOT} has more than {AUTOBOOT_MAX} bytes: it is not ours");
        let text = Autoboot::text(slot, wanted)
            .map_err(|least| anyhow::anyhow!("{AUTOBOOT} has less than {least} bytes: it is not ours"))?;
        let volume = volume(&mut self.device, self.first)?;
        let mut file = volume.root_dir().create_file(AUTOBOOT)?;
        file.write_all(&text)?;
        file.flush()?;
        drop(file);
        volume.unmount()?;
        self.device.settle()?;
        ensure!(self.autoboot()?.0 == Autoboot::settled(slot), "{AUTOBOOT} reads back otherwise");
        Ok(())
    }

    /// Gives the device back.
    pub fn close(self) -> D {
        self.device
    }
}

fn volume<D: Read + Write + Seek>(device: D, place: Place) -> anyhow::Result<FileSystem<Window<D>>> {
    let volume = FileSystem::new(Window::new(device, place), FsOptions::new());
    volume.with_context(|| format!("partition {} is no FAT", place.number))
}

/// Makes the partition anew with these files; nothing of what was there stays. Returns their number.
fn put<D: Read + Write + Seek>(device: &mut D, place: Place, from: Box<dyn Read>) -> anyhow::Result<usize> {
    fatfs::format_volume(&mut Window::new(&mut *device, place), FormatVolumeOptions::new())?;
    let volume = volume(device, place)?;
    let (mut archive, mut count, mut chunk) = (Archive::new(from), 0, vec![0; CHUNK]);
    while let Some(member) = archive.member()? {
        ensure!(
            member.size <= FILE_MAX,
            "{} has {} bytes: too large to start from",
            member.name,
            member.size
        );
        let mut file = volume.root_dir().create_file(&member.name)?;
        loop {
            let read = archive.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            file.write_all(&chunk[..read])
                .with_context(|| format!("{}: is the partition full?", member.name))?;
        }
        file.flush()?;
        count += 1;
    }
    ensure!(count > 0, "there is no file in the archive");
    volume.unmount()?;
    Ok(count)
}

fn compare<D: Read + Write + Seek>(
    device: &mut D,
    place: Place,
    from: Box<dyn Read>,
    written: usize,
) -> anyhow::Result<()> {
    let volume = volume(device, place)?;
    let mut archive = Archive::new(from);
    let (mut count, mut chunk, mut found) = (0, vec![0; CHUNK], vec![0; CHUNK]);
    while let Some(member) = archive.member()? {
        let mut file = volume.root_dir().open_file(&member.name)?;
        loop {
            let read = archive.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            file.read_exact(&mut found[..read]).with_context(|| member.name.clone())?;
            ensure!(chunk[..read] == found[..read], "{} is not what was written", member.name);
        }
        ensure!(file.read(&mut found)? == 0, "{} is longer than what was written", member.name);
        count += 1;
    }
    ensure!(count == written, "the archive changed while it was read");
    Ok(())
}
