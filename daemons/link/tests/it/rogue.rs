//! A box that does not keep to the rules: plain quinn and rustls, with whatever certificate it was given.

use crate::boxes::name;
use crate::centre::{PATIENCE, Remains};
use alarm::wire;
use link::ca::Request;
use link::{CertificateDer, Clock};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;

type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A good certificate whose key this test holds.
pub fn certified(remains: &Remains, box_name: &str) -> Certified {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let request = Request::from_der(csr.der()).unwrap();
    let chain = remains.ca.issue_box(&request, &name(box_name), Clock::system().now()).unwrap();
    (chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

/// Connects without looking at who answers.
pub async fn connect(to: SocketAddr, alpn: &[u8], own: Option<Certified>) -> Connection {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let mut tls = match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.connect_with(config, to, "anybody").unwrap().await.unwrap()
}

/// Opens a stream, sends raw bytes, and leaves it open.
pub async fn say(connection: &Connection, bytes: &[u8]) -> (quinn::SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    (send, recv)
}

/// The next message on a raw stream.
pub async fn hear<T: DeserializeOwned>(recv: &mut RecvStream) -> T {
    timeout(PATIENCE, async {
        let mut prefix = [0; 4];
        recv.read_exact(&mut prefix).await.unwrap();
        let mut json = vec![0; wire::length(prefix).unwrap()];
        recv.read_exact(&mut json).await.unwrap();
        wire::decode(&json).unwrap()
    })
    .await
    .unwrap()
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
