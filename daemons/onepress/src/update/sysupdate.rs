//! The one place that starts systemd-sysupdate(8), which knows partitions, names of versions and what protects the one
//! that runs. Its definitions are the image's, in /usr/lib/sysupdate.d.

use super::decide::Leg;
use super::failure::Failure;
use super::kernels;
use super::place::Place;
use super::version::Release;
use anyhow::Context;
use serde::Deserialize;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What there is to write, and how versions are told from names.
const DEFINITIONS: &str = "/usr/lib/sysupdate.d";
/// Where those are that a Raspberry Pi has a use for.
const PARTITIONS_ONLY: &str = "/run/onepress/sysupdate.d";
/// Where Debian has it.
const PROGRAM: &str = "/usr/lib/systemd/systemd-sysupdate";
/// Most of what it said that goes into an error: its last words tell.
const SAID_MAX: usize = 2_000;

/// What `list VERSION` tells, of which the rest is for people.
#[derive(Deserialize)]
struct Listed {
    installed: bool,
    #[serde(default)]
    incomplete: bool,
}

/// Puts the version that lies unpacked in `stage` into the other slot, to the disk. It must not lie there whole already.
///
/// # Errors
/// [`Failure::Slot`] with its last words, or what is wrong with the EFI partition.
pub fn update(place: &Place, stage: &Path, release: &Release) -> anyhow::Result<()> {
    let efi = |error: anyhow::Error| Failure::Slot(format!("the EFI partition: {error:#}"));
    let version = release.version.to_string();
    let _source = Source::show(place, stage)?;
    let definitions = match place.leg() {
        Leg::Uefi => place.at(DEFINITIONS),
        Leg::Tryboot => partitions_only(place).context("choosing the definitions of partitions")?,
    };
    let run = |arguments: &[&str]| run(place, &definitions, arguments);
    // What a power cut left under its name is no part of it.
    kernels::take_away(place, release).map_err(efi)?;
    let done = run(&["update", &version])?;
    if !done.status.success() {
        return Err(Failure::Slot(last_words(&done.stderr)).into());
    }
    kernels::write_out(place).map_err(efi)?;
    // "No update needed" is a success to it, and may mean that a pattern of the definitions did not match.
    let told = run(&["--json=short", "list", &version])?;
    let listed = serde_json::from_slice::<Listed>(&told.stdout);
    match listed {
        Ok(Listed { installed: true, incomplete: false }) => Ok(()),
        Ok(_) => Err(Failure::Slot(format!("systemd-sysupdate did not install {version}")).into()),
        Err(_) => Err(Failure::Slot(last_words(&told.stderr)).into()),
    }
}

fn run(place: &Place, definitions: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let program = place.at(PROGRAM);
    let mut command = Command::new(&program);
    command.arg(format!("--definitions={}", definitions.display())).args(arguments);
    command.output().with_context(|| format!("starting {}, which writes the slots", program.display()))
}

/// The same definitions without those of files: a Raspberry Pi has no EFI partition, and `super::tryboot` writes its
/// boot partitions.
fn partitions_only(place: &Place) -> anyhow::Result<PathBuf> {
    let chosen = place.at(PARTITIONS_ONLY);
    fs::create_dir_all(&chosen)?;
    for entry in fs::read_dir(place.at(DEFINITIONS))? {
        let entry = entry?;
        let text = fs::read_to_string(entry.path())?;
        if text.lines().any(|line| line.trim() == "Type=partition") {
            fs::write(chosen.join(entry.file_name()), text)?;
        }
    }
    Ok(chosen)
}

fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    let from = said.char_indices().map(|(at, _)| at).find(|at| said.len() - at <= SAID_MAX);
    said[from.unwrap_or(0)..].to_owned()
}

/// The unpacked bundle where the definitions look for it, for as long as they need it.
struct Source<'a> {
    place: &'a Place,
}

impl<'a> Source<'a> {
    fn show(place: &'a Place, stage: &Path) -> anyhow::Result<Self> {
        let link = place.source();
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", link.display()));
            }
            Ok(()) | Err(_) => {}
        }
        if let Some(folder) = link.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        symlink(stage, &link).with_context(|| format!("making {}", link.display()))?;
        Ok(Self { place })
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.place.source());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pi_writes_partitions_only() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::below(root.path());
        fs::create_dir_all(place.at(DEFINITIONS)).unwrap();
        for (name, kind) in [("10-root.transfer", "partition"), ("20-uki.transfer", "regular-file")] {
            fs::write(place.at(DEFINITIONS).join(name), format!("[Target]\nType={kind}\n")).unwrap();
        }
        let chosen = partitions_only(&place).unwrap();
        let names: Vec<_> = fs::read_dir(chosen).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["10-root.transfer"]);
    }

    #[test]
    fn last_words_are_the_last_and_whole_letters() {
        assert_eq!(last_words(b" a\nb \n"), "a\nb");
        let long = "ä".repeat(SAID_MAX);
        assert_eq!(last_words(long.as_bytes()).len(), SAID_MAX);
    }
}
