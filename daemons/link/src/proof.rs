//! The proof that a new box holds its ticket's secret: HMAC-SHA256 (RFC 2104), keyed with the SHA-256 of the
//! secret, over the TLS exporter of the very connection (RFC 8446 section 7.5) and the certificate request. It is
//! worth nothing on another connection or with another key.

use crate::Fingerprint;
use alarm::ticket;
use alarm::wire::EnrolRequest;
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Label of the exporter. The prefix keeps clear of registered labels (RFC 5705 section 4).
pub const LABEL: &[u8] = b"EXPERIMENTAL onepress enrol";

/// Thirty-two bytes that only the two ends of one TLS connection know.
pub type Exporter = [u8; 32];

/// What the rack keeps of a ticket's secret. Who has it can use the ticket: it is not for logs.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(Fingerprint);

impl SecretHash {
    /// The hash of a secret as it stands in the ticket (base64url); `None` when it is not base64url.
    pub fn of(secret: &str) -> Option<Self> {
        Some(Self(Fingerprint::of(&ticket::decode(secret)?)))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(secret)")
    }
}

/// Makes the proof (base64) for a certificate request (DER).
pub fn prove(secret: &SecretHash, exporter: &Exporter, csr: &[u8]) -> String {
    let tag = hmac::sign(&key(secret), &[&exporter[..], csr].concat());
    BASE64_STANDARD.encode(tag)
}

/// Whether the request was made by a holder of the secret, on the connection with this exporter.
pub fn verify_proof(secret: &SecretHash, request: &EnrolRequest, exporter: &Exporter) -> bool {
    let (Ok(tag), Ok(csr)) = (BASE64_STANDARD.decode(&request.proof), BASE64_STANDARD.decode(&request.csr))
    else {
        return false;
    };
    hmac::verify(&key(secret), &[&exporter[..], &csr].concat(), &tag).is_ok()
}

fn key(secret: &SecretHash) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes())
}

pub(crate) fn exporter(connection: &quinn::Connection) -> Exporter {
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, LABEL, b"")
        .expect("32 bytes can be exported from a finished handshake");
    exporter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_secret_connection_and_request_only() {
        let secret = SecretHash::of(&ticket::encode(&[7; 32])).unwrap();
        let other = SecretHash::of(&ticket::encode(&[8; 32])).unwrap();
        let request = |proof: String, csr: &[u8]| EnrolRequest {
            version: 1,
            ticket: "t".into(),
            proof,
            csr: BASE64_STANDARD.encode(csr),
        };
        let proof = prove(&secret, &[1; 32], b"csr");
        assert!(verify_proof(&secret, &request(proof.clone(), b"csr"), &[1; 32]));
        assert!(!verify_proof(&other, &request(proof.clone(), b"csr"), &[1; 32]));
        assert!(!verify_proof(&secret, &request(proof.clone(), b"csr"), &[2; 32]));
        assert!(!verify_proof(&secret, &request(proof.clone(), b"other"), &[1; 32]));
        for garbled in ["", "====", &proof[4..], &proof.to_lowercase()] {
            assert!(!verify_proof(&secret, &request(garbled.into(), b"csr"), &[1; 32]), "{garbled}");
        }
        assert!(SecretHash::of("not base64url!").is_none());
    }
}
