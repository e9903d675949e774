//! What a wall's ticket must be.

use crate::config::Config;
use alarm::ticket::Ticket;
use link::client::{Enroller, Enrolment};

/// Obtains the wall's identity. Until there is one, the wall shows amber and the log says what to do.
pub(crate) fn enroller(config: &Config) -> Enroller {
    Enroller::new(Enrolment {
        what: "wall",
        ticket: config.ticket.clone(),
        state_dir: config.state_dir.clone(),
        paths: config.paths.clone(),
        credential: || unit::credential("ticket"),
        judge,
    })
}

fn judge(ticket: &Ticket) -> Result<(), String> {
    match &ticket.site {
        None => Ok(()),
        Some(site) => Err(format!("is for a box of site {site}: issue one for a wall")),
    }
}
