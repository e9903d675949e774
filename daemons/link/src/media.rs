//! TLS for the media plane: the same identities and the same root as the alarm link, on a connection of its own.
//! Boxes show their certificates, browsers show none; the relay decides by the ALPN and the certificate.

use crate::cert::{Leaf, Role};
use crate::identity::Identity;
use crate::{Clock, Fingerprint, Name, TlsError, tls};
use alarm::{BoxId, Wall};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// An appliance of the centre is a relay when its name begins so; nothing else with a certificate of the
/// site CA is taken for one.
pub const RELAY_NAME: &str = "relay";
/// Life of a certificate that browsers know by its hash. The WebTransport specification allows 14 days in all, and
/// one more day lies before its beginning, for clocks that are behind.
pub const WEB_LIFE: Duration = Duration::from_secs(12 * 24 * 3600);

/// Whether an appliance without a site is a relay.
pub fn is_relay(name: &BoxId) -> bool {
    name.as_str() == RELAY_NAME || name.as_str().starts_with("relay-")
}

/// Who is at the other end of a connection, by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: Name,
    /// SHA-256 of its public key, as the register has it.
    pub key: Fingerprint,
}

impl Peer {
    /// The peer of a connection whose handshake is done; `None` when it showed no certificate.
    pub fn of(connection: &quinn::Connection) -> Option<Self> {
        let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        let leaf = Leaf::read(chain.first()?).ok()?;
        Some(Self { name: leaf.name, key: leaf.key })
    }
}

/// A certificate for browsers, known by its hash: ECDSA P-256, self-signed, short.
#[derive(Clone)]
pub struct WebCertificate {
    key: Arc<CertifiedKey>,
    /// SHA-256 of the certificate.
    pub hash: Fingerprint,
    /// When it ends.
    pub until: Wall,
}

impl WebCertificate {
    /// Makes one that is good from a day ago for [`WEB_LIFE`].
    ///
    /// # Errors
    /// [`TlsError`] when it cannot be made.
    pub fn make(now: Wall, names: &[String]) -> Result<Self, TlsError> {
        let certified = crate::ca::self_signed(now, WEB_LIFE, names).map_err(tls::unusable)?;
        let hash = Fingerprint::of(&certified.chain[0]);
        let until = now + WEB_LIFE;
        Ok(Self { key: certified_key(certified.chain, certified.key)?, hash, until })
    }

    /// For a TLS port that shows it to everybody.
    pub fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let signer =
        rustls::crypto::ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key)).map_err(tls::unusable)?;
    Ok(Arc::new(CertifiedKey::new(chain, signer)))
}

/// Which certificate a relay shows: browsers ask for HTTP/3, boxes and relays for MoQ itself.
#[derive(Clone)]
pub struct Shown {
    own: Arc<RwLock<Arc<CertifiedKey>>>,
    web: Arc<RwLock<WebCertificate>>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown")
    }
}

impl Shown {
    /// Both certificates.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(identity: &Identity, web: WebCertificate) -> Result<Self, TlsError> {
        let own = certified_key(identity.chain().to_vec(), identity.key().der())?;
        Ok(Self { own: Arc::new(RwLock::new(own)), web: Arc::new(RwLock::new(web)) })
    }

    /// Shows a renewed identity from now on.
    ///
    /// # Errors
    /// [`TlsError`]; the old one stays.
    pub fn renew(&self, identity: &Identity) -> Result<(), TlsError> {
        let own = certified_key(identity.chain().to_vec(), identity.key().der())?;
        *self.own.write().unwrap_or_else(std::sync::PoisonError::into_inner) = own;
        Ok(())
    }

    /// Shows another certificate to browsers from now on.
    pub fn show_web(&self, web: WebCertificate) {
        *self.web.write().unwrap_or_else(std::sync::PoisonError::into_inner) = web;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let browser = hello.alpn().is_some_and(|mut offered| offered.any(|alpn| alpn == b"h3"));
        Some(if browser {
            Arc::clone(&self.web.read().unwrap_or_else(std::sync::PoisonError::into_inner).key)
        } else {
            Arc::clone(&self.own.read().unwrap_or_else(std::sync::PoisonError::into_inner))
        })
    }
}

/// The relay's side. `alpns` in order of preference.
///
/// # Errors
/// [`TlsError`].
pub fn relay(
    identity: &Identity,
    clock: &Clock,
    shown: Shown,
    alpns: Vec<Vec<u8>>,
) -> Result<QuicServerConfig, TlsError> {
    tls::relay(identity.root().clone(), clock, shown, alpns)
}

/// A box's side of a connection to a relay, or a relay's to another.
///
/// # Errors
/// [`TlsError`].
pub fn to_relay(
    identity: &Identity,
    clock: &Clock,
    alpns: Vec<Vec<u8>>,
) -> Result<QuicClientConfig, TlsError> {
    tls::to_relay(identity, clock, alpns)
}

/// Whether a certificate of the site CA speaks for a relay.
pub(crate) fn speaks_for_relay(
    der: &CertificateDer<'_>,
    root: &CertificateDer<'_>,
    now: Wall,
) -> Result<(), crate::BadCertificate> {
    let leaf = Leaf::verify(der, root, Role::Box, now)?;
    match &leaf.name {
        Name::Wall { name } if is_relay(name) => Ok(()),
        Name::Wall { .. } | Name::Box { .. } | Name::Rack => {
            Err(crate::BadCertificate::WrongName(leaf.name.to_string()))
        }
    }
}
