//! What every part of the relay shares.

use crate::admit::{self, Caller};
use crate::sessions::Sessions;
use crate::told::Told;
use link::Clock;
use link::media::Peer;
use media::Origin;
use media::engine::Engine;
use media::session::Knock;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// The one origin, the list of sessions, and what the desk has told.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) origin: Origin,
    pub(crate) sessions: Sessions,
    pub(crate) told: watch::Receiver<Arc<Told>>,
    pub(crate) clock: Clock,
    /// Serves those who only watch.
    pub(crate) engine: Arc<dyn Engine>,
}

impl House {
    /// Lets somebody in, or turns them away, and stays with them until they have gone.
    pub(crate) async fn receive(self, knock: Knock, remote: SocketAddr) {
        let transport = knock.transport();
        let peer = knock.connection().and_then(Peer::of);
        let judged = {
            let caller = Caller { peer, query: knock.query() };
            admit::judge(&self.told.borrow(), &caller, self.clock.now())
        };
        let (who, grant) = match judged {
            Ok(admitted) => admitted,
            Err(why) => {
                tracing::info!(%remote, %transport, %why, "turned away");
                return knock.refuse(&why.to_string()).await;
            }
        };
        let mut place = match self.sessions.take(&who, transport) {
            Ok(place) => place,
            Err(why) => {
                tracing::warn!(%remote, %why, "turned away");
                return knock.refuse(&why.to_string()).await;
            }
        };
        // The desk may have spoken between the two.
        if !admit::may_stay(&self.told.borrow(), &who) {
            return knock.refuse("the desk has just ended this").await;
        }
        let session = match knock.admit_with(&self.engine, &self.origin, &grant).await {
            Ok(session) => Arc::new(session),
            Err(error) => return tracing::debug!(%remote, %who, %error, "no session"),
        };
        tracing::info!(%remote, %transport, %who, "let in");
        place.hold(&session);
        let why = tokio::select! {
            why = session.closed() => why.to_string(),
            () = place.ended() => "ended by the desk".to_owned(),
        };
        drop(place);
        tracing::info!(%remote, %who, why, "gone");
    }
}
