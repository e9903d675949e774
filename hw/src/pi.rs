//! Raspberry Pi pins through register access (crate `rppal`).
//!
//! A thin adapter for Pi boards where registers are wanted. The part `gpio` works on a Pi too, on every other
//! board, and is the one tested against a kernel: prefer it. Compiles everywhere; on another board it says so.
//! Levels and outputs bypass the kernel, so another program's hold on a pin is not noticed.

use std::time::{Duration, Instant};

use rppal::gpio::{Gpio, InputPin, OutputPin, Trigger};

use crate::bank::{Bank, Commanded, restored};
use crate::edges::every_line;
use crate::gpio::{Bias, instant_of};
use crate::{Edge, Error, Line, Reading, Supervision, Wired};

/// What messages call the device.
const DEVICE: &str = "Raspberry Pi GPIO";

/// One input pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Role name, BCM number and polarity.
    pub wired: Wired,
    /// Pull resistor.
    pub bias: Bias,
}

/// Takes the pins as inputs with edges.
///
/// # Errors
/// [`Error::NotAPi`] elsewhere, [`Error::Held`] and [`Error::Denied`] as far as rppal notices.
pub fn open_inputs(pins: &[Pin], debounce: Option<Duration>) -> Result<Box<dyn crate::Inputs>, Error> {
    let gpio = Gpio::new().map_err(|error| sorted(error, None))?;
    let open = |pin: &Pin| open_input(&gpio, pin, debounce).map_err(|error| sorted(error, Some(&pin.wired)));
    let pins_open = pins.iter().map(open).collect::<Result<Vec<_>, Error>>()?;
    let bank = Bank::new(DEVICE, pins.iter().map(|pin| pin.wired.clone()).collect());
    let last = vec![0; pins.len()];
    Ok(Box::new(Inputs { gpio, bank, pins: pins_open, last, tell_all: true }))
}

/// Takes the pins as outputs, inactive at first.
///
/// # Errors
/// As [`open_inputs`].
pub fn open_outputs(wired: &[Wired]) -> Result<Box<dyn crate::Outputs>, Error> {
    let gpio = Gpio::new().map_err(|error| sorted(error, None))?;
    let open = |wired: &Wired| open_output(&gpio, wired).map_err(|error| sorted(error, Some(wired)));
    let pins = wired.iter().map(open).collect::<Result<Vec<_>, Error>>()?;
    let bank = Bank::new(DEVICE, wired.to_vec());
    Ok(Box::new(Outputs { commanded: Commanded::nothing(&bank), bank, pins }))
}

fn open_input(gpio: &Gpio, pin: &Pin, debounce: Option<Duration>) -> rppal::gpio::Result<InputPin> {
    let free = gpio.get(number(&pin.wired))?;
    let mut input = match pin.bias {
        Bias::PullUp => free.into_input_pullup(),
        Bias::PullDown => free.into_input_pulldown(),
        Bias::AsIs | Bias::Disabled => free.into_input(),
    };
    input.set_interrupt(Trigger::Both, debounce)?;
    Ok(input)
}

fn open_output(gpio: &Gpio, wired: &Wired) -> rppal::gpio::Result<OutputPin> {
    let free = gpio.get(number(wired))?;
    let mut output = if wired.active_low { free.into_output_high() } else { free.into_output_low() };
    // A restart must not darken a beacon.
    output.set_reset_on_drop(false);
    Ok(output)
}

/// rppal refuses a number that no Pi has.
fn number(wired: &Wired) -> u8 {
    u8::try_from(wired.number).unwrap_or(u8::MAX)
}

struct Inputs {
    gpio: Gpio,
    bank: Bank,
    pins: Vec<InputPin>,
    /// The number of the last event of each pin; the kernel counts from 1.
    last: Vec<u32>,
    /// Nobody has asked for the levels yet: tell every line.
    tell_all: bool,
}

impl crate::Inputs for Inputs {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn read(&mut self) -> Result<Vec<Reading>, Error> {
        self.tell_all = false;
        Ok(self.bank.readings(|number| self.pins.iter().any(|p| u16::from(p.pin()) == number && p.is_high())))
    }

    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error> {
        if self.tell_all {
            return Ok(every_line(self.read()?, Instant::now()));
        }
        let pins: Vec<_> = self.pins.iter().collect();
        let polled = self.gpio.poll_interrupts(&pins, false, Some(timeout));
        let Some((pin, event)) = polled.map_err(|error| sorted(error, None))? else { return Ok(Vec::new()) };
        let Some(index) = self.pins.iter().position(|p| p.pin() == pin.pin()) else { return Ok(Vec::new()) };
        let expected = std::mem::replace(&mut self.last[index], event.seqno).wrapping_add(1);
        let wired = &self.bank.wired()[index];
        Ok(vec![Edge {
            line: wired.line.clone(),
            active: wired.invert(event.trigger == Trigger::RisingEdge),
            at: instant_of(event.timestamp, crate::gpio::monotonic_now(), Instant::now()),
            missed: event.seqno != expected,
        }])
    }
}

struct Outputs {
    bank: Bank,
    commanded: Commanded,
    pins: Vec<OutputPin>,
}

impl Outputs {
    fn write(&mut self, writes: &[(u16, bool)]) {
        for &(number, high) in writes {
            let pin = self.pins.iter_mut().find(|pin| u16::from(pin.pin()) == number);
            pin.into_iter().for_each(|pin| pin.write(high.into()));
        }
    }
}

impl crate::Outputs for Outputs {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn apply(&mut self, wanted: &[(&str, bool)]) -> Result<(), Error> {
        let writes = self.commanded.note(&self.bank, wanted)?;
        self.write(&writes);
        let readings = self.read_back()?;
        self.commanded.confirm_only(&self.bank, &readings, wanted)
    }

    fn read_back(&mut self) -> Result<Vec<Reading>, Error> {
        let high = |number| self.pins.iter().any(|pin| u16::from(pin.pin()) == number && pin.is_set_high());
        Ok(self.bank.readings(high))
    }

    fn supervise(&mut self) -> Result<Supervision, Error> {
        let readings = self.read_back()?;
        let lost = self.commanded.lost(&self.bank, &readings);
        self.write(&lost);
        let readings = self.read_back()?;
        self.commanded.confirm(&self.bank, &readings)?;
        Ok(restored(&self.bank, &lost))
    }
}

fn sorted(error: rppal::gpio::Error, wired: Option<&Wired>) -> Error {
    use rppal::gpio::Error as Pi;
    let device = DEVICE.to_owned();
    match (error, wired) {
        (Pi::UnknownModel, _) => Error::NotAPi { reason: "unknown model".into() },
        (Pi::Io(source), _) if source.kind() == std::io::ErrorKind::NotFound => {
            Error::NotAPi { reason: source.to_string() }
        }
        (Pi::PermissionDenied(path), _) => Error::Denied { device: path },
        (Pi::PinUsed(_), Some(wired)) => {
            Error::Held { line: wired.line.clone(), device, by: "this program".into() }
        }
        (Pi::Io(source), _) => Error::Io { device, doing: "using pins", source },
        (other @ (Pi::PinUsed(_) | Pi::PinNotAvailable(_) | Pi::ThreadPanic), _) => {
            Error::Refused { device, reason: other.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn another_board_is_told_plainly_which_part_to_use() {
        if Gpio::new().is_ok() {
            return;
        }
        let wired = Wired { line: "red".into(), number: 12, active_low: false };
        let error = open_outputs(&[wired]).err().expect("no Pi, no pins");
        assert_eq!(error.severity(), Severity::Fatal);
        assert!(error.to_string().contains("use the part `gpio` instead"), "{error}");
    }
}
