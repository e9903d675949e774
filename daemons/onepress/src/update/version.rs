//! Which image of which version: the words of `IMAGE_ID` and `IMAGE_VERSION` in os-release(5), and of file names.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most numbers in a version: year, month, day and a count are four.
const NUMBERS_MAX: usize = 6;

/// A dotted number, `2026.11.3`. Ordered as systemd orders it: number by number, and the longer of two that begin alike
/// is the newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(Vec<u32>);

/// What a version is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no version: at most six numbers with dots between, without zeros before them, such as 2026.11.3"
)]
pub struct BadVersion(String);

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        let numbers = numbers.filter(|numbers| numbers.len() <= NUMBERS_MAX);
        numbers.map(Self).ok_or_else(|| BadVersion(text.chars().take(64).collect()))
    }
}

/// One spelling for one number: a name tells the version and the version the name.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
    }
}

/// The appliances that there are images of; each is of one machine architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The centre's machine, x86-64.
    Rack,
    /// A mini PC at a site, x86-64.
    EdgeX86,
    /// A Raspberry Pi or alike at a site, arm64.
    EdgeArm64,
}

impl Profile {
    /// All.
    pub const ALL: [Self; 3] = [Self::Rack, Self::EdgeX86, Self::EdgeArm64];

    /// As `IMAGE_ID` and file names have it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Rack => "onepress-rack",
            Self::EdgeX86 => "onepress-edge-x86",
            Self::EdgeArm64 => "onepress-edge-arm64",
        }
    }

    /// Its target, `onepress-<role>.target`, starts its daemons.
    pub fn role(self) -> &'static str {
        match self {
            Self::Rack => "rack",
            Self::EdgeX86 | Self::EdgeArm64 => "edge",
        }
    }

    /// The profile of an `IMAGE_ID`.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.id() == id)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Which image of which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Of which appliance.
    pub profile: Profile,
    /// Of which version.
    pub version: Version,
}

/// Why a computer is not known to run an image of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRelease {
    /// No image of ours: nothing here is updated by bundles.
    #[error(
        "this computer does not run an Onepress image (os-release has IMAGE_ID={0:?}): update it as it was installed"
    )]
    OtherSystem(String),
    /// The image was built wrongly.
    #[error("IMAGE_VERSION of os-release: {0}")]
    Version(#[from] BadVersion),
}

impl Release {
    /// What the text of os-release(5) says.
    ///
    /// # Errors
    /// When it is another system's.
    pub fn of_os(text: &str) -> Result<Self, NoRelease> {
        let value = |key: &str| {
            let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.last().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        let id = value("IMAGE_ID");
        let profile = Profile::of_id(&id).ok_or(NoRelease::OtherSystem(id))?;
        Ok(Self { profile, version: value("IMAGE_VERSION").parse()? })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.profile, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_in_their_order() {
        let ascending =
            ["0", "1", "1.0", "1.0.0", "1.0.1", "1.2", "1.10", "2", "10", "2026.11.3", "4294967295"];
        for (at, text) in ascending.iter().enumerate() {
            assert_eq!(version(text).to_string(), *text);
            for later in &ascending[at + 1..] {
                assert!(version(text) < version(later), "{text} < {later}");
            }
        }
    }

    #[test]
    fn what_is_no_version() {
        let long = "1.1.1.1.1.1.1";
        for text in
            ["", ".", "1.", ".1", "1..2", "v1", "1-2", "01", "1.00", "+1", " 1", "1_2", "4294967296", long]
        {
            let error = text.parse::<Version>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_release_as_os_release_tells_it() {
        let text = "ID=debian\nIMAGE_ID=\"onepress-edge-x86\"\nIMAGE_VERSION=2.1\nVERSION_ID=13\n";
        let release = Release::of_os(text).unwrap();
        assert_eq!(
            (release.profile, release.to_string().as_str()),
            (Profile::EdgeX86, "onepress-edge-x86 2.1")
        );
        assert_eq!(Release::of_os("ID=debian\n"), Err(NoRelease::OtherSystem(String::new())));
        assert!(matches!(Release::of_os("IMAGE_ID=onepress-rack\n"), Err(NoRelease::Version(_))));
    }

    proptest! {
        #[test]
        fn a_version_has_one_spelling(text in "[0-9.]{0,12}") {
            if let Ok(read) = text.parse::<Version>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }

        #[test]
        fn a_newer_number_anywhere_is_a_newer_version(
            numbers in prop::collection::vec(0u32..1000, 1..=NUMBERS_MAX),
            at in 0usize..NUMBERS_MAX,
        ) {
            let at = at % numbers.len();
            let mut newer = numbers.clone();
            newer[at] += 1;
            newer.truncate(at + 1);
            prop_assert!(Version(newer) > Version(numbers));
        }
    }
}
