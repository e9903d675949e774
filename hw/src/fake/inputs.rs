//! A fake bank of inputs.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Failure;
use crate::edges::{Edges, every_line};
use crate::{Edge, Error, Held, Line, Reading};

/// A fake bank of inputs, all inactive, and the hand that moves them.
#[must_use]
pub fn inputs(device: &str, lines: &[&str]) -> (Inputs, InputHand) {
    let lines = lines.iter().map(|&line| Reading { line: line.into(), active: false }).collect();
    let state = State { lines, edges: Edges::default(), failure: None, tell_all: true, wrong: None };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (Inputs { device: device.to_owned(), shared: Arc::clone(&shared) }, InputHand { shared })
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    lines: Vec<Reading>,
    edges: Edges,
    failure: Option<Failure>,
    /// Before the first read and after a failure, as on real devices.
    tell_all: bool,
    /// A line that is not held as it was asked for, and why.
    wrong: Option<(Line, String)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// The fake bank. See [`inputs`].
pub struct Inputs {
    device: String,
    shared: Arc<Shared>,
}

impl crate::Inputs for Inputs {
    fn device(&self) -> &str {
        &self.device
    }

    fn lines(&self) -> Vec<Line> {
        self.shared.lock().lines.iter().map(|r| r.line.clone()).collect()
    }

    fn read(&mut self) -> Result<Vec<Reading>, Error> {
        let mut state = self.shared.lock();
        state.check(&self.device)?;
        state.tell_all = false;
        Ok(state.lines.clone())
    }

    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error> {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, timeout, |state| state.is_quiet());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.check(&self.device)?;
        Ok(state.take_edges())
    }

    fn held(&mut self) -> Result<Vec<Held>, Error> {
        let mut state = self.shared.lock();
        state.check(&self.device)?;
        let wrong =
            |line: &Line| state.wrong.as_ref().filter(|(of, _)| of == line).map(|(_, why)| why.clone());
        Ok(state.lines.iter().map(|r| Held { line: r.line.clone(), wrong: wrong(&r.line) }).collect())
    }
}

/// Moves the lines of a fake bank. Cheap to clone; works from any thread.
#[derive(Clone)]
pub struct InputHand {
    shared: Arc<Shared>,
}

impl InputHand {
    /// Sets a level now. An edge follows when it differs.
    ///
    /// # Panics
    /// When the fake has no such line: the test is wrong.
    pub fn set(&self, line: &str, active: bool) {
        self.set_at(line, active, Instant::now());
    }

    /// Sets a level with a time of your choice, as a kernel timestamp would be. Panics as [`InputHand::set`].
    pub fn set_at(&self, line: &str, active: bool, at: Instant) {
        self.shared.change(|state| {
            if state.set(line, active) {
                state.edges.push(Edge { line: line.into(), active, at, missed: false });
            }
        });
    }

    /// Sets a level and loses the edge, as an overflown kernel buffer does:
    /// the bank reports the level with `missed`. Setting the present level loses a press and its release.
    /// Panics as [`InputHand::set`].
    pub fn miss(&self, line: &str, active: bool) {
        self.shared.change(|state| {
            state.set(line, active);
            state.edges.push(Edge { line: line.into(), active, at: Instant::now(), missed: true });
        });
    }

    /// Somebody else has taken the line: the kernel holds it otherwise than it was asked for.
    pub fn spoil(&self, line: &str, why: &str) {
        self.shared.change(|state| state.wrong = Some((line.into(), why.to_owned())));
    }

    /// From now on every call fails this way.
    pub fn fail(&self, failure: Failure) {
        self.shared.change(|state| state.failure = Some(failure));
    }

    /// The device works again. Levels that were set meanwhile are kept; every line is told as missed.
    pub fn heal(&self) {
        self.shared.change(|state| state.failure = None);
    }
}

impl State {
    fn check(&mut self, device: &str) -> Result<(), Error> {
        self.tell_all |= self.failure.is_some();
        self.failure.map_or(Ok(()), |failure| Err(failure.error(device)))
    }

    fn take_edges(&mut self) -> Vec<Edge> {
        let edges = self.edges.take();
        if std::mem::take(&mut self.tell_all) {
            every_line(self.lines.clone(), Instant::now())
        } else {
            edges
        }
    }

    fn is_quiet(&self) -> bool {
        self.failure.is_none() && self.edges.is_empty() && !self.tell_all
    }

    /// Whether the level changed.
    fn set(&mut self, line: &str, active: bool) -> bool {
        let reading = self.lines.iter_mut().find(|r| r.line == line);
        let reading = reading.unwrap_or_else(|| panic!("the fake has no line {line:?}"));
        std::mem::replace(&mut reading.active, active) != active
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs as _;
    use crate::edges::EDGES_MAX;

    const SOON: Duration = Duration::from_secs(5);
    const NOW: Duration = Duration::ZERO;

    fn read_once() -> (Inputs, InputHand) {
        let (mut bank, hand) = inputs("box", &["panel"]);
        bank.read().unwrap();
        (bank, hand)
    }

    #[test]
    fn without_a_read_every_line_is_told_first() {
        let (mut bank, hand) = inputs("box", &["panel", "tamper"]);
        hand.set("panel", true);
        let told: Vec<_> = bank.wait(NOW).unwrap().into_iter().map(|e| (e.active, e.missed)).collect();
        assert_eq!(told, [(true, true), (false, true)]);
    }

    #[test]
    fn an_edge_wakes_the_waiting_thread() {
        let (mut bank, hand) = read_once();
        let waiting = std::thread::spawn(move || bank.wait(SOON));
        hand.set("panel", true);
        let edges = waiting.join().unwrap().unwrap();
        assert_eq!((edges[0].line.as_str(), edges[0].active, edges[0].missed), ("panel", true, false));
    }

    #[test]
    fn the_same_level_again_is_no_edge() {
        let (mut bank, hand) = read_once();
        hand.set("panel", false);
        assert_eq!(bank.wait(NOW).unwrap(), []);
    }

    #[test]
    fn a_lost_stab_shows_as_missed_at_the_old_level() {
        let (mut bank, hand) = read_once();
        hand.miss("panel", false);
        let edges = bank.wait(NOW).unwrap();
        assert_eq!((edges[0].active, edges[0].missed), (false, true));
    }

    #[test]
    fn a_failure_wakes_and_lasts_until_healed_and_then_every_line_is_told() {
        let (mut bank, hand) = read_once();
        hand.fail(Failure::Silent);
        assert!(matches!(bank.wait(SOON), Err(Error::Silent { .. })));
        assert!(bank.read().is_err());
        hand.set("panel", true);
        hand.heal();
        let edges = bank.wait(NOW).unwrap();
        assert_eq!((edges.len(), edges[0].active, edges[0].missed), (1, true, true));
        assert_eq!(bank.wait(NOW).unwrap(), []);
    }

    #[test]
    fn overflow_marks_what_is_left_as_missed() {
        let (mut bank, hand) = read_once();
        (0..=EDGES_MAX).for_each(|n| hand.set("panel", n % 2 == 0));
        let edges = bank.wait(NOW).unwrap();
        assert_eq!(edges.len(), EDGES_MAX);
        assert!(edges.iter().all(|edge| edge.missed));
    }
}
