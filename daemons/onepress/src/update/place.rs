//! Where an appliance has what its updates need. All below one folder, so that a test has an appliance of its own.

use super::decide::Leg;
use super::failure::Failure;
use super::record::Record;
use super::version::Release;
use anyhow::Context;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Longest record: its lists are bounded.
const RECORD_MAX: u64 = 64 << 10;
/// The kernel of a Raspberry Pi is told by the firmware how it was started; nobody else has this folder.
const FIRMWARE: &str = "proc/device-tree/chosen/bootloader";

/// An appliance's files.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

/// Held while an update is put on or settled; let go by the kernel when the process ends, however it ends.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Place {
    /// This computer is `/`.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path of the appliance.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The folder of updates, on the partition that outlives them.
    pub fn state(&self) -> PathBuf {
        self.at("/var/lib/onepress/update")
    }

    /// Where a bundle is unpacked.
    pub fn stage(&self) -> PathBuf {
        self.state().join("stage")
    }

    /// Where bundles come in: whoever fetches one writes it under another name and renames it to `*.bundle`.
    pub fn incoming(&self) -> PathBuf {
        self.state().join("incoming")
    }

    /// Where systemd-sysupdate's definitions say that the unpacked bundle is.
    pub fn source(&self) -> PathBuf {
        self.at("/run/onepress/update")
    }

    /// What runs.
    ///
    /// # Errors
    /// When it is no image of ours.
    pub fn running(&self) -> anyhow::Result<Release> {
        let places = ["/etc/os-release", "/usr/lib/os-release"];
        let found = places.iter().find_map(|path| fs::read_to_string(self.at(path)).ok());
        Ok(Release::of_os(&found.unwrap_or_default()).map_err(Failure::NoRelease)?)
    }

    /// How it starts.
    pub fn leg(&self) -> Leg {
        if self.at(FIRMWARE).exists() { Leg::Tryboot } else { Leg::Uefi }
    }

    /// A number that the firmware of a Raspberry Pi tells; `None` where there is none.
    pub fn firmware(&self, name: &str) -> Option<u32> {
        let bytes = fs::read(self.at(FIRMWARE).join(name)).ok()?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// The kernel's name for this boot.
    ///
    /// # Errors
    /// When the kernel does not tell it.
    pub fn boot(&self) -> anyhow::Result<String> {
        let path = self.at("/proc/sys/kernel/random/boot_id");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// [`Failure::Busy`] when another process has it.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.state().join("lock");
        fs::create_dir_all(self.state()).with_context(|| format!("making {}", self.state().display()))?;
        let file =
            File::create(&path).with_context(|| format!("opening {}: are you root?", path.display()))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::Busy.into()),
            Err(error) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// What is remembered, and whether the file was damaged. A damaged one counts as empty: the version that runs is still
    /// a bar to older ones.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn record(&self) -> anyhow::Result<(Record, bool)> {
        let path = self.state().join("state.json");
        let length = match fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Record::default(), false)),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        if length > RECORD_MAX {
            return Ok((Record::default(), true));
        }
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let record = serde_json::from_slice(&bytes);
        Ok(record.map_or_else(|_| (Record::default(), true), |record| (record, false)))
    }

    /// Remembers. After a power cut there is either the old or the new.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn remember(&self, record: &Record) -> anyhow::Result<()> {
        let (path, new) = (self.state().join("state.json"), self.state().join("state.json.new"));
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(self.state())?;
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(record)?)?;
            // The box's daemon, which is not root, tells the centre what is in it.
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            Ok(File::open(self.state())?.sync_all()?)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_record_is_an_empty_one_and_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::below(folder.path());
        assert_eq!(place.record().unwrap(), (Record::default(), false));
        let record = Record { floor: Some("3".parse().unwrap()), ..Record::default() };
        place.remember(&record).unwrap();
        assert_eq!(place.record().unwrap(), (record, false));
        let mode = fs::metadata(place.state().join("state.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "the box's daemon reads it");
        fs::write(place.state().join("state.json"), "{\"floor\": \"x\"}").unwrap();
        assert_eq!(place.record().unwrap(), (Record::default(), true));
    }

    #[test]
    fn the_lock_is_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::below(folder.path());
        let held = place.lock().unwrap();
        let error = place.lock().err().unwrap();
        assert_eq!(error.downcast_ref::<Failure>().map(Failure::code), Some(7));
        drop(held);
        place.lock().unwrap();
    }

    #[test]
    fn the_firmware_tells_how_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::below(folder.path());
        assert_eq!((place.leg(), place.firmware("tryboot")), (Leg::Uefi, None));
        fs::create_dir_all(place.at(FIRMWARE)).unwrap();
        fs::write(place.at(FIRMWARE).join("tryboot"), [0, 0, 0, 1]).unwrap();
        assert_eq!((place.leg(), place.firmware("tryboot")), (Leg::Tryboot, Some(1)));
    }
}
