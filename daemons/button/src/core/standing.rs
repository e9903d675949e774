//! Which faults the desk has been told of and not seen cleared, over a restart: a wire that was mended while the box
//! was off is otherwise shown as cut for ever. Losing this costs no alarm, so it is kept beside the spool and not in
//! it.

use alarm::{Fault, PointId, What};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    point: Option<PointId>,
    fault: Fault,
}

#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Told in this life.
    now: BTreeSet<Known>,
    /// Told in a former life, and nothing is known of it yet.
    before: BTreeSet<Known>,
    changed: bool,
}

impl Standing {
    /// Reads what a former life left. What cannot be read is forgotten.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self { before: serde_json::from_slice(bytes).unwrap_or_default(), ..Self::default() }
    }

    /// A notice is made.
    pub(super) fn note(&mut self, point: Option<&PointId>, what: &What) {
        let known = |fault: &Fault| Known { point: point.cloned(), fault: fault.clone() };
        match what {
            What::Fault { fault } => self.changed |= self.now.insert(known(fault)),
            What::Cleared { fault } => {
                let known = known(fault);
                self.changed |= self.now.remove(&known) | self.before.remove(&known);
            }
            What::Alarm { .. }
            | What::Repeat { .. }
            | What::Restored { .. }
            | What::Tampered
            | What::TamperRestored => {}
        }
    }

    /// A point (or the box itself) is known to work now: the faults of a former life that are over.
    pub(super) fn over(&self, point: Option<&PointId>) -> Vec<Fault> {
        let over =
            self.before.iter().filter(|known| known.point.as_ref() == point && !self.now.contains(known));
        over.map(|known| known.fault.clone()).collect()
    }

    /// What is to be remembered, when it is not what was last given.
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.changed).then(|| {
            let all: Vec<_> = self.now.union(&self.before).collect();
            serde_json::to_vec(&all).unwrap_or_default()
        })
    }
}
