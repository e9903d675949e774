//! Somebody who talks to a rack without keeping to the rules: plain quinn and rustls, with any certificate or none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alarm::ticket::Ticket;
use alarm::wire::{self, EnrolAnswer, EnrolRequest, Purpose, ToRack};
use alarm::{PathId, Wall};
use base64::prelude::{BASE64_STANDARD, Engine};
use link::CertificateDer;
use link::proof::{self, SecretHash};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// A rack answers everything at once.
const LIMIT: Duration = Duration::from_secs(20);

/// A certificate chain with its key.
pub type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A key of our own, and the request for its certificate.
pub struct Key(rcgen::KeyPair);

impl Key {
    /// A new one.
    ///
    /// # Panics
    /// If there is no randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(rcgen::KeyPair::generate().expect("a key"))
    }

    /// The request (PKCS#10, DER).
    ///
    /// # Panics
    /// Never: the parameters are the simplest there are.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        let request = rcgen::CertificateParams::default().serialize_request(&self.0).expect("a request");
        request.der().to_vec()
    }

    /// With the chain that somebody issued.
    #[must_use]
    pub fn certified(&self, chain: Vec<CertificateDer<'static>>) -> Certified {
        (chain, PrivatePkcs8KeyDer::from(self.0.serialize_der()).into())
    }
}

/// Connects without looking at who answers.
///
/// # Errors
/// How the rack ended the handshake.
///
/// # Panics
/// If there is no socket.
pub async fn knock(
    to: SocketAddr,
    alpn: &[u8],
    own: Option<Certified>,
) -> Result<Connection, ConnectionError> {
    let builder = builder();
    let mut tls = match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("a usable certificate"),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config =
        quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("a cipher for QUIC")));
    let endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    endpoint.connect_with(config, to, "anybody").expect("begun").await
}

/// A client that takes every certificate and shows none.
///
/// # Panics
/// Never: TLS 1.3 is there.
#[must_use]
pub fn trusting() -> ClientConfig {
    builder().with_no_client_auth()
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
}

/// Opens a stream, sends raw bytes, and leaves it open.
///
/// # Panics
/// If the connection has gone.
pub async fn say(connection: &Connection, bytes: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.expect("a stream");
    send.write_all(bytes).await.expect("sent");
    (send, recv)
}

/// The next message on a raw stream.
///
/// # Panics
/// If none comes, or it makes no sense.
pub async fn hear<T: DeserializeOwned>(recv: &mut RecvStream) -> T {
    let heard = async {
        let mut prefix = [0; 4];
        recv.read_exact(&mut prefix).await.expect("a length");
        let mut json = vec![0; wire::length(prefix).expect("a frame")];
        recv.read_exact(&mut json).await.expect("a whole frame");
        wire::decode(&json).expect("a message")
    };
    timeout(LIMIT, heard).await.expect("an answer in time")
}

/// Shows a ticket for a key, on a connection of its own.
///
/// # Panics
/// If the rack gives no answer at all.
pub async fn enrol(to: SocketAddr, ticket: &Ticket, key: &Key, version: u16) -> EnrolAnswer {
    let connection = knock(to, wire::ALPN_ENROL, None).await.expect("a ticket may be shown by anybody");
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, proof::LABEL, b"").expect("32 bytes");
    let secret = SecretHash::of(&ticket.secret).expect("a secret");
    let csr = key.request();
    let request = EnrolRequest {
        version,
        ticket: ticket.number.clone(),
        proof: proof::prove(&secret, &exporter, &csr),
        csr: BASE64_STANDARD.encode(&csr),
    };
    let (_send, mut recv) = say(&connection, &wire::encode(&request).expect("short")).await;
    hear(&mut recv).await
}

/// The chain of an answer that enrols.
///
/// # Panics
/// If it does not.
pub fn chain(answer: EnrolAnswer) -> Vec<CertificateDer<'static>> {
    let EnrolAnswer::Enrolled { chain } = answer else { panic!("not enrolled: {answer:?}") };
    let der = |text: &String| CertificateDer::from(BASE64_STANDARD.decode(text).expect("base64"));
    chain.iter().map(der).collect()
}

/// The first frame of a stream.
///
/// # Panics
/// Never.
#[must_use]
pub fn hello(version: u16, purpose: Purpose, paths: usize) -> Vec<u8> {
    let path = PathId::new("wired").expect("a name");
    let paths = vec![path.clone(); paths];
    let hello = ToRack::Hello { version, purpose, path, paths, now: now(), software: "stranger".into() };
    wire::encode(&hello).expect("short")
}

/// Any bytes as a frame.
///
/// # Panics
/// If they are more than four gigabytes.
#[must_use]
pub fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).expect("short");
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}

/// The time of day.
#[must_use]
pub fn now() -> Wall {
    link::Clock::system().now()
}

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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
