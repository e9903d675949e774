//! Handshakes side by side, and sorting by ALPN.

use super::door::{Answer, Door};
use super::{EnrolSession, Incoming, Session};
use crate::cert::Leaf;
use crate::{Clock, Closed, Reason};
use alarm::wire;
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// How long a handshake may take: two losses on a slow cellular link.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// Enrolments at once. Boxes are enrolled by hand, a few a day; whoever has no ticket can only take these places.
pub const ENROLMENTS_MAX: usize = 16;

/// Takes connections until the socket fails or nobody listens any more.
pub(super) async fn run(endpoint: Endpoint, clock: Clock, ready: mpsc::Sender<Incoming>) {
    let mut door = Door::default();
    let mut handshakes = JoinSet::new();
    let sorter = Sorter { clock, enrolments: Arc::new(Semaphore::new(ENROLMENTS_MAX)), ready };
    loop {
        tokio::select! {
            knock = endpoint.accept() => match knock {
                Some(knock) => answer(knock, &mut door, &mut handshakes, &sorter),
                None => return,
            },
            Some(Ok(from)) = handshakes.join_next() => door.leave(from),
        }
    }
}

fn answer(knock: quinn::Incoming, door: &mut Door, handshakes: &mut JoinSet<IpAddr>, sorter: &Sorter) {
    let from = knock.remote_address().ip();
    match door.knock(from, knock.remote_address_validated()) {
        Answer::Enter => {
            let sorter = sorter.clone();
            handshakes.spawn(async move {
                sorter.handshake(knock, from).await;
                from
            });
        }
        Answer::Retry => {
            if let Err(error) = knock.retry() {
                error.into_incoming().ignore();
            }
        }
        Answer::Later => knock.ignore(),
    }
}

#[derive(Clone)]
struct Sorter {
    clock: Clock,
    enrolments: Arc<Semaphore>,
    ready: mpsc::Sender<Incoming>,
}

impl Sorter {
    async fn handshake(&self, knock: quinn::Incoming, from: IpAddr) {
        match self.shake(knock).await {
            Ok(connection) => match self.sort(&connection) {
                // It can only fail when the listener has gone, which ends the connection too.
                Ok(incoming) => drop(self.ready.send(incoming).await),
                Err(reason) => {
                    tracing::debug!(%from, %reason, "connection closed");
                    connection.close(reason.var(), b"");
                }
            },
            Err(why) => tracing::debug!(%from, %why, "handshake failed"),
        }
    }

    async fn shake(&self, knock: quinn::Incoming) -> Result<Connection, Closed> {
        let handshake = knock.accept()?;
        let connection = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await;
        Ok(connection.map_err(|_| Closed::TimedOut)??)
    }

    fn sort(&self, connection: &Connection) -> Result<Incoming, Reason> {
        if alpn(connection).as_deref() == Some(wire::ALPN_ENROL) {
            let place = self.enrolments.clone().try_acquire_owned().map_err(|_| Reason::Busy)?;
            return Ok(Incoming::Enrolment(EnrolSession::new(connection.clone(), place)));
        }
        let leaf = shown(connection).ok_or(Reason::NoCertificate)?;
        let session = Session::new(connection.clone(), leaf, self.clock.clone());
        Ok(Incoming::Box(session.ok_or(Reason::NoCertificate)?))
    }
}

fn alpn(connection: &Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// The certificate that the verifier has accepted.
fn shown(connection: &Connection) -> Option<Leaf> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Leaf::read(chain.first()?).ok()
}
