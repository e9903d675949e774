//! Where consoles come in: TCP, with or without TLS. Handshakes run beside each other, so that a slow one holds
//! nobody up.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// TLS handshakes at once: every seat of a large centre after a restart.
const HANDSHAKES_MAX: usize = 256;
/// A handshake that takes longer is somebody who keeps a port open.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// A console that has lost its power says nothing; what it does not confirm ends the connection after this, and its
/// seat is given up.
const UNHEARD_LIMIT: Duration = Duration::from_secs(10);
/// Accepting fails while the process is out of descriptors; it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening socket.
pub(crate) struct Door {
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

/// A connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote(IpAddr);

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Connected<IncomingStream<'_, Door>> for Remote {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(stream.remote_addr().ip().to_canonical())
    }
}

impl Door {
    /// Opens the door on a bound socket.
    pub(crate) fn open(socket: std::net::TcpListener, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        let (found, ready) = mpsc::channel(HANDSHAKES_MAX);
        tokio::spawn(greet(socket, tls, found));
        Ok(Self { ready, address })
    }
}

async fn greet(socket: TcpListener, tls: Option<TlsAcceptor>, found: mpsc::Sender<(Stream, SocketAddr)>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let (stream, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a console could not be let in");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Server-sent events are small and must not wait for more (Nagle).
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNHEARD_LIMIT));
        let (Ok(place), found, tls) = (Arc::clone(&places).acquire_owned().await, found.clone(), tls.clone())
        else {
            return;
        };
        tokio::spawn(async move {
            if let Some(stream) = shake(stream, tls).await {
                drop(found.send((stream, remote)).await);
            }
            drop(place);
        });
    }
}

async fn shake(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(tls) = tls else { return Some(Stream::Plain(stream)) };
    let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await.ok()?;
    Some(Stream::Tls(Box::new(shaken.ok()?)))
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
