//! Gets the box enrolled, and notices when somebody else has done so.
//!
//! ```text
//!              ticket taken, or identity.json appears
//!   NotYet ─────────────────────────────────────────▶ Enrolled ─┐ another identity.json, or renewed
//!     │ ▲                                                 ▲     │
//!     └─┘ looked again every LOOK_EVERY                   └─────┘
//! ```

use super::{Nudge, Nudger};
use alarm::ticket::{self, Ticket};
use link::client::{self, Bind, EnrolError};
use link::identity::Identity;
use link::{Class, StateError};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// How often the identity and ticket files are looked for: whoever enrols a box waits beside it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Longest wait after a ticket that the rack could not judge.
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// The credential in which the service manager may hand over a ticket.
const CREDENTIAL: &str = "ticket";

/// Who the box is, if it is anybody yet.
pub type Enrolled = watch::Receiver<Option<Identity>>;

/// Keeps the identity.
#[derive(Debug)]
pub struct Keeper {
    dir: PathBuf,
    ticket: PathBuf,
    binds: Vec<Bind>,
    identity: watch::Sender<Option<Identity>>,
    unusable: watch::Sender<Option<String>>,
    nudger: Nudger,
    /// A ticket that the rack will never take.
    hopeless: Option<String>,
}

impl Keeper {
    /// Loads the identity, if there is one. `binds` are the ways over which a ticket may be shown.
    pub fn open(dir: PathBuf, ticket: PathBuf, binds: Vec<Bind>, nudger: Nudger) -> Self {
        let (identity, unusable) = (watch::Sender::new(None), watch::Sender::new(None));
        let mut keeper = Self { dir, ticket, binds, identity, unusable, nudger, hopeless: None };
        keeper.reload();
        keeper
    }

    /// Where others see it.
    pub fn enrolled(&self) -> Enrolled {
        self.identity.subscribe()
    }

    /// Why the identity that is there cannot be used, with what helps; none when it can, or there is none.
    pub fn unusable(&self) -> watch::Receiver<Option<String>> {
        self.unusable.subscribe()
    }

    /// Where a renewed one is put.
    pub fn publisher(&self) -> watch::Sender<Option<Identity>> {
        self.identity.clone()
    }

    /// Looks, enrols and looks again, for ever.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub async fn run(mut self) -> anyhow::Result<()> {
        if self.identity.borrow().is_none() && self.read_ticket().is_none() {
            tracing::warn!(ticket = %self.ticket.display(),
                "this box is not enrolled: presses are kept and not delivered; put a ticket there or run `onepress enrol TICKET`");
        }
        let mut wait = LOOK_EVERY;
        loop {
            self.reload();
            wait = match self.next_ticket() {
                Some(ticket) => self.enrol(&ticket, wait).await,
                None => LOOK_EVERY,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the identity from the disk when it is another one.
    fn reload(&mut self) {
        match Identity::load(&self.dir) {
            Ok(Some(found)) => {
                self.unusable.send_replace(None);
                self.publish(found);
            }
            Ok(None) => drop(self.unusable.send_replace(None)),
            Err(error) => self.tell_unusable(&error),
        }
    }

    fn publish(&self, found: Identity) {
        let known = self.identity.borrow().as_ref().map(Identity::fingerprint);
        if known != Some(found.fingerprint()) {
            tracing::info!(name = %found.name(), racks = ?found.racks(), "enrolled");
            self.identity.send_replace(Some(found));
            self.nudger.nudge(Nudge::Identity);
        }
    }

    /// Presses are kept all the while, and a ticket that is put there is shown to the rack.
    fn tell_unusable(&self, error: &StateError) {
        let why = Some(error.to_string());
        if self.unusable.send_replace(why.clone()) != why {
            tracing::error!(%error, "the identity cannot be used");
        }
    }

    fn next_ticket(&self) -> Option<Ticket> {
        if self.identity.borrow().is_some() {
            return None;
        }
        self.read_ticket().filter(|ticket| self.hopeless.as_ref() != Some(&ticket.number))
    }

    fn read_ticket(&self) -> Option<Ticket> {
        let text =
            read_short(&self.ticket).or_else(|| String::from_utf8(unit::credential(CREDENTIAL)?).ok())?;
        Ticket::from_text(&text).inspect_err(|error| tracing::debug!(%error, "ticket not readable")).ok()
    }

    /// Shows the ticket on every way in turn; how long to wait before the next look.
    async fn enrol(&mut self, ticket: &Ticket, waited: Duration) -> Duration {
        for bind in &self.binds {
            match client::enrol(ticket, bind, &self.dir).await {
                Ok(identity) => {
                    self.unusable.send_replace(None);
                    self.publish(identity);
                    remove(&self.ticket);
                    return LOOK_EVERY;
                }
                Err(error) => self.hopeless = self.judge(ticket, &error),
            }
            if self.hopeless.is_some() {
                return LOOK_EVERY;
            }
        }
        (waited * 2).min(RETRY_LONGEST)
    }

    fn judge(&self, ticket: &Ticket, error: &EnrolError) -> Option<String> {
        let unreachable = matches!(error, EnrolError::Unreachable { .. });
        match error.class() {
            Class::Fatal if !unreachable => {
                tracing::warn!(ticket = ticket.number, %error, "the ticket is of no use");
                Some(ticket.number.clone())
            }
            Class::Fatal | Class::Retryable => {
                tracing::info!(ticket = ticket.number, %error, "not enrolled yet");
                None
            }
        }
    }
}

fn read_short(path: &Path) -> Option<String> {
    let mut text = String::new();
    let longest = u64::try_from(2 * ticket::LONGEST).unwrap_or(u64::MAX);
    fs::File::open(path).ok()?.take(longest).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A stick is lost property: its ticket is used up, and should not look as if it were not.
fn remove(ticket: &Path) {
    match fs::remove_file(ticket) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            tracing::info!(path = %ticket.display(), %error, "the used ticket cannot be removed; remove it by hand");
        }
    }
}
