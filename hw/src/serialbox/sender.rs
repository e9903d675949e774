//! The box's own side: what its firmware does, for the demo and tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Frame, HEARTBEAT};
use crate::serial::Wire;

/// Says when a box sends what. Pure.
#[derive(Debug)]
pub struct Sender {
    frame: Frame,
    due: Instant,
}

impl Sender {
    /// A box that was just powered.
    #[must_use]
    pub fn new(levels: u8, now: Instant) -> Self {
        Self { frame: Frame { levels, changes: 0 }, due: now }
    }

    /// A contact closes or opens. Inputs beyond the eighth do not exist and are ignored.
    pub fn set(&mut self, input: u8, closed: bool, now: Instant) {
        let Some(mask) = 1_u8.checked_shl(input.into()) else { return };
        let levels = if closed { self.frame.levels | mask } else { self.frame.levels & !mask };
        if levels != self.frame.levels {
            self.frame = Frame { levels, changes: self.frame.changes.wrapping_add(1) };
            self.due = now;
        }
    }

    /// The bytes that are due.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due = now + HEARTBEAT;
        Some(self.frame.encode())
    }
}

/// A simulated box on a wire, with a thread of its own. Ends when dropped.
pub struct Simulated {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    sender: Mutex<Sender>,
    cut: AtomicBool,
    ended: AtomicBool,
}

/// How soon a change leaves the simulated box; also how long its end takes.
const TICK: Duration = Duration::from_millis(2);

impl Simulated {
    /// Powers a box with these levels on this wire.
    #[must_use]
    pub fn start(wire: impl Wire + 'static, levels: u8) -> Self {
        let sender = Mutex::new(Sender::new(levels, Instant::now()));
        let shared = Arc::new(Shared { sender, cut: AtomicBool::new(false), ended: AtomicBool::new(false) });
        let run = Arc::clone(&shared);
        Self { shared, thread: Some(std::thread::spawn(move || run.run(wire))) }
    }

    /// Closes or opens the contact of one input, 0 to 7.
    pub fn set(&self, input: u8, closed: bool) {
        self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner).set(input, closed, Instant::now());
    }

    /// Cuts the cable, or mends it. The box goes on meanwhile.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::Relaxed);
    }
}

impl Shared {
    fn run(&self, mut wire: impl Wire) {
        while !self.ended.load(Ordering::Relaxed) {
            let bytes =
                self.sender.lock().unwrap_or_else(PoisonError::into_inner).poll_transmit(Instant::now());
            if let Some(bytes) = bytes.filter(|_| !self.cut.load(Ordering::Relaxed)) {
                // A wire that fails is a cut cable; the box does not mind.
                let _ = wire.send(&bytes);
            }
            std::thread::park_timeout(TICK);
        }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_on_change_and_every_half_second() {
        let start = Instant::now();
        let mut sender = Sender::new(0, start);
        let at = |ms| start + Duration::from_millis(ms);
        assert!(sender.poll_transmit(at(0)).is_some());
        assert_eq!(sender.poll_transmit(at(499)), None);
        assert!(sender.poll_transmit(at(500)).is_some());
        sender.set(3, true, at(600));
        sender.set(3, true, at(600));
        assert_eq!(sender.poll_transmit(at(600)), Some(Frame { levels: 8, changes: 1 }.encode()));
        assert_eq!(sender.poll_transmit(at(601)), None);
    }

    #[test]
    fn an_input_beyond_the_eighth_is_ignored() {
        let mut sender = Sender::new(0, Instant::now());
        sender.set(8, true, Instant::now());
        assert_eq!(sender.frame, Frame { levels: 0, changes: 0 });
    }
}
