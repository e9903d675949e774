//! Sockets that the service manager holds for us, by the name their unit gives (`FileDescriptorName=`).
//!
//! They are open before the daemon starts and stay open while it restarts: nothing sent meanwhile is lost.
//! Each is given out once, non-blocking, ready for tokio's `from_std`. When there is none of the name, or
//! it is of another kind (which is logged), the answer is `None` and the daemon binds its own.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{LazyLock, Mutex, PoisonError};

use sd_notify::NotifyState;
use socket2::{Domain, Socket, Type};

static PASSED: LazyLock<Mutex<Passed>> = LazyLock::new(|| Mutex::new(Passed::from_service_manager()));

/// A UDP socket, of either family.
#[must_use]
pub fn udp(name: &str) -> Option<UdpSocket> {
    take(name, Kind::Udp).map(UdpSocket::from)
}

/// A listening TCP socket.
#[must_use]
pub fn tcp(name: &str) -> Option<TcpListener> {
    take(name, Kind::Tcp).map(TcpListener::from)
}

/// A listening Unix stream socket.
#[must_use]
pub fn unix(name: &str) -> Option<UnixListener> {
    take(name, Kind::Unix).map(UnixListener::from)
}

/// A descriptor of any kind that an earlier life of this daemon gave to [`store`].
#[must_use]
pub fn stored(name: &str) -> Option<OwnedFd> {
    lock().take(name)
}

/// Has the service manager keep a copy of `fd` for the daemon's next life; needs
/// `FileDescriptorStoreMax=` in the unit, and is without effect else.
pub fn store(name: &str, fd: impl AsFd) {
    let states = [NotifyState::FdStore, NotifyState::FdName(name)];
    if let Err(error) = sd_notify::notify_with_fds(false, &states, &[fd.as_fd()]) {
        tracing::warn!(name, %error, "descriptor not stored; the next start will do without");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Udp,
    Tcp,
    Unix,
}

/// What has been handed over and not yet been asked for.
#[derive(Debug, Default)]
struct Passed(Vec<(String, OwnedFd)>);

impl Passed {
    #[allow(
        unsafe_code,
        reason = "a descriptor number from the environment has no owner until it is given one"
    )]
    fn from_service_manager() -> Self {
        let named = match sd_notify::listen_fds_with_names(false) {
            Ok(named) => named,
            Err(error) => {
                tracing::error!(%error, "sockets handed over in a way that is not understood");
                return Self::default();
            }
        };
        // SAFETY: LISTEN_PID names this process, so by sd_listen_fds(3) these numbers are open and ours
        // alone; PASSED is filled once, so none gets two owners.
        Self(named.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) })).collect())
    }

    fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let place = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.remove(place).1)
    }
}

fn take(name: &str, kind: Kind) -> Option<Socket> {
    fit(lock().take(name)?, kind)
        .inspect_err(|reason| tracing::error!(name, ?kind, %reason, "the socket handed over is of no use"))
        .ok()
}

fn fit(fd: OwnedFd, kind: Kind) -> Result<Socket, std::io::Error> {
    let socket = Socket::from(fd);
    if kind_of(&socket)? != Some(kind) {
        return Err(std::io::Error::other("it is a socket of another kind"));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn kind_of(socket: &Socket) -> Result<Option<Kind>, std::io::Error> {
    let inet = matches!(socket.domain()?, Domain::IPV4 | Domain::IPV6);
    let unix = socket.domain()? == Domain::UNIX;
    let listens = socket.r#type()? == Type::STREAM && socket.is_listener()?;
    Ok(match socket.r#type()? {
        Type::DGRAM if inet => Some(Kind::Udp),
        Type::STREAM if inet && listens => Some(Kind::Tcp),
        Type::STREAM if unix && listens => Some(Kind::Unix),
        _ => None,
    })
}

fn lock() -> std::sync::MutexGuard<'static, Passed> {
    // A list of descriptors is whole whoever panicked.
    PASSED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_fits_itself_only() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let sockets = || -> [(Kind, OwnedFd); 3] {
            let _ = std::fs::remove_file(directory.path().join("s"));
            [
                (Kind::Udp, UdpSocket::bind("127.0.0.1:0").expect("udp").into()),
                (Kind::Tcp, TcpListener::bind("127.0.0.1:0").expect("tcp").into()),
                (Kind::Unix, UnixListener::bind(directory.path().join("s")).expect("unix").into()),
            ]
        };
        for asked in [Kind::Udp, Kind::Tcp, Kind::Unix] {
            for (given, fd) in sockets() {
                assert_eq!(fit(fd, asked).is_ok(), given == asked, "{given:?} as {asked:?}");
            }
        }
    }

    #[test]
    fn a_file_or_a_socket_that_does_not_listen_is_refused() {
        let file = std::fs::File::open("/dev/null").expect("opened");
        assert!(fit(file.into(), Kind::Udp).is_err());
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("tcp");
        assert!(fit(silent.into(), Kind::Tcp).is_err());
    }

    #[test]
    fn a_name_is_given_out_once_and_same_names_in_turn() {
        let fd = || OwnedFd::from(UdpSocket::bind("127.0.0.1:0").expect("udp"));
        let mut passed = Passed(vec![("link".into(), fd()), ("console".into(), fd()), ("link".into(), fd())]);
        assert!(passed.take("other").is_none());
        assert!(passed.take("link").is_some());
        assert!(passed.take("link").is_some());
        assert!(passed.take("link").is_none());
        assert!(passed.take("console").is_some());
    }
}
