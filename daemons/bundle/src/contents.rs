//! What an update bundle says it holds, by the names in its signed list:
//!
//! ```text
//! onepress-<profile>_<version>_<partition uuid>.root.raw.xz      the root file system
//! onepress-<profile>_<version>_<partition uuid>.verity.raw.xz    its hash tree
//! onepress-<profile>_<version>.efi                               kernel, initrd and root hash, for UEFI
//! onepress-<profile>_<version>.boot.tar                          the same as files, for a Raspberry Pi's boot partition
//! onepress-<profile>_<version>.<anything>                        carried along, such as a list of packages
//! ```
//!
//! The partition uuids are the two halves of the root hash, which is how the initrd finds both partitions.

use crate::release::{Profile, Release, Version};
use crate::signed::Sums;
use crate::tar::plain;
use std::fmt;

/// Most files of a bundle: the four above, and some lists of what is inside.
const FILES_MAX: usize = 16;

/// What a bundle holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Which image of which version.
    pub release: Release,
    /// Every file, in the list's order.
    pub files: Vec<File>,
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is for.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// Its SHA-256, lower-case hexadecimal.
    pub sum: String,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The root file system.
    Root,
    /// Its hash tree.
    Verity,
    /// A unified kernel image.
    Kernel,
    /// The files of a Raspberry Pi's boot partition.
    Boot,
    /// For people.
    Other,
}

/// Why a signed list is not that of an update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUpdate {
    /// A name that is not of the table above.
    #[error("{0:?} is no file of an Onepress update")]
    Name(String),
    /// Two releases in one bundle.
    #[error("it holds files of {0} and of {1}")]
    Mixed(String, String),
    /// Two of one kind, or none of one that is needed.
    #[error("it holds {0} files of the kind {1}, where one is needed")]
    Count(usize, Part),
    /// Above its limit.
    #[error("it holds more than {FILES_MAX} files")]
    Many,
}

impl Contents {
    /// What the signed list says.
    ///
    /// # Errors
    /// Why it is no update.
    pub fn of(sums: &Sums) -> Result<Self, NoUpdate> {
        let mut release: Option<Release> = None;
        let mut files = Vec::new();
        for name in sums.names() {
            let (of, part) = read(name).ok_or_else(|| NoUpdate::Name(name.to_owned()))?;
            match &release {
                Some(first) if *first != of => {
                    return Err(NoUpdate::Mixed(first.to_string(), of.to_string()));
                }
                Some(_) => {}
                None => release = Some(of),
            }
            if files.len() == FILES_MAX {
                return Err(NoUpdate::Many);
            }
            files.push(File {
                part,
                name: name.to_owned(),
                sum: sums.of(name).unwrap_or_default().to_owned(),
            });
        }
        let count = |part| files.iter().filter(|file| file.part == part).count();
        for (part, least) in [(Part::Root, 1), (Part::Verity, 1), (Part::Kernel, 0), (Part::Boot, 0)] {
            if !(least..=1).contains(&count(part)) {
                return Err(NoUpdate::Count(count(part), part));
            }
        }
        Ok(Self { release: release.ok_or(NoUpdate::Count(0, Part::Root))?, files })
    }

    /// The file of a kind.
    pub fn file(&self, part: Part) -> Option<&File> {
        self.files.iter().find(|file| file.part == part)
    }
}

/// Release and part of a file name. Profiles are tried by their whole name: one may begin like another.
fn read(name: &str) -> Option<(Release, Part)> {
    let profile = Profile::ALL
        .into_iter()
        .find(|profile| name.strip_prefix(profile.id()).is_some_and(|rest| rest.starts_with('_')))?;
    let rest = &name[profile.id().len() + 1..];
    if !plain(name) {
        return None;
    }
    let (version, part) = partition(rest).or_else(|| beside(rest))?;
    Some((Release { profile, version }, part))
}

/// `<version>_<uuid>.root.raw.xz`.
fn partition(rest: &str) -> Option<(Version, Part)> {
    let (version, rest) = rest.split_once('_')?;
    let (uuid, end) = rest.split_once('.')?;
    let part = match end {
        "root.raw.xz" => Part::Root,
        "verity.raw.xz" => Part::Verity,
        _ => return None,
    };
    is_uuid(uuid).then_some((version.parse().ok()?, part))
}

/// `<version>.efi` and others: the version is what comes before the longest end that leaves one.
fn beside(rest: &str) -> Option<(Version, Part)> {
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let dot = rest[..end].strip_suffix('.')?.len();
    let part = match &rest[dot..] {
        ".efi" => Part::Kernel,
        ".boot.tar" => Part::Boot,
        end if end.ends_with(".raw.xz") || end.ends_with(".efi") => return None,
        _ => Part::Other,
    };
    Some((rest[..dot].parse().ok()?, part))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Verity => "verity",
            Self::Kernel => "efi",
            Self::Boot => "boot",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{UUID, listed, names};
    use proptest::prelude::*;

    #[test]
    fn an_update_by_its_names() {
        let names = names("onepress-edge-arm64_2026.11.3", &[".efi", ".boot.tar", ".spdx.json"]);
        let contents = Contents::of(&listed(&names)).unwrap();
        assert_eq!(contents.release.to_string(), "onepress-edge-arm64 2026.11.3");
        let parts: Vec<_> = contents.files.iter().map(|file| file.part).collect();
        assert_eq!(parts, [Part::Root, Part::Verity, Part::Kernel, Part::Boot, Part::Other]);
        assert_eq!(contents.file(Part::Kernel).unwrap().name, names[2]);
    }

    #[test]
    fn what_is_no_update_says_why() {
        let whole = || names("onepress-rack_2", &[".efi"]);
        let with = |more: &str| [whole(), vec![more.to_owned()]].concat();
        let table = [
            (vec![], "0 files of the kind root"),
            (whole()[1..].to_vec(), "0 files of the kind root"),
            (whole()[..1].to_vec(), "0 files of the kind verity"),
            (with("onepress-rack_3.spdx.json"), "of onepress-rack 2 and of onepress-rack 3"),
            (with("onepress-edge-x86_2.spdx.json"), "of onepress-rack 2 and of onepress-edge-x86 2"),
            (
                with(&format!("onepress-rack_2_{}.root.raw.xz", UUID.replace('8', "9"))),
                "2 files of the kind root",
            ),
            (with("onepress-rack_2+3.efi"), "no file of"),
            (with("onepress-rack_2.root.raw.xz"), "no file of"),
            (with("onepress-rack_02.x"), "no file of"),
            (with("onepress-rack_2"), "no file of"),
            (with("onepress-lamp_2.x"), "no file of"),
            (with("../onepress-rack_2.x"), "no file of"),
            (with("onepress-rack_2.a/b"), "no file of"),
            ((0..17).map(|n| format!("onepress-rack_2.x{n}")).collect(), "more than 16"),
        ];
        for (names, why) in table {
            let error = Contents::of(&listed(&names)).expect_err(why).to_string();
            assert!(error.contains(why), "{error}: {why}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_holds_its_release(name in "onepress-(rack|edge-x86|edge-arm64)_[0-9a-z._+-]{0,24}") {
            if let Some((release, _)) = read(&name) {
                let beginning = format!("{}_{}", release.profile, release.version);
                prop_assert!(name.starts_with(&beginning));
            }
        }
    }
}
