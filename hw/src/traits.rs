//! What a daemon needs of any device. Implementations live beside their parts.

use std::time::Duration;

use crate::{Edge, Error, Held, Line, Reading};

/// A bank of inputs on one device: one GPIO chip, one button box, one Modbus unit.
///
/// After an error of [`crate::Severity::Retryable`] call again, after a pause of your own: an absent device
/// fails at once. It is reopened as needed.
pub trait Inputs: Send {
    /// The device, as a technician finds it: `gpiochip0`, `/dev/onepress/buttons0`.
    fn device(&self) -> &str;

    /// The lines of this bank, in the order they were asked for.
    fn lines(&self) -> Vec<Line>;

    /// The present level of every line. Read once at start: a latched button shows no edge.
    fn read(&mut self) -> Result<Vec<Reading>, Error>;

    /// Waits for edges. Empty when `timeout` passes without one. Oldest first.
    ///
    /// Before the first [`Inputs::read`], and after an error, it first tells every line as missed,
    /// so that a loop of `wait` alone always ends at the true levels.
    ///
    /// A device that went silent is an error here too, so that a loop of `wait` alone notices a cut cable.
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error>;

    /// Whether the kernel holds every line as it was asked to. A device that is no GPIO chip is read: an answer is
    /// all that can be said of it.
    fn held(&mut self) -> Result<Vec<Held>, Error> {
        let held = |reading: Reading| Held { line: reading.line, wrong: None };
        Ok(self.read()?.into_iter().map(held).collect())
    }
}

/// A bank of outputs on one device.
///
/// Outputs keep their state when this is dropped: a restart must not darken a beacon.
pub trait Outputs: Send {
    /// The device, as a technician finds it.
    fn device(&self) -> &str;

    /// The lines of this bank, in the order they were asked for.
    fn lines(&self) -> Vec<Line>;

    /// Switches some lines and reads them back.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when a line did not follow; the other lines were still switched.
    /// What was wanted is remembered even then, and [`Outputs::supervise`] tries again.
    fn apply(&mut self, wanted: &[(&str, bool)]) -> Result<(), Error>;

    /// What the device says its outputs are.
    fn read_back(&mut self) -> Result<Vec<Reading>, Error>;

    /// Reads the outputs back and writes again what was lost. Call at 1 Hz (hardware practice for relay boards).
    ///
    /// # Errors
    /// [`Error::Mismatch`] when a line does not follow the second time either.
    fn supervise(&mut self) -> Result<Supervision, Error>;

    /// Switches one line and reads it back. Errors as [`Outputs::apply`].
    fn set(&mut self, line: &str, on: bool) -> Result<(), Error> {
        self.apply(&[(line, on)])
    }
}

/// What a supervision round found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Every output is as it was last commanded (or was never commanded).
    AsCommanded,
    /// The device had lost these outputs, typically by a power cut; they are written again and confirmed.
    Restored(Vec<Line>),
}
