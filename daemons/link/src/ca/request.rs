use super::CaError;
use crate::Fingerprint;
use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData};
use rustls::pki_types::CertificateSigningRequestDer;

/// Uncompressed P-256 point (SEC 1 section 2.3.3).
const P256_POINT: usize = 65;

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

    pub(super) fn public(&self) -> &PublicKey {
        &self.0
    }

    /// The fingerprint of the key, by which the register knows a box.
    pub fn key(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Key;

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let mut csr = Key::generate().request();
        assert!(Request::from_der(&csr).is_ok());
        let last = csr.len() - 1;
        csr[last] ^= 1;
        assert!(matches!(Request::from_der(&csr), Err(CaError::BadRequest(_))));
        assert!(matches!(Request::from_base64("?"), Err(CaError::BadRequest(_))));
    }
}
