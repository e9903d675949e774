//! Who the wall is: reads its identity, or makes one with a ticket. Until there is one, the wall shows amber and the
//! log says what to do.

use crate::config::Config;
use alarm::ticket::Ticket;
use anyhow::{Context, bail};
use link::client::{self, Path};
use link::identity::Identity;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;
use unit::Progress;

/// How often a ticket is looked for: a technician who has just put it there is still watching.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Obtains and renews the identity.
#[derive(Debug)]
pub(crate) struct Enroller {
    ticket: PathBuf,
    state_dir: PathBuf,
    paths: Vec<Path>,
    /// The number of the ticket that was shown last. One path at a time may enrol.
    shown: Mutex<Option<String>>,
}

impl Enroller {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            ticket: config.ticket.clone(),
            state_dir: config.state_dir.clone(),
            paths: config.paths.clone(),
            shown: Mutex::new(None),
        }
    }

    /// The identity; waits until there is one.
    pub(crate) async fn identity(&self, progress: &Progress) -> Identity {
        let mut said = String::new();
        loop {
            progress.beat();
            match self.identity_now(progress).await {
                Ok(identity) => return identity,
                Err(error) => say(&mut said, &format!("{error:#}")),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn identity_now(&self, progress: &Progress) -> anyhow::Result<Identity> {
        if let Some(identity) = Identity::load(&self.state_dir)? {
            return Ok(identity);
        }
        let ticket = self.read_ticket()?;
        self.enrol(&ticket, progress).await
    }

    /// The rack does not know the wall any more: a ticket that has not been shown yet makes it known again.
    pub(crate) async fn again(&self, progress: &Progress) -> Option<Identity> {
        let mut shown = self.shown.lock().await;
        let ticket = self.read_ticket().ok().filter(|ticket| Some(&ticket.number) != shown.as_ref())?;
        let enrolled = self.enrol(&ticket, progress).await;
        *shown = Some(ticket.number);
        enrolled.inspect_err(|error| tracing::warn!("{error:#}")).ok()
    }

    /// Asks for a certificate for a new key and keeps it.
    pub(crate) async fn renew(
        &self,
        session: &client::Session,
        identity: &Identity,
    ) -> anyhow::Result<Identity> {
        let renewed = client::renew(session, identity).await?;
        renewed.store(&self.state_dir)?;
        tracing::info!(until = renewed.validity().until.millis(), "certificate renewed");
        Ok(renewed)
    }

    /// The newest ticket: the file of the technician, else the credential of the image.
    fn read_ticket(&self) -> anyhow::Result<Ticket> {
        let place = self.ticket.display();
        let text = match std::fs::read_to_string(&self.ticket) {
            Ok(text) => text,
            Err(error) => match unit::credential("ticket") {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => bail!(
                    "this wall is not enrolled and {place} cannot be read ({error}): issue a ticket for a wall in the \
                     console and put its line into that file"
                ),
            },
        };
        let ticket = Ticket::from_text(&text).with_context(|| format!("the ticket in {place}"))?;
        if let Some(site) = &ticket.site {
            bail!("the ticket in {place} is for a box of site {site}: issue one for a wall");
        }
        Ok(ticket)
    }

    async fn enrol(&self, ticket: &Ticket, progress: &Progress) -> anyhow::Result<Identity> {
        let mut failed = anyhow::anyhow!("no path");
        for path in &self.paths {
            progress.beat();
            match client::enrol(ticket, &path.bind, &self.state_dir).await {
                Ok(identity) => {
                    tracing::info!(name = %identity.name(), path = %path.name, "enrolled");
                    return Ok(identity);
                }
                Err(error) => failed = anyhow::Error::new(error),
            }
        }
        Err(failed.context(format!("ticket {} was not taken", ticket.number)))
    }
}

/// Each reason once, and not at every try.
pub(crate) fn say(said: &mut String, why: &str) {
    if said != why {
        tracing::warn!("{why}");
        why.clone_into(said);
    }
}
