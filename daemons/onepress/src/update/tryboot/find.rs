//! This Pi: which disk it runs from, which slot was started, and a try at the other.

use super::disk::Disk;
use super::plan::{Commit, Seen, Slot, State};
use crate::update::place::Place;
use anyhow::Context;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is below the root: a verity device on two partitions; a stack deeper than this is not of our making.
const DEPTH_MAX: usize = 4;

/// A Raspberry Pi that runs.
pub struct Pi {
    disk: Disk<File>,
    booted: Slot,
}

impl Pi {
    /// Finds it.
    ///
    /// # Errors
    /// When it was not started from one of the two slots.
    pub fn find(place: &Place) -> anyhow::Result<Self> {
        let partition = place.firmware("partition");
        let partition = partition.context("the firmware does not tell from which partition it started")?;
        let booted = Slot::of(partition).with_context(|| {
            format!("partition {partition} was started, which is none of the two of our image")
        })?;
        let device = fs::metadata(place.at("/")).context("looking for the root's disk")?.dev();
        let name = disk_below(&place.at("/sys"), device)?;
        let path = place.at("/dev").join(&name);
        let file = File::options().read(true).write(true).open(&path);
        let file = file.with_context(|| format!("opening {}: are you root?", path.display()))?;
        Ok(Self { disk: Disk::open(file).with_context(|| name)?, booted })
    }

    /// Where it is between two versions.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn state(&mut self) -> anyhow::Result<State> {
        Ok(Seen { booted: self.booted, autoboot: self.disk.autoboot()?.0 }.state())
    }

    /// As [`Disk::stage`], from an archive.
    ///
    /// # Errors
    /// As there.
    pub fn stage(&mut self, archive: &Path) -> anyhow::Result<Slot> {
        self.disk.stage(self.booted, &|| {
            let file = File::open(archive)?;
            Ok(Box::new(std::io::BufReader::new(file)) as Box<dyn Read>)
        })
    }

    /// As [`Disk::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&mut self) -> anyhow::Result<Commit> {
        self.disk.commit(self.booted)
    }
}

/// The kernel's name of the whole disk below a block device: through what it is made of, to the disk of a partition.
fn disk_below(sys: &Path, device: u64) -> anyhow::Result<String> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let start = sys.join("dev/block").join(&number);
    let mut at = fs::canonicalize(&start).with_context(|| format!("the root is on no disk ({number})"))?;
    for _ in 0..DEPTH_MAX {
        let slave = fs::read_dir(at.join("slaves")).ok().and_then(|mut below| below.next());
        match slave {
            Some(slave) => at = fs::canonicalize(slave?.path())?,
            None => break,
        }
    }
    let whole: PathBuf = if at.join("partition").exists() { at.join("..").canonicalize()? } else { at };
    let name = whole.file_name().and_then(|name| name.to_str()).context("the root's disk has no name")?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_disk_below_a_verity_root() {
        let sys = tempfile::tempdir().unwrap();
        let sys = sys.path();
        let (dm, disk) = (sys.join("devices/virtual/block/dm-0"), sys.join("devices/mmc/block/mmcblk0"));
        fs::create_dir_all(dm.join("slaves")).unwrap();
        fs::create_dir_all(disk.join("mmcblk0p5")).unwrap();
        fs::write(disk.join("mmcblk0p5/partition"), "5\n").unwrap();
        symlink(disk.join("mmcblk0p5"), dm.join("slaves/mmcblk0p5")).unwrap();
        fs::create_dir_all(sys.join("dev/block")).unwrap();
        symlink(&dm, sys.join("dev/block/254:0")).unwrap();
        assert_eq!(disk_below(sys, rustix::fs::makedev(254, 0)).unwrap(), "mmcblk0");
        assert!(disk_below(sys, rustix::fs::makedev(0, 30)).unwrap_err().to_string().contains("0:30"));
    }
}
