//! What is wanted of the kernel. Data only.

use std::path::Path;
use std::time::Duration;

use crate::{Error, Line};

/// One wanted line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The role name.
    pub line: Line,
    /// Where it is.
    pub place: Place,
    /// Low level means active.
    pub active_low: bool,
    /// The chip's own resistor; not every chip has one.
    pub bias: Bias,
}

/// Where a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By the name that device tree, ACPI or driver give it: `GPIO17`.
    Name(String),
    /// By its offset on the chip named in [`Options::chip`]: USB adapters have no line names.
    Offset(u16),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Offset(offset) => write!(f, "offset {offset}"),
        }
    }
}

/// Pull resistor of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// As firmware left it.
    #[default]
    AsIs,
    /// To supply.
    PullUp,
    /// To ground.
    PullDown,
    /// None.
    Disabled,
}

/// For all lines of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only this chip, by label (`pinctrl-bcm2711`, stable) or name (`gpiochip0`, not stable); all chips when `None`.
    pub chip: Option<String>,
    /// Who holds the lines, as `gpioinfo` shows it: the daemon's name.
    pub consumer: String,
    /// The kernel's debouncer. It waits until a line is stable and adds that time to the latency.
    pub debounce: Option<Duration>,
}

pub(super) fn failed(device: &str, doing: &'static str, error: gpiocdev::Error) -> Error {
    let source = if let gpiocdev::Error::Os(errno) = &error {
        std::io::Error::from_raw_os_error(errno.0)
    } else {
        std::io::Error::other(error)
    };
    Error::from_io(device, doing, source)
}

pub(super) fn chip_name(path: &Path) -> String {
    crate::error::short(path)
}
