//! The life of an incident.
//!
//! ```text
//!             answer          progress (forward only)                     close
//!   Ringing ─────────▶ Answered ─▶ Verified ─▶ Dispatched ─▶ EnRoute ─▶ Arrived ─▶ Closed
//!      ▲                  │            │            │            │         │   ▲
//!      └── seat lost ─────┴────────────┴────────────┴────────────┴─────────┘   └─ from any answered step
//! ```
//!
//! Acknowledging (a human has seen it) is beside these steps: it stops the sound and owns nothing.

use crate::announcement::Playing;
use crate::event::Actor;
use crate::film::Take;
use crate::room::Room;
use crate::{BoxId, IncidentId, Mode, Nature, NoticeId, PathId, PointId, SiteId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// An incident that nobody has answered after this raises itself (NFPA 1225: highest priority within 60 s).
pub const ESCALATE_AFTER: Duration = Duration::from_secs(60);
/// Longest note on closing, in bytes: a page.
pub const NOTE_MAX: usize = 8000;

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody pressed.
    HoldUp,
    /// A box or a button was opened.
    Tamper,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Nobody owns it.
    Ringing,
    /// A seat owns it.
    Answered,
    /// It is what it seems.
    Verified,
    /// A unit has been sent.
    Dispatched,
    /// The unit is on its way.
    EnRoute,
    /// The unit is there.
    Arrived,
    /// It is over.
    Closed,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Ringing,
        Self::Answered,
        Self::Verified,
        Self::Dispatched,
        Self::EnRoute,
        Self::Arrived,
        Self::Closed,
    ];

    /// Whether a call-taker may move it from here to `to`. Steps may be skipped, never taken back.
    pub fn may_progress(self, to: Self) -> bool {
        let between = |step| step > Self::Ringing && step < Self::Closed;
        between(self) && between(to) && to > self
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was dealt with.
    Handled,
    /// Pressed in good faith, without need.
    Mistaken,
    /// A deliberate lie.
    False,
    /// Caused by the installation.
    Nuisance,
    /// Nobody could be found.
    Abandoned,
    /// The same matter as another incident.
    Duplicate,
    /// It was a test.
    Test,
    /// It was a drill.
    Drill,
}

impl Outcome {
    /// Test and drill are marked in a way nobody can remove, and nothing real can be written off as one.
    pub fn fits(self, nature: Nature) -> bool {
        match nature {
            Nature::Real => !matches!(self, Self::Test | Self::Drill),
            Nature::Test => self == Self::Test,
            Nature::Drill => self == Self::Drill,
        }
    }
}

/// One alarm of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarm {
    /// Its id.
    pub id: NoticeId,
    /// The box that sent it.
    pub from: BoxId,
    /// The point that was pressed.
    pub point: Option<PointId>,
    /// The box's clock then.
    pub at: Wall,
    /// The desk's clock when it came.
    pub received: Wall,
    /// The path that brought it first.
    pub path: PathId,
    /// The box had trusted time.
    pub clock_sure: bool,
    /// Found pressed at the box's start.
    pub at_start: bool,
    /// Presses that it stands for.
    pub count: u32,
    /// When the button went back, by the desk's clock.
    pub restored: Option<Wall>,
}

/// When something was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// When.
    pub at: Wall,
    /// By whom.
    pub by: Actor,
}

/// The case that call-takers work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// What it is about.
    pub kind: Kind,
    /// How the site is treated.
    pub mode: Mode,
    /// Real, test or drill.
    pub nature: Nature,
    /// 1 (highest) to 4, as in GB/T 28181.
    pub priority: u8,
    /// How far it is.
    pub step: Step,
    /// The site it comes from.
    pub site: Option<SiteId>,
    /// The box it came from first.
    pub from: BoxId,
    /// Its alarms, in the order in which they came.
    pub alarms: Vec<Alarm>,
    /// Journal number of the newest alarm or repeat in it.
    pub newest: u64,
    /// When that was.
    pub newest_at: Wall,
    /// When it was opened.
    pub received: Wall,
    /// Somebody has seen it.
    pub acknowledged: Option<Mark>,
    /// When a seat first answered.
    pub answered: Option<Wall>,
    /// Its room, while a seat owns it.
    pub room: Option<Room>,
    /// Nobody answered within [`ESCALATE_AFTER`].
    pub escalated: bool,
    /// Its seat has gone and it rings again.
    pub requeued: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What was written on closing.
    pub note: String,
    /// When it was closed.
    pub closed: Option<Wall>,
    /// What was recorded, in the order in which it began; at most [`crate::film::TAKES_MAX`].
    #[serde(default)]
    pub takes: Vec<Take>,
    /// Its recordings are kept until somebody says otherwise.
    #[serde(default)]
    pub held: bool,
    /// Who was let in to see and hear it.
    #[serde(default)]
    pub seen_by: BTreeSet<UserId>,
    /// Still pictures that seats have kept.
    #[serde(default)]
    pub snapshots: u32,
    /// The announcement that is being played into the site.
    #[serde(default)]
    pub playing: Option<Playing>,
}

impl Incident {
    /// A real hold-up that nobody has seen: the siren sounds.
    pub fn sounds(&self) -> bool {
        self.is_real_hold_up() && self.step == Step::Ringing && self.acknowledged.is_none()
    }

    /// A real hold-up.
    pub fn is_real_hold_up(&self) -> bool {
        self.kind == Kind::HoldUp && self.nature == Nature::Real
    }

    /// Presses in all.
    pub fn presses(&self) -> u32 {
        self.alarms.iter().map(|alarm| alarm.count).sum()
    }
}

/// The priority of an incident that begins like this.
pub fn priority(kind: Kind, nature: Nature) -> u8 {
    match (kind, nature) {
        (Kind::HoldUp, Nature::Real) => 1,
        (Kind::Tamper, Nature::Real) => 3,
        (_, Nature::Test | Nature::Drill) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_table() {
        use Step::{Answered, Arrived, Dispatched, EnRoute, Verified};
        let allowed = [
            (Answered, Verified),
            (Answered, Dispatched),
            (Answered, EnRoute),
            (Answered, Arrived),
            (Verified, Dispatched),
            (Verified, EnRoute),
            (Verified, Arrived),
            (Dispatched, EnRoute),
            (Dispatched, Arrived),
            (EnRoute, Arrived),
        ];
        for from in Step::ALL {
            for to in Step::ALL {
                assert_eq!(from.may_progress(to), allowed.contains(&(from, to)), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nothing_real_is_written_off_as_a_test() {
        for outcome in [Outcome::Test, Outcome::Drill] {
            assert!(!outcome.fits(Nature::Real));
        }
        assert!(Outcome::Test.fits(Nature::Test) && !Outcome::Handled.fits(Nature::Test));
        assert!(Outcome::Drill.fits(Nature::Drill) && !Outcome::Test.fits(Nature::Drill));
    }
}
