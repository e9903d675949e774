//! How a broker is reached: TCP in the clear, or TLS as a press needs it that travels over public networks.

use anyhow::Context;
use base64::prelude::{BASE64_STANDARD, Engine};
use link::ca::Ca;
use link::{CertificateDer, Clock};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "broker.onepress.internal";
const COLUMNS: usize = 64;

/// A connection to a broker.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The files of a broker's certificate, and who trusts it.
pub(super) struct Trust {
    pub(super) root: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    client: Arc<ClientConfig>,
}

impl Trust {
    /// Makes a CA and a certificate in `dir`.
    pub(super) fn create(dir: &Path) -> anyhow::Result<Self> {
        let now = Clock::system().now();
        let ca = Ca::create("bench", now)?;
        let own = ca.issue_rack(&[NAME.into()], now)?;
        let [root, certificate, key] = ["root.pem", "broker.pem", "broker.key"].map(|name| dir.join(name));
        std::fs::write(&root, ca.root_pem())?;
        let chain: String = own.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        std::fs::write(&certificate, chain)?;
        std::fs::write(&key, pem("PRIVATE KEY", own.key.secret_pkcs8_der()))?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.root().to_vec()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { root, certificate, key, client: Arc::new(client) })
    }

    pub(super) fn wrap(&self, stream: TcpStream) -> anyhow::Result<Wire> {
        let connection = ClientConnection::new(Arc::clone(&self.client), NAME.try_into().context("a name")?)?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(COLUMNS) {
        let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
    }
    pem + &format!("-----END {label}-----\n")
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Sends it all now.
pub(super) fn send(wire: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    wire.write_all(bytes)?;
    Ok(wire.flush()?)
}
