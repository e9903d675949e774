//! From a board file as written to one that makes sense. Pure but for reading the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::open::Buses;
use super::raw::{self, Part, Place, Raw, plain};
use crate::modbus::BITS_MAX;
use crate::serialbox;

/// A checked board file.
///
/// Parts that share a serial line share one port as long as they were opened through the same `Board` or a clone.
#[derive(Clone)]
pub struct Board {
    pub(super) file: PathBuf,
    name: String,
    description: String,
    pub(super) devices: BTreeMap<String, Part>,
    pub(super) inputs: BTreeMap<String, raw::Input>,
    pub(super) outputs: BTreeMap<String, raw::Output>,
    pub(super) buses: Buses,
}

/// A board file is some kilobytes; more than this is something else given the wrong name.
const BYTES_MAX: u64 = 1 << 20;

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

impl Board {
    /// Reads and checks a board file.
    ///
    /// # Errors
    /// When the file can't be read or makes no sense. No device is touched.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let text = read(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            key: "board file".into(),
            reason: error.to_string(),
            remedy: "name an existing board file; the shipped ones are in hw/boards".into(),
        })?;
        Self::parse(file, &text)
    }

    /// Checks the text of a board file; `file` is for messages.
    pub fn parse(file: impl Into<PathBuf>, text: &str) -> Result<Self, ConfigError> {
        let file = file.into();
        let check = Check { file: &file };
        let raw: Raw = toml::from_str(text).map_err(|error| check.syntax(text, &error))?;
        let devices = check.devices(raw.devices)?;
        let inputs = check.lines::<raw::Input>("inputs", raw.inputs)?;
        let outputs = check.lines::<raw::Output>("outputs", raw.outputs)?;
        check.every_line(&devices, &inputs, &outputs)?;
        let (name, description) = (raw.name, raw.description);
        Ok(Self { file, name, description, devices, inputs, outputs, buses: Buses::default() })
    }

    /// What the board is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A sentence about it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The role names of its inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(String::as_str)
    }

    /// The role names of its outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.keys().map(String::as_str)
    }

    /// The device that carries an output, by its name in the file: outputs of different devices can be opened apart,
    /// so that one that is missing does not take the others with it.
    #[must_use]
    pub fn device_of(&self, output: &str) -> Option<&str> {
        self.outputs.get(output).map(|output| output.device.as_str())
    }

    /// Puts a serial device on another path: simulated devices, a site with its own names.
    ///
    /// # Errors
    /// When the board has no such device, or the device has no path.
    pub fn with_path(mut self, device: &str, path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        match self.devices.get_mut(device) {
            Some(Part::SerialBox(part)) => part.path = path.into(),
            Some(Part::Modbus(part)) => part.path = path.into(),
            Some(Part::Gpio(_) | Part::Pi(_)) => {
                let key = format!("devices.{device}");
                return Err(self.wrong(
                    key,
                    "has no path to replace",
                    "replace paths of serial devices only",
                ));
            }
            None => {
                let remedy = format!("name one of: {}", list(self.devices.keys()));
                return Err(self.wrong(format!("devices.{device}"), "does not exist", remedy));
            }
        }
        Ok(self)
    }

    pub(super) fn wrong(
        &self,
        key: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        Check { file: &self.file }.wrong(key, reason, remedy)
    }
}

struct Check<'a> {
    file: &'a Path,
}

impl Check<'_> {
    fn wrong(
        &self,
        key: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError { file: self.file.into(), key: key.into(), reason: reason.into(), remedy: remedy.into() }
    }

    fn syntax(&self, text: &str, error: &toml::de::Error) -> ConfigError {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        self.wrong(format!("line {line}"), plain(error), "compare with a board file in hw/boards")
    }

    fn devices(&self, raw: BTreeMap<String, toml::Table>) -> Result<BTreeMap<String, Part>, ConfigError> {
        let mut devices = BTreeMap::new();
        for (name, table) in raw {
            let key = format!("devices.{name}");
            let wrong = |reason| self.wrong(&key, reason, "compare with a board file in hw/boards");
            let part = Part::read(table).map_err(wrong)?;
            self.device(&key, &part)?;
            devices.insert(name, part);
        }
        Ok(devices)
    }

    fn device(&self, key: &str, part: &Part) -> Result<(), ConfigError> {
        let (baud, unit) = match part {
            Part::Gpio(_) | Part::Pi(_) => return Ok(()),
            Part::SerialBox(part) => (part.baud, 1),
            Part::Modbus(part) => (part.baud, part.unit),
        };
        if baud == 0 {
            return Err(self.wrong(format!("{key}.baud"), "0 is no speed", "9600 is the factory setting"));
        }
        // Modbus over Serial Line V1.02, 2.2: 0 is broadcast, 248 and above are reserved.
        if !(1..=247).contains(&unit) {
            let reason = format!("{unit} is no unit address");
            return Err(self.wrong(format!("{key}.unit"), reason, "give the board's address, 1 to 247"));
        }
        Ok(())
    }

    fn lines<T: serde::de::DeserializeOwned>(
        &self,
        section: &str,
        raw: BTreeMap<String, toml::Table>,
    ) -> Result<BTreeMap<String, T>, ConfigError> {
        let read = |(name, table): (String, toml::Table)| {
            let key = format!("{section}.{name}");
            if !is_role(&name) {
                let remedy = "use lower-case letters, digits and hyphens, as in button-1-no";
                return Err(self.wrong(key, "is no role name", remedy));
            }
            let wrong = |error| self.wrong(&key, plain(&error), "compare with a board file in hw/boards");
            Ok((name, table.try_into().map_err(wrong)?))
        };
        raw.into_iter().map(read).collect()
    }

    fn every_line(
        &self,
        devices: &BTreeMap<String, Part>,
        inputs: &BTreeMap<String, raw::Input>,
        outputs: &BTreeMap<String, raw::Output>,
    ) -> Result<(), ConfigError> {
        let inputs = inputs.iter().map(|(name, i)| (Way::In, name, &i.device, &i.line));
        let outputs = outputs.iter().map(|(name, o)| (Way::Out, name, &o.device, &o.line));
        let mut taken = BTreeSet::new();
        for (way, name, device, place) in inputs.chain(outputs) {
            let key = format!("{}.{name}", way.section());
            let part = devices.get(device).ok_or_else(|| {
                let remedy = format!("name one of: {}", list(devices.keys()));
                self.wrong(format!("{key}.device"), format!("no device {device:?}"), remedy)
            })?;
            let key = format!("{key}.line");
            place_on(part, way, place).map_err(|(reason, remedy)| self.wrong(&key, reason, remedy))?;
            if !taken.insert((address_space(part, way), device, place)) {
                let remedy = "give every role a line of its own";
                return Err(self.wrong(
                    key,
                    format!("another role has this line of {device:?} already"),
                    remedy,
                ));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    In,
    Out,
}

impl Way {
    fn section(self) -> &'static str {
        match self {
            Self::In => "inputs",
            Self::Out => "outputs",
        }
    }
}

/// Coils and discrete inputs have numbers of their own; on the other parts a line is a line.
fn address_space(part: &Part, way: Way) -> Option<Way> {
    matches!(part, Part::Modbus(_)).then_some(way)
}

/// Reason and remedy when a part has no such line.
fn place_on(part: &Part, way: Way, place: &Place) -> Result<(), (String, &'static str)> {
    match (part, way, place) {
        (Part::SerialBox(_), Way::Out, _) => {
            Err(("a serial-box has no outputs".into(), "put outputs on gpio or modbus"))
        }
        (Part::Gpio(gpio), _, Place::Number(_)) if gpio.chip.is_none() => Err((
            "a number means nothing without a chip".into(),
            "give the line's name, or `chip` of the device",
        )),
        (Part::Gpio(_), ..) => Ok(()),
        (_, _, Place::Name(name)) => {
            Err((format!("{name:?} is a name, and this part numbers its lines"), "give a number from 0"))
        }
        (Part::Pi(_), _, Place::Number(number)) => below(*number, PI_PINS),
        (Part::SerialBox(_), Way::In, Place::Number(number)) => below(*number, serialbox::INPUTS),
        (Part::Modbus(_), _, Place::Number(number)) => below(*number, BITS_MAX),
    }
}

/// BCM numbers of the 40-pin header: 0 to 27.
const PI_PINS: u16 = 28;

fn below(number: u16, limit: u16) -> Result<(), (String, &'static str)> {
    if number < limit {
        return Ok(());
    }
    Err((format!("{number} is beyond the last line, {}", limit - 1), "lines count from 0"))
}

fn is_role(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub(super) fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
