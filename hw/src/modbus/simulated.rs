//! A [`Slave`] on a wire, with a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{ADU_MAX, Slave};
use crate::Error;
use crate::serial::Wire;

/// How long the end of the simulation may take.
const TICK: Duration = Duration::from_millis(20);

/// A simulated relay board. Ends when dropped.
pub struct Simulated {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    slave: Mutex<Slave>,
    cut: AtomicBool,
    ended: AtomicBool,
}

impl Simulated {
    /// Powers the board on this wire.
    #[must_use]
    pub fn start(wire: impl Wire + 'static, slave: Slave) -> Self {
        let shared =
            Shared { slave: Mutex::new(slave), cut: AtomicBool::new(false), ended: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let run = Arc::clone(&shared);
        Self { shared, thread: Some(std::thread::spawn(move || run.run(wire))) }
    }

    /// Looks at the board, or moves a contact.
    pub fn with<T>(&self, act: impl FnOnce(&mut Slave) -> T) -> T {
        self.shared.with(act)
    }

    /// Cuts the cable, or mends it.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::Relaxed);
    }
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Slave) -> T) -> T {
        act(&mut self.slave.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn run(&self, mut wire: impl Wire) {
        while !self.ended.load(Ordering::Relaxed) {
            if let Err(error) = self.turn(&mut wire) {
                tracing::warn!(%error, "the simulated board lost its wire");
                return;
            }
        }
    }

    fn turn(&self, wire: &mut impl Wire) -> Result<(), Error> {
        let mut chunk = [0; ADU_MAX];
        let count = wire.receive(&mut chunk, TICK)?;
        if count == 0 || self.cut.load(Ordering::Relaxed) {
            return Ok(());
        }
        let reply = self.with(|slave| {
            slave.handle_bytes(&chunk[..count], Instant::now());
            slave.poll_transmit()
        });
        reply.map_or(Ok(()), |reply| wire.send(&reply))
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
