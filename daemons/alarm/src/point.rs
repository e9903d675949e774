//! Supervision of one point: when a reading of its contacts is a press, a fault or nothing.
//!
//! ```text
//!             active held for `debounce`
//!   ┌──────┐ ────────────────────────────▶ ┌────────┐
//!   │ Rest │                               │ Active │
//!   └──────┘ ◀──────────────────────────── └────────┘
//!     ▲   │    rest held for `debounce`      ▲   │
//!     │   │ odd for `discrepancy`            │   │ odd for `discrepancy`
//!     │   ▼                                  │   ▼
//!   ┌─────────────────────────────────────────────┐
//!   │ Faulty(cut | short | unreadable)            │
//!   └─────────────────────────────────────────────┘
//! ```
//!
//! The start is `Unknown`: the first settled reading decides, so that a latched button found pressed is a press.
//! Wiring and times follow the trade's practice for hold-up devices: an antivalent pair (one normally open, one
//! normally closed contact of the same button) distinguishes press, cut and short without resistors.

use crate::{Fault, Mode, Mono, PointId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Shortest sensible and default debounce: contacts of buttons bounce for 5 to 20 ms, and a stab of 50 ms counts.
pub const DEBOUNCE: Duration = Duration::from_millis(30);
/// Longer than this and a stab of 50 ms would be lost.
pub const DEBOUNCE_LONGEST: Duration = Duration::from_millis(50);
/// How long an antivalent pair may disagree while a finger moves it.
pub const DISCREPANCY: Duration = Duration::from_millis(500);
/// A cut wire is shown within 2 s (GB 50394 family), debounce and transmission included.
pub const DISCREPANCY_LONGEST: Duration = Duration::from_millis(1500);
/// Mains may blink; its loss is a fault only after this.
pub const MAINS_HOLD_OFF: Duration = Duration::from_secs(10);
/// A second press this soon after the first belongs to it and is counted.
pub const REPEAT_WINDOW: Duration = Duration::from_secs(10);

/// One supervised input: what it is and how it is wired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name, as the site register has it.
    pub id: PointId,
    /// What it watches.
    pub kind: Kind,
    /// How its contacts are wired.
    pub wiring: Wiring,
    /// How long a reading must hold.
    pub timing: Timing,
}

/// What a point watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
pub enum Kind {
    /// A panic button (a hold-up device). There is no disarmed state.
    HoldUp {
        /// How the site is treated when it is pressed.
        #[serde(default)]
        mode: Mode,
        /// It stays pressed until somebody resets it with a key.
        #[serde(default)]
        latching: bool,
    },
    /// The enclosure or the wall mount; active when opened.
    Tamper,
    /// The "mains present" contact of the supply; active when the mains is gone.
    Mains,
    /// The "battery low" contact of the supply; active when low.
    Battery,
}

/// How a point's contacts are wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wiring {
    /// A normally open and a normally closed contact of one button, on two inputs.
    Antivalent,
    /// One normally open contact. **A cut wire is silent**: allowed, with a warning.
    NormallyOpen,
    /// One normally closed contact. A cut wire is taken for a press.
    NormallyClosed,
}

impl Wiring {
    /// What a technician must be told about this wiring.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Antivalent => None,
            Self::NormallyOpen => Some(
                "a single normally-open contact: a cut wire is silent, and the button is dead without anybody knowing",
            ),
            Self::NormallyClosed => {
                Some("a single normally-closed contact: a cut wire cannot be told from a press")
            }
        }
    }
}

/// How long a reading must hold before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For rest and active.
    pub debounce: Duration,
    /// For the two contacts of a pair to agree, and for a device to answer.
    pub discrepancy: Duration,
    /// A press this soon after the last one is the same alarm, counted.
    pub repeat: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { debounce: DEBOUNCE, discrepancy: DISCREPANCY, repeat: REPEAT_WINDOW }
    }
}

impl Timing {
    /// The usual times for a point of this kind.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::HoldUp { .. } | Kind::Tamper => Self::default(),
            Kind::Mains | Kind::Battery => Self { debounce: MAINS_HOLD_OFF, ..Self::default() },
        }
    }
}

/// What the input device shows: whether each contact is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Both contacts of an antivalent pair.
    Pair {
        /// The normally open contact is closed.
        open: bool,
        /// The normally closed contact is closed.
        closed: bool,
    },
    /// The only contact is closed.
    Single(bool),
    /// The device did not answer.
    Unreadable,
}

/// What a reading means for a wiring, before it has held for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Rest,
    Active,
    Odd(Oddity),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    Cut,
    Short,
    Unreadable,
}

impl Oddity {
    fn fault(self) -> Fault {
        match self {
            Self::Cut => Fault::WireCut,
            Self::Short => Fault::WireShort,
            Self::Unreadable => Fault::InputUnreadable,
        }
    }
}

fn sense(wiring: Wiring, reading: Reading) -> Sense {
    match (wiring, reading) {
        (Wiring::Antivalent, Reading::Pair { open: false, closed: true }) => Sense::Rest,
        (Wiring::Antivalent, Reading::Pair { open: true, closed: false }) => Sense::Active,
        (Wiring::Antivalent, Reading::Pair { open: false, closed: false }) => Sense::Odd(Oddity::Cut),
        (Wiring::Antivalent, Reading::Pair { open: true, closed: true }) => Sense::Odd(Oddity::Short),
        (Wiring::NormallyOpen, Reading::Single(closed)) => active_if(closed),
        (Wiring::NormallyClosed, Reading::Single(closed)) => active_if(!closed),
        (Wiring::Antivalent, Reading::Single(_))
        | (Wiring::NormallyOpen | Wiring::NormallyClosed, Reading::Pair { .. })
        | (_, Reading::Unreadable) => Sense::Odd(Oddity::Unreadable),
    }
}

fn active_if(active: bool) -> Sense {
    if active { Sense::Active } else { Sense::Rest }
}

/// What a settled change means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A button was pressed: raise an alarm.
    Pressed {
        /// It was found so at the start, not seen to happen.
        at_start: bool,
    },
    /// Pressed again within the repeat window: the same alarm, this many times.
    Repeated {
        /// Presses of this alarm so far, the first included.
        count: u32,
    },
    /// The button went back to rest.
    Released,
    /// The enclosure was opened.
    Opened,
    /// The enclosure was closed.
    Shut,
    /// Something is wrong with the point or what it watches.
    Faulted(Fault),
    /// It is right again.
    Cleared(Fault),
}

/// The settled state of a point, as a status report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not read yet.
    Unknown,
    /// At rest.
    Rest,
    /// Pressed, opened, mains gone, battery low.
    Active,
    /// Cut, short or unreadable.
    Faulty,
}

/// What was known of a point when the box was last up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// At rest, or never seen.
    Rest,
    /// Active, and that was reported then: not reported again.
    Active,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    Unknown(Before),
    Rest,
    Active,
    /// What it was before the fault decides whether the end of the fault is also a release.
    Faulty(Oddity, Before),
}

/// The supervision of one point. Give it every reading, and the time when [`Watch::deadline`] has come.
#[derive(Clone, Debug)]
pub struct Watch {
    point: Point,
    settled: Settled,
    raw: Sense,
    /// When `raw` was first seen.
    since: Option<Mono>,
    /// When the contacts first disagreed without a valid reading having settled since.
    odd_since: Option<Mono>,
    /// The last press and how many there were within the window.
    last_press: Option<(Mono, u32)>,
}

impl Watch {
    /// Watches `point`, of which `before` was known when the box was last up.
    pub fn new(point: Point, before: Before) -> Self {
        Self {
            point,
            settled: Settled::Unknown(before),
            raw: Sense::Rest,
            since: None,
            odd_since: None,
            last_press: None,
        }
    }

    /// The point.
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// What it has settled on.
    pub fn state(&self) -> State {
        match self.settled {
            Settled::Unknown(_) => State::Unknown,
            Settled::Rest => State::Rest,
            Settled::Active => State::Active,
            Settled::Faulty(..) => State::Faulty,
        }
    }

    /// Takes a reading made at `now`. What held until `now` is settled first, so a late call loses nothing.
    pub fn handle_reading(&mut self, reading: Reading, now: Mono) -> Vec<Outcome> {
        let due = self.handle_time(now);
        let sense = sense(self.point.wiring, reading);
        if self.since.is_none() || sense != self.raw {
            self.turn(sense, now);
        }
        due
    }

    fn turn(&mut self, sense: Sense, now: Mono) {
        let held = self.since.is_some_and(|since| now.since(since) >= self.rest_time());
        if held && !matches!(self.raw, Sense::Odd(_)) {
            self.odd_since = None;
        }
        if matches!(sense, Sense::Odd(_)) && self.odd_since.is_none() {
            self.odd_since = Some(now);
        }
        self.raw = sense;
        self.since = Some(now);
    }

    /// Settles what has held for its time. A call before [`Watch::deadline`] does nothing.
    pub fn handle_time(&mut self, now: Mono) -> Vec<Outcome> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match self.raw {
            Sense::Rest => self.settle(Before::Rest),
            Sense::Active => self.settle(Before::Active),
            Sense::Odd(oddity) => self.settle_fault(oddity),
        }
    }

    /// When the present reading will have held for its time; `None` when it is already settled.
    pub fn deadline(&self) -> Option<Mono> {
        let since = self.since?;
        match (self.raw, self.settled) {
            (Sense::Rest, Settled::Rest) | (Sense::Active, Settled::Active) => None,
            (Sense::Odd(oddity), Settled::Faulty(known, _)) if oddity == known => None,
            (Sense::Rest, _) => Some(since + self.rest_time()),
            (Sense::Active, _) => Some(since + self.point.timing.debounce),
            (Sense::Odd(_), _) => Some(self.odd_since.unwrap_or(since) + self.point.timing.discrepancy),
        }
    }

    /// Mains that came back is mains: only its loss waits for the long hold-off.
    fn rest_time(&self) -> Duration {
        self.point.timing.debounce.min(DEBOUNCE_LONGEST)
    }

    fn settle(&mut self, to: Before) -> Vec<Outcome> {
        let settled = if to == Before::Active { Settled::Active } else { Settled::Rest };
        let was = std::mem::replace(&mut self.settled, settled);
        self.odd_since = None;
        let (before, cleared, at_start) = match was {
            Settled::Unknown(before) => (before, None, true),
            Settled::Faulty(oddity, before) => (before, Some(Outcome::Cleared(oddity.fault())), false),
            Settled::Rest => (Before::Rest, None, false),
            Settled::Active => (Before::Active, None, false),
        };
        let change = match (before, to) {
            (Before::Rest, Before::Active) => Some(self.active(at_start)),
            (Before::Active, Before::Rest) => Some(self.inactive()),
            (Before::Rest, Before::Rest) | (Before::Active, Before::Active) => None,
        };
        // A press goes out before the news that the wire is whole again.
        change.into_iter().chain(cleared).collect()
    }

    fn settle_fault(&mut self, oddity: Oddity) -> Vec<Outcome> {
        let (before, cleared) = match self.settled {
            Settled::Unknown(before) => (before, None),
            Settled::Faulty(known, before) => (before, Some(Outcome::Cleared(known.fault()))),
            Settled::Rest => (Before::Rest, None),
            Settled::Active => (Before::Active, None),
        };
        self.settled = Settled::Faulty(oddity, before);
        std::iter::once(Outcome::Faulted(oddity.fault())).chain(cleared).collect()
    }

    fn active(&mut self, at_start: bool) -> Outcome {
        match self.point.kind {
            Kind::HoldUp { .. } => self.press(at_start),
            Kind::Tamper => Outcome::Opened,
            Kind::Mains => Outcome::Faulted(Fault::MainsLost),
            Kind::Battery => Outcome::Faulted(Fault::BatteryLow),
        }
    }

    fn inactive(&self) -> Outcome {
        match self.point.kind {
            Kind::HoldUp { .. } => Outcome::Released,
            Kind::Tamper => Outcome::Shut,
            Kind::Mains => Outcome::Cleared(Fault::MainsLost),
            Kind::Battery => Outcome::Cleared(Fault::BatteryLow),
        }
    }

    fn press(&mut self, at_start: bool) -> Outcome {
        let at = self.since.unwrap_or_default();
        let count = match self.last_press {
            Some((last, count)) if at.since(last) < self.point.timing.repeat => count.saturating_add(1),
            Some(_) | None => 1,
        };
        self.last_press = Some((at, count));
        if count == 1 { Outcome::Pressed { at_start } } else { Outcome::Repeated { count } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REST: Reading = Reading::Pair { open: false, closed: true };
    const PRESS: Reading = Reading::Pair { open: true, closed: false };
    const CUT: Reading = Reading::Pair { open: false, closed: false };
    const SHORT: Reading = Reading::Pair { open: true, closed: true };

    fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1000)
    }

    fn button(before: Before) -> Watch {
        let kind = Kind::HoldUp { mode: Mode::Silent, latching: false };
        let id = PointId::new("gate").unwrap();
        Watch::new(Point { id, kind, wiring: Wiring::Antivalent, timing: Timing::default() }, before)
    }

    /// Feeds readings at their times and settles everything 20 s after the last.
    fn story(mut watch: Watch, readings: &[(u64, Reading)]) -> Vec<Outcome> {
        let mut told = Vec::new();
        for (ms, reading) in readings {
            told.extend(watch.handle_reading(*reading, at(*ms)));
        }
        let end = readings.last().map_or(0, |(ms, _)| *ms) + 20_000;
        told.extend(watch.handle_time(at(end)));
        told
    }

    /// Every settled state under every reading that holds for its time.
    #[test]
    fn transition_table() {
        use Outcome::{Cleared, Faulted, Pressed, Released};
        let (cut, short) = (Fault::WireCut, Fault::WireShort);
        let gone = Fault::InputUnreadable;
        let table: &[(&[Reading], Reading, State, Vec<Outcome>)] = &[
            (&[], REST, State::Rest, vec![]),
            (&[], PRESS, State::Active, vec![Pressed { at_start: true }]),
            (&[], CUT, State::Faulty, vec![Faulted(cut.clone())]),
            (&[], SHORT, State::Faulty, vec![Faulted(short.clone())]),
            (&[], Reading::Unreadable, State::Faulty, vec![Faulted(gone.clone())]),
            (&[REST], REST, State::Rest, vec![]),
            (&[REST], PRESS, State::Active, vec![Pressed { at_start: false }]),
            (&[REST], CUT, State::Faulty, vec![Faulted(cut.clone())]),
            (&[REST], SHORT, State::Faulty, vec![Faulted(short.clone())]),
            (&[REST], Reading::Unreadable, State::Faulty, vec![Faulted(gone.clone())]),
            (&[PRESS], REST, State::Rest, vec![Released]),
            (&[PRESS], PRESS, State::Active, vec![]),
            (&[PRESS], CUT, State::Faulty, vec![Faulted(cut.clone())]),
            (&[PRESS], SHORT, State::Faulty, vec![Faulted(short.clone())]),
            (&[REST, CUT], REST, State::Rest, vec![Cleared(cut.clone())]),
            (&[REST, CUT], PRESS, State::Active, vec![Pressed { at_start: false }, Cleared(cut.clone())]),
            (&[REST, CUT], CUT, State::Faulty, vec![]),
            (&[REST, CUT], SHORT, State::Faulty, vec![Faulted(short.clone()), Cleared(cut.clone())]),
            (&[PRESS, CUT], REST, State::Rest, vec![Released, Cleared(cut.clone())]),
            (&[PRESS, SHORT], PRESS, State::Active, vec![Cleared(short.clone())]),
        ];
        for (path, reading, state, outcomes) in table {
            let mut watch = button(Before::Rest);
            let mut now = 0;
            for step in path.iter() {
                watch.handle_reading(*step, at(now));
                now += 60_000;
                watch.handle_time(at(now));
            }
            watch.handle_reading(*reading, at(now));
            let told = watch.handle_time(at(now + 60_000));
            assert_eq!((&told, watch.state()), (outcomes, *state), "{path:?} then {reading:?}");
        }
    }

    #[test]
    fn bounce_shorter_than_the_debounce_is_one_press() {
        let bouncing: Vec<_> = (0..20)
            .map(|step| (1000 + step, if step % 2 == 0 { PRESS } else { CUT }))
            .chain([(1020, PRESS)])
            .collect();
        let readings = [&[(0, REST)], bouncing.as_slice(), &[(1400, REST)]].concat();
        assert_eq!(
            story(button(Before::Rest), &readings),
            [Outcome::Pressed { at_start: false }, Outcome::Released]
        );
    }

    #[test]
    fn a_stab_of_fifty_milliseconds_counts() {
        let readings = [(0, REST), (1000, CUT), (1004, PRESS), (1050, CUT), (1053, REST)];
        assert_eq!(
            story(button(Before::Rest), &readings),
            [Outcome::Pressed { at_start: false }, Outcome::Released]
        );
    }

    #[test]
    fn presses_within_the_window_are_counted() {
        let readings = [(0, REST), (1000, PRESS), (1500, REST), (2000, PRESS), (2500, REST), (30_000, PRESS)];
        assert_eq!(
            story(button(Before::Rest), &readings),
            [
                Outcome::Pressed { at_start: false },
                Outcome::Released,
                Outcome::Repeated { count: 2 },
                Outcome::Released,
                Outcome::Pressed { at_start: false },
            ]
        );
    }

    #[test]
    fn a_latched_press_that_was_handled_is_not_raised_again() {
        assert_eq!(story(button(Before::Active), &[(0, PRESS)]), []);
        assert_eq!(story(button(Before::Rest), &[(0, PRESS)]), [Outcome::Pressed { at_start: true }]);
        assert_eq!(story(button(Before::Active), &[(0, REST)]), [Outcome::Released]);
    }

    #[test]
    fn a_glitch_long_ago_does_not_shorten_the_discrepancy_time() {
        let mut watch = button(Before::Rest);
        for (ms, reading) in [(0, REST), (1000, CUT), (1010, REST), (60_000, CUT)] {
            watch.handle_reading(reading, at(ms));
        }
        assert_eq!(watch.handle_time(at(60_100)), []);
        assert_eq!(watch.handle_time(at(60_500)), [Outcome::Faulted(Fault::WireCut)]);
    }

    #[test]
    fn a_chattering_wire_is_a_fault_in_the_end() {
        let readings: Vec<_> =
            (0..100).map(|n| (1000 + n * 10, if n % 2 == 0 { CUT } else { REST })).collect();
        let told = story(button(Before::Rest), &[&[(0, REST)], readings.as_slice()].concat());
        assert_eq!(told.first(), Some(&Outcome::Faulted(Fault::WireCut)));
    }

    #[test]
    fn mains_waits_for_its_hold_off_and_comes_back_at_once() {
        let id = PointId::new("mains").unwrap();
        let point =
            Point { id, kind: Kind::Mains, wiring: Wiring::NormallyClosed, timing: Timing::of(Kind::Mains) };
        let mut watch = Watch::new(point, Before::Rest);
        watch.handle_reading(Reading::Single(true), at(0));
        watch.handle_reading(Reading::Single(false), at(1_000));
        assert_eq!(watch.handle_time(at(10_999)), []);
        assert_eq!(watch.handle_time(at(11_000)), [Outcome::Faulted(Fault::MainsLost)]);
        watch.handle_reading(Reading::Single(true), at(20_000));
        assert_eq!(watch.handle_time(at(20_050)), [Outcome::Cleared(Fault::MainsLost)]);
    }

    fn any_reading() -> impl Strategy<Value = Reading> {
        prop_oneof![Just(REST), Just(PRESS), Just(CUT), Just(SHORT), Just(Reading::Unreadable)]
    }

    proptest! {
        /// Whatever came before, a press held longer than the debounce from a settled rest is told exactly once.
        #[test]
        fn a_held_press_is_told_once(noise in proptest::collection::vec((1u64..300, any_reading()), 0..40), held in 31u64..5000) {
            let mut watch = button(Before::Rest);
            let mut now = 0;
            for (gap, reading) in noise {
                watch.handle_reading(reading, at(now));
                now += gap;
            }
            watch.handle_reading(REST, at(now));
            now += 20_000;
            watch.handle_reading(PRESS, at(now));
            let mut told = watch.handle_reading(REST, at(now + held));
            told.extend(watch.handle_time(at(now + held + 1000)));
            let presses = told.iter().filter(|o| matches!(o, Outcome::Pressed { .. } | Outcome::Repeated { .. })).count();
            prop_assert_eq!(presses, 1);
        }

        /// Calls that come early or twice change nothing.
        #[test]
        fn early_calls_are_no_ops(readings in proptest::collection::vec((1u64..700, any_reading()), 1..40)) {
            let (mut calm, mut eager) = (button(Before::Rest), button(Before::Rest));
            let (mut a, mut b) = (Vec::new(), Vec::new());
            let mut now = 0;
            for (gap, reading) in readings {
                a.extend(calm.handle_reading(reading, at(now)));
                b.extend(eager.handle_reading(reading, at(now)));
                for early in 0..gap {
                    b.extend(eager.handle_time(at(now + early)));
                    b.extend(eager.handle_reading(reading, at(now + early)));
                }
                now += gap;
            }
            a.extend(calm.handle_time(at(now + 20_000)));
            b.extend(eager.handle_time(at(now + 20_000)));
            prop_assert_eq!(a, b);
        }
    }
}
