//! The rack's end: takes connections, sorts them by ALPN, and hands over those whose handshake is done.
//!
//! Whether a box is in the register, which of two connections is the newer one, and whether a ticket is good is
//! the desk's decision; this end only refuses what no desk could want.

mod admission;
mod door;
mod enrol;
mod hello;
mod session;
mod stream;

pub use admission::{ENROLMENTS_MAX, HANDSHAKE_LIMIT};
pub use door::{FROM_ONE_ADDRESS, HANDSHAKES_MAX, RETRY_ABOVE};
pub use enrol::{EnrolLost, EnrolSession, REQUEST_LIMIT};
pub use hello::{Hello, SOFTWARE_MAX};
pub(crate) use session::canonical;
pub use session::{HELLO_LIMIT, Peer, Session};
pub use stream::{Body, Receiver, Sender, Stream};

use crate::ca::Certified;
use crate::closed::Reason;
use crate::{Clock, Keys, TlsError, tls, transport};
use quinn::{Endpoint, ServerConfig, TokioRuntime};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Sessions that wait for [`Listener::accept`]: a burst; beyond it handshakes wait.
const READY_MAX: usize = 16;
/// How long a planned stop waits until the boxes have heard it: a few round trips of a slow cellular link.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// Asked for as the socket's receive buffer: the first packets of 1000 boxes that come back at once, 1.2 kB each.
/// The kernel gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// What a listener needs.
pub struct Config {
    /// The rack's own certificate and key, with the root that signs the boxes'.
    pub own: Certified,
    /// The endpoint's lasting secret.
    pub keys: Keys,
    /// The rack's clock.
    pub clock: Clock,
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub enum Incoming {
    /// An enrolled box.
    Box(Session),
    /// A new box with a ticket. Nothing is known about it yet.
    Enrolment(EnrolSession),
}

/// The listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The socket.
    #[error("cannot listen on UDP {address}: {error}")]
    Socket {
        /// Where.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The socket has failed or the listener was shut: no more connections will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link's socket takes no more connections")]
pub struct Ended;

/// The rack's endpoint. Dropping it stops taking connections; those that were handed over live on.
pub struct Listener {
    endpoint: Endpoint,
    ready: mpsc::Receiver<Incoming>,
    admission: JoinHandle<()>,
    keys: Keys,
    clock: Clock,
}

impl Listener {
    /// Serves a bound UDP socket, as the service manager passes it. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn open(socket: UdpSocket, config: Config) -> Result<Self, ListenError> {
        let server = server(&config.own, &config.keys, &config.clock)?;
        let address = socket.local_addr().map_or_else(|_| "a socket".into(), |address| address.to_string());
        let endpoint =
            endpoint(socket, &config.keys, server).map_err(|error| ListenError::Socket { address, error })?;
        let (found, ready) = mpsc::channel(READY_MAX);
        let admission = tokio::spawn(admission::run(endpoint.clone(), config.clock.clone(), found));
        Ok(Self { endpoint, ready, admission, keys: config.keys, clock: config.clock })
    }

    /// Binds the address and serves it.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn bind(address: SocketAddr, config: Config) -> Result<Self, ListenError> {
        let socket = UdpSocket::bind(address)
            .map_err(|error| ListenError::Socket { address: address.to_string(), error })?;
        Self::open(socket, config)
    }

    /// The next connection. Cancel safe.
    ///
    /// # Errors
    /// [`Ended`] when the socket has failed: end the daemon.
    pub async fn accept(&mut self) -> Result<Incoming, Ended> {
        self.ready.recv().await.ok_or(Ended)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Shows another certificate (of the same root) to connections from now on.
    ///
    /// # Errors
    /// [`TlsError`]; the old one stays.
    pub fn show(&self, own: &Certified) -> Result<(), TlsError> {
        self.endpoint.set_server_config(Some(server(own, &self.keys, &self.clock)?));
        Ok(())
    }

    /// Closes every connection with a reason and waits a moment until the boxes have heard it.
    pub async fn shut(self, reason: Reason) {
        self.endpoint.close(reason.var(), b"");
        let _ = tokio::time::timeout(GOODBYE_LIMIT, self.endpoint.wait_idle()).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.admission.abort();
    }
}

fn server(own: &Certified, keys: &Keys, clock: &Clock) -> Result<ServerConfig, TlsError> {
    let tls = tls::rack(own, clock)?;
    let mut config = ServerConfig::new(Arc::new(tls), keys.token());
    config.transport_config(Arc::new(transport::rack()));
    config.max_incoming(door::WAITING_MAX);
    config.incoming_buffer_size(door::WAITING_BYTES);
    config.incoming_buffer_size_total(door::WAITING_BYTES_ALL);
    Ok(config)
}

fn endpoint(socket: UdpSocket, keys: &Keys, server: ServerConfig) -> io::Result<Endpoint> {
    socket.set_nonblocking(true)?;
    if let Err(error) = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(%error, "the socket keeps its receive buffer");
    }
    Endpoint::new(keys.endpoint(), Some(server), socket, Arc::new(TokioRuntime))
}
