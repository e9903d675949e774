//! What the centre knows of the self-tests of one box: a fold over its reports.

use super::{Cause, Failure, How, Report};
use crate::{PointId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A point that has not proved itself for this long is a fault: a day, the hour over which boxes are spread, and
/// half an hour twice for a test that had to be done again, with the way to the rack.
pub const UNPROVED_AFTER: Duration = Duration::from_secs(26 * 60 * 60);

/// What is known of one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Known {
    /// What was looked at in the last test.
    pub how: How,
    /// How long that took, milliseconds.
    pub ms: u32,
    /// Why it is not proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// When it was tested last.
    pub at: Wall,
    /// When it was proved last.
    #[serde(default)]
    pub proved: Option<Wall>,
    /// Since when it is known at all.
    pub since: Wall,
    run: i64,
}

impl Known {
    /// Whether it has not proved itself for too long.
    pub fn is_unproved(&self, now: Wall) -> bool {
        now.since(self.proved.unwrap_or(self.since)) >= UNPROVED_AFTER
    }
}

/// What is known of one box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// Since when it should be tested.
    pub since: Wall,
    /// When the last test was done; none before the first.
    #[serde(default)]
    pub tested: Option<Wall>,
    /// What made it begin.
    #[serde(default)]
    pub cause: Cause,
    /// Each point.
    #[serde(default)]
    pub points: BTreeMap<PointId, Known>,
    run: i64,
    #[serde(default)]
    parts: BTreeSet<u32>,
    #[serde(default)]
    whole: bool,
}

impl Record {
    /// Of a box that should be tested from `since` on.
    pub fn new(since: Wall) -> Self {
        let (points, parts) = (BTreeMap::new(), BTreeSet::new());
        Self { since, tested: None, cause: Cause::default(), points, run: i64::MIN, parts, whole: false }
    }

    /// Takes a report of a test that was done at `at`. The points that the box no longer has.
    pub fn take(&mut self, report: &Report, at: Wall) -> Vec<PointId> {
        // A box whose clock has gone back counts lower: then the time at which it was tested decides.
        if report.run < self.run && self.tested.is_some_and(|tested| at <= tested) {
            return self.take_older(report, at);
        }
        if report.run != self.run {
            self.run = report.run;
            self.parts.clear();
            self.whole = false;
        }
        self.parts.insert(report.part);
        (self.tested, self.cause) = (Some(at), report.cause);
        for proof in &report.proofs {
            let before = self.points.get(&proof.point);
            let proved = match proof.failed {
                None => Some(at),
                Some(_) => before.and_then(|known| known.proved),
            };
            let since = before.map_or(at, |known| known.since);
            let (how, ms, failed) = (proof.how, proof.ms, proof.failed.clone());
            let known = Known { how, ms, failed, at, proved, since, run: report.run };
            self.points.insert(proof.point.clone(), known);
        }
        self.whole = u32::try_from(self.parts.len()).is_ok_and(|parts| parts >= report.parts);
        if self.whole { self.forget() } else { vec![] }
    }

    /// Whether the last test has been told in full.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Points whose last test was passed.
    pub fn passed(&self) -> usize {
        self.points.values().filter(|known| known.failed.is_none()).count()
    }

    /// A report that was overtaken still proves what it proved.
    fn take_older(&mut self, report: &Report, at: Wall) -> Vec<PointId> {
        for proof in report.proofs.iter().filter(|proof| proof.failed.is_none()) {
            if let Some(known) = self.points.get_mut(&proof.point) {
                known.proved = known.proved.max(Some(at));
            }
        }
        vec![]
    }

    fn forget(&mut self) -> Vec<PointId> {
        let gone = |known: &Known| known.run != self.run;
        let names: Vec<_> =
            self.points.iter().filter(|(_, known)| gone(known)).map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| drop(self.points.remove(name)));
        names
    }
}
