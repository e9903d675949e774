//! A byte wire with timeouts: a serial port that reopens itself, or a pseudo-terminal ([`crate::pty::End`]).
//! What the bytes mean belongs to [`crate::serialbox`] and [`crate::modbus`].

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort};

use crate::Error;

/// Bytes out, bytes in, never longer than a timeout.
pub trait Wire: Send {
    /// The device, as a technician finds it.
    fn device(&self) -> &str;

    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Waits for bytes and returns how many came; 0 when `timeout` passed.
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, Error>;
}

/// How a serial port is set: 8 data bits, 1 stop bit, no flow control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The device file, best a stable name such as `/dev/onepress/relay0`.
    pub path: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
}

impl Settings {
    /// 9600 8N1, what relay boards and our button boxes have from the factory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), baud: 9600, parity: Parity::None }
    }
}

/// The parity bit of a serial port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// Even, the Modbus default.
    Even,
    /// Odd.
    Odd,
}

/// A serial port. After a failure it is closed, and the next use opens it again:
/// an adapter that was pulled and plugged comes back by itself.
pub struct Port {
    name: String,
    settings: Settings,
    open: Option<Box<dyn SerialPort>>,
}

impl Port {
    /// Opens the port now, so that a wrong path shows at start.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let mut port = Self::closed(settings);
        port.opened()?;
        Ok(port)
    }

    /// A port that opens at its first use.
    #[must_use]
    pub fn closed(settings: Settings) -> Self {
        Self { name: settings.path.display().to_string(), settings, open: None }
    }

    fn opened(&mut self) -> Result<&mut Box<dyn SerialPort>, Error> {
        match &mut self.open {
            Some(port) => Ok(port),
            vacant => Ok(vacant.insert(open(&self.name, &self.settings)?)),
        }
    }

    fn with<T>(
        &mut self,
        doing: &'static str,
        act: impl FnOnce(&mut dyn SerialPort) -> io::Result<T>,
    ) -> Result<T, Error> {
        let outcome = act(&mut **self.opened()?);
        outcome.map_err(|source| {
            self.open = None;
            Error::from_io(&self.name, doing, source)
        })
    }
}

impl Wire for Port {
    fn device(&self) -> &str {
        &self.name
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.with("sending", |port| port.write_all(bytes))
    }

    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, Error> {
        self.with("receiving", |port| {
            port.set_timeout(timeout)?;
            match port.read(buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => Ok(count),
                Err(error) if quiet(error.kind()) => Ok(0),
                Err(error) => Err(error),
            }
        })
    }
}

fn quiet(kind: io::ErrorKind) -> bool {
    kind == io::ErrorKind::TimedOut || kind == io::ErrorKind::Interrupted
}

fn open(name: &str, settings: &Settings) -> Result<Box<dyn SerialPort>, Error> {
    let builder = serialport::new(name, settings.baud).parity(match settings.parity {
        Parity::None => serialport::Parity::None,
        Parity::Even => serialport::Parity::Even,
        Parity::Odd => serialport::Parity::Odd,
    });
    let port = builder.open().map_err(|error| refused(name, error))?;
    // What waited in the driver is older than this program.
    port.clear(ClearBuffer::Input).map_err(|error| refused(name, error))?;
    Ok(port)
}

fn refused(name: &str, error: serialport::Error) -> Error {
    match error.kind() {
        // serialport's word for a port that is locked by somebody else.
        serialport::ErrorKind::NoDevice => Error::Busy { device: name.to_owned() },
        serialport::ErrorKind::Io(_)
        | serialport::ErrorKind::InvalidInput
        | serialport::ErrorKind::Unknown => Error::from_io(name, "opening", error.into()),
    }
}
