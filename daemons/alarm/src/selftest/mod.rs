//! The self-test: every point of a box proves once a day that a press would be seen. What a result is, when a test
//! is due, and how one goes; no relay is switched here and no line read.
//!
//! A point is proved through the kernel's own view of its lines, and through the contact itself where the wiring has
//! a test relay. A press by the relay is no alarm; a finger that presses meanwhile is one ([`Stroke`]).

mod record;
mod run;
mod schedule;
mod stroke;
#[cfg(test)]
mod tests;

pub use record::{Known, Record, UNPROVED_AFTER};
pub use run::{LOOK_WITHIN, Order, READY_WITHIN, Run, Subject};
pub use schedule::{AGAIN_AFTER, At, BadAt, LONGEST_BETWEEN, SPREAD, Schedule};
pub use stroke::{
    Claim, DROP, DROP_LONGEST, DROP_SHORTEST, EVIDENCE_WITHIN, Moves, Relay, SEEN_WITHIN, SWITCHED_WITHIN,
    Step, Stroke,
};

use crate::PointId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most results in one report: with the longest names they need half of what a record of the spool may have.
pub const PROOFS_MAX: usize = 32;

/// How one point did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    /// Which.
    pub point: PointId,
    /// What was looked at.
    pub how: How,
    /// From the question to the answer, milliseconds: what a press would have needed from contact to rule.
    pub ms: u32,
    /// Why it is not proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// What proved a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The kernel holds its lines as they were asked for, and their levels agree with what is supervised.
    Kernel,
    /// That, and a test relay moved its contact and the movement was seen.
    Contact,
}

/// Why a point is not proved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// It is cut, short or unreadable.
    Faulty,
    /// Its device did not answer in time.
    Unanswered,
    /// The kernel does not hold a line as it was asked for: name, direction, bias or edges.
    NotHeld,
    /// Its levels would not settle, or not on what is supervised.
    Inconsistent,
    /// The relay was operated and the contact did not move.
    Deaf,
    /// The contact moved and no edge was told: only the poll saw it, and a short press would be lost.
    NoEdge,
    /// The contact did not go back when the relay let go: the relay sticks, or somebody presses. An alarm as well.
    NotRestored,
    /// The relay cannot be switched.
    Relay,
    /// An alarm was there first. The test is done again.
    Busy,
    /// A word of a newer box.
    #[serde(untagged)]
    Other(String),
}

impl Failure {
    /// Whether the test has found something: not when there was no time for it, nor when the point itself already tells
    /// of its fault.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Busy | Self::Faulty)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(word)) => f.write_str(&word),
            Ok(_) | Err(_) => f.write_str("unnamed"),
        }
    }
}

/// What made a test begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The time of day.
    #[default]
    Daily,
    /// The box has started, or was enrolled.
    Started,
    /// Somebody asked for it.
    Asked,
    /// A newer box's reason.
    #[serde(other)]
    Other,
}

/// The result of one test, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// What made it begin.
    #[serde(default)]
    pub cause: Cause,
    /// Tells the test from the others of this box; ascending.
    pub run: i64,
    /// Which part this is, from 1.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// At most [`PROOFS_MAX`] results.
    pub proofs: Vec<Proof>,
}

impl Report {
    /// The results of one test as reports that fit a record of the spool each.
    pub fn split(cause: Cause, run: i64, proofs: &[Proof]) -> Vec<Self> {
        let parts = u32::try_from(proofs.len().div_ceil(PROOFS_MAX)).unwrap_or(u32::MAX);
        let report =
            |(part, proofs): (u32, &[Proof])| Self { cause, run, part, parts, proofs: proofs.to_vec() };
        (1..).zip(proofs.chunks(PROOFS_MAX)).map(report).collect()
    }
}
