//! Which role-named lines sit at which places of one device. Pure.

use crate::{Error, Line, Reading, Supervision};

/// One line of a device: role name, place, polarity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wired {
    /// The role name.
    pub line: Line,
    /// Its place on the device: GPIO offset, BCM pin, button box input or Modbus address, from 0.
    pub number: u16,
    /// Low level (open contact) means active.
    pub active_low: bool,
}

impl Wired {
    /// Whether the line is active at this raw level. Also the way back: the raw level for a wanted state.
    pub(crate) fn invert(&self, level: bool) -> bool {
        level != self.active_low
    }
}

/// The lines of one device, and for outputs what was last commanded.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    device: String,
    wired: Vec<Wired>,
}

impl Bank {
    pub(crate) fn new(device: impl Into<String>, wired: Vec<Wired>) -> Self {
        Self { device: device.into(), wired }
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    pub(crate) fn wired(&self) -> &[Wired] {
        &self.wired
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.wired.iter().map(|w| w.line.clone()).collect()
    }

    pub(crate) fn at(&self, number: u16) -> Option<&Wired> {
        self.wired.iter().find(|w| w.number == number)
    }

    pub(crate) fn find(&self, line: &str) -> Result<usize, Error> {
        self.wired.iter().position(|w| w.line == line).ok_or_else(|| Error::UnknownLine {
            line: line.to_owned(),
            device: self.device.clone(),
            lines: self.wired.iter().map(|w| w.line.to_string()).collect(),
        })
    }

    /// Readings from raw levels; a place the device did not report reads as a low level.
    pub(crate) fn readings(&self, level: impl Fn(u16) -> bool) -> Vec<Reading> {
        let read = |w: &Wired| Reading { line: w.line.clone(), active: w.invert(level(w.number)) };
        self.wired.iter().map(read).collect()
    }
}

/// What was commanded, and how it compares with what is read.
///
/// ```text
///            read differs                 read still differs
/// commanded ─────────────▶ write again ──────────────────────▶ Mismatch
///     ▲                         │ read agrees
///     └─────────────────────────┘ Restored
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Commanded {
    /// By index into the bank; `None` until first commanded.
    wanted: Vec<Option<bool>>,
}

impl Commanded {
    pub(crate) fn nothing(bank: &Bank) -> Self {
        Self { wanted: vec![None; bank.wired.len()] }
    }

    /// Notes the wish and gives the lines to write, as places and raw levels.
    pub(crate) fn note(&mut self, bank: &Bank, wanted: &[(&str, bool)]) -> Result<Vec<(u16, bool)>, Error> {
        let indexed = wanted.iter().map(|&(line, on)| Ok((bank.find(line)?, on)));
        let indexed = indexed.collect::<Result<Vec<_>, Error>>()?;
        for &(index, on) in &indexed {
            self.wanted[index] = Some(on);
        }
        Ok(indexed.iter().map(|&(index, on)| raw(&bank.wired[index], on)).collect())
    }

    /// The lines that read otherwise than commanded, as places and the raw levels wanted.
    pub(crate) fn lost(&self, bank: &Bank, readings: &[Reading]) -> Vec<(u16, bool)> {
        self.differing(bank, readings).map(|(wired, on)| raw(wired, on)).collect()
    }

    /// `Ok` when every commanded line reads as commanded.
    pub(crate) fn confirm(&self, bank: &Bank, readings: &[Reading]) -> Result<(), Error> {
        match self.differing(bank, readings).next() {
            None => Ok(()),
            Some((wired, wanted)) => {
                Err(Error::Mismatch { line: wired.line.clone(), device: bank.device.clone(), wanted })
            }
        }
    }

    /// `Ok` when these lines read as commanded; others are left to supervision.
    pub(crate) fn confirm_only(
        &self,
        bank: &Bank,
        readings: &[Reading],
        only: &[(&str, bool)],
    ) -> Result<(), Error> {
        let asked: Vec<_> =
            readings.iter().filter(|r| only.iter().any(|(line, _)| r.line == *line)).cloned().collect();
        self.confirm(bank, &asked)
    }

    fn differing<'a>(
        &'a self,
        bank: &'a Bank,
        readings: &'a [Reading],
    ) -> impl Iterator<Item = (&'a Wired, bool)> + 'a {
        bank.wired.iter().zip(&self.wanted).filter_map(move |(wired, wanted)| {
            let wanted = (*wanted)?;
            let reading = readings.iter().find(|r| r.line == wired.line)?;
            (reading.active != wanted).then_some((wired, wanted))
        })
    }
}

fn raw(wired: &Wired, on: bool) -> (u16, bool) {
    (wired.number, wired.invert(on))
}

/// The outcome once every lost line has been written again and confirmed.
pub(crate) fn restored(bank: &Bank, lost: &[(u16, bool)]) -> Supervision {
    if lost.is_empty() {
        return Supervision::AsCommanded;
    }
    let line = |&(number, _): &(u16, bool)| bank.at(number).map(|w| w.line.clone());
    Supervision::Restored(lost.iter().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> Bank {
        let wired =
            |(line, number, active_low): (&str, u16, bool)| Wired { line: line.into(), number, active_low };
        Bank::new("board", [("red", 0, false), ("siren", 3, true)].map(wired).to_vec())
    }

    #[test]
    fn polarity_is_applied_both_ways() {
        let bank = bank();
        let read: Vec<_> = bank.readings(|_| true).into_iter().map(|r| r.active).collect();
        assert_eq!(read, [true, false]);
        let writes = Commanded::nothing(&bank).note(&bank, &[("red", true), ("siren", true)]);
        assert_eq!(writes.unwrap(), [(0, true), (3, false)]);
    }

    #[test]
    fn a_line_never_commanded_is_not_lost() {
        let bank = bank();
        let mut commanded = Commanded::nothing(&bank);
        assert_eq!(commanded.lost(&bank, &bank.readings(|_| true)), []);
        commanded.note(&bank, &[("red", false)]).unwrap();
        assert_eq!(commanded.lost(&bank, &bank.readings(|_| true)), [(0, false)]);
    }

    #[test]
    fn an_unknown_line_names_those_that_exist_and_commands_nothing() {
        let bank = bank();
        let mut commanded = Commanded::nothing(&bank);
        let error = commanded.note(&bank, &[("red", true), ("blue", true)]).unwrap_err();
        assert_eq!(error.to_string(), "board has no line \"blue\"; it has red, siren");
        assert_eq!(commanded.wanted, [None, None]);
    }

    #[test]
    fn a_stuck_line_is_named_with_what_was_wanted() {
        let bank = bank();
        let mut commanded = Commanded::nothing(&bank);
        commanded.note(&bank, &[("siren", true)]).unwrap();
        let error = commanded.confirm(&bank, &bank.readings(|_| true)).unwrap_err();
        assert!(error.to_string().starts_with("line \"siren\" on board was switched on and still reads off"));
    }
}
