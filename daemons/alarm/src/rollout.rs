//! Roll-out of a version over boxes: who gets it now, and when it stops by itself. A few boxes at a time, in the order
//! of their names; a box that comes back healthy makes room for the next one, one that does not is counted.
//!
//! ```text
//!             a place is free and the box is linked      healthy
//!   Waiting ────────────────────────────────────▶ Going ─────────▶ Done
//!      ▲                                            │ refused, rolled back, or silent for GIVE_UP_AFTER
//!      └──────────── resumed by a person ────────── Failed ── HALT_AFTER of them ──▶ the roll-out halts
//! ```
//!
//! What belongs here is the decision. Bundles, links and disks are the daemons', and a downgrade is refused here, at the
//! box, and by the slot that it would go to.

mod version;
mod words;

use crate::{BoxId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

pub use version::{BadVersion, Version};
pub use words::{
    BUNDLES_MAX, Bundle, Fetch, IMAGE_MAX, Offer, REASON_MAX, Rolling, Scope, Signature, Software, Told,
};

/// Boxes that are updated at once: a fault that no test found then meets few schools, and the rack's uplink carries
/// that many transfers beside its alarms.
pub const AT_ONCE: usize = 4;
/// Failures after which a roll-out halts: one may be a bad disk, two are the version.
pub const HALT_AFTER: usize = 2;
/// A box that has not said how it went by then counts as failed: transfer over a slow line, restart, health check.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

/// How an update ended at a box, as its updater writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// Counts the outcomes of this box: one that was heard already is no other one.
    #[serde(default)]
    pub number: u64,
    /// Of which version.
    pub version: Version,
    /// How far it came.
    pub state: State,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// How far an update came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It lies in the other slot; the box restarts into it.
    Staged,
    /// It was not taken: signature, age, space.
    Refused,
    /// It runs and has passed its health check.
    Healthy,
    /// It ran and did not pass: the box runs what it ran before.
    RolledBack,
    /// A newer updater's word.
    #[serde(other)]
    Other,
}

/// Why an update did not come about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Why {
    /// What it comes down to: consoles say it in the language of whoever looks.
    #[serde(default)]
    pub cause: Cause,
    /// The whole of it, in words for a technician.
    #[serde(default)]
    pub reason: String,
}

impl Why {
    /// In words that may be a box's: not longer than [`REASON_MAX`].
    pub fn new(cause: Cause, reason: &str) -> Self {
        Self { cause, reason: reason.chars().take(REASON_MAX).collect() }
    }
}

/// What a failure comes down to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Not signed, or not as it was signed.
    Signature,
    /// For another image.
    Image,
    /// It runs already, or something newer does.
    NotNewer,
    /// It was tried here before, and did not become healthy.
    Tried,
    /// Presses come first.
    NoSpace,
    /// What came is not what was offered.
    Changed,
    /// Another update is under way or on trial.
    Busy,
    /// The disk.
    NotWritten,
    /// No image of ours runs there.
    NoAppliance,
    /// It ran, and did not pass its health check.
    Unhealthy,
    /// The box has said nothing.
    Silent,
    /// None of these, or a newer updater's word.
    #[default]
    #[serde(other)]
    Other,
}

/// How one box fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Progress {
    /// Not begun.
    Waiting,
    /// It may fetch the version.
    Going {
        /// Since when.
        since: Wall,
    },
    /// It runs the version.
    Done,
    /// It does not.
    Failed(Why),
}

/// Why a roll-out goes on, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mood {
    /// Boxes get it.
    Running,
    /// A person has stopped it for now.
    Paused,
    /// [`HALT_AFTER`] boxes failed.
    Halted,
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A box of the scope runs something newer.
    #[error("{name} runs {runs}, and {version} is older: a box is never taken back to an older version")]
    Downgrade {
        /// Which.
        name: BoxId,
        /// What it runs.
        runs: Version,
        /// What was wanted.
        version: Version,
    },
    /// Nobody would get it.
    #[error("no box of this scope needs version {0}")]
    Nobody(Version),
}

/// One version on its way to some boxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    version: Version,
    mood: Mood,
    boxes: BTreeMap<BoxId, Progress>,
    /// Failures since it was begun or resumed.
    failures: usize,
}

impl Rollout {
    /// Begins for these boxes with what each of them runs, as far as that is known.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn begin(
        version: Version,
        boxes: impl IntoIterator<Item = (BoxId, Option<Version>)>,
    ) -> Result<Self, Refused> {
        let mut wanted = BTreeMap::new();
        for (name, runs) in boxes {
            match runs {
                Some(runs) if runs > version => return Err(Refused::Downgrade { name, runs, version }),
                Some(runs) if runs == version => {}
                Some(_) | None => drop(wanted.insert(name, Progress::Waiting)),
            }
        }
        if wanted.is_empty() {
            return Err(Refused::Nobody(version));
        }
        Ok(Self { version, mood: Mood::Running, boxes: wanted, failures: 0 })
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether it goes on.
    pub fn mood(&self) -> Mood {
        self.mood
    }

    /// Each box.
    pub fn boxes(&self) -> impl Iterator<Item = (&BoxId, &Progress)> {
        self.boxes.iter()
    }

    /// Whether every box has ended well.
    pub fn is_done(&self) -> bool {
        self.boxes.values().all(|progress| *progress == Progress::Done)
    }

    /// What this box is to fetch now. One that has begun ends what it has begun, also in a pause: half an update helps
    /// nobody. After a halt it does not.
    pub fn wanted(&self, name: &BoxId) -> Option<&Version> {
        let going = matches!(self.boxes.get(name), Some(Progress::Going { .. }));
        (going && self.mood != Mood::Halted).then_some(&self.version)
    }

    /// Lets the next boxes begin, and gives up those that have been silent for too long.
    pub fn handle_time(&mut self, now: Wall, is_linked: impl Fn(&BoxId) -> bool) {
        let late: Vec<_> = self
            .boxes
            .iter()
            .filter(|(_, progress)| matches!(progress, Progress::Going { since } if now.since(*since) >= GIVE_UP_AFTER))
            .map(|(name, _)| name.clone())
            .collect();
        for name in late {
            self.fail(&name, Why::new(Cause::Silent, "it has not said how the update went"));
        }
        if self.mood != Mood::Running {
            return;
        }
        let going = self.boxes.values().filter(|progress| matches!(progress, Progress::Going { .. })).count();
        let free = AT_ONCE.saturating_sub(going);
        let next = self
            .boxes
            .iter_mut()
            .filter(|(name, progress)| **progress == Progress::Waiting && is_linked(name));
        for (_, progress) in next.take(free) {
            *progress = Progress::Going { since: now };
        }
    }

    /// A box says which version it runs: that it is this one is the best of proofs.
    pub fn handle_runs(&mut self, name: &BoxId, runs: &Version) {
        if *runs >= self.version
            && let Some(progress) = self.boxes.get_mut(name)
        {
            *progress = Progress::Done;
        }
    }

    /// A box says how an update went. What is said of another version is an old word.
    pub fn handle_outcome(&mut self, name: &BoxId, outcome: &Outcome) {
        if outcome.version != self.version {
            return;
        }
        match outcome.state {
            State::Healthy => self.handle_runs(name, &outcome.version),
            State::Refused | State::RolledBack => self.fail(name, outcome.why.clone()),
            State::Staged | State::Other => {}
        }
    }

    /// This box's turn has come.
    pub(crate) fn start(&mut self, name: &BoxId, at: Wall) {
        if let Some(progress @ Progress::Waiting) = self.boxes.get_mut(name) {
            *progress = Progress::Going { since: at };
        }
    }

    /// The box is no longer one of the centre's.
    pub(crate) fn leave(&mut self, name: &BoxId) {
        self.boxes.remove(name);
    }

    /// A person stops it for now.
    pub fn pause(&mut self) {
        if self.mood == Mood::Running {
            self.mood = Mood::Paused;
        }
    }

    /// A person lets it go on: what had failed is tried again.
    pub fn resume(&mut self) {
        self.mood = Mood::Running;
        self.failures = 0;
        for progress in self.boxes.values_mut().filter(|progress| matches!(progress, Progress::Failed(_))) {
            *progress = Progress::Waiting;
        }
    }

    /// A box that was at it has failed. Of any other it is an old word.
    pub(crate) fn fail(&mut self, name: &BoxId, why: Why) {
        let Some(progress @ Progress::Going { .. }) = self.boxes.get_mut(name) else { return };
        *progress = Progress::Failed(why);
        self.failures += 1;
        if self.failures >= HALT_AFTER {
            self.mood = Mood::Halted;
        }
    }
}

#[cfg(test)]
mod tests;
