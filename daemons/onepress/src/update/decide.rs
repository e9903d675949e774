//! Whether an update may be put onto an appliance.
//!
//! ```text
//!              older or same        newer
//!  ──────────────────┬─────────────────────────▶ version
//!                running
//! ```
//! Of the newer ones those are left out that were tried here and did not become healthy, and those below the floor: the
//! highest version that was ever healthy here. Floor and running differ only on an appliance that was put back by hand.

use super::contents::{Contents, Part};
use super::record::Record;
use super::version::{Profile, Release, Version};
use std::fmt;

/// How an appliance starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// UEFI and systemd-boot, which counts tries.
    Uefi,
    /// A Raspberry Pi's own firmware: `super::tryboot`.
    Tryboot,
}

impl Leg {
    /// What of a bundle it starts from.
    pub fn part(self) -> Part {
        match self {
            Self::Uefi => Part::Kernel,
            Self::Tryboot => Part::Boot,
        }
    }
}

/// What decides.
#[derive(Clone, Debug)]
pub struct Appliance<'a> {
    /// What runs.
    pub running: Release,
    /// How it starts.
    pub leg: Leg,
    /// What happened before.
    pub record: &'a Record,
}

/// Why an update is not put on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// For another profile, and with it for another architecture.
    #[error("it is for {theirs}, and this is {ours}: take the bundle of {ours}")]
    Profile {
        /// The bundle's.
        theirs: Profile,
        /// The appliance's.
        ours: Profile,
    },
    /// It lacks what this appliance starts from.
    #[error("it holds no file of the kind {0}, from which this appliance starts: take a bundle made for it")]
    Leg(Part),
    /// It runs already.
    #[error("version {0} is what runs here already")]
    Running(Version),
    /// It is in the other slot already.
    #[error("version {0} is in the other slot already: restart to run it")]
    Staged(Version),
    /// Older than something.
    #[error(
        "version {theirs} is older than {than}, {which}: an appliance is never put back, make a newer bundle of the older software"
    )]
    Older {
        /// The bundle's.
        theirs: Version,
        /// What it is compared with.
        than: Version,
        /// What that is.
        which: Which,
    },
    /// It was tried.
    #[error("version {0} was tried here and did not become healthy: make a newer one")]
    Failed(Version),
}

/// What a bundle is older than.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What runs.
    Running,
    /// What waits in the other slot.
    Staged,
    /// The highest that was ever healthy.
    Floor,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "which runs here",
            Self::Staged => "which waits in the other slot",
            Self::Floor => "which was healthy here",
        })
    }
}

/// Whether a bundle may be put on.
///
/// # Errors
/// Why not, and the remedy.
pub fn decide(contents: &Contents, appliance: &Appliance) -> Result<(), Refusal> {
    let Release { profile: theirs, version } = &contents.release;
    let Appliance { running, leg, record } = appliance;
    if *theirs != running.profile {
        return Err(Refusal::Profile { theirs: *theirs, ours: running.profile });
    }
    if contents.file(leg.part()).is_none() {
        return Err(Refusal::Leg(leg.part()));
    }
    if *version == running.version {
        return Err(Refusal::Running(version.clone()));
    }
    let staged = record.staged.as_ref().filter(|staged| staged.whole).map(|staged| &staged.version);
    if staged == Some(version) {
        return Err(Refusal::Staged(version.clone()));
    }
    let bars = [
        (Some(&running.version), Which::Running),
        (record.floor.as_ref(), Which::Floor),
        (staged, Which::Staged),
    ];
    for (than, which) in bars.into_iter().filter_map(|(bar, which)| Some((bar?, which))) {
        if version < than {
            return Err(Refusal::Older { theirs: version.clone(), than: than.clone(), which });
        }
    }
    if record.failed.contains(version) {
        return Err(Refusal::Failed(version.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::record::Staged;
    use super::*;
    use ::bundle::made::{listed, names};
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn contents(release: &str, ends: &[&str]) -> Contents {
        Contents::of(&listed(&names(release, ends))).unwrap()
    }

    fn staged(text: &str, whole: bool) -> Option<Staged> {
        Some(Staged { version: version(text), boot: "b".into(), whole })
    }

    #[test]
    fn every_reason_against_an_update() {
        let record = Record {
            floor: Some(version("5")),
            failed: vec![version("9")],
            staged: staged("7", true),
            ..Record::default()
        };
        let running = Release { profile: Profile::EdgeArm64, version: version("4") };
        let older =
            |theirs, than, which| Err(Refusal::Older { theirs: version(theirs), than: version(than), which });
        let (theirs, ours) = (Profile::EdgeX86, Profile::EdgeArm64);
        let table = [
            ("onepress-edge-arm64_8", ".efi", Ok(())),
            ("onepress-edge-x86_8", ".efi", Err(Refusal::Profile { theirs, ours })),
            ("onepress-edge-arm64_8", ".boot.tar", Err(Refusal::Leg(Part::Kernel))),
            ("onepress-edge-arm64_4", ".efi", Err(Refusal::Running(version("4")))),
            ("onepress-edge-arm64_3.9", ".efi", older("3.9", "4", Which::Running)),
            ("onepress-edge-arm64_4.1", ".efi", older("4.1", "5", Which::Floor)),
            ("onepress-edge-arm64_6", ".efi", older("6", "7", Which::Staged)),
            ("onepress-edge-arm64_7", ".efi", Err(Refusal::Staged(version("7")))),
            ("onepress-edge-arm64_9", ".efi", Err(Refusal::Failed(version("9")))),
            ("onepress-edge-arm64_10", ".efi", Ok(())),
        ];
        for (release, end, verdict) in table {
            let appliance = Appliance { running: running.clone(), leg: Leg::Uefi, record: &record };
            assert_eq!(decide(&contents(release, &[end]), &appliance), verdict, "{release}");
        }
    }

    #[test]
    fn what_was_cut_off_while_it_was_put_on_may_come_again() {
        let record = Record { staged: staged("7", false), ..Record::default() };
        let running = Release { profile: Profile::Rack, version: version("6") };
        let appliance = Appliance { running, leg: Leg::Uefi, record: &record };
        assert_eq!(decide(&contents("onepress-rack_7", &[".efi"]), &appliance), Ok(()));
    }

    proptest! {
        #[test]
        fn nothing_that_is_put_on_is_older_than_anything(
            theirs in 1u32..20, running in 1u32..20, floor in prop::option::of(1u32..20),
            waiting in prop::option::of(1u32..20), failed in prop::collection::vec(1u32..20, 0..4),
        ) {
            let version = |number: u32| version(&number.to_string());
            let record = Record {
                floor: floor.map(version),
                staged: waiting.map(|number| Staged { version: version(number), boot: "b".into(), whole: true }),
                failed: failed.iter().copied().map(version).collect(),
                ..Record::default()
            };
            let running_release = Release { profile: Profile::Rack, version: version(running) };
            let appliance = Appliance { running: running_release, leg: Leg::Uefi, record: &record };
            let may = theirs > running && floor.is_none_or(|floor| theirs >= floor)
                && waiting.is_none_or(|waiting| theirs > waiting) && !failed.contains(&theirs);
            let verdict = decide(&contents(&format!("onepress-rack_{theirs}"), &[".efi"]), &appliance);
            prop_assert_eq!(verdict.is_ok(), may, "{:?}", verdict);
        }
    }
}
