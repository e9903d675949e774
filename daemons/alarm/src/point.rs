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
pub(crate) enum Sense {
    Rest,
    Active,
    Odd(Oddity),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
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

pub(crate) fn sense(wiring: Wiring, reading: Reading) -> Sense {
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
    /// Faults of the wiring that were told before the start, until the first settled reading.
    told: Vec<Fault>,
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
            told: Vec::new(),
        }
    }

    /// Faults that were told when the box was last up and not yet told as over: the first settled reading ends
    /// those that have passed meanwhile, and tells none of the others again. Faults that no reading shows are
    /// left out.
    pub fn with_told(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        for fault in faults {
            match (self.point.kind, &fault) {
                (Kind::Mains, Fault::MainsLost) | (Kind::Battery, Fault::BatteryLow) => {
                    self.settled = Settled::Unknown(Before::Active);
                }
                (_, Fault::WireCut | Fault::WireShort | Fault::InputUnreadable) => self.told.push(fault),
                _ => {}
            }
        }
        self
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

    /// Whether it has settled and nothing is on its way to another state.
    pub fn is_settled(&self) -> bool {
        self.since.is_some() && self.state() != State::Unknown && self.deadline().is_none()
    }

    /// When what it has settled on has held long enough not to be a contact on its way; `None` while it has not settled.
    pub fn steady_at(&self) -> Option<Mono> {
        self.since.filter(|_| self.is_settled()).map(|since| since + self.rest_time())
    }

    /// The last press was none that counts: a press soon after it is a new alarm, not a repeat.
    pub fn forget_press(&mut self) {
        self.last_press = None;
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
        let passed = std::mem::take(&mut self.told).into_iter().map(Outcome::Cleared);
        // A press goes out before the news that the wire is whole again.
        change.into_iter().chain(cleared).chain(passed).collect()
    }

    fn settle_fault(&mut self, oddity: Oddity) -> Vec<Outcome> {
        let (before, cleared) = match self.settled {
            Settled::Unknown(before) => (before, None),
            Settled::Faulty(known, before) => (before, Some(Outcome::Cleared(known.fault()))),
            Settled::Rest => (Before::Rest, None),
            Settled::Active => (Before::Active, None),
        };
        self.settled = Settled::Faulty(oddity, before);
        let fault = oddity.fault();
        let (known, passed): (Vec<_>, Vec<_>) = self.told.drain(..).partition(|told| *told == fault);
        let new = known.is_empty().then_some(Outcome::Faulted(fault));
        new.into_iter().chain(cleared).chain(passed.into_iter().map(Outcome::Cleared)).collect()
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
mod tests;
