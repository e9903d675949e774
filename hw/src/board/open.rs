//! From role names to open devices.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::check::{Board, list};
use super::error::OpenError;
use super::raw::{self, Part, Place};
use crate::modbus::{Bus, Contacts, Relays, Timing};
use crate::serial::{Port, Settings};
use crate::{Error, Inputs, Outputs, Wired, gpio, pi, serialbox};

/// Devices, each with its lines and their role names.
type ByDevice<'a, T> = Vec<(&'a str, Vec<(&'a str, &'a T)>)>;

/// Ports with several Modbus units on them.
#[derive(Clone, Default)]
pub(super) struct Buses(Arc<Mutex<BTreeMap<PathBuf, Bus>>>);

impl Board {
    /// Opens these inputs, one bank per device. `consumer` is the daemon's name, as others see it on a held line.
    ///
    /// # Errors
    /// [`OpenError::Config`] for a name the board does not have, [`OpenError::Device`] for the rest.
    pub fn open_inputs(&self, consumer: &str, names: &[&str]) -> Result<Vec<Box<dyn Inputs>>, OpenError> {
        let mut banks = Vec::new();
        for (device, lines) in self.by_device("inputs", &self.inputs, names, |input| &input.device)? {
            let opened = match self.part(device) {
                Part::Gpio(part) => gpio::open_inputs(&wanted_inputs(&lines), &options(part, consumer))?,
                Part::Pi(part) => vec![pi::open_inputs(&pins(&lines), debounce(part.debounce_ms))?],
                Part::SerialBox(part) => vec![open_box(part, wired_inputs(&lines))?],
                Part::Modbus(part) => {
                    let bus = self.buses.bus(part)?;
                    vec![Box::new(Contacts::open(bus, part.unit, wired_inputs(&lines))?) as Box<dyn Inputs>]
                }
            };
            banks.extend(opened);
        }
        Ok(banks)
    }

    /// These inputs by the device that carries them, in the order asked for. Who opens each device by itself is not
    /// kept from all inputs by one that is missing.
    ///
    /// # Errors
    /// [`OpenError::Config`] for a name the board does not have.
    pub fn inputs_by_device(&self, names: &[&str]) -> Result<Vec<(String, Vec<String>)>, OpenError> {
        let by_device = self.by_device("inputs", &self.inputs, names, |input| &input.device)?;
        let owned = |(device, lines): (&str, Vec<(&str, &raw::Input)>)| {
            (device.to_owned(), lines.into_iter().map(|(name, _)| name.to_owned()).collect())
        };
        Ok(by_device.into_iter().map(owned).collect())
    }

    /// Opens these outputs, one bank per device. Errors as [`Board::open_inputs`].
    pub fn open_outputs(&self, consumer: &str, names: &[&str]) -> Result<Vec<Box<dyn Outputs>>, OpenError> {
        let mut banks = Vec::new();
        for (device, lines) in self.by_device("outputs", &self.outputs, names, |output| &output.device)? {
            let opened = match self.part(device) {
                Part::Gpio(part) => gpio::open_outputs(&wanted_outputs(&lines), &options(part, consumer))?,
                Part::Pi(_) => vec![pi::open_outputs(&wired_outputs(&lines))?],
                Part::SerialBox(_) => unreachable!("a checked board has no outputs on a serial-box"),
                Part::Modbus(part) => {
                    let bus = self.buses.bus(part)?;
                    vec![Box::new(Relays::open(bus, part.unit, wired_outputs(&lines))?) as Box<dyn Outputs>]
                }
            };
            banks.extend(opened);
        }
        Ok(banks)
    }

    fn part(&self, device: &str) -> &Part {
        self.devices.get(device).expect("a checked board names only devices it has")
    }

    /// The wanted lines by device, both in the order asked for.
    fn by_device<'a, T>(
        &self,
        section: &str,
        lines: &'a BTreeMap<String, T>,
        names: &[&str],
        device: impl Fn(&'a T) -> &'a String,
    ) -> Result<ByDevice<'a, T>, OpenError> {
        let mut by_device: ByDevice<'a, T> = Vec::new();
        for name in names {
            let (name, line) = lines.get_key_value(*name).ok_or_else(|| {
                let remedy = format!("add it to the board file or use one of: {}", list(lines.keys()));
                self.wrong(format!("{section}.{name}"), "the board has no such line", remedy)
            })?;
            let device = device(line).as_str();
            match by_device.iter_mut().find(|(known, _)| *known == device) {
                Some((_, lines)) => lines.push((name.as_str(), line)),
                None => by_device.push((device, vec![(name.as_str(), line)])),
            }
        }
        Ok(by_device)
    }
}

impl Buses {
    fn bus(&self, part: &raw::Modbus) -> Result<Bus, Error> {
        let mut buses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bus) = buses.get(&part.path) {
            return Ok(bus.clone());
        }
        let settings = Settings { path: part.path.clone(), baud: part.baud, parity: part.parity };
        let factory = Timing::of_baud(part.baud);
        let answer = part.timeout_ms.map_or(factory.answer, Duration::from_millis);
        let bus = Bus::new(Port::open(settings)?, Timing { answer, ..factory });
        buses.insert(part.path.clone(), bus.clone());
        Ok(bus)
    }
}

fn open_box(part: &raw::SerialBox, wired: Vec<Wired>) -> Result<Box<dyn Inputs>, Error> {
    let settings = Settings { path: part.path.clone(), baud: part.baud, parity: part.parity };
    Ok(Box::new(serialbox::Inputs::new(Port::open(settings)?, wired)))
}

fn options(part: &raw::Gpio, consumer: &str) -> gpio::Options {
    gpio::Options {
        chip: part.chip.clone(),
        consumer: consumer.to_owned(),
        debounce: debounce(part.debounce_ms),
    }
}

fn debounce(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn wanted_inputs(lines: &[(&str, &raw::Input)]) -> Vec<gpio::Wanted> {
    let wanted = |&(name, input): &(&str, &raw::Input)| gpio::Wanted {
        line: name.into(),
        place: place(&input.line),
        active_low: input.active_low,
        bias: input.bias,
    };
    lines.iter().map(wanted).collect()
}

fn wanted_outputs(lines: &[(&str, &raw::Output)]) -> Vec<gpio::Wanted> {
    let wanted = |&(name, output): &(&str, &raw::Output)| gpio::Wanted {
        line: name.into(),
        place: place(&output.line),
        active_low: output.active_low,
        bias: gpio::Bias::AsIs,
    };
    lines.iter().map(wanted).collect()
}

fn place(place: &Place) -> gpio::Place {
    match place {
        Place::Name(name) => gpio::Place::Name(name.clone()),
        Place::Number(number) => gpio::Place::Offset(*number),
    }
}

fn pins(lines: &[(&str, &raw::Input)]) -> Vec<pi::Pin> {
    lines.iter().map(|&(name, input)| pi::Pin { wired: wired_input(name, input), bias: input.bias }).collect()
}

fn wired_inputs(lines: &[(&str, &raw::Input)]) -> Vec<Wired> {
    lines.iter().map(|&(name, input)| wired_input(name, input)).collect()
}

fn wired_input(name: &str, input: &raw::Input) -> Wired {
    Wired { line: name.into(), number: number(&input.line), active_low: input.active_low }
}

fn wired_outputs(lines: &[(&str, &raw::Output)]) -> Vec<Wired> {
    let wired = |&(name, output): &(&str, &raw::Output)| Wired {
        line: name.into(),
        number: number(&output.line),
        active_low: output.active_low,
    };
    lines.iter().map(wired).collect()
}

fn number(place: &Place) -> u16 {
    match place {
        Place::Number(number) => *number,
        Place::Name(_) => unreachable!("a checked board names lines on gpio only"),
    }
}
