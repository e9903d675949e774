//! Kernels on the EFI partition, under the names that systemd-boot and systemd-sysupdate go by.
//!
//! That partition is FAT, where no rename is whole at once: Linux writes the new name first, of an empty file, and where
//! its content is up to half a minute later (`vfat_rename` in fs/fat/namei_vfat.c). A power cut in between leaves a kernel
//! of no length. systemd-boot passes over it and starts the version before; systemd-sysupdate takes it for installed.

use super::place::Place;
use super::version::Release;
use anyhow::Context;
use std::fs::{self, File};
use std::path::PathBuf;

/// Where systemd mounts the partition, the one or the other, and where kernels are there.
const FOLDERS: [&str; 2] = ["/efi/EFI/Linux", "/boot/EFI/Linux"];

/// Takes the kernels of a version away, whatever is left of their count of tries, so that it is put on anew.
///
/// # Errors
/// When the partition cannot be read or written.
pub fn take_away(place: &Place, release: &Release) -> anyhow::Result<()> {
    for folder in folders(place) {
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
            if path.file_name().is_some_and(|name| is_of(&name.to_string_lossy(), release)) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// Waits until all that was written there is on the disk, also what belongs to a new name.
///
/// # Errors
/// When the partition cannot be written.
pub fn write_out(place: &Place) -> anyhow::Result<()> {
    for folder in folders(place) {
        let written = File::open(&folder).and_then(|open| Ok(rustix::fs::syncfs(open)?));
        written.with_context(|| format!("writing {} to the disk", folder.display()))?;
    }
    Ok(())
}

fn folders(place: &Place) -> impl Iterator<Item = PathBuf> {
    FOLDERS.map(|folder| place.at(folder)).into_iter().filter(|folder| folder.exists())
}

fn is_of(name: &str, release: &Release) -> bool {
    let kernel = format!("{}_{}", release.profile, release.version);
    let rest = name.strip_prefix(&kernel).and_then(|rest| rest.strip_suffix(".efi"));
    rest.is_some_and(|count| count.is_empty() || count.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Profile;

    #[test]
    fn the_kernels_of_a_version_are_taken_away_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::below(root.path());
        let folder = place.at("/boot/EFI/Linux");
        fs::create_dir_all(&folder).unwrap();
        let gone = ["onepress-rack_2.efi", "onepress-rack_2+3-0.efi", "onepress-rack_2+0.efi"];
        let stay = [
            "onepress-edge-x86_2.efi",
            "onepress-rack_1.efi",
            "onepress-rack_2.1.efi",
            "onepress-rack_2.efi.old",
        ];
        for name in gone.iter().chain(&stay) {
            fs::write(folder.join(name), "").unwrap();
        }
        let release = Release { profile: Profile::Rack, version: "2".parse().unwrap() };
        take_away(&place, &release).unwrap();
        write_out(&place).unwrap();
        let names =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, stay);
    }
}
