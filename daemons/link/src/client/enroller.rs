//! How an appliance of the centre (a wall, a relay) comes to its identity: reads it, or makes one with a ticket that
//! a technician puts into a file. Until there is one, the log says what to do.

use super::{EnrolError, Path, RenewError, Session, enrol, renew};
use crate::StateError;
use crate::identity::Identity;
use alarm::ticket::{BadTicket, Ticket};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a ticket is looked for: a technician who has just put it there is still watching.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What an enroller needs.
pub struct Enrolment {
    /// What the appliance is, as in "this wall".
    pub what: &'static str,
    /// The file of the technician.
    pub ticket: PathBuf,
    /// Where key and certificate are kept.
    pub state_dir: PathBuf,
    /// The ways to the rack, tried in turn.
    pub paths: Vec<Path>,
    /// The ticket that the image came with, looked at when there is no file.
    pub credential: fn() -> Option<Vec<u8>>,
    /// What is wrong with a ticket that is for something else.
    pub judge: fn(&Ticket) -> Result<(), String>,
}

/// Obtains and renews the identity.
pub struct Enroller {
    enrolment: Enrolment,
    /// The number of the ticket that was shown last. One path at a time may enrol.
    shown: Mutex<Option<String>>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// The stored one cannot be used, or a new one not be stored.
    #[error(transparent)]
    State(#[from] StateError),
    /// No ticket.
    #[error(
        "this {what} is not enrolled and {place} cannot be read ({error}): issue a ticket for a {what} in the console \
         and put its line into that file"
    )]
    NoTicket {
        /// What the appliance is.
        what: &'static str,
        /// Where the ticket was looked for.
        place: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The ticket is not readable.
    #[error("the ticket in {0}: {1}")]
    BadTicket(String, BadTicket),
    /// The ticket is for something else.
    #[error("the ticket in {0} {1}")]
    WrongTicket(String, String),
    /// The rack would not have it, or cannot be reached.
    #[error("ticket {number} was not taken: {error}")]
    NotTaken {
        /// The ticket's public number.
        number: String,
        /// Why.
        error: EnrolError,
    },
    /// There is no path.
    #[error("there is no path to the rack")]
    NoPath,
}

/// A certificate that was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// The rack.
    #[error(transparent)]
    Refused(#[from] RenewError),
    /// The disk.
    #[error(transparent)]
    State(#[from] StateError),
}

impl fmt::Debug for Enroller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enroller({})", self.enrolment.what)
    }
}

impl Enroller {
    /// For one appliance.
    pub fn new(enrolment: Enrolment) -> Self {
        Self { enrolment, shown: Mutex::new(None) }
    }

    /// The identity; waits until there is one, and calls `beat` at every try.
    pub async fn identity(&self, beat: &(impl Fn() + Sync)) -> Identity {
        let mut said = String::new();
        loop {
            beat();
            match self.identity_now(beat).await {
                Ok(identity) => return identity,
                Err(error) => say(&mut said, &error.to_string()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn identity_now(&self, beat: &(impl Fn() + Sync)) -> Result<Identity, NotEnrolled> {
        let locked = match Identity::load(&self.enrolment.state_dir) {
            Ok(Some(identity)) => return Ok(identity),
            Ok(None) => None,
            // Another machine's: a new ticket makes another. Without one it is said what the matter is.
            Err(error) if error.is_locked() => Some(error),
            Err(error) => return Err(error.into()),
        };
        let ticket = match (self.read_ticket(), locked) {
            (Err(NotEnrolled::NoTicket { .. }), Some(locked)) => return Err(locked.into()),
            (ticket, _) => ticket?,
        };
        self.enrol(&ticket, beat).await
    }

    /// The rack does not know the appliance any more: a ticket that has not been shown yet makes it known again.
    pub async fn again(&self, beat: &(impl Fn() + Sync)) -> Option<Identity> {
        let mut shown = self.shown.lock().await;
        let ticket = self.read_ticket().ok().filter(|ticket| Some(&ticket.number) != shown.as_ref())?;
        let enrolled = self.enrol(&ticket, beat).await;
        *shown = Some(ticket.number);
        enrolled.inspect_err(|error| tracing::warn!("{error}")).ok()
    }

    /// Asks for a certificate for a new key and keeps it.
    ///
    /// # Errors
    /// [`NotRenewed`]; the old one stays in use.
    pub async fn renew(&self, session: &Session, identity: &Identity) -> Result<Identity, NotRenewed> {
        let renewed = renew(session, identity).await?;
        renewed.store(&self.enrolment.state_dir)?;
        tracing::info!(until = renewed.validity().until.millis(), "certificate renewed");
        Ok(renewed)
    }

    /// The newest ticket: the file of the technician, else the credential of the image.
    fn read_ticket(&self) -> Result<Ticket, NotEnrolled> {
        let Enrolment { what, ticket, credential, judge, .. } = &self.enrolment;
        let place = ticket.display().to_string();
        let text = match std::fs::read_to_string(ticket) {
            Ok(text) => text,
            Err(error) => match credential() {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => return Err(NotEnrolled::NoTicket { what, place, error }),
            },
        };
        let ticket =
            Ticket::from_text(&text).map_err(|error| NotEnrolled::BadTicket(place.clone(), error))?;
        judge(&ticket).map_err(|why| NotEnrolled::WrongTicket(place, why))?;
        Ok(ticket)
    }

    async fn enrol(&self, ticket: &Ticket, beat: &(impl Fn() + Sync)) -> Result<Identity, NotEnrolled> {
        let mut failed = NotEnrolled::NoPath;
        for path in &self.enrolment.paths {
            beat();
            match enrol(ticket, &path.bind, &self.enrolment.state_dir).await {
                Ok(identity) => {
                    tracing::info!(name = %identity.name(), path = %path.name, "enrolled");
                    return Ok(identity);
                }
                Err(error) => failed = NotEnrolled::NotTaken { number: ticket.number.clone(), error },
            }
        }
        Err(failed)
    }
}

/// Logs each reason once, and not at every try.
pub fn say(said: &mut String, why: &str) {
    if said != why {
        tracing::warn!("{why}");
        why.clone_into(said);
    }
}
