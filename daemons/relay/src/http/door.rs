//! Where browsers come in: TCP, with or without TLS. Handshakes run beside each other, so that a slow one holds
//! nobody up.

use anyhow::Context;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use link::media::WebCertificate;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

/// TLS handshakes at once: every seat of a large centre after a restart.
const HANDSHAKES_MAX: usize = 256;
/// A handshake that takes longer is somebody who keeps a port open.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// What a browser does not confirm for this long ends the connection.
const UNHEARD_LIMIT: Duration = Duration::from_secs(10);
/// Accepting fails while the process is out of descriptors; it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// TLS with the operator's certificate, else with the one that browsers know by its hash elsewhere.
///
/// # Errors
/// When the operator's certificate cannot be used; it names the file.
pub(crate) fn tls(
    operators: Option<&(PathBuf, PathBuf)>,
    own: watch::Receiver<WebCertificate>,
) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let mut config = match operators {
        Some((certificate, key)) => {
            let (chain, private) = read(certificate, key)?;
            builder.with_single_cert(chain, private).with_context(|| {
                format!("{} and {} do not belong together", certificate.display(), key.display())
            })?
        }
        None => builder.with_cert_resolver(Arc::new(Own(own))),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The web certificate as it is now.
struct Own(watch::Receiver<WebCertificate>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.borrow().key())
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(certificate: &PathBuf, key: &PathBuf) -> anyhow::Result<Pair> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .with_context(|| format!("certificate {} cannot be read", certificate.display()))?
        .collect();
    let chain = chain.with_context(|| format!("{} is not a PEM certificate chain", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("private-key {} is not a PEM private key", key.display()))?;
    Ok((chain, key))
}

/// Something that can be read and written.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// A connection.
pub(crate) type Stream = Box<dyn Pipe>;

/// The listening socket.
pub(crate) struct Door {
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote(pub(crate) IpAddr);

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
                tracing::debug!(%error, "a browser could not be let in");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Voice is small and must not wait for more (Nagle).
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
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await.ok()?;
    Some(Box::new(shaken.ok()?))
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
