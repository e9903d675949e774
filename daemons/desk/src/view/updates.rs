//! Bundles and roll-outs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A bundle that can be rolled out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Bundle {
    /// SHA-256 of the file, hex; its name in requests.
    pub sha256: String,
    /// For which image: `onepress-edge-x86`, `onepress-edge-arm64`.
    pub image: String,
    /// Which version.
    pub version: String,
    /// Length of the file.
    pub bytes: u64,
    /// `good` or `unchecked`: the centre has no keys, and the box looks at it.
    pub signature: String,
    /// When it was added.
    pub added: i64,
    /// By whom.
    pub by: String,
}

/// Begins a roll-out; with neither box nor site to all boxes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewRollout {
    /// Which version.
    pub version: String,
    /// Only this box.
    #[serde(default)]
    pub r#box: Option<String>,
    /// Only the boxes of this site.
    #[serde(default)]
    pub site: Option<String>,
}

/// The roll-out that goes on, or else the last one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Rollout {
    /// Which version.
    pub version: String,
    /// `running`, `paused`, `halted`, `ended`.
    pub mood: String,
    /// Only this box.
    pub r#box: Option<String>,
    /// Only the boxes of this site.
    pub site: Option<String>,
    /// When it was begun.
    pub began: i64,
    /// By whom.
    pub by: String,
    /// When it ended.
    pub ended: Option<i64>,
    /// By whom; `desk` when every box had ended well.
    pub ended_by: Option<String>,
    /// Each box.
    pub boxes: Vec<Updating>,
}

/// How one box fares.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Updating {
    /// Which.
    pub r#box: String,
    /// `waiting`, `fetching`, `putting-on` (the updater has it), `trial` (in its other slot, or run and not found healthy
    /// yet), `done`, `failed`.
    pub is: String,
    /// Which version runs there.
    pub runs: Option<String>,
    /// Bytes that it has fetched.
    pub fetched: u64,
    /// Of so many.
    pub bytes: u64,
    /// Why it failed, in one word of [`alarm::rollout::Cause`].
    pub cause: Option<String>,
    /// The same in words for a technician, as the box says them.
    pub reason: Option<String>,
}

/// What a box runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Software {
    /// Which image.
    pub image: String,
    /// Which version.
    pub version: String,
}
