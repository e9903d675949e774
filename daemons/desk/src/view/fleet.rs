//! Self-tests and commissioning.

use serde::Serialize;
use utoipa::ToSchema;

/// Whether a box is in service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Commission {
    /// Since when, if it is.
    pub done: Option<i64>,
    /// Who said so; `desk` when nothing was missing.
    pub by: Option<String>,
    /// What is missing, if it is not.
    pub missing: Vec<Missing>,
}

/// One thing that is missing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Missing {
    /// `self-test`, `point`, `path`, `camera`, `output`, `software`.
    pub what: String,
    /// Which point, path or camera; the version that the box has.
    pub name: Option<String>,
    /// Why a point is not proved: a word as in a proof.
    pub why: Option<String>,
}

/// The last self-test of a box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SelfTest {
    /// When.
    pub at: i64,
    /// `daily`, `started`, `asked`.
    pub cause: String,
    /// All its parts have come.
    pub whole: bool,
    /// Each point.
    pub points: Vec<Proof>,
}

/// How one point did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Proof {
    /// Which.
    pub point: String,
    /// `kernel` or `contact`.
    pub how: String,
    /// How long it took, milliseconds.
    pub ms: u32,
    /// Why it is not proved: `faulty`, `deaf`, `not-restored`, …
    pub failed: Option<String>,
    /// When it was tested last.
    pub at: i64,
    /// When it was proved last.
    pub proved: Option<i64>,
}
