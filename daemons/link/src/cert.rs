//! What is read from a peer's certificate, and whether it is one of ours.
//!
//! The chain is always the leaf directly under the site root; nothing else is looked at. The dates are read and
//! judged, but they never refuse a peer: the clock of either end may stand at 1970, and an alarm is never refused
//! for housekeeping. The chain is therefore verified at a time inside the leaf's own dates. The root's dates are
//! not looked at: it is pinned, and its end would otherwise silence every site on one day.

use crate::clock::to_unix;
use crate::{Fingerprint, Name};
use alarm::Wall;
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

/// When a certificate is good, to the second, both ends included (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// notBefore.
    pub from: Wall,
    /// notAfter.
    pub until: Wall,
}

/// How a certificate stands to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// Within its dates.
    Good,
    /// After its end.
    Expired,
    /// Before its beginning. As the rack issues every certificate itself, one of the clocks is wrong.
    NotYet,
}

impl Validity {
    /// How a certificate with these dates stands at `now`.
    pub fn at(&self, now: Wall) -> Dates {
        if now < self.from {
            Dates::NotYet
        } else if now >= self.until + Duration::from_secs(1) {
            Dates::Expired
        } else {
            Dates::Good
        }
    }

    /// The whole life.
    pub fn life(&self) -> Duration {
        self.until.since(self.from)
    }
}

/// A certificate that is not one of ours, or not readable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Not X.509, or without the parts that every certificate of the site CA has.
    #[error("the certificate is not readable: {0}")]
    Unreadable(String),
    /// Another root signed it, or it is for another use.
    #[error("the certificate does not come from this rack's site CA for this use: {0}")]
    NotOurs(String),
    /// It names nobody that we know, or not who was expected.
    #[error("the certificate is for {0}")]
    WrongName(String),
    /// It belongs to another key.
    #[error("the certificate is for another key")]
    WrongKey,
}

/// What a certificate may be used for (extended key usage, RFC 5280 section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// serverAuth.
    Rack,
    /// clientAuth.
    Box,
}

const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

impl Role {
    fn usage(self) -> KeyUsage {
        match self {
            Self::Rack => KeyUsage::required(SERVER_AUTH),
            Self::Box => KeyUsage::required(CLIENT_AUTH),
        }
    }

    fn fits(self, name: &Name) -> bool {
        match name {
            Name::Rack => self == Self::Rack,
            Name::Box { .. } | Name::Wall { .. } => self == Self::Box,
        }
    }
}

/// The parts of a leaf certificate that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) name: Name,
    pub(crate) key: Fingerprint,
    pub(crate) validity: Validity,
}

impl Leaf {
    /// Reads it without asking who signed it.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Result<Self, BadCertificate> {
        let cert = EndEntityCert::try_from(der).map_err(unreadable)?;
        let key = Fingerprint::of(cert.subject_public_key_info().as_ref());
        Ok(Self { name: name(&cert)?, key, validity: validity(der)? })
    }

    /// Reads it and proves that `root` signed it for this use, whatever the time is.
    pub(crate) fn verify(
        der: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        role: Role,
        now: Wall,
    ) -> Result<Self, BadCertificate> {
        let leaf = Self::read(der)?;
        let inside = now.clamp(leaf.validity.from, leaf.validity.until.max(leaf.validity.from));
        signed_by(der, root, role, inside)?;
        if role.fits(&leaf.name) { Ok(leaf) } else { Err(BadCertificate::WrongName(leaf.name.to_string())) }
    }
}

fn signed_by(
    der: &CertificateDer<'_>,
    root: &CertificateDer<'_>,
    role: Role,
    at: Wall,
) -> Result<(), BadCertificate> {
    let anchor = webpki::anchor_from_trusted_cert(root).map_err(unreadable)?;
    let cert = EndEntityCert::try_from(der).map_err(unreadable)?;
    let algorithms = &[webpki::ring::ECDSA_P256_SHA256];
    cert.verify_for_usage(algorithms, &[anchor], &[], to_unix(at), role.usage(), None, None)
        .map_err(|error| BadCertificate::NotOurs(error.to_string()))?;
    Ok(())
}

fn name(cert: &EndEntityCert<'_>) -> Result<Name, BadCertificate> {
    let mut uris = cert.valid_uri_names();
    match (uris.next(), uris.next()) {
        (Some(uri), None) => uri.parse().map_err(|error| BadCertificate::WrongName(format!("{error}"))),
        (None, _) => Err(BadCertificate::WrongName("nobody: it has no URI".into())),
        (Some(_), Some(_)) => Err(BadCertificate::WrongName("more than one name".into())),
    }
}

fn validity(der: &CertificateDer<'_>) -> Result<Validity, BadCertificate> {
    let (_, cert) = X509Certificate::from_der(der).map_err(unreadable)?;
    let wall = |seconds: i64| Wall::from_millis(seconds.saturating_mul(1000));
    let dates = cert.validity();
    Ok(Validity { from: wall(dates.not_before.timestamp()), until: wall(dates.not_after.timestamp()) })
}

fn unreadable(error: impl ToString) -> BadCertificate {
    BadCertificate::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_the_dates_are_included() {
        let dates = Validity { from: Wall::from_millis(10_000), until: Wall::from_millis(20_000) };
        for (at, stands) in [
            (0, Dates::NotYet),
            (9_999, Dates::NotYet),
            (10_000, Dates::Good),
            (20_000, Dates::Good),
            (20_999, Dates::Good),
            (21_000, Dates::Expired),
        ] {
            assert_eq!(dates.at(Wall::from_millis(at)), stands, "{at}");
        }
        assert_eq!(dates.life(), Duration::from_secs(10));
    }

    #[test]
    fn no_bytes_are_a_certificate() {
        for bytes in [&b""[..], b"0", &[0x30; 300]] {
            let der = CertificateDer::from(bytes);
            assert!(matches!(Leaf::read(&der), Err(BadCertificate::Unreadable(_))));
        }
    }
}
