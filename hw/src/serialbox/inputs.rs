//! A button box on a port, as a bank of inputs.

use std::time::{Duration, Instant};

use super::{Receiver, SILENCE, Unreadable};
use crate::serial::Wire;
use crate::{Edge, Error, Line, Reading, Wired};

/// Many frames; a chunk of any size will do.
const CHUNK: usize = 256;

/// What a terminal's input queue holds (4096 bytes), so that a backlog is never taken for silence.
const CHUNKS_WAITING_MAX: usize = 16;

/// A button box on a wire.
pub struct Inputs<W> {
    wire: W,
    receiver: Receiver,
    /// The caller knows that the box is unreadable: from then on wait as long as asked before saying so again.
    told: bool,
}

impl<W: Wire> Inputs<W> {
    /// Listens on this wire for these inputs (`number` 0 to 7).
    #[must_use]
    pub fn new(wire: W, wired: Vec<Wired>) -> Self {
        let receiver = Receiver::new(wire.device(), wired, Instant::now());
        Self { wire, receiver, told: false }
    }

    /// Takes bytes until something can be told, `end` passes, or the box turns out unreadable.
    fn listen(&mut self, end: Instant, done: impl Fn(&Receiver) -> bool) -> Result<(), Error> {
        self.take_backlog()?;
        while !done(&self.receiver) {
            let now = Instant::now();
            self.check(now, end)?;
            if now >= end {
                break;
            }
            self.take_bytes(self.next_look(end).saturating_duration_since(now))?;
        }
        Ok(())
    }

    fn expect_first(&mut self) {
        if self.receiver.readings().is_none() {
            self.receiver.expect_first();
        }
    }

    fn next_look(&self, end: Instant) -> Instant {
        if self.told { end } else { end.min(self.receiver.deadline().0) }
    }

    fn check(&mut self, now: Instant, end: Instant) -> Result<(), Error> {
        if self.told && now < end {
            return Ok(());
        }
        let outcome = self.receiver.handle_timeout(now).map_err(|why| unreadable(self.wire.device(), why));
        self.told = outcome.is_err();
        outcome
    }

    fn take_backlog(&mut self) -> Result<(), Error> {
        for _ in 0..CHUNKS_WAITING_MAX {
            if self.take_bytes(Duration::ZERO)? < CHUNK {
                break;
            }
        }
        Ok(())
    }

    fn take_bytes(&mut self, timeout: Duration) -> Result<usize, Error> {
        let mut chunk = [0; CHUNK];
        let count = self.wire.receive(&mut chunk, timeout)?;
        self.receiver.handle_bytes(&chunk[..count], Instant::now());
        self.told &= self.receiver.readings().is_none();
        Ok(count)
    }
}

impl<W: Wire> crate::Inputs for Inputs<W> {
    fn device(&self) -> &str {
        self.wire.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.receiver.bank().lines()
    }

    /// Waits up to 2 s for a frame when none is known.
    fn read(&mut self) -> Result<Vec<Reading>, Error> {
        let now = Instant::now();
        self.expect_first();
        self.take_backlog()?;
        // Levels from before a silence are no answer; a silence found here still deserves its full wait.
        self.told |= self.receiver.handle_timeout(now).is_err();
        self.expect_first();
        self.listen(now + SILENCE, |receiver| receiver.readings().is_some())?;
        self.receiver.readings().ok_or_else(|| unreadable(self.wire.device(), Unreadable::Silent(SILENCE)))
    }

    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error> {
        self.listen(Instant::now() + timeout, Receiver::has_edges)?;
        Ok(self.receiver.take_edges())
    }
}

fn unreadable(device: &str, why: Unreadable) -> Error {
    let device = device.to_owned();
    match why {
        Unreadable::Silent(after) => Error::Silent { device, after },
        Unreadable::Garbled { bytes } => {
            Error::Garbled { device, reason: format!("{bytes} bytes without a valid frame") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HEARTBEAT, Simulated};
    use super::*;
    use crate::Inputs as _;
    use crate::serial::{Port, Settings};

    const SOON: Duration = Duration::from_secs(2);

    fn antivalent() -> (Inputs<Port>, Simulated) {
        let end = crate::pty::open().unwrap();
        let port = Port::open(Settings::new(end.path())).unwrap();
        let wired = |(line, number): (&str, u16)| Wired { line: line.into(), number, active_low: false };
        (Inputs::new(port, [("no", 0), ("nc", 1)].map(wired).to_vec()), Simulated::start(end, 0b10))
    }

    #[test]
    fn a_press_at_the_box_arrives_as_edges() {
        let (mut bank, simulated) = antivalent();
        let levels: Vec<_> = bank.read().unwrap().into_iter().map(|r| r.active).collect();
        assert_eq!(levels, [false, true]);
        simulated.set(0, true);
        let edges = bank.wait(SOON).unwrap();
        assert_eq!((edges[0].line.as_str(), edges[0].active, edges[0].missed), ("no", true, false));
    }

    #[test]
    fn a_healthy_box_at_rest_gives_no_edges_and_no_error() {
        let (mut bank, _simulated) = antivalent();
        bank.read().unwrap();
        assert_eq!(bank.wait(HEARTBEAT * 5).unwrap(), []);
    }

    #[test]
    fn a_cut_cable_is_an_error_within_its_limit_and_the_box_comes_back() {
        let (mut bank, simulated) = antivalent();
        bank.read().unwrap();
        simulated.cut(true);
        let cut = Instant::now();
        let error = bank.wait(Duration::from_secs(10)).unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error}");
        assert!(cut.elapsed() <= SILENCE + HEARTBEAT);
        simulated.cut(false);
        let edges = bank.wait(SOON).unwrap();
        assert!(edges.len() == 2 && edges.iter().all(|edge| edge.missed));
    }

    #[test]
    fn a_told_silence_does_not_spin() {
        let (mut bank, simulated) = antivalent();
        bank.read().unwrap();
        simulated.cut(true);
        bank.wait(SOON * 2).unwrap_err();
        let before = Instant::now();
        bank.wait(Duration::from_millis(300)).unwrap_err();
        assert!(before.elapsed() >= Duration::from_millis(300));
    }
}
