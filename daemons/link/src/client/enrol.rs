//! A new box shows its ticket.

use super::race;
use super::socket::{self, Bind};
use crate::frames::{StreamError, frames};
use crate::identity::{Identity, Key, chain_from_base64};
use crate::proof::{self, SecretHash};
use crate::{BadCertificate, Class, Closed, Fingerprint, Keys, Name, StateError, TlsError, tls, transport};
use alarm::path::KEEP_ALIVE_WIRED;
use alarm::ticket::Ticket;
use alarm::wire::{EnrolAnswer, EnrolRefusal, EnrolRequest, VERSION};
use base64::prelude::{BASE64_STANDARD, Engine};
use quinn::{ClientConfig, Connection, Endpoint, TokioRuntime};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the rack may take to decide: it writes the enrolment down before it answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Why a box was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The rack said no.
    #[error("{0}")]
    Refused(#[from] EnrolRefusal),
    /// The ticket's secret or root cannot be used.
    #[error("the ticket is damaged ({0}): issue a new one in the console")]
    Ticket(&'static str),
    /// The rack cannot be reached, or is not the one of the ticket.
    #[error("the rack cannot be reached at {address}: {why}")]
    Unreachable {
        /// The last address that was tried.
        address: String,
        /// Why.
        why: Closed,
    },
    /// The rack's answer was cut, late or not readable.
    #[error("the rack gave no answer: {0}")]
    NoAnswer(#[from] StreamError),
    /// The rack's answer is not a certificate for this box.
    #[error("the rack's answer cannot be used: {0}")]
    Certificate(#[from] BadCertificate),
    /// No socket.
    #[error("no socket: {0}")]
    Socket(#[from] io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The identity cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

impl EnrolError {
    /// What a loop should do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { why, .. } => why.class(),
            Self::Refused(EnrolRefusal::TryAgain) | Self::NoAnswer(_) | Self::Socket(_) => Class::Retryable,
            Self::Refused(_) | Self::Ticket(_) | Self::Certificate(_) | Self::Tls(_) | Self::State(_) => {
                Class::Fatal
            }
        }
    }
}

/// Enrols with a ticket and keeps the identity in the directory. The addresses are tried in turn; the clock does
/// not matter. When the answer is lost, calling it again uses the same key, which the rack knows already.
///
/// # Errors
/// [`EnrolError`].
pub async fn enrol(ticket: &Ticket, bind: &Bind, dir: &Path) -> Result<Identity, EnrolError> {
    let identity = enrol_with(ticket, bind, &Key::pending(dir)?).await?;
    identity.store(dir)?;
    Ok(identity)
}

/// Enrols a key with a ticket; keeps nothing.
///
/// # Errors
/// [`EnrolError`]: of the last address, or the first answer that no other address would change.
pub async fn enrol_with(ticket: &Ticket, bind: &Bind, key: &Key) -> Result<Identity, EnrolError> {
    let asking = Asking::new(ticket, key)?;
    let mut last = EnrolError::Ticket("no rack address");
    for address in &ticket.addresses {
        match asking.at(address, bind).await {
            Err(error) if matches!(error.class(), Class::Retryable) => last = error,
            Err(error @ EnrolError::Unreachable { .. }) => last = error,
            decided => return decided,
        }
    }
    Err(last)
}

struct Asking<'a> {
    ticket: &'a Ticket,
    key: &'a Key,
    secret: SecretHash,
    root: Fingerprint,
}

impl<'a> Asking<'a> {
    fn new(ticket: &'a Ticket, key: &'a Key) -> Result<Self, EnrolError> {
        let secret = SecretHash::of(&ticket.secret).ok_or(EnrolError::Ticket("its secret"))?;
        let root = Fingerprint::from_ticket(&ticket.root).ok_or(EnrolError::Ticket("its root"))?;
        Ok(Self { ticket, key, secret, root })
    }

    async fn at(&self, address: &str, bind: &Bind) -> Result<Identity, EnrolError> {
        let endpoint =
            Endpoint::new(Keys::random().endpoint(), None, socket::open(bind)?, Arc::new(TokioRuntime))?;
        let connection = self.connect(&endpoint, address).await?;
        let answer = timeout(ANSWER_LIMIT, self.ask(&connection)).await;
        match answer.map_err(|_| StreamError::Silent)?? {
            EnrolAnswer::Enrolled { chain } => self.accept(&chain),
            EnrolAnswer::Refused { reason } => Err(reason.into()),
        }
    }

    async fn connect(&self, endpoint: &Endpoint, address: &str) -> Result<Connection, EnrolError> {
        let mut config = ClientConfig::new(Arc::new(tls::enrolling(self.root)?));
        config.transport_config(Arc::new(transport::client(KEEP_ALIVE_WIRED)));
        let failed = |why| EnrolError::Unreachable { address: address.into(), why };
        race::first(endpoint, &config, &[address.to_owned()]).await.map_err(|mut failures| {
            let last = failures.pop().map(|(_, why)| why);
            failed(last.unwrap_or_else(|| Closed::Transport("no address".into())))
        })
    }

    async fn ask(&self, connection: &Connection) -> Result<EnrolAnswer, StreamError> {
        let csr = self.key.request();
        let request = EnrolRequest {
            version: VERSION,
            ticket: self.ticket.number.clone(),
            proof: proof::prove(&self.secret, &proof::exporter(connection), &csr),
            csr: BASE64_STANDARD.encode(&csr),
        };
        let (mut writer, mut reader) = frames(connection.open_bi().await.map_err(Closed::from)?);
        writer.send(&request).await?;
        reader.any().await?.ok_or(StreamError::Ended)
    }

    fn accept(&self, chain: &[String]) -> Result<Identity, EnrolError> {
        let chain = chain_from_base64(chain).ok_or(BadCertificate::Unreadable("not base64".into()))?;
        let name = Name::of(self.ticket.name.clone(), self.ticket.site.clone());
        let racks = self.ticket.addresses.clone();
        Ok(Identity::new(self.key.clone(), chain, self.root, &name, racks)?)
    }
}
