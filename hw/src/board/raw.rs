//! A board file as written. Unknown keys are rejected here, sense is checked in [`super::check`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::gpio::Bias;
use crate::serial::Parity;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    /// Each with its `part`; the other keys depend on it and are read by [`Part::read`].
    pub(super) devices: BTreeMap<String, toml::Table>,
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, toml::Table>,
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, toml::Table>,
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Gpio(Gpio),
    Pi(Pi),
    SerialBox(SerialBox),
    Modbus(Modbus),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Gpio {
    /// Label or name of the chip; all chips when left out.
    pub(super) chip: Option<String>,
    #[serde(default)]
    pub(super) debounce_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Pi {
    #[serde(default)]
    pub(super) debounce_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SerialBox {
    pub(super) path: PathBuf,
    #[serde(default = "factory_baud")]
    pub(super) baud: u32,
    #[serde(default)]
    pub(super) parity: Parity,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Modbus {
    pub(super) path: PathBuf,
    #[serde(default = "factory_baud")]
    pub(super) baud: u32,
    #[serde(default)]
    pub(super) parity: Parity,
    #[serde(default = "factory_unit")]
    pub(super) unit: u8,
    pub(super) timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Input {
    pub(super) device: String,
    pub(super) line: Place,
    #[serde(default)]
    pub(super) active_low: bool,
    #[serde(default)]
    pub(super) bias: Bias,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Output {
    pub(super) device: String,
    pub(super) line: Place,
    #[serde(default)]
    pub(super) active_low: bool,
}

/// A name on GPIO, a number on everything else (and on GPIO chips without names).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged, expecting = "`line` must be a name in quotes or a number from 0")]
pub(super) enum Place {
    Number(u16),
    Name(String),
}

/// Relay boards and button boxes leave the factory with this.
fn factory_baud() -> u32 {
    9600
}

/// The first free address; relay boards leave the factory with it.
fn factory_unit() -> u8 {
    1
}

const PARTS: &str = "gpio, pi, serial-box or modbus";

impl Part {
    /// The reason when the table describes no part.
    pub(super) fn read(mut table: toml::Table) -> Result<Self, String> {
        let part = table.remove("part").ok_or(format!("`part` is missing: {PARTS}"))?;
        let result = match part.as_str() {
            Some("gpio") => table.try_into().map(Self::Gpio),
            Some("pi") => table.try_into().map(Self::Pi),
            Some("serial-box") => table.try_into().map(Self::SerialBox),
            Some("modbus") => table.try_into().map(Self::Modbus),
            _ => return Err(format!("part {part} does not exist, only {PARTS}")),
        };
        result.map_err(|error| plain(&error))
    }
}

/// The message without its surroundings.
pub(super) fn plain(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', ", ")
}
