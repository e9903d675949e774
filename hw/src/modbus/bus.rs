//! One port and the units on it. Shell: moves bytes and time between [`Master`] and a wire.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::frame::{ADU_MAX, BROADCAST, Timing};
use super::master::{Master, Outcome};
use super::pdu::Request;
use crate::Error;
use crate::serial::Wire;

/// Once for a disturbed frame, once more for bad luck. All our requests may be repeated without harm.
const ATTEMPTS: u32 = 3;

/// One RS-485 line. Cheap to clone; the parts on it take turns.
#[derive(Clone)]
pub struct Bus {
    device: Arc<str>,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    wire: Box<dyn Wire>,
    timing: Timing,
    master: Master,
}

impl Bus {
    /// The bus on this wire.
    #[must_use]
    pub fn new(wire: impl Wire + 'static, timing: Timing) -> Self {
        let device = wire.device().into();
        let shared = Shared { wire: Box::new(wire), timing, master: Master::new(timing) };
        Self { device, shared: Arc::new(Mutex::new(shared)) }
    }

    /// The port.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Reads bits. Takes at most three times the answer timeout and the silences between.
    ///
    /// # Errors
    /// [`Error::Silent`] and [`Error::Garbled`] after the last attempt, [`Error::Refused`] at once, the port's own.
    pub fn read(&self, unit: u8, request: &Request) -> Result<Vec<bool>, Error> {
        let Outcome::Bits(bits) = self.ask(unit, request)? else { return Err(self.unexpected(unit)) };
        Ok(bits)
    }

    /// Writes coils. Errors as [`Bus::read`].
    pub fn write(&self, unit: u8, request: &Request) -> Result<(), Error> {
        let Outcome::Written = self.ask(unit, request)? else { return Err(self.unexpected(unit)) };
        Ok(())
    }

    /// Writes coils of every unit on the bus at once. Nobody answers: read back what matters.
    pub fn broadcast(&self, request: &Request) -> Result<(), Error> {
        let Outcome::Broadcast = self.ask(BROADCAST, request)? else {
            return Err(self.unexpected(BROADCAST));
        };
        Ok(())
    }

    fn ask(&self, unit: u8, request: &Request) -> Result<Outcome, Error> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = shared.exchange(unit, request)?;
        for _ in 1..ATTEMPTS {
            if !matches!(outcome, Outcome::Silent | Outcome::Garbled { .. }) {
                break;
            }
            tracing::debug!(device = &*self.device, unit, ?outcome, "asking again");
            outcome = shared.exchange(unit, request)?;
        }
        self.sorted(unit, outcome, shared.timing)
    }

    fn sorted(&self, unit: u8, outcome: Outcome, timing: Timing) -> Result<Outcome, Error> {
        let device = self.unit_name(unit);
        match outcome {
            Outcome::Silent => Err(Error::Silent { device, after: timing.answer * ATTEMPTS }),
            Outcome::Garbled { bytes } => {
                Err(Error::Garbled { device, reason: format!("{bytes} bytes without a valid answer") })
            }
            Outcome::Refused(exception) => Err(Error::Refused { device, reason: exception.to_string() }),
            Outcome::Bits(_) | Outcome::Written | Outcome::Broadcast => Ok(outcome),
        }
    }

    fn unexpected(&self, unit: u8) -> Error {
        Error::Garbled {
            device: self.unit_name(unit),
            reason: "the answer belongs to another request".into(),
        }
    }

    pub(super) fn unit_name(&self, unit: u8) -> String {
        format!("{} unit {unit}", self.device)
    }
}

impl Shared {
    fn exchange(&mut self, unit: u8, request: &Request) -> Result<Outcome, Error> {
        let outcome = self.run(unit, request);
        if outcome.is_err() {
            self.master = Master::new(self.timing);
        }
        outcome
    }

    fn run(&mut self, unit: u8, request: &Request) -> Result<Outcome, Error> {
        // Late bytes of an earlier exchange are dropped by the idle master.
        self.hear(Duration::ZERO)?;
        // The lock allows one request at a time, and every earlier one was run to its outcome.
        let _ = self.master.send(unit, request.clone(), Instant::now());
        loop {
            if let Some(outcome) = self.master.poll_outcome() {
                return Ok(outcome);
            }
            if let Some(frame) = self.master.poll_transmit(Instant::now()) {
                self.wire.send(&frame)?;
            }
            self.hear(self.patience())?;
            self.master.handle_timeout(Instant::now());
        }
    }

    fn patience(&self) -> Duration {
        let deadline = self.master.poll_timeout();
        deadline.map_or(Duration::ZERO, |(at, _)| at.saturating_duration_since(Instant::now()))
    }

    fn hear(&mut self, timeout: Duration) -> Result<(), Error> {
        let mut chunk = [0; ADU_MAX];
        let count = self.wire.receive(&mut chunk, timeout)?;
        self.master.handle_bytes(&chunk[..count], Instant::now());
        Ok(())
    }
}
