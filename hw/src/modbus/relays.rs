//! A relay board as a bank of outputs.

use super::{Bus, Request};
use crate::bank::{Bank, Commanded, restored};
use crate::{Error, Line, Outputs, Reading, Supervision, Wired};

/// The coils of one unit. Coils that no line names are never written.
///
/// An acknowledged write proves little: an adapter that echoes what it sends acknowledges everything.
/// So every write is followed by a read of the coils.
pub struct Relays {
    bus: Bus,
    unit: u8,
    bank: Bank,
    commanded: Commanded,
}

impl Relays {
    /// These coils of this unit. Asks the board once, so that a dead one shows at start.
    pub fn open(bus: Bus, unit: u8, wired: Vec<Wired>) -> Result<Self, Error> {
        let bank = Bank::new(bus.unit_name(unit), wired);
        let mut relays = Self { commanded: Commanded::nothing(&bank), bus, unit, bank };
        relays.read_back()?;
        Ok(relays)
    }

    fn write(&self, writes: &[(u16, bool)]) -> Result<(), Error> {
        for request in requests(writes) {
            self.bus.write(self.unit, &request)?;
        }
        Ok(())
    }
}

impl Outputs for Relays {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn apply(&mut self, wanted: &[(&str, bool)]) -> Result<(), Error> {
        let writes = self.commanded.note(&self.bank, wanted)?;
        self.write(&writes)?;
        let readings = self.read_back()?;
        self.commanded.confirm_only(&self.bank, &readings, wanted)
    }

    fn read_back(&mut self) -> Result<Vec<Reading>, Error> {
        let Some((first, count)) = span(&self.bank) else { return Ok(Vec::new()) };
        let bits = self.bus.read(self.unit, &Request::ReadCoils { first, count })?;
        Ok(self.bank.readings(|number| bits[usize::from(number - first)]))
    }

    fn supervise(&mut self) -> Result<Supervision, Error> {
        let readings = self.read_back()?;
        let lost = self.commanded.lost(&self.bank, &readings);
        if lost.is_empty() {
            return Ok(Supervision::AsCommanded);
        }
        self.write(&lost)?;
        let readings = self.read_back()?;
        self.commanded.confirm(&self.bank, &readings)?;
        Ok(restored(&self.bank, &lost))
    }
}

/// The addresses from the lowest to the highest line, as first and count.
pub(super) fn span(bank: &Bank) -> Option<(u16, u16)> {
    let numbers = || bank.wired().iter().map(|w| w.number);
    let (first, last) = (numbers().min()?, numbers().max()?);
    Some((first, last - first + 1))
}

/// One request for neighbours without a gap, else one per coil: a gap may hold somebody else's coil.
fn requests(writes: &[(u16, bool)]) -> Vec<Request> {
    let mut sorted = writes.to_vec();
    sorted.sort_unstable();
    let neighbours = sorted.len() > 1 && sorted.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0);
    if neighbours {
        return vec![Request::WriteCoils {
            first: sorted[0].0,
            on: sorted.iter().map(|&(_, on)| on).collect(),
        }];
    }
    writes.iter().map(|&(coil, on)| Request::WriteCoil { coil, on }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Simulated, Slave, Timing};
    use super::*;
    use crate::Severity;
    use crate::serial::{Port, Settings};

    fn board() -> (Bus, Simulated) {
        let end = crate::pty::open().unwrap();
        let port = Port::open(Settings::new(end.path())).unwrap();
        (Bus::new(port, Timing::of_baud(9600)), Simulated::start(end, Slave::new(1, 8, 8)))
    }

    fn relays() -> (Relays, Simulated) {
        let (bus, simulated) = board();
        let wired = |(line, number): (&str, u16)| Wired { line: line.into(), number, active_low: false };
        let wired = [("red", 0), ("amber", 1), ("siren", 6)].map(wired).to_vec();
        (Relays::open(bus, 1, wired).unwrap(), simulated)
    }

    #[test]
    fn a_switched_line_is_a_closed_relay() {
        let (mut relays, board) = relays();
        relays.apply(&[("red", true), ("siren", true)]).unwrap();
        assert_eq!(board.with(|slave| slave.coils()), [true, false, false, false, false, false, true, false]);
    }

    #[test]
    fn a_welded_relay_is_a_mismatch() {
        let (mut relays, board) = relays();
        board.with(|slave| slave.stick(6, true));
        let error = relays.set("siren", true).unwrap_err();
        assert!(matches!(&error, Error::Mismatch { line, .. } if line == "siren"), "{error}");
        assert!(matches!(relays.supervise(), Err(Error::Mismatch { .. })));
    }

    #[test]
    fn supervision_brings_back_what_a_power_cut_took() {
        let (mut relays, board) = relays();
        relays.set("red", true).unwrap();
        assert_eq!(relays.supervise().unwrap(), Supervision::AsCommanded);
        board.with(Slave::power_cut);
        assert_eq!(relays.supervise().unwrap(), Supervision::Restored(vec!["red".into()]));
    }

    #[test]
    fn a_cut_cable_is_retryable_and_a_mended_one_works() {
        let (mut relays, board) = relays();
        board.cut(true);
        assert_eq!(relays.supervise().unwrap_err().severity(), Severity::Retryable);
        board.cut(false);
        relays.set("amber", true).unwrap();
    }

    #[test]
    fn neighbours_go_in_one_request_and_others_one_by_one() {
        assert_eq!(
            requests(&[(3, true), (2, false)]),
            [Request::WriteCoils { first: 2, on: vec![false, true] }]
        );
        let apart = [Request::WriteCoil { coil: 1, on: true }, Request::WriteCoil { coil: 3, on: true }];
        assert_eq!(requests(&[(1, true), (3, true)]), apart);
        assert_eq!(requests(&[]), []);
    }
}
