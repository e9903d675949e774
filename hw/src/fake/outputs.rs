//! A fake bank of outputs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Failure;
use crate::bank::{Bank, Commanded, restored};
use crate::{Error, Line, Reading, Supervision, Wired};

/// A minute of a beacon that flashes at 2 Hz, twice over.
const CHANGES_MAX: usize = 256;

/// A fake bank of outputs, all off, and the hand that looks at them.
#[must_use]
pub fn outputs(device: &str, lines: &[&str]) -> (Outputs, OutputHand) {
    let wired = |(number, &line): (u16, &&str)| Wired { line: line.into(), number, active_low: false };
    let bank = Bank::new(device, (0..).zip(lines).map(wired).collect());
    let relays = vec![Relay { on: false, stuck: false }; lines.len()];
    let state = State { relays, changes: VecDeque::new(), failure: None };
    let shared = Arc::new(Shared { bank: bank.clone(), state: Mutex::new(state) });
    (Outputs { commanded: Commanded::nothing(&bank), shared: Arc::clone(&shared) }, OutputHand { shared })
}

struct Shared {
    bank: Bank,
    state: Mutex<State>,
}

struct State {
    relays: Vec<Relay>,
    changes: VecDeque<Reading>,
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Relay {
    on: bool,
    stuck: bool,
}

/// The fake bank. See [`outputs`].
pub struct Outputs {
    commanded: Commanded,
    shared: Arc<Shared>,
}

impl crate::Outputs for Outputs {
    fn device(&self) -> &str {
        self.shared.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.shared.bank.lines()
    }

    fn apply(&mut self, wanted: &[(&str, bool)]) -> Result<(), Error> {
        let writes = self.commanded.note(&self.shared.bank, wanted)?;
        self.shared.write(&writes)?;
        self.commanded.confirm_only(&self.shared.bank, &self.shared.read()?, wanted)
    }

    fn read_back(&mut self) -> Result<Vec<Reading>, Error> {
        self.shared.read()
    }

    fn supervise(&mut self) -> Result<Supervision, Error> {
        let lost = self.commanded.lost(&self.shared.bank, &self.shared.read()?);
        self.shared.write(&lost)?;
        self.commanded.confirm(&self.shared.bank, &self.shared.read()?)?;
        Ok(restored(&self.shared.bank, &lost))
    }
}

/// Looks at the lines of a fake bank and spoils them. Cheap to clone; works from any thread.
#[derive(Clone)]
pub struct OutputHand {
    shared: Arc<Shared>,
}

impl OutputHand {
    /// Whether the output is on.
    ///
    /// # Panics
    /// When the fake has no such line: the test is wrong.
    #[must_use]
    pub fn is_on(&self, line: &str) -> bool {
        self.shared.lock().relays[self.index(line)].on
    }

    /// The changes since the last call, oldest first; at most the last 256.
    #[must_use]
    pub fn take_changes(&self) -> Vec<Reading> {
        self.shared.lock().changes.drain(..).collect()
    }

    /// A welded contact: the output stays as it is. Panics as [`OutputHand::is_on`].
    pub fn stick(&self, line: &str) {
        self.shared.lock().relays[self.index(line)].stuck = true;
    }

    /// The relay moves again. Panics as [`OutputHand::is_on`].
    pub fn unstick(&self, line: &str) {
        self.shared.lock().relays[self.index(line)].stuck = false;
    }

    /// The board lost its supply for a moment: everything that is not stuck is off.
    pub fn power_cut(&self) {
        let mut state = self.shared.lock();
        state.relays.iter_mut().filter(|relay| !relay.stuck).for_each(|relay| relay.on = false);
    }

    /// From now on every call fails this way.
    pub fn fail(&self, failure: Failure) {
        self.shared.lock().failure = Some(failure);
    }

    /// The device works again, with its outputs as they were.
    pub fn heal(&self) {
        self.shared.lock().failure = None;
    }

    fn index(&self, line: &str) -> usize {
        self.shared.bank.find(line).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        match state.failure {
            Some(failure) => Err(failure.error(self.bank.device())),
            None => Ok(state),
        }
    }

    fn read(&self) -> Result<Vec<Reading>, Error> {
        let state = self.working()?;
        Ok(self.bank.readings(|number| state.relays[usize::from(number)].on))
    }

    fn write(&self, writes: &[(u16, bool)]) -> Result<(), Error> {
        let mut state = self.working()?;
        for &(number, on) in writes {
            state.switch(usize::from(number), on, &self.bank.wired()[usize::from(number)].line);
        }
        Ok(())
    }
}

impl State {
    fn switch(&mut self, index: usize, on: bool, line: &Line) {
        let relay = &mut self.relays[index];
        if relay.stuck || relay.on == on {
            return;
        }
        relay.on = on;
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(Reading { line: line.clone(), active: on });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outputs as _;

    #[test]
    fn a_stuck_relay_is_an_error_and_the_others_still_switch() {
        let (mut bank, hand) = outputs("relays", &["red", "siren"]);
        hand.stick("siren");
        let error = bank.apply(&[("siren", true), ("red", true)]).unwrap_err();
        assert!(matches!(error, Error::Mismatch { line, wanted: true, .. } if line == "siren"));
        assert!(hand.is_on("red"));
    }

    #[test]
    fn supervision_brings_back_what_a_power_cut_took() {
        let (mut bank, hand) = outputs("relays", &["red", "siren"]);
        bank.set("red", true).unwrap();
        assert_eq!(bank.supervise().unwrap(), Supervision::AsCommanded);
        hand.power_cut();
        assert_eq!(bank.supervise().unwrap(), Supervision::Restored(vec!["red".into()]));
        assert!(hand.is_on("red"));
    }

    #[test]
    fn a_wish_made_while_the_device_was_gone_is_kept_for_supervision() {
        let (mut bank, hand) = outputs("relays", &["red"]);
        hand.fail(Failure::Absent);
        assert!(bank.set("red", true).is_err());
        hand.heal();
        assert_eq!(bank.supervise().unwrap(), Supervision::Restored(vec!["red".into()]));
    }

    #[test]
    fn changes_read_as_the_story_of_a_flash() {
        let (mut bank, hand) = outputs("relays", &["red"]);
        for on in [true, true, false] {
            bank.set("red", on).unwrap();
        }
        let story: Vec<_> = hand.take_changes().into_iter().map(|r| r.active).collect();
        assert_eq!(story, [true, false]);
    }
}
