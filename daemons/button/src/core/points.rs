//! All points of the box: feeds each one's [`Watch`], and tells when edges were missed.

use super::contacts::{Contacts, Levels, Place};
use alarm::point::{Before, Kind, Outcome, Point, Reading, State, Watch};
use alarm::spool::{Held, Spool};
use alarm::wire::PointStatus;
use alarm::{Fault, Mono, PointId};
use hw::Line;
use std::time::Duration;

use super::{Now, TestRelay};

/// A momentary button that was reported this recently and is found pressed is still held by the same finger: a
/// restart takes seconds, an update of the box some minutes.
pub const SAME_PRESS: Duration = Duration::from_secs(5 * 60);
/// Quiet after which missed edges are over: bounds a noisy wire to two notices in this time.
pub const CALM: Duration = Duration::from_secs(10);

/// A point and the lines that it is wired to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervised {
    /// What it is.
    pub point: Point,
    /// Where it is.
    pub contacts: Contacts,
    /// What moves them for a self-test.
    pub relays: Vec<TestRelay>,
}

/// What was heard of the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Levels that were read together.
    Levels(Vec<(Line, bool)>),
    /// One line changed, or may have changed unseen.
    Edge {
        /// Which.
        line: Line,
        /// The level after it.
        active: bool,
        /// Edges before it were lost.
        missed: bool,
    },
    /// These lines cannot be read.
    Unreadable(Vec<Line>),
}

pub(super) type Told = (Place, Outcome);

/// A reading as it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    pub(super) place: Place,
    pub(super) reading: Reading,
    /// The device told it by itself, and lost nothing before it.
    pub(super) edge: bool,
    pub(super) at: Mono,
}

pub(super) struct Points {
    watches: Vec<Watch>,
    levels: Levels,
    /// Until when edges count as missed, for each point.
    missed: Vec<Option<Mono>>,
    relays: Vec<Vec<TestRelay>>,
    noticed: Vec<Noticed>,
}

impl Points {
    pub(super) fn new(points: Vec<Supervised>, spool: &Spool, now: Now) -> Self {
        let relays = points.iter().map(|supervised| supervised.relays.clone()).collect();
        let levels = Levels::new(points.iter().map(|supervised| supervised.contacts.clone()).collect());
        let watch = |supervised: Supervised| {
            let before = before(supervised.point.kind, spool.held(&supervised.point.id), now);
            let told: Vec<_> = spool.standing(Some(&supervised.point.id)).cloned().collect();
            Watch::new(supervised.point, before).with_told(told)
        };
        let watches: Vec<_> = points.into_iter().map(watch).collect();
        Self { missed: vec![None; watches.len()], watches, levels, relays, noticed: Vec::new() }
    }

    /// Takes what was heard at `at`, which may be earlier than what was heard before.
    pub(super) fn handle_heard(&mut self, heard: Heard, at: Mono) -> Vec<Told> {
        match heard {
            Heard::Levels(levels) => {
                let readings = self.levels.set(levels);
                self.feed(readings, false, at)
            }
            Heard::Edge { line, active, missed } => {
                let gap = if missed { self.miss(&line, at) } else { None };
                let readings = self.levels.set([(line, active)]);
                self.feed(readings, !missed, at).into_iter().chain(gap).collect()
            }
            Heard::Unreadable(lines) => {
                let readings = self.levels.lose(&lines);
                self.feed(readings, false, at)
            }
        }
    }

    /// Settles what has held for its time.
    pub(super) fn handle_time(&mut self, now: Mono) -> Vec<Told> {
        let mut told = Vec::new();
        for (place, watch) in self.watches.iter_mut().enumerate() {
            told.extend(watch.handle_time(now).into_iter().map(|outcome| (place, outcome)));
            if self.missed[place].is_some_and(|until| now >= until) {
                self.missed[place] = None;
                told.push((place, Outcome::Cleared(Fault::EdgesMissed)));
            }
        }
        told
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let settling = self.watches.iter().filter_map(Watch::deadline);
        settling.chain(self.missed.iter().flatten().copied()).min()
    }

    pub(super) fn point(&self, place: Place) -> &Point {
        self.watches[place].point()
    }

    pub(super) fn find(&self, id: &PointId) -> Option<Place> {
        self.watches.iter().position(|watch| watch.point().id == *id)
    }

    pub(super) fn state(&self, place: Place) -> State {
        self.watches[place].state()
    }

    /// Whether nothing is on its way to another state.
    pub(super) fn is_settled(&self, place: Place) -> bool {
        self.watches[place].is_settled()
    }

    /// Since when, or from when on, what it has settled on is steady.
    pub(super) fn steady_at(&self, place: Place) -> Option<Mono> {
        self.watches[place].steady_at()
    }

    /// The last press was the test relay's.
    pub(super) fn forget_press(&mut self, place: Place) {
        self.watches[place].forget_press();
    }

    pub(super) fn relays(&self, place: Place) -> &[TestRelay] {
        &self.relays[place]
    }

    pub(super) fn lines(&self, place: Place) -> Vec<&Line> {
        self.levels.lines(place)
    }

    /// The readings of what was heard last.
    pub(super) fn take_noticed(&mut self) -> Vec<Noticed> {
        std::mem::take(&mut self.noticed)
    }

    pub(super) fn count(&self) -> usize {
        self.watches.len()
    }

    pub(super) fn status(&self, place: Place) -> PointStatus {
        let watch = &self.watches[place];
        PointStatus {
            point: watch.point().id.clone(),
            kind: watch.point().kind,
            wiring: watch.point().wiring,
            state: watch.state(),
        }
    }

    fn feed(&mut self, readings: Vec<(Place, Reading)>, edge: bool, at: Mono) -> Vec<Told> {
        let mut told = Vec::new();
        for (place, reading) in readings {
            self.noticed.push(Noticed { place, reading, edge, at });
            let outcomes = self.watches[place].handle_reading(reading, at);
            told.extend(outcomes.into_iter().map(|outcome| (place, outcome)));
        }
        told
    }

    fn miss(&mut self, line: &Line, at: Mono) -> Option<Told> {
        let place = self.levels.place(line)?;
        let known = self.missed[place].replace(at + CALM);
        known.is_none().then_some((place, Outcome::Faulted(Fault::EdgesMissed)))
    }
}

/// What is known of a point at the start. A latched button that was reported is not reported again; a momentary
/// one is only when the clock says for sure that it can be the same press.
fn before(kind: Kind, held: Option<Held>, now: Now) -> Before {
    let Some(held) = held else { return Before::Rest };
    let recent = now.sure && held.at <= now.wall && now.wall.since(held.at) < SAME_PRESS;
    match kind {
        Kind::HoldUp { latching: true, .. } | Kind::Tamper => Before::Active,
        Kind::HoldUp { latching: false, .. } if recent => Before::Active,
        Kind::HoldUp { latching: false, .. } | Kind::Mains | Kind::Battery => Before::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{Mode, NoticeId, Wall};

    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn what_is_known_of_a_point_at_the_start() {
        use Before::{Active, Rest};
        let button = |latching| Kind::HoldUp { mode: Mode::Silent, latching };
        let held = |ago_ms| {
            Some(Held { alarm: NoticeId::new(0, [0; 10]), at: Wall::from_millis(10 * MINUTE_MS - ago_ms) })
        };
        let table = [
            (button(true), None, true, Rest),
            (button(true), held(9 * MINUTE_MS), true, Active),
            (button(true), held(9 * MINUTE_MS), false, Active),
            (Kind::Tamper, held(9 * MINUTE_MS), false, Active),
            (button(false), None, true, Rest),
            (button(false), held(5 * MINUTE_MS - 1), true, Active),
            (button(false), held(5 * MINUTE_MS), true, Rest),
            (button(false), held(1000), false, Rest),
            (button(false), held(-1000), true, Rest),
            (Kind::Mains, held(1000), true, Rest),
        ];
        for (kind, held, sure, expected) in table {
            let now = Now { mono: Mono::default(), wall: Wall::from_millis(10 * MINUTE_MS), sure };
            assert_eq!(before(kind, held, now), expected, "{kind:?} {held:?} sure {sure}");
        }
    }
}
