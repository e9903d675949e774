//! The rack's site CA (RFC 5280 profile: one self-signed ECDSA P-256 root, leaves directly under it).
//!
//! It signs what it is told to; who gets a certificate is the desk's decision. Nothing of a request but its key
//! reaches a certificate.

mod request;

pub use request::Request;

use crate::state::{self, StateError};
use crate::{Fingerprint, Name};
use alarm::Wall;
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
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
        // Each finds its own block: both may stand in one text.
        let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).map_err(unusable)?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
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
        let leaf = params.signed_by(request.public(), &self.issuer).map_err(unusable)?;
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

/// A certificate that nobody signed but its own key, for browsers that know it by its hash.
pub(crate) fn self_signed(now: Wall, life: Duration, names: &[String]) -> Result<Certified, CaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
    let mut params = params("Onepress relay", now, life);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        params.subject_alt_names.push(host(name)?);
    }
    let certificate = params.self_signed(&key).map_err(unusable)?;
    Ok(Certified { chain: vec![certificate.into()], key: PrivatePkcs8KeyDer::from(key.serialize_der()) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::{BadCertificate, Leaf, Role};
    use crate::identity::Key;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn wall() -> Name {
        "urn:onepress:wall/hall".parse().unwrap()
    }

    #[test]
    fn the_same_root_signs_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ca::open(dir.path(), "test", NOW).unwrap();
        let again = Ca::open(dir.path(), "another name", NOW).unwrap();
        assert_eq!(again.fingerprint(), first.fingerprint());
        let request = Request::from_der(&Key::generate().request()).unwrap();
        let chain = again.issue_box(&request, &wall(), NOW).unwrap();
        let leaf = Leaf::verify(&chain[0], first.root(), Role::Box, NOW).unwrap();
        assert_eq!((leaf.name, leaf.key), (wall(), request.key()));
    }

    #[test]
    fn a_damaged_root_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let (one, other) = (Ca::create("a", NOW).unwrap(), Ca::create("b", NOW).unwrap());
        for text in [String::new(), one.root_pem(), one.key_pem(), one.root_pem() + &other.key_pem()] {
            std::fs::write(&path, &text).unwrap();
            let error = Ca::open(dir.path(), "test", NOW).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("ca.pem") && error.contains("backup"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn the_dates_are_those_that_are_documented() {
        let ca = Ca::create("test", NOW).unwrap();
        let request = Request::from_der(&Key::generate().request()).unwrap();
        let of_box = Leaf::read(&ca.issue_box(&request, &wall(), NOW).unwrap()[0]).unwrap().validity;
        assert_eq!((NOW.since(of_box.from), of_box.until.since(NOW)), (BACKDATE, BOX_LIFE));
        let of_rack = Leaf::read(&ca.issue_rack(&[], NOW).unwrap().chain[0]).unwrap().validity;
        assert_eq!((NOW.since(of_rack.from), of_rack.until.since(NOW)), (BACKDATE, RACK_LIFE));
        let (_, root) = x509_parser::parse_x509_certificate(ca.root()).unwrap();
        let life = root.validity().not_after.timestamp() - NOW.millis() / 1000;
        assert_eq!(u64::try_from(life).unwrap(), ROOT_LIFE.as_secs());
    }

    #[test]
    fn the_racks_certificate_serves_browsers_too() {
        let ca = Ca::create("test", NOW).unwrap();
        let own = ca.issue_rack(&["rack.example".into(), "10.0.0.1".into(), "fd00::1".into()], NOW).unwrap();
        let cert = webpki::EndEntityCert::try_from(&own.chain[0]).unwrap();
        for host in ["rack.example", "10.0.0.1", "fd00::1"] {
            let name = rustls::pki_types::ServerName::try_from(host).unwrap();
            cert.verify_is_valid_for_subject_name(&name).unwrap();
        }
        for bad in ["", "no spaces", "https://rack.example", "\u{fc}.example"] {
            assert!(matches!(ca.issue_rack(&[bad.into()], NOW), Err(CaError::BadName(_))), "{bad}");
        }
    }

    #[test]
    fn a_certificate_serves_its_own_role_only() {
        let ca = Ca::create("test", NOW).unwrap();
        let request = Request::from_der(&Key::generate().request()).unwrap();
        let of_box = ca.issue_box(&request, &wall(), NOW).unwrap();
        let misnamed = ca.issue_box(&request, &Name::Rack, NOW).unwrap();
        let of_rack = ca.issue_rack(&[], NOW).unwrap();
        let verify = |der, role| Leaf::verify(der, ca.root(), role, NOW);
        assert!(matches!(verify(&of_box[0], Role::Rack), Err(BadCertificate::NotOurs(_))));
        assert!(matches!(verify(&of_rack.chain[0], Role::Box), Err(BadCertificate::NotOurs(_))));
        assert!(matches!(verify(&misnamed[0], Role::Box), Err(BadCertificate::WrongName(_))));
    }
}
