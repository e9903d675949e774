//! What the ends of the fan-out benchmark share: certificates, the film that is sent, varints.

#![allow(dead_code, reason = "each end uses its part")]

use anyhow::Context;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Pictures a second.
pub(crate) const RATE: u32 = 25;
/// Pictures from one key frame to the next.
pub(crate) const GROUP: u64 = 50;
/// Bytes of a picture that is no key frame; with key frames of six times as much it makes 2 Mbit/s.
const PICTURE: usize = 9_091;
/// Kernel buffers of the sockets, in bytes; what the kernel does not give is not an error.
const SOCKET_BUFFER: usize = 4 << 20;

/// Picture `n` at `now` (nanoseconds of the monotonic clock, which its first bytes carry).
pub(crate) fn picture(n: u64, now: u64) -> Vec<u8> {
    let mut data = vec![0; if n.is_multiple_of(GROUP) { 6 * PICTURE } else { PICTURE }];
    data[..8].copy_from_slice(&now.to_be_bytes());
    data
}

/// The monotonic clock, which all processes share, in nanoseconds.
pub(crate) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap_or_default()
}

/// A relay's endpoint on a port of loopback, with a certificate of its own making.
pub(crate) fn server(port: u16, transport: quinn::TransportConfig) -> anyhow::Result<quinn::Endpoint> {
    let key = rcgen::KeyPair::generate()?;
    let own = rcgen::CertificateParams::new(vec!["localhost".into()])?.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.into())?;
    tls.alpn_protocols = media::session::relay_alpns();
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport));
    let (socket, runtime) = (socket(port)?, quinn::default_runtime().context("a tokio runtime")?);
    Ok(quinn::Endpoint::new(quinn::EndpointConfig::default(), Some(config), socket, runtime)?)
}

/// A connection to any relay, from a socket of its own.
pub(crate) async fn connect(to: SocketAddr) -> anyhow::Result<quinn::Connection> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    tls.alpn_protocols = media::session::alpns();
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let transport = media::session::transport_config(Duration::from_secs(4), Duration::from_secs(20));
    config.transport_config(Arc::new(transport));
    let runtime = quinn::default_runtime().context("a tokio runtime")?;
    let endpoint = quinn::Endpoint::new(quinn::EndpointConfig::default(), None, socket(0)?, runtime)?;
    Ok(endpoint.connect_with(config, to, "localhost")?.await?)
}

fn socket(port: u16) -> anyhow::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket.into())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Takes every certificate: the peers under test make their own.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A variable-length integer (RFC 9000 section 16).
pub(crate) fn put(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x40 => out.push(value as u8),
        0x40..0x4000 => out.extend((value as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend((value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend((value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// The first one of `bytes` and how long it is; `None` when it is not all there.
pub(crate) fn get(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let size = 1 << (first >> 6);
    let rest = bytes.get(1..size)?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, size))
}

/// Says one line.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
