//! Disks of this computer, and why one may not be written: `/sys/block`, `/proc/self/mountinfo` and `/proc/swaps` say.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Sticks and cards are smaller than this; what is larger is somebody's backup disk.
pub const STICK_MAX: u64 = 256_000_000_000;
/// Unit of `size` in sysfs, whatever the disk's own blocks are.
const SECTOR: u64 = 512;
/// Block devices that are no disks.
const VIRTUAL: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "sr", "nbd", "fd"];
/// Where a running system lives.
const OF_SYSTEM: [&str; 6] = ["/", "/boot", "/boot/efi", "/efi", "/usr", "/var"];

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// As the kernel names it: `sdb`.
    pub name: String,
    /// `/dev/sdb`.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Maker and model.
    pub model: String,
    /// What tells two of one model apart; empty when it has none.
    pub serial: String,
    /// How it is joined.
    pub bus: Bus,
    /// Why it may not be written without its name being said twice.
    pub against: Vec<Against>,
}

/// How a disk is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// USB.
    Usb,
    /// SD card or eMMC.
    Card,
    /// NVMe.
    Nvme,
    /// SATA, SAS, virtual and others.
    Other,
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usb => "USB",
            Self::Card => "card",
            Self::Nvme => "NVMe",
            Self::Other => "disk",
        })
    }
}

/// A reason against writing to a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// This computer runs from it.
    System,
    /// Mounted there.
    Mounted(String),
    /// Swap, RAID, LVM or encryption uses it.
    InUse(String),
    /// Neither removable nor USB.
    Internal,
    /// Above [`STICK_MAX`].
    Large,
    /// Write protected.
    ReadOnly,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("this computer runs from it"),
            Self::Mounted(at) => write!(f, "mounted at {at}"),
            Self::InUse(by) => write!(f, "in use by {by}"),
            Self::Internal => f.write_str("built in"),
            Self::Large => write!(f, "larger than {}", super::readable(STICK_MAX)),
            Self::ReadOnly => f.write_str("write protected"),
        }
    }
}

/// The computer whose disks are listed.
#[derive(Clone, Debug)]
pub struct Computer {
    root: PathBuf,
}

impl Computer {
    /// This one.
    pub fn this() -> Self {
        Self { root: "/".into() }
    }

    /// One whose `/sys` and `/proc` lie below a folder.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// All disks, those that may be written first.
    pub fn devices(&self) -> Vec<Device> {
        let names = fs::read_dir(self.root.join("sys/block")).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let real = |name: &String| !VIRTUAL.iter().any(|kind| name.starts_with(kind));
        let mut devices: Vec<_> = names.filter(real).filter_map(|name| self.device(&name)).collect();
        devices.sort_by(|a, b| (a.against.len(), &a.name).cmp(&(b.against.len(), &b.name)));
        devices
    }

    /// One disk, by the kernel's name; `None` when there is none, or it has no medium.
    pub fn device(&self, name: &str) -> Option<Device> {
        let at = self.root.join("sys/block").join(name);
        let word = |file: &str| fs::read_to_string(at.join(file)).unwrap_or_default().trim().to_owned();
        let size = word("size").parse::<u64>().ok()? * SECTOR;
        let place = fs::canonicalize(&at).unwrap_or_else(|_| at.clone()).display().to_string();
        let bus = match () {
            () if place.contains("/usb") => Bus::Usb,
            () if name.starts_with("mmcblk") => Bus::Card,
            () if name.starts_with("nvme") => Bus::Nvme,
            () => Bus::Other,
        };
        let model = [word("device/vendor"), word("device/model"), word("device/name")].join(" ");
        let mut against = self.uses(&at);
        if bus != Bus::Usb && word("removable") != "1" {
            against.push(Against::Internal);
        }
        if size > STICK_MAX {
            against.push(Against::Large);
        }
        if word("ro") == "1" {
            against.push(Against::ReadOnly);
        }
        (size > 0).then(|| Device {
            name: name.to_owned(),
            path: Path::new("/dev").join(name),
            size,
            model: model.split_whitespace().collect::<Vec<_>>().join(" "),
            serial: word("device/serial"),
            bus,
            against,
        })
    }

    /// Who uses the disk, its partitions, and what is made of them.
    fn uses(&self, at: &Path) -> Vec<Against> {
        let mut uses = Vec::new();
        for part in parts(at) {
            let number = fs::read_to_string(part.join("dev")).unwrap_or_default();
            let name = part.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            for place in self.mounts(number.trim()) {
                let system = OF_SYSTEM.contains(&place.as_str());
                uses.push(if system { Against::System } else { Against::Mounted(place) });
            }
            if self.swaps().iter().any(|swap| *swap == format!("/dev/{name}")) {
                uses.push(Against::InUse("swap".into()));
            }
            for holder in fs::read_dir(part.join("holders")).into_iter().flatten().flatten() {
                let holder = holder.file_name().to_string_lossy().into_owned();
                let of_holder = self.uses(&self.root.join("sys/block").join(&holder));
                uses.push(Against::InUse(holder));
                uses.extend(of_holder);
            }
        }
        uses.dedup();
        uses
    }

    fn mounts(&self, number: &str) -> Vec<String> {
        let table = fs::read_to_string(self.root.join("proc/self/mountinfo")).unwrap_or_default();
        let of_disk = |line: &str| {
            let mut words = line.split(' ').skip(2);
            (words.next() == Some(number)).then(|| words.nth(1).unwrap_or_default().to_owned())
        };
        table.lines().filter_map(of_disk).collect()
    }

    fn swaps(&self) -> Vec<String> {
        let table = fs::read_to_string(self.root.join("proc/swaps")).unwrap_or_default();
        table.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    }
}

/// The disk itself and its partitions.
fn parts(at: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(at).into_iter().flatten().flatten().map(|entry| entry.path());
    let partitions = inside.filter(|path| path.join("partition").exists());
    [at.to_owned()].into_iter().chain(partitions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A computer with a system disk under LVM, a stick, a mounted stick and an empty card reader.
    fn computer(root: &Path) -> Computer {
        let put = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let disk = |name: &str, place: &str, size: &str, removable: &str, number: &str| {
            let at = format!("sys/devices/{place}/{name}");
            put(&format!("{at}/size"), size);
            put(&format!("{at}/removable"), removable);
            put(&format!("{at}/dev"), number);
            put(&format!("{at}/device/model"), "Model X ");
            put(&format!("{at}/device/serial"), "S1");
            fs::create_dir_all(root.join("sys/block")).unwrap();
            std::os::unix::fs::symlink(root.join(&at), root.join("sys/block").join(name)).unwrap();
        };
        disk("sda", "pci0/ata1", "1000000000", "0", "8:0");
        put("sys/devices/pci0/ata1/sda/sda2/partition", "2");
        put("sys/devices/pci0/ata1/sda/sda2/dev", "8:2");
        put("sys/devices/pci0/ata1/sda/sda2/holders/dm-0", "");
        disk("dm-0", "virtual", "900000000", "0", "254:0");
        disk("sdb", "pci0/usb1", "62333952", "1", "8:16");
        disk("sdc", "pci0/usb2", "62333952", "1", "8:32");
        put("sys/devices/pci0/usb2/sdc/sdc1/partition", "1");
        put("sys/devices/pci0/usb2/sdc/sdc1/dev", "8:33");
        disk("sdd", "pci0/usb3", "0", "1", "8:48");
        disk("sde", "pci0/usb4", "8000000000", "0", "8:64");
        put(
            "proc/self/mountinfo",
            "22 1 254:0 / / rw - ext4 /dev/dm-0 rw\n30 22 8:33 / /media/stick rw - vfat /dev/sdc1 rw\n",
        );
        put("proc/swaps", "Filename Type\n");
        Computer::below(root)
    }

    #[test]
    fn disks_are_listed_with_what_speaks_against_them() {
        let root = tempfile::tempdir().unwrap();
        let devices = computer(root.path()).devices();
        let told: Vec<_> = devices
            .iter()
            .map(|device| {
                let against: Vec<_> = device.against.iter().map(ToString::to_string).collect();
                format!("{} {} {}", device.name, device.bus, against.join(", "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "sdb USB ",
                "sdc USB mounted at /media/stick",
                "sde USB larger than 256.0 GB",
                "sda disk in use by dm-0, this computer runs from it, built in, larger than 256.0 GB",
            ]
        );
        assert_eq!(
            (devices[0].model.as_str(), devices[0].serial.as_str(), devices[0].size),
            ("Model X", "S1", 31_914_983_424)
        );
    }
}
