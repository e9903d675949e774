//! The discrete inputs of a unit as a bank of inputs, by polling.

use std::time::{Duration, Instant};

use super::relays::span;
use super::{Bus, Request};
use crate::bank::Bank;
use crate::edges::every_line;
use crate::{Edge, Error, Inputs, Line, Reading, Wired};

/// Pause between two polls. With the exchange itself (about 25 ms at 9600 baud) a change shows within 50 ms;
/// a shorter stab can pass unseen, so a panic button belongs on GPIO or a button box, not here.
const PAUSE: Duration = Duration::from_millis(20);

/// The discrete inputs of one unit.
pub struct Contacts {
    bus: Bus,
    unit: u8,
    bank: Bank,
    known: Option<Vec<Reading>>,
}

impl Contacts {
    /// These inputs of this unit. Asks the board once, so that a dead one shows at start.
    pub fn open(bus: Bus, unit: u8, wired: Vec<Wired>) -> Result<Self, Error> {
        let bank = Bank::new(bus.unit_name(unit), wired);
        let contacts = Self { bus, unit, bank, known: None };
        contacts.poll()?;
        Ok(contacts)
    }

    fn poll(&self) -> Result<Vec<Reading>, Error> {
        let Some((first, count)) = span(&self.bank) else { return Ok(Vec::new()) };
        let bits = self.bus.read(self.unit, &Request::ReadInputs { first, count })?;
        Ok(self.bank.readings(|number| bits[usize::from(number - first)]))
    }

    /// After a failure nothing is known, and the next poll tells every line.
    fn poll_edges(&mut self) -> Result<Vec<Edge>, Error> {
        let before = self.known.take();
        let readings = self.poll()?;
        let edges = differences(before.as_deref(), &readings, Instant::now());
        self.known = Some(readings);
        Ok(edges)
    }
}

impl Inputs for Contacts {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn read(&mut self) -> Result<Vec<Reading>, Error> {
        let readings = self.poll()?;
        self.known.get_or_insert_with(|| readings.clone());
        Ok(readings)
    }

    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error> {
        let end = Instant::now() + timeout;
        loop {
            let edges = self.poll_edges()?;
            let left = end.saturating_duration_since(Instant::now());
            if !edges.is_empty() || left.is_zero() {
                return Ok(edges);
            }
            pause(left.min(PAUSE));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a blocking device, on a thread of its own by the contract of Inputs"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Every line as missed when nothing is known before, else the lines that changed.
fn differences(before: Option<&[Reading]>, readings: &[Reading], at: Instant) -> Vec<Edge> {
    let Some(before) = before else { return every_line(readings.to_vec(), at) };
    let changed = |reading: &&Reading| !before.contains(reading);
    let edge =
        |reading: &Reading| Edge { line: reading.line.clone(), active: reading.active, at, missed: false };
    readings.iter().filter(changed).map(edge).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Simulated, Slave, Timing};
    use super::*;
    use crate::serial::{Port, Settings};

    fn contacts() -> (Contacts, Simulated) {
        let end = crate::pty::open().unwrap();
        let bus = Bus::new(Port::open(Settings::new(end.path())).unwrap(), Timing::of_baud(9600));
        let board = Simulated::start(end, Slave::new(7, 8, 8));
        let wired =
            |(line, number, active_low): (&str, u16, bool)| Wired { line: line.into(), number, active_low };
        let wired = [("wall-ack", 2, false), ("tamper", 5, true)].map(wired).to_vec();
        (Contacts::open(bus, 7, wired).unwrap(), board)
    }

    fn plain(edges: Vec<Edge>) -> Vec<(String, bool, bool)> {
        edges.into_iter().map(|e| (e.line.to_string(), e.active, e.missed)).collect()
    }

    #[test]
    fn a_closed_contact_is_an_edge_once() {
        let (mut contacts, board) = contacts();
        contacts.read().unwrap();
        board.with(|slave| slave.set_input(2, true));
        assert_eq!(plain(contacts.wait(Duration::from_secs(2)).unwrap()), [("wall-ack".into(), true, false)]);
        assert_eq!(contacts.wait(Duration::ZERO).unwrap(), []);
    }

    #[test]
    fn a_change_between_read_and_wait_is_not_lost() {
        let (mut contacts, board) = contacts();
        contacts.read().unwrap();
        board.with(|slave| slave.set_input(5, true));
        contacts.read().unwrap();
        assert_eq!(plain(contacts.wait(Duration::ZERO).unwrap()), [("tamper".into(), false, false)]);
    }

    #[test]
    fn after_a_failure_every_line_is_told_as_missed() {
        let (mut contacts, board) = contacts();
        contacts.read().unwrap();
        board.cut(true);
        contacts.wait(Duration::ZERO).unwrap_err();
        board.cut(false);
        let told = [("wall-ack".into(), false, true), ("tamper".into(), true, true)];
        assert_eq!(plain(contacts.wait(Duration::ZERO).unwrap()), told);
    }
}
