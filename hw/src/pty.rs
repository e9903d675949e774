//! Pseudo-terminals: a serial cable without hardware, for `onepress demo` and tests.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use crate::Error;
use crate::serial::Wire;

/// One end of a pseudo-terminal. The other end is the device file [`End::path`], which a [`crate::serial::Port`] opens.
///
/// Bytes written while nobody reads the other end are lost once the kernel's buffer is full, as on a real cable.
pub struct End {
    name: String,
    path: PathBuf,
    near: OwnedFd,
    /// Held open: without any opener the near end would report a hang-up and lose its raw mode.
    _far: OwnedFd,
}

/// Opens a pseudo-terminal in raw mode.
///
/// # Errors
/// The operating system's, when it has no pseudo-terminals left.
pub fn open() -> io::Result<End> {
    let near = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&near)?;
    rustix::pty::unlockpt(&near)?;
    let path = PathBuf::from(OsStr::from_bytes(rustix::pty::ptsname(&near, Vec::new())?.as_bytes()));
    let far = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    set_raw(&far)?;
    rustix::fs::fcntl_setfl(&near, OFlags::RDWR | OFlags::NONBLOCK)?;
    Ok(End { name: format!("pty of {}", path.display()), path, near, _far: far })
}

fn set_raw(terminal: &OwnedFd) -> io::Result<()> {
    let mut attributes = rustix::termios::tcgetattr(terminal)?;
    attributes.make_raw();
    rustix::termios::tcsetattr(terminal, OptionalActions::Now, &attributes)?;
    Ok(())
}

impl End {
    /// The device file of the other end: `/dev/pts/7`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn ready(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut waited = [PollFd::new(&self.near, PollFlags::IN)];
        match poll(&mut waited, Some(&timeout)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Wire for End {
    fn device(&self) -> &str {
        &self.name
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.near, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::from_io(&self.name, "sending", error.into())),
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, Error> {
        let failed = |error| Error::from_io(&self.name, "receiving", error);
        if !self.ready(timeout).map_err(failed)? {
            return Ok(0);
        }
        match rustix::io::read(&self.near, buffer) {
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            Err(error) => Err(failed(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serial::{Port, Settings};

    const SOON: Duration = Duration::from_millis(500);

    #[test]
    fn bytes_pass_both_ways_unchanged() {
        let mut near = open().unwrap();
        let mut far = Port::open(Settings::new(near.path())).unwrap();
        let every: Vec<u8> = (0..=255).collect();
        far.send(&every).unwrap();
        assert_eq!(receive_all(&mut near, 256), every);
        near.send(&every).unwrap();
        assert_eq!(receive_all(&mut far, 256), every);
    }

    #[test]
    fn a_quiet_wire_is_no_error() {
        let near = open().unwrap();
        let mut far = Port::open(Settings::new(near.path())).unwrap();
        assert_eq!(far.receive(&mut [0; 8], Duration::from_millis(5)).unwrap(), 0);
    }

    #[test]
    fn a_missing_port_is_retryable_and_says_where_to_look() {
        let error = Port::open(Settings::new("/dev/onepress/none")).err().unwrap();
        assert_eq!(error.severity(), crate::Severity::Retryable);
        assert!(error.to_string().starts_with("/dev/onepress/none is not there; check the cable"));
    }

    fn receive_all(wire: &mut dyn Wire, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            let mut buffer = [0; 64];
            let got = wire.receive(&mut buffer, SOON).unwrap();
            assert_ne!(got, 0, "the wire went quiet after {} bytes", all.len());
            all.extend_from_slice(&buffer[..got]);
        }
        all
    }
}
