//! The wall: what its beacon and siren show.
//!
//! ```text
//!   unacknowledged hold-up   red flashing   siren until acknowledged or its limit
//!   answered, open           red steady
//!   fault, or desk lost      amber (steady for a fault, flashing when the desk is lost)
//!   test or drill            blue
//!   none of these            green
//! ```
//!
//! The desk sends [`Signals`] on every change and every second; a wall that hears nothing for [`DESK_LOST_AFTER`]
//! says so by itself. After IEC 60073 (colours) and EN 50131-4 (the siren's limit).

use crate::{Fault, Mono};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often the desk repeats the signals.
pub const SIGNALS_EVERY: Duration = Duration::from_secs(1);
/// Silence of the desk after which the wall shows that it is alone: three signals missed.
pub const DESK_LOST_AFTER: Duration = Duration::from_millis(3500);
/// Longest sounding of a siren without a new alarm (noise ordinances; EN 50131-4).
pub const SIREN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Half a flash: 2 Hz, within the 1.4 to 2.8 Hz of IEC 60073 for normal flashing.
pub const FLASH_HALF: Duration = Duration::from_millis(250);

/// Whether whoever knows `known` also knows `mark`: it is of the same life of the desk, and not newer. After a crash
/// journal numbers that were never durable are given out again, so that marks of two lives say nothing about each
/// other.
pub fn covers(known: u64, mark: u64) -> bool {
    known >> 32 == mark >> 32 && mark <= known
}

/// What the centre wants the wall to show. Whole state, so that a lost message loses nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signals {
    /// Mark of the newest real hold-up alarm that nobody has acknowledged; 0 when there is none. Its lower half is
    /// a journal number, its upper half belongs to one life of the desk; see [`covers`].
    pub newest: u64,
    /// Real hold-up incidents that nobody has acknowledged.
    pub unacknowledged: u32,
    /// Real hold-up incidents that are acknowledged or answered, and open.
    pub open: u32,
    /// Standing faults and tampers.
    pub faults: u32,
    /// Open tests and drills.
    pub tests: u32,
}

/// What a wall tells the desk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// What it shows.
    pub shown: Outputs,
    /// The siren was cut by its limit.
    #[serde(default)]
    pub siren_cut: bool,
    /// Faults that it found: an output that does not read back, a board that does not answer.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// One lamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// Dark.
    #[default]
    Off,
    /// On.
    Steady,
    /// On and off at 2 Hz.
    Flashing,
}

impl Light {
    /// Whether the lamp is lit at `now`. All lamps flash in step.
    pub fn lit(self, now: Mono) -> bool {
        match self {
            Self::Off => false,
            Self::Steady => true,
            Self::Flashing => {
                (now.micros() / u64::try_from(FLASH_HALF.as_micros()).unwrap_or(1)).is_multiple_of(2)
            }
        }
    }
}

/// Beacon and siren.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// Hold-up alarms.
    pub red: Light,
    /// Faults, and a lost desk.
    pub amber: Light,
    /// Tests and drills.
    pub blue: Light,
    /// All is well.
    pub green: Light,
    /// Sounding.
    pub siren: bool,
}

/// What the acknowledge button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// Silenced here; tell the desk that alarms up to this mark were seen.
    Tell {
        /// [`Signals::newest`].
        newest: u64,
    },
    /// Nothing was unacknowledged.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Siren {
    Quiet,
    /// For the alarm with this mark, since then.
    Sounding {
        newest: u64,
        since: Mono,
    },
    /// Sounded for its limit, or acknowledged at the wall; quiet until a newer alarm than any before.
    Silenced {
        newest: u64,
        by_limit: bool,
    },
}

/// The state of one wall.
#[derive(Clone, Debug)]
pub struct Panel {
    signals: Signals,
    heard: Option<Mono>,
    siren: Siren,
    limit: Duration,
}

impl Panel {
    /// A wall whose siren sounds for at most `limit` (and never more than [`SIREN_LIMIT`]).
    pub fn new(limit: Duration) -> Self {
        Self { signals: Signals::default(), heard: None, siren: Siren::Quiet, limit: limit.min(SIREN_LIMIT) }
    }

    /// Takes what the desk wants shown.
    pub fn handle_signals(&mut self, signals: Signals, now: Mono) {
        self.handle_time(now);
        self.heard = Some(now);
        self.signals = signals;
        let newest = signals.newest;
        self.siren = match self.siren {
            _ if signals.unacknowledged == 0 => Siren::Quiet,
            Siren::Sounding { since, newest: known } if covers(known, newest) => {
                Siren::Sounding { newest: known, since }
            }
            Siren::Silenced { newest: known, by_limit } if covers(known, newest) => {
                Siren::Silenced { newest: known, by_limit }
            }
            Siren::Quiet | Siren::Sounding { .. } | Siren::Silenced { .. } => {
                Siren::Sounding { newest, since: now }
            }
        };
    }

    /// The acknowledge button was pressed: the sound stops, the light does not.
    pub fn handle_acknowledge(&mut self, now: Mono) -> Acknowledged {
        self.handle_time(now);
        if self.signals.unacknowledged == 0 {
            return Acknowledged::Nothing;
        }
        let newest = self.signals.newest;
        let known = match self.siren {
            Siren::Quiet => newest,
            Siren::Sounding { newest: known, .. } | Siren::Silenced { newest: known, .. } => {
                if covers(known, newest) { known } else { newest }
            }
        };
        self.siren = Siren::Silenced { newest: known, by_limit: false };
        Acknowledged::Tell { newest }
    }

    /// Cuts the siren when its limit has come.
    pub fn handle_time(&mut self, now: Mono) {
        if let Siren::Sounding { newest, since } = self.siren
            && now.since(since) >= self.limit
        {
            self.siren = Siren::Silenced { newest, by_limit: true };
        }
    }

    /// When [`Panel::outputs`] will change by itself, flashing aside.
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        let cut = match self.siren {
            Siren::Sounding { since, .. } => Some(since + self.limit),
            Siren::Quiet | Siren::Silenced { .. } => None,
        };
        let alone = self.heard.map(|heard| heard + DESK_LOST_AFTER).filter(|lost| *lost > now);
        cut.into_iter().chain(alone).min()
    }

    /// The desk has been silent for too long, or has never spoken.
    pub fn desk_lost(&self, now: Mono) -> bool {
        self.heard.is_none_or(|heard| now.since(heard) >= DESK_LOST_AFTER)
    }

    /// What beacon and siren show at `now`.
    pub fn outputs(&self, now: Mono) -> Outputs {
        let lost = self.desk_lost(now);
        let s = &self.signals;
        let steady_if = |lit| if lit { Light::Steady } else { Light::Off };
        let quiet = s.unacknowledged == 0 && s.open == 0 && s.faults == 0 && s.tests == 0;
        Outputs {
            red: if s.unacknowledged > 0 { Light::Flashing } else { steady_if(s.open > 0) },
            amber: if lost { Light::Flashing } else { steady_if(s.faults > 0) },
            blue: steady_if(s.tests > 0),
            green: steady_if(quiet && !lost),
            siren: matches!(self.siren, Siren::Sounding { .. }),
        }
    }

    /// The siren was cut by its limit and stays quiet until a newer alarm.
    pub fn siren_cut(&self) -> bool {
        matches!(self.siren, Siren::Silenced { by_limit: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1000)
    }

    fn hold_up(newest: u64) -> Signals {
        Signals { newest, unacknowledged: 1, ..Signals::default() }
    }

    #[test]
    fn the_light_language() {
        use Light::{Off, Steady};
        let flash = Light::Flashing;
        let table = [
            (Signals::default(), (Off, Off, Off, Steady, false)),
            (hold_up(5), (flash, Off, Off, Off, true)),
            (Signals { open: 1, ..Signals::default() }, (Steady, Off, Off, Off, false)),
            (Signals { faults: 2, ..Signals::default() }, (Off, Steady, Off, Off, false)),
            (Signals { tests: 1, ..Signals::default() }, (Off, Off, Steady, Off, false)),
            (Signals { faults: 1, tests: 1, open: 1, ..hold_up(3) }, (flash, Steady, Steady, Off, true)),
        ];
        for (signals, (red, amber, blue, green, siren)) in table {
            let mut panel = Panel::new(LIMIT);
            panel.handle_signals(signals, at(0));
            assert_eq!(panel.outputs(at(1)), Outputs { red, amber, blue, green, siren }, "{signals:?}");
        }
    }

    #[test]
    fn a_wall_that_never_heard_the_desk_says_so() {
        let panel = Panel::new(LIMIT);
        assert_eq!(panel.outputs(at(0)), Outputs { amber: Light::Flashing, ..Outputs::default() });
    }

    #[test]
    fn a_lost_desk_is_amber_and_does_not_stop_a_siren() {
        let mut panel = Panel::new(LIMIT);
        panel.handle_signals(hold_up(1), at(0));
        let shown = panel.outputs(at(3_500));
        assert_eq!((shown.amber, shown.siren), (Light::Flashing, true));
    }

    #[test]
    fn the_siren_is_cut_and_a_newer_alarm_sounds_it_again() {
        let mut panel = Panel::new(LIMIT);
        panel.handle_signals(hold_up(1), at(0));
        panel.handle_signals(hold_up(1), at(30_000));
        assert_eq!(
            panel.deadline(at(59_999)),
            Some(at(33_500)).filter(|d| *d > at(59_999)).or(Some(at(60_000)))
        );
        panel.handle_time(at(60_000));
        assert!(!panel.outputs(at(60_000)).siren && panel.siren_cut());
        panel.handle_signals(hold_up(1), at(61_000));
        assert!(!panel.outputs(at(61_000)).siren);
        panel.handle_signals(hold_up(2), at(62_000));
        assert!(panel.outputs(at(62_000)).siren);
    }

    #[test]
    fn acknowledge_stops_the_sound_and_not_the_light() {
        let mut panel = Panel::new(LIMIT);
        assert_eq!(panel.handle_acknowledge(at(0)), Acknowledged::Nothing);
        panel.handle_signals(hold_up(4), at(0));
        assert_eq!(panel.handle_acknowledge(at(1)), Acknowledged::Tell { newest: 4 });
        let shown = panel.outputs(at(2));
        assert_eq!((shown.red, shown.siren), (Light::Flashing, false));
        panel.handle_signals(hold_up(4), at(3));
        assert!(!panel.outputs(at(3)).siren);
    }

    /// The desk has started again, and its numbers begin below those that the wall knew.
    #[test]
    fn what_another_life_of_the_desk_tells_is_new() {
        let life = |life: u64, number: u64| hold_up(life << 32 | number);
        let mut panel = Panel::new(LIMIT);
        panel.handle_signals(life(9, 50), at(0));
        assert_eq!(panel.handle_acknowledge(at(1)), Acknowledged::Tell { newest: 9 << 32 | 50 });
        panel.handle_signals(life(3, 40), at(2));
        assert!(panel.outputs(at(2)).siren);
        assert_eq!(panel.handle_acknowledge(at(3)), Acknowledged::Tell { newest: 3 << 32 | 40 });
        panel.handle_signals(life(3, 39), at(4));
        assert!(!panel.outputs(at(4)).siren);
        panel.handle_signals(life(3, 41), at(5));
        assert!(panel.outputs(at(5)).siren);
    }

    #[test]
    fn flashing_is_two_hertz_and_in_step() {
        let lit: Vec<_> = (0..4).map(|n| Light::Flashing.lit(at(n * 250))).collect();
        assert_eq!(lit, [true, false, true, false]);
        assert!(Light::Steady.lit(at(300)) && !Light::Off.lit(at(0)));
    }

    proptest! {
        /// The siren sounds only while somebody should acknowledge, and never past its limit for one alarm.
        #[test]
        fn siren_only_while_unacknowledged(steps in proptest::collection::vec((0u64..30_000, 0u64..4, any::<bool>()), 1..60)) {
            let mut panel = Panel::new(LIMIT);
            let (mut now, mut newest_ever, mut newer_since) = (0, 0, 0);
            for (gap, newest, press) in steps {
                now += gap;
                if press {
                    panel.handle_acknowledge(at(now));
                    prop_assert!(!panel.outputs(at(now)).siren);
                } else {
                    let signals = if newest == 0 { Signals::default() } else { hold_up(newest) };
                    panel.handle_signals(signals, at(now));
                    if newest == 0 { newest_ever = 0 } else if newest > newest_ever { newest_ever = newest; newer_since = now }
                    let sounding = panel.outputs(at(now)).siren;
                    prop_assert!(!sounding || newest > 0);
                    prop_assert!(!sounding || now - newer_since < 60_000 + 30_000);
                }
            }
        }
    }
}
