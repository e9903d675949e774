//! TLS 1.3 (RFC 8446) as used by QUIC (RFC 9001): who may talk to whom. No session resumption and no early data,
//! so that every connection is judged anew by the certificate that it shows.

use crate::ca::Certified;
use crate::cert::{BadCertificate, Leaf, Role};
use crate::identity::Identity;
use crate::{Clock, Fingerprint};
use alarm::{Wall, wire};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};
use std::sync::Arc;

/// What boxes write into the server name extension; nobody checks it, the root is pinned.
pub(crate) const SERVER_NAME: &str = "rack.onepress.internal";

/// Our own certificate, key or root cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
#[error("the certificate or key cannot be used for TLS: {0}")]
pub struct TlsError(String);

/// The rack's side: certificates of boxes are verified when shown. Whether one is needed depends on the ALPN.
pub(crate) fn rack(own: &Certified, clock: &Clock) -> Result<QuicServerConfig, TlsError> {
    let root = own.chain.last().cloned().ok_or_else(|| TlsError("empty chain".into()))?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(clock.clone()))
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(Arc::new(Boxes { root }))
        .with_single_cert(own.chain.clone(), own.key.clone_key().into())
        .map_err(unusable)?;
    config.alpn_protocols = vec![wire::ALPN.to_vec(), wire::ALPN_ENROL.to_vec()];
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(unusable)
}

/// An enrolled box's side.
pub(crate) fn enrolled(identity: &Identity, clock: &Clock) -> Result<QuicClientConfig, TlsError> {
    let config = client(Trust::Root(identity.root().clone()), clock)?
        .with_client_auth_cert(identity.chain().to_vec(), identity.key().der().into())
        .map_err(unusable)?;
    finish(config, wire::ALPN)
}

/// A new box's side: it knows the root by its fingerprint only, and has no certificate.
pub(crate) fn enrolling(root: Fingerprint) -> Result<QuicClientConfig, TlsError> {
    let config = client(Trust::Pin(root), &Clock::system())?.with_no_client_auth();
    finish(config, wire::ALPN_ENROL)
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn client(trust: Trust, clock: &Clock) -> Result<Builder, TlsError> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(clock.clone()))
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Racks(trust))))
}

fn finish(mut config: ClientConfig, alpn: &[u8]) -> Result<QuicClientConfig, TlsError> {
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(unusable)
}

/// A relay's side: certificates of boxes are verified when shown, browsers show none.
pub(crate) fn relay(
    root: CertificateDer<'static>,
    clock: &Clock,
    shown: crate::media::Shown,
    alpns: Vec<Vec<u8>>,
) -> Result<QuicServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(clock.clone()))
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(Arc::new(Boxes { root }))
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = alpns;
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(unusable)
}

/// The side of a box that connects to a relay.
pub(crate) fn to_relay(
    identity: &Identity,
    clock: &Clock,
    alpns: Vec<Vec<u8>>,
) -> Result<QuicClientConfig, TlsError> {
    let mut config = client(Trust::Relay(identity.root().clone()), clock)?
        .with_client_auth_cert(identity.chain().to_vec(), identity.key().der().into())
        .map_err(unusable)?;
    config.alpn_protocols = alpns;
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(unusable)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// How a box judges its rack.
#[derive(Debug)]
struct Racks(Trust);

#[derive(Debug)]
enum Trust {
    Root(CertificateDer<'static>),
    Pin(Fingerprint),
    /// The root, for a relay.
    Relay(CertificateDer<'static>),
}

impl Trust {
    fn root<'a>(&'a self, shown: &'a [CertificateDer<'a>]) -> Option<&'a CertificateDer<'a>> {
        match self {
            Self::Root(root) | Self::Relay(root) => Some(root),
            Self::Pin(pin) => shown.iter().find(|der| Fingerprint::of(der) == *pin),
        }
    }
}

impl ServerCertVerifier for Racks {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = self.0.root(others).ok_or(CertificateError::UnknownIssuer)?;
        match self.0 {
            Trust::Root(_) | Trust::Pin(_) => judge(leaf, root, Role::Rack, now)?,
            Trust::Relay(_) => refuse(crate::media::speaks_for_relay(leaf, root, wall(now)))?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// How the rack judges boxes.
#[derive(Debug)]
struct Boxes {
    root: CertificateDer<'static>,
}

impl ClientCertVerifier for Boxes {
    fn client_auth_mandatory(&self) -> bool {
        // A new box has none yet; `rack` sends an enrolled one away that shows none.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        judge(leaf, &self.root, Role::Box, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn judge(
    leaf: &CertificateDer<'_>,
    root: &CertificateDer<'_>,
    role: Role,
    now: UnixTime,
) -> Result<(), Error> {
    refuse(Leaf::verify(leaf, root, role, wall(now)).map(drop))
}

fn wall(now: UnixTime) -> Wall {
    Wall::from_millis(i64::try_from(now.as_secs() * 1000).unwrap_or(i64::MAX))
}

fn refuse(judged: Result<(), BadCertificate>) -> Result<(), Error> {
    let refused = match judged {
        Ok(()) => return Ok(()),
        Err(BadCertificate::Unreadable(_)) => CertificateError::BadEncoding,
        Err(BadCertificate::NotOurs(_)) => CertificateError::UnknownIssuer,
        Err(BadCertificate::WrongName(_) | BadCertificate::WrongKey) => CertificateError::NotValidForName,
    };
    Err(refused.into())
}

pub(crate) fn unusable(error: impl ToString) -> TlsError {
    TlsError(error.to_string())
}
