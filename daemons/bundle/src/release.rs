//! Which image of which version: the words of `IMAGE_ID` and `IMAGE_VERSION` in os-release(5), and of file names.

use std::fmt;

pub use alarm::rollout::{BadVersion, Version};

/// The appliances that there are images of; each is of one machine architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
            let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.next_back().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
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
}
