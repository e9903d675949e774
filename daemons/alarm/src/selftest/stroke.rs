//! One stroke of a test relay: the contact is moved, seen, let go and seen to be back.
//!
//! ```text
//!            switched on          seen              switched off         back at rest
//!  Operating ──────────▶ Waiting ──────▶ Releasing ─────────────▶ Resting ──────────▶ Done(passed)
//!      │ SWITCHED_WITHIN   │ SEEN_WITHIN     ▲  │ SWITCHED_WITHIN    │ EVIDENCE_WITHIN
//!      └───────────────────┴── failed ───────┘  └─────▶ failed       └▶ Done(not restored), and an alarm
//! ```
//!
//! **No press may be swallowed.** A relay that moves one contact of an antivalent pair never makes the reading of a
//! press; a finger does, and its alarm does not come by here at all: wire it so where you can. A relay across the
//! whole button makes the same reading as a finger, so its press is claimed only while it can be nothing else: the
//! contact moved after the relay was told to, no later than [`Relay::drop`] after it had drawn, once, and was at rest no
//! later than [`Relay::drop`] after it had let go. Anything else is an alarm: at once, and a real one. What remains is a press that
//! begins and ends while the relay is drawn: no wiring of this kind can show it.

use super::Failure;
use crate::Mono;
use crate::point::{DISCREPANCY_LONGEST, Reading, Sense, Wiring, sense};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An output that does not answer in this time has failed: two exchanges on a slow bus with their retries.
pub const SWITCHED_WITHIN: Duration = Duration::from_secs(2);
/// A contact that has not moved by then is deaf: relay 20 ms, debounce 50 ms, a polled board 50 ms, and a busy box.
pub const SEEN_WITHIN: Duration = Duration::from_millis(750);
/// A relay drops in 5 to 20 ms and bounces for as long; a contact that is still moved after this is held by a finger.
pub const DROP: Duration = Duration::from_millis(60);
/// No relay drops and stops bouncing sooner.
pub const DROP_SHORTEST: Duration = Duration::from_millis(20);
/// A polled input board may need this long to show it. The longer, the longer a press can hide.
pub const DROP_LONGEST: Duration = Duration::from_millis(500);
/// Without any reading after the relay has let go, the last one counts after this: an alarm waits no longer.
pub const EVIDENCE_WITHIN: Duration = Duration::from_secs(2);

/// Which contact a test relay moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moves {
    /// All of the button, as a press does.
    Press,
    /// Closes the normally open contact of a pair.
    Open,
    /// Opens the normally closed contact of a pair.
    Closed,
}

/// A test relay of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    /// What it moves.
    pub moves: Moves,
    /// How long after it was switched its contact may still be seen where it was.
    pub drop: Duration,
}

impl Relay {
    /// Across the whole button.
    pub fn press(drop: Duration) -> Self {
        Self { moves: Moves::Press, drop }
    }

    /// On the normally open contact of a pair.
    pub fn open() -> Self {
        Self { moves: Moves::Open, drop: DROP }
    }

    /// On the normally closed contact of a pair.
    pub fn closed() -> Self {
        Self { moves: Moves::Closed, drop: DROP }
    }

    fn moved(self, wiring: Wiring, reading: Reading) -> Shown {
        let moved = match self.moves {
            Moves::Press => sense(wiring, reading) == Sense::Active,
            Moves::Open => reading == Reading::Pair { open: true, closed: true },
            Moves::Closed => reading == Reading::Pair { open: false, closed: false },
        };
        match (moved, sense(wiring, reading)) {
            (true, _) => Shown::Moved,
            (false, Sense::Rest) => Shown::Rest,
            (false, Sense::Active | Sense::Odd(_)) => Shown::Other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Rest,
    Moved,
    Other,
}

/// Whose press it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The relay's: it is no alarm.
    Mine,
    /// Somebody's.
    Theirs,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Switch the relay, and say how that ended.
    Switch(bool),
    /// A press that was claimed was somebody's: raise its alarm now.
    Press,
    /// It is over; how long it took until the movement counted.
    Done(Result<Duration, Failure>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Operating { until: Mono },
    Waiting { until: Mono },
    Releasing { until: Mono },
    Resting { off: Mono },
    Done,
}

/// One stroke. Give it every reading of the point, what the point settled on, and the time.
#[derive(Clone, Debug)]
pub struct Stroke {
    relay: Relay,
    wiring: Wiring,
    debounce: Duration,
    began: Mono,
    phase: Phase,
    shown: Shown,
    /// Since when it has been shown.
    since: Mono,
    /// When the relay had been switched on.
    on: Option<Mono>,
    /// The last reading at rest, until the contact moved.
    rested: Mono,
    /// The moment after which the contact moved first.
    first_moved: Option<Mono>,
    by_edge: bool,
    /// The movement has counted, after this time.
    counted: Option<Duration>,
    /// A settled press was taken for the relay's, and has not been given back.
    claimed: bool,
    /// The last moment at which the contact is known to have been moved.
    last_moved: Option<Mono>,
    failed: Option<Failure>,
    steps: Vec<Step>,
}

impl Stroke {
    /// Begins at a point that is settled at rest.
    pub fn begin(relay: Relay, wiring: Wiring, debounce: Duration, now: Mono) -> Self {
        Self {
            relay,
            wiring,
            debounce,
            began: now,
            phase: Phase::Operating { until: now + SWITCHED_WITHIN },
            shown: Shown::Rest,
            since: now,
            on: None,
            rested: now,
            first_moved: None,
            by_edge: false,
            counted: None,
            claimed: false,
            last_moved: None,
            failed: None,
            steps: vec![Step::Switch(true)],
        }
    }

    /// The relay has been switched, or could not be.
    pub fn handle_switched(&mut self, on: bool, done: bool, now: Mono) {
        match (self.phase, on) {
            (Phase::Operating { .. }, true) if done => {
                self.on = Some(now);
                self.phase = Phase::Waiting { until: now + SEEN_WITHIN };
            }
            (Phase::Operating { .. }, true) => self.let_go(Some(Failure::Relay), now),
            (Phase::Releasing { .. }, false) => self.released(done, now),
            _ => {}
        }
    }

    /// A reading made at `at`; `edge` when the device told it by itself.
    pub fn handle_reading(&mut self, reading: Reading, edge: bool, at: Mono) {
        let shown = self.relay.moved(self.wiring, reading);
        let was = std::mem::replace(&mut self.shown, shown);
        if was != shown {
            self.since = at;
        }
        // An edge also tells until when the level before it was there.
        if shown == Shown::Moved || (edge && was == Shown::Moved) {
            self.last_moved = self.last_moved.max(Some(at));
        }
        match shown {
            Shown::Moved => {
                // A level that was polled changed at some time since the one before.
                self.first_moved.get_or_insert(if edge { at } else { self.rested.min(at) });
                self.by_edge |= edge;
            }
            Shown::Rest if self.first_moved.is_none() => self.rested = self.rested.max(at),
            Shown::Rest | Shown::Other => {}
        }
        if self.claimed && self.outlasts() {
            self.give_back();
        }
    }

    /// The point has settled on a press.
    pub fn handle_pressed(&mut self, now: Mono) -> Claim {
        if self.phase == Phase::Done || !self.can_be_the_relays() {
            self.let_go(Some(Failure::Busy), now);
            return Claim::Theirs;
        }
        self.claimed = true;
        self.count(now);
        Claim::Mine
    }

    /// The point has settled on rest.
    pub fn handle_released(&mut self) -> Claim {
        if std::mem::take(&mut self.claimed) {
            if let Phase::Resting { .. } = self.phase {
                self.finish();
            }
            return Claim::Mine;
        }
        Claim::Theirs
    }

    /// Something more important: the relay lets go, and the test is done again some other time.
    pub fn abort(&mut self, now: Mono) {
        self.let_go(Some(Failure::Busy), now);
    }

    /// What is due.
    pub fn handle_time(&mut self, now: Mono) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            Phase::Operating { .. } => self.let_go(Some(Failure::Relay), now),
            Phase::Waiting { until } if now >= until => self.let_go(Some(Failure::Deaf), now),
            Phase::Waiting { .. } => self.count(now),
            Phase::Releasing { .. } => self.released(false, now),
            Phase::Resting { .. } => self.rest(),
            Phase::Done => {}
        }
    }

    /// When [`Stroke::handle_time`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        match self.phase {
            Phase::Operating { until } | Phase::Releasing { until } => Some(until),
            Phase::Waiting { until } => Some(self.counts_at().map_or(until, |at| at.min(until))),
            Phase::Resting { off } => Some(self.rests_at(off)),
            Phase::Done => None,
        }
    }

    /// Whether the press that the point has settled on is the relay's: nobody is to see it.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// The next thing to do. Call until `None`.
    pub fn poll(&mut self) -> Option<Step> {
        (!self.steps.is_empty()).then(|| self.steps.remove(0))
    }

    fn can_be_the_relays(&self) -> bool {
        // A relay presses once: what settles again after it was back at rest is a finger.
        let first = self.counted.is_none() || self.claimed;
        let drawn =
            |moved: Mono| moved >= self.began && self.on.is_none_or(|on| moved <= on + self.relay.drop);
        let with_it = self.first_moved.is_some_and(drawn);
        self.relay.moves == Moves::Press && first && with_it && !self.outlasts()
    }

    /// The movement of a single contact has held for the time that a press must hold.
    fn counts_at(&self) -> Option<Mono> {
        let moved = self.relay.moves != Moves::Press && self.shown == Shown::Moved;
        moved.then(|| self.since + self.debounce)
    }

    fn rests_at(&self, off: Mono) -> Mono {
        match self.shown {
            _ if self.claimed => off + EVIDENCE_WITHIN,
            Shown::Rest => (off + self.relay.drop).max(self.since) + self.debounce,
            Shown::Moved | Shown::Other => off + EVIDENCE_WITHIN,
        }
    }

    fn count(&mut self, now: Mono) {
        self.counted.get_or_insert(now.since(self.began));
        self.let_go(None, now);
    }

    fn let_go(&mut self, failed: Option<Failure>, now: Mono) {
        if self.phase != Phase::Done {
            self.failed = self.failed.take().or(failed);
        }
        if let Phase::Operating { .. } | Phase::Waiting { .. } = self.phase {
            self.phase = Phase::Releasing { until: now + SWITCHED_WITHIN };
            self.steps.push(Step::Switch(false));
        }
    }

    fn released(&mut self, done: bool, now: Mono) {
        if !done {
            self.failed.get_or_insert(Failure::Relay);
        }
        self.phase = Phase::Resting { off: now };
        if self.claimed && self.outlasts() {
            self.give_back();
        }
    }

    /// The contact was moved when the relay had long let go.
    fn outlasts(&self) -> bool {
        let Phase::Resting { off } = self.phase else { return false };
        self.last_moved.is_some_and(|moved| moved > off + self.relay.drop)
    }

    fn give_back(&mut self) {
        self.claimed = false;
        self.steps.push(Step::Press);
        self.failed.get_or_insert(Failure::NotRestored);
        self.finish();
    }

    fn rest(&mut self) {
        if self.claimed && self.shown == Shown::Moved {
            return self.give_back();
        }
        if self.shown != Shown::Rest {
            self.failed.get_or_insert(Failure::NotRestored);
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.phase = Phase::Done;
        let result = match (self.failed.take(), self.counted) {
            (Some(failure), _) => Err(failure),
            (None, None) => Err(Failure::Deaf),
            (None, Some(_)) if !self.by_edge => Err(Failure::NoEdge),
            (None, Some(counted)) => Ok(counted),
        };
        self.steps.push(Step::Done(result));
    }
}

const _: () = assert!(
    SEEN_WITHIN.as_millis() < DISCREPANCY_LONGEST.as_millis(),
    "a stroke of one contact is over before the longest discrepancy"
);
