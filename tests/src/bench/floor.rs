//! What no daemon can be faster than: a bare QUIC round trip, a bare fsync. The QUIC server is a process of its own,
//! as the desk is one.

use anyhow::Context;
use link::ca::Ca;
use link::{CertificateDer, Clock};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, IdleTimeout, ServerConfig, TransportConfig};
use rustls::RootCertStore;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NAME: &str = "floor.onepress.internal";
/// The name of the mode in which this program is the server.
pub(crate) const MODE: &str = "floor-server";
const ROOT: &str = "floor-root.der";

/// Runs the server until its input ends: echoes every frame. Says its port on its output.
pub(crate) async fn serve(dir: &Path) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let ca = Ca::create("bench", now)?;
    std::fs::write(dir.join(ROOT), ca.root())?;
    let own = ca.issue_rack(&[NAME.into()], now)?;
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(own.chain, own.key.into())?;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport(None)?);
    let endpoint = Endpoint::server(config, "0.0.0.0:0".parse()?)?;
    writeln!(std::io::stdout(), "{}", endpoint.local_addr()?.port())?;
    tokio::select! {
        () = accept(&endpoint) => Ok(()),
        () = super::generator::input_ended() => Ok(()),
    }
}

async fn accept(endpoint: &Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                echo(connection).await;
            }
        });
    }
}

async fn echo(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            while let Ok(Some(chunk)) = recv.read_chunk(usize::MAX, true).await {
                if send.write_all(&chunk.bytes).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn transport(keep_alive: Option<Duration>) -> anyhow::Result<Arc<TransportConfig>> {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(IdleTimeout::try_from(alarm::path::IDLE_TIMEOUT)?));
    config.keep_alive_interval(keep_alive);
    Ok(Arc::new(config))
}

/// The running server.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([MODE.as_ref(), dir.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let port = line.trim().parse().with_context(|| format!("the floor's server said {line:?}"))?;
        Ok(Self { child, port })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects to the server from one of loopback's addresses.
pub(crate) async fn connect(
    dir: &Path,
    port: u16,
    source: IpAddr,
    keep_alive: Duration,
) -> anyhow::Result<(Endpoint, Connection)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(std::fs::read(dir.join(ROOT))?))?;
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport(Some(keep_alive))?);
    let endpoint = Endpoint::client(SocketAddr::new(source, 0))?;
    let connection =
        endpoint.connect_with(config, SocketAddr::new([127, 0, 0, 1].into(), port), NAME)?.await?;
    Ok((endpoint, connection))
}

/// One open stream to the server.
pub(crate) struct Echo {
    _endpoint: Endpoint,
    _connection: Connection,
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    frame: Vec<u8>,
}

impl Echo {
    /// Frames of so many bytes.
    pub(crate) async fn open(dir: &Path, server: &Server, bytes: usize) -> anyhow::Result<Self> {
        let keep_alive = alarm::path::KEEP_ALIVE_WIRED;
        let (endpoint, connection) = connect(dir, server.port, [127, 0, 0, 1].into(), keep_alive).await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(Self { _endpoint: endpoint, _connection: connection, send, recv, frame: vec![b'x'; bytes] })
    }

    pub(crate) async fn round_trip(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.send.write_all(&self.frame).await?;
        let mut back = vec![0; self.frame.len()];
        self.recv.read_exact(&mut back).await?;
        Ok(begun.elapsed())
    }
}

/// A file that grows by records.
pub(crate) struct Disk {
    file: File,
    record: Vec<u8>,
}

impl Disk {
    pub(crate) fn open(dir: &Path, name: &str, bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { file: File::create(dir.join(name))?, record: vec![b'x'; bytes] })
    }

    /// Appends so many records and waits for the disk.
    pub(crate) fn append(&mut self, records: usize) -> anyhow::Result<Duration> {
        let bytes = self.record.repeat(records);
        let begun = Instant::now();
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        Ok(begun.elapsed())
    }
}
