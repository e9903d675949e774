//! Which disk an appliance is installed on: the one that is built in, or none and why.

use crate::flash::device::{Against, Device};
use crate::flash::readable;

/// Two slots, the boot partition and a /var in which a day of journal and a spool have room.
pub const DISK_MIN: u64 = 2_000_000_000;

/// Why nothing is installed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error("no disk is built in: put one in, of {} or more", readable(DISK_MIN))]
    None,
    /// There are several.
    #[error("several disks are built in ({0}): name one in site.toml, as in [install] disk = \"sda\"")]
    Several(String),
    /// The one that is meant is not there.
    #[error("site.toml names the disk {wanted}, and here are: {there}")]
    Absent {
        /// What site.toml says.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// Something is against the one.
    #[error("{disk} is not written: {why}")]
    Unfit {
        /// Which.
        disk: String,
        /// What is against it.
        why: String,
    },
    /// Somebody's alarms are on it.
    #[error(
        "{disk} holds an installation that has run, which would be lost: say so in site.toml with [install] erase = true"
    )]
    Installed {
        /// Which.
        disk: String,
    },
}

/// Chooses. `installed` tells whether a disk holds an installation that has run; `wanted` and `erase` are what site.toml says.
///
/// # Errors
/// [`Refused`].
pub fn choose(
    devices: &[Device],
    installed: impl Fn(&Device) -> bool,
    wanted: Option<&str>,
    erase: bool,
) -> Result<Device, Refused> {
    let built_in: Vec<_> = devices
        .iter()
        .filter(|device| {
            device.against.contains(&Against::Internal) && !device.against.contains(&Against::System)
        })
        .collect();
    let told = |disks: &[&Device]| disks.iter().map(|disk| name(disk)).collect::<Vec<_>>().join(", ");
    let disk = match (wanted, built_in.as_slice()) {
        (Some(wanted), all) => all
            .iter()
            .find(|disk| disk.name == wanted)
            .copied()
            .ok_or_else(|| Refused::Absent { wanted: wanted.to_owned(), there: told(all) })?,
        (None, []) => return Err(Refused::None),
        (None, [one]) => *one,
        (None, several) => return Err(Refused::Several(told(several))),
    };
    fit(disk)?;
    if installed(disk) && !erase {
        return Err(Refused::Installed { disk: name(disk) });
    }
    Ok(disk.clone())
}

fn fit(disk: &Device) -> Result<(), Refused> {
    let unfit = |why: String| Err(Refused::Unfit { disk: name(disk), why });
    let serious = |against: &&Against| !matches!(against, Against::Internal | Against::Large);
    if let Some(against) = disk.against.iter().find(serious) {
        return unfit(against.to_string());
    }
    if disk.size < DISK_MIN {
        return unfit(format!("it has {}, and {} are needed", readable(disk.size), readable(DISK_MIN)));
    }
    Ok(())
}

/// As a technician knows it: `nvme0n1 (NVMe, 64.0 GB, Model X)`.
pub fn name(disk: &Device) -> String {
    format!("{} ({}, {}, {})", disk.name, disk.bus, readable(disk.size), disk.model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash::device::Bus;

    fn disk(name: &str, size: u64, against: &[Against]) -> Device {
        Device {
            name: name.into(),
            path: format!("/dev/{name}").into(),
            size,
            model: "Model X".into(),
            serial: String::new(),
            bus: Bus::Nvme,
            against: against.to_vec(),
        }
    }

    const GOOD: u64 = 32_000_000_000;

    fn chosen(disks: &[Device], wanted: Option<&str>) -> Result<String, Refused> {
        choose(disks, |_| false, wanted, false).map(|disk| disk.name)
    }

    #[test]
    fn the_one_that_is_built_in_is_taken_however_large() {
        let stick = disk("sda", GOOD, &[Against::System]);
        let usb = disk("sdb", GOOD, &[]);
        let inside =
            disk("nvme0n1", 2 * crate::flash::device::STICK_MAX, &[Against::Internal, Against::Large]);
        assert_eq!(chosen(&[stick, usb, inside], None), Ok("nvme0n1".into()));
    }

    #[test]
    fn otherwise_it_says_why_not() {
        let one = disk("nvme0n1", GOOD, &[Against::Internal]);
        let two = disk("sda", GOOD, &[Against::Internal]);
        assert_eq!(chosen(&[disk("sdb", GOOD, &[])], None), Err(Refused::None));
        let both = [one.clone(), two.clone()];
        let several = chosen(&both, None).unwrap_err().to_string();
        assert!(several.contains("nvme0n1") && several.contains("sda"), "{several}");
        assert_eq!(chosen(&both, Some("sda")), Ok("sda".into()));
        assert!(matches!(chosen(&both, Some("sdz")), Err(Refused::Absent { .. })));
        let small = disk("sda", DISK_MIN - 1, &[Against::Internal]);
        assert!(matches!(chosen(&[small], None), Err(Refused::Unfit { .. })));
        let locked = disk("sda", GOOD, &[Against::Internal, Against::ReadOnly]);
        assert!(chosen(&[locked], None).unwrap_err().to_string().contains("write protected"));
        let system = disk("sda", GOOD, &[Against::System, Against::Internal]);
        assert_eq!(chosen(&[system], None), Err(Refused::None));
    }

    #[test]
    fn an_installation_is_lost_only_when_site_toml_says_so() {
        let disks = [disk("sda", GOOD, &[Against::Internal])];
        let refused = choose(&disks, |_| true, None, false).unwrap_err();
        assert!(refused.to_string().contains("erase = true"), "{refused}");
        assert!(choose(&disks, |_| true, None, true).is_ok());
    }
}
