//! What an appliance remembers of its updates, from one boot to the next.
//!
//! ```text
//!            apply                  slot written              next boot, healthy
//!  (nothing) ─────▶ staged, not whole ─────▶ staged, whole ─────┬─ it runs ──────▶ floor is raised
//!                          │ next boot                          └─ another runs ─▶ failed
//!                          └──────────▶ (nothing: a cut)
//! ```

use super::version::Version;
use alarm::rollout::{self, Cause, State, Why};
use serde::{Deserialize, Serialize};

/// Most versions remembered as failed; a fleet that failed so often has other worries.
const FAILED_MAX: usize = 32;

/// On the disk as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The highest version that was ever healthy here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Version>,
    /// What is in the other slot and has not been run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
    /// Versions that were tried and did not become healthy, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Version>,
    /// What came of the last bundle that was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Outcome>,
    /// The same for the centre, and how the version fared that was put on. The box's daemon reads it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<rollout::Outcome>,
}

/// A version in the other slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Staged {
    /// Which.
    pub version: Version,
    /// In which boot it was put there: the kernel's boot id.
    pub boot: String,
    /// All of it is there.
    pub whole: bool,
}

/// What came of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// The bundle's file name.
    pub bundle: String,
    /// Why nothing was put on; none when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What a healthy boot is to the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The new version runs and is healthy.
    Updated(Version),
    /// The new version was tried, and another runs now.
    RolledBack(Version),
    /// Putting it on was cut off; nothing of it will run.
    CutOff(Version),
    /// It waits for a restart.
    Waits(Version),
    /// Nothing was going on.
    Nothing,
}

impl Record {
    /// An update is about to be put into the other slot.
    pub fn begin(&mut self, version: &Version, boot: &str) {
        self.staged = Some(Staged { version: version.clone(), boot: boot.to_owned(), whole: false });
    }

    /// It is all there.
    pub fn complete(&mut self) {
        if let Some(staged) = &mut self.staged {
            staged.whole = true;
        }
    }

    /// It could not be put there.
    pub fn abandon(&mut self) {
        self.staged = None;
    }

    /// What the centre is to hear.
    pub fn tell(&mut self, version: &Version, state: State, why: Why) {
        let number = self.outcome.as_ref().map_or(1, |before| before.number + 1);
        self.outcome = Some(rollout::Outcome { number, version: version.clone(), state, why });
    }

    /// A boot of `running` has become healthy.
    pub fn settle(&mut self, running: &Version, boot: &str) -> Settled {
        let settled = self.settled(running, boot);
        if let Settled::Updated(version) = &settled {
            self.tell(version, State::Healthy, Why::default());
        }
        if !matches!(settled, Settled::Waits(_)) {
            self.staged = None;
        }
        if let Settled::RolledBack(version) = &settled {
            let why = Why::new(Cause::Unhealthy, "it was started and did not become healthy");
            self.tell(version, State::RolledBack, why);
            self.failed.retain(|failed| failed != version);
            self.failed.push(version.clone());
            let excess = self.failed.len().saturating_sub(FAILED_MAX);
            self.failed.drain(..excess);
        }
        self.failed.retain(|failed| failed != running);
        if self.floor.as_ref().is_none_or(|floor| floor < running) {
            self.floor = Some(running.clone());
        }
        settled
    }

    fn settled(&self, running: &Version, boot: &str) -> Settled {
        match &self.staged {
            None => Settled::Nothing,
            Some(staged) if staged.version == *running => Settled::Updated(running.clone()),
            Some(staged) if staged.boot == boot => Settled::Waits(staged.version.clone()),
            Some(staged) if staged.whole => Settled::RolledBack(staged.version.clone()),
            Some(staged) => Settled::CutOff(staged.version.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn every_way_an_update_ends() {
        // what is staged, in which boot, whole; what runs, in which boot; what that is, and whether it is still staged
        let v = version;
        let table = [
            (None, ("1", "b"), Settled::Nothing, false),
            (Some(("2", "a", true)), ("2", "b"), Settled::Updated(v("2")), false),
            (Some(("2", "a", true)), ("1", "b"), Settled::RolledBack(v("2")), false),
            (Some(("2", "b", true)), ("1", "b"), Settled::Waits(v("2")), true),
            (Some(("2", "b", false)), ("1", "b"), Settled::Waits(v("2")), true),
            (Some(("2", "a", false)), ("1", "b"), Settled::CutOff(v("2")), false),
            // Cut between the last write and the record of it: it runs, so it was whole.
            (Some(("2", "a", false)), ("2", "b"), Settled::Updated(v("2")), false),
        ];
        for (staged, (running, boot), settled, stays) in table {
            let mut record = Record::default();
            if let Some((version, boot, whole)) = staged {
                record.begin(&v(version), boot);
                if whole {
                    record.complete();
                }
            }
            assert_eq!(record.settle(&v(running), boot), settled);
            assert_eq!(record.staged.is_some(), stays, "{settled:?}");
            assert_eq!(record.floor, Some(v(running)));
            assert_eq!(record.failed.is_empty(), !matches!(settled, Settled::RolledBack(_)));
            let told = match &settled {
                Settled::Updated(_) => Some(State::Healthy),
                Settled::RolledBack(_) => Some(State::RolledBack),
                Settled::CutOff(_) | Settled::Waits(_) | Settled::Nothing => None,
            };
            assert_eq!(record.outcome.map(|outcome| outcome.state), told, "{settled:?}");
        }
    }

    #[test]
    fn the_floor_never_sinks() {
        let mut record = Record::default();
        for (running, floor) in [("2", "2"), ("3", "3"), ("2", "3"), ("4", "4")] {
            record.settle(&version(running), "b");
            assert_eq!(record.floor, Some(version(floor)));
        }
    }

    #[test]
    fn failures_are_bounded_and_each_is_there_once() {
        let mut record = Record::default();
        for number in (1..=60).chain([60]) {
            record.begin(&version(&format!("1.{number}")), "a");
            record.complete();
            record.settle(&version("1"), "b");
        }
        assert_eq!(record.failed.len(), FAILED_MAX);
        assert_eq!(record.failed.iter().filter(|failed| **failed == version("1.60")).count(), 1);
    }

    #[test]
    fn a_record_reads_back_and_an_older_or_newer_one_too() {
        let mut record = Record::default();
        record.begin(&version("2"), "a");
        record.last = Some(Outcome { bundle: "b".into(), refused: Some("no".into()) });
        record.tell(&version("2"), State::Refused, Why::new(Cause::NoSpace, "no"));
        record.tell(&version("2"), State::Refused, Why::new(Cause::NoSpace, "no"));
        assert_eq!(
            record.outcome.as_ref().map(|outcome| outcome.number),
            Some(2),
            "the same again is another"
        );
        assert_eq!(serde_json::from_str::<Record>(&serde_json::to_string(&record).unwrap()).unwrap(), record);
        assert_eq!(serde_json::from_str::<Record>("{}").unwrap(), Record::default());
        assert!(serde_json::from_str::<Record>(r#"{"floor":"3","newer":1}"#).unwrap().floor.is_some());
    }
}
