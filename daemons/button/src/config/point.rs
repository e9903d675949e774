use super::check::NAME_REMEDY;
use super::raw::{Point, WhatIs};
use crate::core::{Contacts, Supervised, TestRelay};
use alarm::PointId;
use alarm::point::{self, DEBOUNCE, DEBOUNCE_LONGEST, DISCREPANCY_LONGEST, Kind, Timing, Wiring};
use alarm::selftest::{DROP, DROP_LONGEST, DROP_SHORTEST, Relay};
use hw::Board;
use std::fmt::Display;
use std::time::Duration;
use unit::config::Wrong;

/// Mains that is gone for longer is gone, whatever the utility says.
const HOLD_OFF_LONGEST: Duration = Duration::from_secs(300);
/// Presses further apart are separate calls for help.
const REPEAT_LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Check<'a> {
    pub(super) raw: &'a Point,
    pub(super) place: usize,
    pub(super) board: &'a Board,
}

impl Check<'_> {
    pub(super) fn point(&self) -> Result<Supervised, Wrong> {
        let id = PointId::new(self.raw.id.clone())
            .map_err(|_| self.wrong("id", format!("{:?} is not usable", self.raw.id), NAME_REMEDY))?;
        let kind = self.kind()?;
        let timing = self.timing(kind)?;
        let contacts = self.contacts()?;
        let relays = self.test_relays(kind)?;
        let point = point::Point { id, kind, wiring: self.raw.wiring, timing };
        Ok(Supervised { point, contacts, relays })
    }

    /// The outputs of test relays that are named, with their keys.
    pub(super) fn relays(&self) -> Vec<(&'static str, &str)> {
        let raw = self.raw;
        let named = [("test", &raw.test), ("test-no", &raw.test_no), ("test-nc", &raw.test_nc)];
        named.into_iter().filter_map(|(key, output)| Some((key, output.as_deref()?))).collect()
    }

    fn test_relays(&self, kind: Kind) -> Result<Vec<TestRelay>, Wrong> {
        let named = self.relays();
        let drop = self.raw.test_drop_ms.map(Duration::from_millis);
        let drop = self.within("test-drop-ms", drop, DROP, DROP_SHORTEST..=DROP_LONGEST)?;
        let Some((first, _)) = named.first() else {
            return match self.raw.test_drop_ms {
                Some(_) => {
                    Err(self.wrong("test-drop-ms", "there is no test relay", "remove it, or give `test`"))
                }
                None => Ok(vec![]),
            };
        };
        if !matches!(kind, Kind::HoldUp { .. }) {
            return Err(self.wrong(first, "is for buttons only", "remove it, or give kind = \"hold-up\""));
        }
        if self.raw.test.is_some() && named.len() > 1 {
            let remedy = "give `test`, or better `test-no` and `test-nc`, not both";
            return Err(self.wrong("test", "the contacts have relays of their own", remedy));
        }
        if self.raw.wiring != Wiring::Antivalent && self.raw.test.is_none() {
            return Err(self.wrong(first, "a single contact has one relay", "give `test` instead"));
        }
        let known: Vec<_> = self.board.outputs().collect();
        named.into_iter().map(|(key, output)| self.test_relay(key, output, drop, &known)).collect()
    }

    fn test_relay(
        &self,
        key: &'static str,
        output: &str,
        drop: Duration,
        known: &[&str],
    ) -> Result<TestRelay, Wrong> {
        if !known.contains(&output) {
            let remedy = format!("the board's outputs are: {}", known.join(", "));
            return Err(self.wrong(key, format!("the board has no output {output:?}"), remedy));
        }
        let relay = match key {
            "test-no" => Relay { drop, ..Relay::open() },
            "test-nc" => Relay { drop, ..Relay::closed() },
            _ => Relay::press(drop),
        };
        Ok(TestRelay { output: output.to_owned(), relay })
    }

    /// The lines that are named, with their keys.
    pub(super) fn lines(&self) -> Vec<(&'static str, &str)> {
        let raw = self.raw;
        let named = [("no", &raw.no), ("nc", &raw.nc), ("line", &raw.line)];
        named.into_iter().filter_map(|(key, line)| Some((key, line.as_deref()?))).collect()
    }

    pub(super) fn wrong(&self, key: &str, reason: impl Display, remedy: impl Display) -> Wrong {
        Wrong::new(format!("point.{}.{key}", self.place), reason, remedy)
    }

    fn kind(&self) -> Result<Kind, Wrong> {
        let raw = self.raw;
        let kind = match raw.kind {
            WhatIs::HoldUp => {
                let (mode, latching) = (raw.mode.unwrap_or_default(), raw.latching.unwrap_or(false));
                return Ok(Kind::HoldUp { mode, latching });
            }
            WhatIs::Tamper => Kind::Tamper,
            WhatIs::Mains => Kind::Mains,
            WhatIs::Battery => Kind::Battery,
        };
        let needless = [("mode", raw.mode.is_some()), ("latching", raw.latching.is_some())];
        match needless.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => {
                Err(self.wrong(key, "is for buttons only", "remove it, or give kind = \"hold-up\""))
            }
            None => Ok(kind),
        }
    }

    fn timing(&self, kind: Kind) -> Result<Timing, Wrong> {
        let usual = Timing::of(kind);
        let longest = match kind {
            Kind::HoldUp { .. } | Kind::Tamper => DEBOUNCE_LONGEST,
            Kind::Mains | Kind::Battery => HOLD_OFF_LONGEST,
        };
        let ms = |given: Option<u64>| given.map(Duration::from_millis);
        let raw = self.raw;
        let debounce = self.within("debounce-ms", ms(raw.debounce_ms), usual.debounce, DEBOUNCE..=longest)?;
        let shortest = DEBOUNCE_LONGEST.min(debounce) * 2;
        let discrepancy = self.within(
            "discrepancy-ms",
            ms(raw.discrepancy_ms),
            usual.discrepancy,
            shortest..=DISCREPANCY_LONGEST,
        )?;
        let repeat = raw.repeat_s.map(Duration::from_secs);
        let repeat = self.within("repeat-s", repeat, usual.repeat, Duration::ZERO..=REPEAT_LONGEST)?;
        Ok(Timing { debounce, discrepancy, repeat })
    }

    fn within(
        &self,
        key: &str,
        given: Option<Duration>,
        usual: Duration,
        limits: std::ops::RangeInclusive<Duration>,
    ) -> Result<Duration, Wrong> {
        let Some(given) = given else { return Ok(usual) };
        if limits.contains(&given) {
            return Ok(given);
        }
        let unit =
            |span: &Duration| if key.ends_with("-s") { u128::from(span.as_secs()) } else { span.as_millis() };
        let remedy = format!("give {} to {}", unit(limits.start()), unit(limits.end()));
        Err(self.wrong(key, format!("is {}", unit(&given)), remedy))
    }

    fn contacts(&self) -> Result<Contacts, Wrong> {
        match self.raw.wiring {
            Wiring::Antivalent => {
                self.needless("line", "an antivalent pair has two lines", "give `no` and `nc` instead")?;
                let open = self.line("no", &self.raw.no)?;
                Ok(Contacts::Pair { open, closed: self.line("nc", &self.raw.nc)? })
            }
            Wiring::NormallyOpen | Wiring::NormallyClosed => {
                let remedy = "give `line` instead, or wiring = \"antivalent\"";
                self.needless("no", "a single contact has one line", remedy)?;
                self.needless("nc", "a single contact has one line", remedy)?;
                Ok(Contacts::Single(self.line("line", &self.raw.line)?))
            }
        }
    }

    fn needless(&self, key: &str, reason: &str, remedy: &str) -> Result<(), Wrong> {
        match self.lines().iter().any(|(given, _)| *given == key) {
            true => Err(self.wrong(key, reason, remedy)),
            false => Ok(()),
        }
    }

    fn line(&self, key: &str, name: &Option<String>) -> Result<hw::Line, Wrong> {
        let known: Vec<_> = self.board.inputs().collect();
        let list = || format!("the board's inputs are: {}", known.join(", "));
        match name {
            None => {
                let reason = format!("is missing for wiring {}", wiring(self.raw.wiring));
                Err(self.wrong(key, reason, format!("name a line; {}", list())))
            }
            Some(name) if known.contains(&name.as_str()) => Ok(hw::Line::new(name)),
            Some(name) => Err(self.wrong(key, format!("the board has no input {name:?}"), list())),
        }
    }
}

fn wiring(wiring: Wiring) -> &'static str {
    match wiring {
        Wiring::Antivalent => "\"antivalent\"",
        Wiring::NormallyOpen => "\"normally-open\"",
        Wiring::NormallyClosed => "\"normally-closed\"",
    }
}
