//! The rack's site CA (RFC 5280 profile: one self-signed ECDSA P-256 root, leaves directly under it).
//!
//! It signs what it is told to; who gets a certificate is the desk's decision. Nothing of a request but its key
//! reaches a certificate.

use crate::state::{self, StateError};
use crate::{Fingerprint, Name};
use alarm::Wall;
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey,
    PublicKeyData, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::time::Duration;

/// Life of the root: as long as an appliance stays in its cabinet.
pub const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Life of a box's certificate: it is renewed after 60 days, which leaves 30 to notice that it was not.
pub const BOX_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Life of the rack's own certificate: browsers take no longer ones from public CAs, and some from no CA.
pub const RACK_LIFE: Duration = Duration::from_secs(397 * 24 * 3600);
/// A certificate begins this long before it is issued, for boxes whose clock is behind.
pub const BACKDATE: Duration = Duration::from_secs(24 * 3600);

/// Uncompressed P-256 point (SEC 1 section 2.3.3).
const P256_POINT: usize = 65;

/// The rack's certificate authority: its root certificate and the key that signs.
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What the CA cannot do.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The request is not a PKCS#10 request with a P-256 key, signed by that key (RFC 2986).
    #[error("the certificate request is not acceptable: {0}")]
    BadRequest(String),
    /// A name that cannot stand in a certificate.
    #[error("{0:?} cannot be a name in a certificate: use a host name or an IP address")]
    BadName(String),
    /// The stored root and key cannot be used.
    #[error("the site CA cannot be used: {0}")]
    Unusable(String),
    /// It cannot be kept or read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A certificate chain with its key: the rack's own.
pub struct Certified {
    /// Leaf, then the site root (DER).
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the leaf (PKCS#8, DER).
    pub key: PrivatePkcs8KeyDer<'static>,
}

impl Clone for Certified {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Ca {
    /// Makes a new root. `centre` is for people who look at the certificate.
    ///
    /// # Errors
    /// [`CaError::Unusable`] when the key cannot be made.
    pub fn create(centre: &str, now: Wall) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
        let mut params = params(&format!("Onepress site CA {centre}"), now, ROOT_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(unusable)?;
        Ok(Self { certificate: certificate.into(), issuer: Issuer::new(params, key) })
    }

    /// Takes a root from PEM: certificate and PKCS#8 key.
    ///
    /// # Errors
    /// [`CaError::Unusable`] when either cannot be read or they do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CaError> {
        let key = KeyPair::from_pem(key).map_err(unusable)?;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(unusable)?;
        let cert = webpki::EndEntityCert::try_from(&certificate).map_err(unusable)?;
        if cert.subject_public_key_info().as_ref() != key.subject_public_key_info() {
            return Err(CaError::Unusable("certificate and key do not belong together".into()));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unusable)?;
        Ok(Self { certificate, issuer })
    }

    /// Loads `ca.pem` (root certificate and key in one file) from the directory, or makes both.
    ///
    /// # Errors
    /// [`CaError`]; a damaged file is never replaced, because every box trusts the old root.
    pub fn open(dir: &Path, centre: &str, now: Wall) -> Result<Self, CaError> {
        let path = dir.join("ca.pem");
        match state::read_text(&path)? {
            Some(pem) => Self::from_pem(&pem, &pem).map_err(|error| StateError::damaged(&path, error).into()),
            None => {
                let ca = Self::create(centre, now)?;
                state::write(&path, format!("{}{}", ca.root_pem(), ca.key_pem()).as_bytes())?;
                Ok(ca)
            }
        }
    }

    /// The root certificate.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the root certificate: what a ticket pins.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// The root certificate as PEM (RFC 7468), for browsers and for [`Ca::from_pem`].
    pub fn root_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The signing key as PEM (PKCS#8). Secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a box's certificate for the key of a request. The name is the caller's; whatever names, uses or
    /// constraints the request asks for are ignored. Returns the leaf and the root.
    ///
    /// # Errors
    /// [`CaError::Unusable`] when the root's key does not sign.
    pub fn issue_box(
        &self,
        request: &Request,
        name: &Name,
        now: Wall,
    ) -> Result<Vec<CertificateDer<'static>>, CaError> {
        let params = leaf(name, now, BOX_LIFE, ExtendedKeyUsagePurpose::ClientAuth)?;
        let leaf = params.signed_by(&request.0, &self.issuer).map_err(unusable)?;
        Ok(self.chain(leaf))
    }

    /// Issues the rack's own certificate with a new key. It also serves HTTPS under `names`: host names and IP
    /// addresses.
    ///
    /// # Errors
    /// [`CaError::BadName`].
    pub fn issue_rack(&self, names: &[String], now: Wall) -> Result<Certified, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
        let mut params = leaf(&Name::Rack, now, RACK_LIFE, ExtendedKeyUsagePurpose::ServerAuth)?;
        for name in names {
            params.subject_alt_names.push(host(name)?);
        }
        let leaf = params.signed_by(&key, &self.issuer).map_err(unusable)?;
        Ok(Certified { chain: self.chain(leaf), key: PrivatePkcs8KeyDer::from(key.serialize_der()) })
    }

    fn chain(&self, leaf: Certificate) -> Vec<CertificateDer<'static>> {
        vec![leaf.into(), self.certificate.clone()]
    }
}

/// A request for a certificate that has been read and proved: nothing but its key.
pub struct Request(PublicKey);

impl Request {
    /// Reads a PKCS#10 request (RFC 2986, DER).
    ///
    /// # Errors
    /// [`CaError::BadRequest`] for anything but a request with a P-256 key, signed by it.
    pub fn from_der(der: &[u8]) -> Result<Self, CaError> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
            .map_err(|error| CaError::BadRequest(error.to_string()))?;
        let key = request.public_key;
        if PublicKeyData::algorithm(&key) != &PKCS_ECDSA_P256_SHA256 || key.der_bytes().len() != P256_POINT {
            return Err(CaError::BadRequest("the key is not ECDSA P-256".into()));
        }
        Ok(Self(key))
    }

    /// Reads a request as it travels: base64.
    ///
    /// # Errors
    /// As [`Request::from_der`].
    pub fn from_base64(text: &str) -> Result<Self, CaError> {
        let der = BASE64_STANDARD.decode(text).map_err(|error| CaError::BadRequest(error.to_string()))?;
        Self::from_der(&der)
    }

    /// The fingerprint of the key, by which the register knows a box.
    pub fn key(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }
}

/// A chain as it travels in `Enrolled` and `Certificate`: base64 of each DER.
pub fn to_wire(chain: &[CertificateDer<'_>]) -> Vec<String> {
    chain.iter().map(|der| BASE64_STANDARD.encode(der)).collect()
}

fn leaf(
    name: &Name,
    now: Wall,
    life: Duration,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, CaError> {
    let mut params = params(name.common_name(), now, life);
    let uri = name.to_string();
    params.subject_alt_names = vec![SanType::URI(uri.clone().try_into().map_err(|_| CaError::BadName(uri))?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(common_name: &str, now: Wall, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // No certificate begins before 1970: X.509 readers disagree about such dates.
    let now = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATE);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + life;
    params
}

fn host(name: &str) -> Result<SanType, CaError> {
    match name.parse() {
        Ok(ip) => Ok(SanType::IpAddress(ip)),
        Err(_) => {
            rustls::pki_types::DnsName::try_from(name).map_err(|_| CaError::BadName(name.into()))?;
            Ok(SanType::DnsName(name.try_into().map_err(|_| CaError::BadName(name.into()))?))
        }
    }
}

/// PEM as RFC 7468 lays it out.
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn unusable(error: impl ToString) -> CaError {
    CaError::Unusable(error.to_string())
}
