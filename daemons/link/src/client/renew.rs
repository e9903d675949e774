use super::Session;
use crate::frames::StreamError;
use crate::identity::{Identity, Key, chain_from_base64};
use crate::{BadCertificate, Class};
use alarm::wire::{Purpose, Refusal, ToBox, ToRack};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::time::Duration;
use tokio::time::timeout;

/// How long the rack may take: it writes the new key down before it answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Why a certificate was not renewed. The old one stays in use.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The stream failed or was refused.
    #[error("the certificate was not renewed: {0}")]
    Stream(#[from] StreamError),
    /// The answer is not a certificate for this box and its new key.
    #[error("the rack's new certificate cannot be used: {0}")]
    Certificate(#[from] BadCertificate),
}

impl RenewError {
    /// What a loop should do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Stream(StreamError::Refused(Refusal::NotRegistered | Refusal::BadRequest))
            | Self::Certificate(_) => Class::Fatal,
            Self::Stream(_) => Class::Retryable,
        }
    }
}

/// Obtains a certificate for a new key. Store the result before using it; the running connections may stay.
///
/// # Errors
/// [`RenewError`].
pub async fn renew(session: &Session, identity: &Identity) -> Result<Identity, RenewError> {
    let key = Key::generate();
    let asked = timeout(ANSWER_LIMIT, ask(session, &key)).await;
    let chain = asked.map_err(|_| StreamError::Silent)??;
    let chain = chain_from_base64(&chain).ok_or(BadCertificate::Unreadable("not base64".into()))?;
    let (root, racks) = (identity.root_fingerprint(), identity.racks().to_vec());
    Ok(Identity::new(key, chain, root, identity.name(), racks)?)
}

async fn ask(session: &Session, key: &Key) -> Result<Vec<String>, StreamError> {
    let mut stream = session.open(Purpose::Renew).await?;
    stream.send(&ToRack::Renew { csr: BASE64_STANDARD.encode(key.request()) }).await?;
    match stream.recv().await? {
        Some(ToBox::Certificate { chain }) => Ok(chain),
        Some(_) | None => Err(StreamError::Ended),
    }
}
