//! What the centre and its boxes say of versions, on the link and in the journal.

use super::{Cause, Outcome, Rollout, Version};
use crate::event::Actor;
use crate::{BoxId, SiteId, Wall};
use serde::{Deserialize, Serialize};

/// Bundles of one centre: the version that runs and the next one, for each kind of box, and as many to spare. Each is
/// some hundred megabytes.
pub const BUNDLES_MAX: usize = 8;
/// Longest reason that is kept, in characters: what boxes say of a failure is one sentence.
pub const REASON_MAX: usize = 400;
/// Longest name of an image, in characters.
pub const IMAGE_MAX: usize = 40;

/// What a box is to fetch, as its centre tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Offer {
    /// SHA-256 of the bundle, hex.
    pub sha256: String,
    /// For which image: `onepress-edge-x86`.
    pub image: String,
    /// Which version.
    pub version: Version,
    /// Length of the bundle.
    pub bytes: u64,
    /// When this box's turn came, by the centre's clock: tells one try from the next.
    pub since: Wall,
}

/// What a box says of its software: part of its status. A box that runs no image of ours says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// Which image.
    pub image: String,
    /// Which version runs.
    pub runs: Version,
    /// How its last update went.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// What it fetches.
    #[serde(default)]
    pub fetch: Option<Fetch>,
}

/// How far a box has come with what it is to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fetch {
    /// [`Offer::since`].
    pub since: Wall,
    /// Bytes that are on its disk.
    pub bytes: u64,
    /// Why it will not go on by itself: no space, another file than was offered.
    #[serde(default)]
    pub trouble: Option<String>,
    /// What that comes down to.
    #[serde(default)]
    pub cause: Cause,
}

/// What is known of a box's software.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Software {
    /// Which image.
    pub image: String,
    /// Which version runs.
    pub runs: Version,
    /// How its last update went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Whether a bundle's signature was looked at in the centre. The box looks at it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// It is good.
    Good,
    /// The centre has no keys to look with.
    Unchecked,
}

/// A bundle that the centre has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bundle {
    /// SHA-256 of the file, hex: also its name on the disk.
    pub sha256: String,
    /// For which image.
    pub image: String,
    /// Which version.
    pub version: Version,
    /// Length of the file.
    pub bytes: u64,
    /// Whether its signature was looked at.
    pub signature: Signature,
    /// When it was added.
    pub added: Wall,
    /// By whom.
    pub by: Actor,
}

/// Which boxes a roll-out is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Scope {
    /// One box.
    Box {
        /// Which.
        name: BoxId,
    },
    /// All boxes of one site.
    Site {
        /// Which.
        site: SiteId,
    },
    /// All boxes.
    All,
}

/// A roll-out as it stands in the centre: the one that runs, or else the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rolling {
    /// How each box fares.
    pub rollout: Rollout,
    /// For which boxes.
    pub scope: Scope,
    /// When it was begun.
    pub began: Wall,
    /// By whom.
    pub by: Actor,
    /// When it ended, and by whom; [`Actor::Desk`] when every box had ended well.
    pub ended: Option<(Wall, Actor)>,
    /// The journal says that it has halted.
    pub halted: bool,
}
