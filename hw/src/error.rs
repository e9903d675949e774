//! What can go wrong with a device, in words for the technician who stands before it.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Line;

/// Shorthand for this crate's device errors.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether a loop should try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// May pass by itself or by plugging something in: try again, raise a fault meanwhile.
    Retryable,
    /// Will not pass before somebody changes the installation: end with this message.
    Fatal,
}

/// A device error.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what its fields are")]
#[non_exhaustive]
pub enum Error {
    /// No GPIO chip carries a line of this name.
    #[error(
        "line {line:?} ({name:?} on {place}) does not exist; {}; \
         correct the board file or plug in the device that carries it", .names.list()
    )]
    NoLine { line: Line, name: String, place: String, names: Names },

    /// Several lines have the same name, and guessing would be dangerous.
    #[error("line {line:?}: the name {name:?} exists more than once ({}); give `chip` in the board file", .places.join(", "))]
    DuplicateLine { line: Line, name: String, places: Vec<String> },

    /// Another program holds the line.
    #[error("line {line:?} on {device} is held by {by:?}")]
    Held { line: Line, device: String, by: String },

    /// The device file is not there.
    #[error("{device} is not there; check the cable and the udev rule that names it")]
    Absent { device: String },

    /// The device exists but this user may not open it.
    #[error("no permission to open {device}; check the group of the device file and the unit's DeviceAllow")]
    Denied { device: String },

    /// Another program has the serial port open.
    #[error("{device} is in use by another program")]
    Busy { device: String },

    /// Nothing came from the device.
    #[error("{device} has been silent for {} ms; check power, cable and polarity of the pair", .after.as_millis())]
    Silent { device: String, after: Duration },

    /// Bytes came, but never a whole valid answer.
    #[error("{device} answers in garbage ({reason}); check baud rate, polarity of the pair and termination")]
    Garbled { device: String, reason: String },

    /// The device understood and declined.
    #[error("{device} refused: {reason}")]
    Refused { device: String, reason: String },

    /// An output did not follow.
    #[error(
        "line {line:?} on {device} was switched {} and still reads {}; check the relay and its supply",
        on_off(*.wanted), on_off(!*.wanted)
    )]
    Mismatch { line: Line, device: String, wanted: bool },

    /// The caller named a line that this bank does not have.
    #[error("{device} has no line {line:?}; it has {}", .lines.join(", "))]
    UnknownLine { line: String, device: String, lines: Vec<String> },

    /// This part exists on a Raspberry Pi only.
    #[error(
        "this board is not a Raspberry Pi that the part `pi` knows ({reason}); use the part `gpio` instead"
    )]
    NotAPi { reason: String },

    /// Any other failure of the operating system.
    #[error("{device}: {doing}: {source}")]
    Io { device: String, doing: &'static str, source: io::Error },
}

impl Error {
    /// Whether trying again makes sense.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoLine { .. }
            | Self::Held { .. }
            | Self::Absent { .. }
            | Self::Busy { .. }
            | Self::Silent { .. }
            | Self::Garbled { .. }
            | Self::Mismatch { .. }
            | Self::Io { .. } => Severity::Retryable,
            Self::DuplicateLine { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::UnknownLine { .. }
            | Self::NotAPi { .. } => Severity::Fatal,
        }
    }

    /// Sorts an operating system error by what a technician can do about it.
    pub(crate) fn from_io(device: &str, doing: &'static str, source: io::Error) -> Self {
        let device = device.to_owned();
        match (source.kind(), source.raw_os_error()) {
            (io::ErrorKind::NotFound, _) | (_, Some(ENXIO | ENODEV)) => Self::Absent { device },
            (io::ErrorKind::PermissionDenied, _) => Self::Denied { device },
            (_, Some(EBUSY)) => Self::Busy { device },
            _ => Self::Io { device, doing, source },
        }
    }
}

// errno(3), the same on every Linux architecture we build for.
const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;

/// The line names that do exist, for an error message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

/// Enough for a technician to see the pattern; a Pi has 58 lines.
const NAMES_MAX: usize = 64;

impl Names {
    /// Sorted, without the unnamed ones.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    fn list(&self) -> String {
        match self.0.len() {
            0 => "no named line exists".into(),
            len if len > NAMES_MAX => {
                format!("names that exist: {} and {} more", self.0[..NAMES_MAX].join(", "), len - NAMES_MAX)
            }
            _ => format!("names that exist: {}", self.0.join(", ")),
        }
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The short name of a device path for messages: `/dev/gpiochip0` is `gpiochip0`.
pub(crate) fn short(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
