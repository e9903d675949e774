use super::session::canonical;
use crate::frames::{Reader, StreamError, Writer, frames};
use crate::proof::{self, Exporter, SecretHash};
use crate::{Closed, Reason};
use alarm::wire::{EnrolAnswer, EnrolRefusal, EnrolRequest, VERSION};
use quinn::Connection;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a new box may take to show its ticket. It has it ready.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait until the box has the answer; it asks again with the same key when it has not.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A connection of somebody who may have a ticket.
#[derive(Debug)]
pub struct EnrolSession {
    connection: Connection,
    deadline: Instant,
    frames: Option<(Writer<EnrolAnswer>, Reader<EnrolRequest>)>,
    // Counts against `ENROLMENTS_MAX` until the session ends.
    _place: OwnedSemaphorePermit,
}

/// No request came that the desk could decide about.
#[derive(Debug, thiserror::Error)]
pub enum EnrolLost {
    /// It was answered with this.
    #[error("answered: {0}")]
    Refused(EnrolRefusal),
    /// Nothing came in time.
    #[error("no request came in time")]
    Silent,
    /// The connection has gone.
    #[error(transparent)]
    Lost(#[from] Closed),
}

impl EnrolSession {
    pub(super) fn new(connection: Connection, place: OwnedSemaphorePermit) -> Self {
        Self { connection, deadline: Instant::now() + REQUEST_LIMIT, frames: None, _place: place }
    }

    /// Where it comes from.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.connection.remote_address())
    }

    /// Waits for the request. What no desk could take (another version, not readable) is answered here.
    ///
    /// # Errors
    /// [`EnrolLost`]; drop the session then.
    pub async fn request(&mut self) -> Result<EnrolRequest, EnrolLost> {
        let heard = timeout_at(self.deadline, Self::hear(&self.connection, &mut self.frames)).await;
        match heard.unwrap_or(Err(StreamError::Silent)) {
            Ok(Some(request)) if request.version == VERSION => Ok(request),
            Ok(Some(_)) => Err(self.refuse(EnrolRefusal::UnknownVersion).await),
            Ok(None) | Err(StreamError::BadFrame(_)) => Err(self.refuse(EnrolRefusal::BadRequest).await),
            Err(StreamError::Lost(closed)) => Err(closed.into()),
            Err(StreamError::Silent | StreamError::Ended | StreamError::Refused(_)) => {
                self.connection.close(Reason::TooSlow.var(), b"");
                Err(EnrolLost::Silent)
            }
        }
    }

    /// What ties a proof to this connection.
    pub fn exporter(&self) -> Exporter {
        proof::exporter(&self.connection)
    }

    /// Whether the request proves on this connection that its maker has the ticket's secret.
    pub fn proves(&self, secret: &SecretHash, request: &EnrolRequest) -> bool {
        proof::verify_proof(secret, request, &self.exporter())
    }

    /// Sends the decision and ends the connection. Whether it arrived is not known for sure: the same key may come
    /// again and must be given the same answer.
    pub async fn answer(mut self, answer: EnrolAnswer) {
        self.say(&answer).await;
    }

    async fn hear(
        connection: &Connection,
        slot: &mut Option<(Writer<EnrolAnswer>, Reader<EnrolRequest>)>,
    ) -> Result<Option<EnrolRequest>, StreamError> {
        if slot.is_none() {
            *slot = Some(frames(connection.accept_bi().await.map_err(Closed::from)?));
        }
        match slot {
            Some((_, reader)) => reader.any().await,
            None => Ok(None),
        }
    }

    async fn refuse(&mut self, reason: EnrolRefusal) -> EnrolLost {
        self.say(&EnrolAnswer::Refused { reason }).await;
        EnrolLost::Refused(reason)
    }

    async fn say(&mut self, answer: &EnrolAnswer) {
        if let Some((writer, _)) = self.frames.take() {
            let _ = timeout(ANSWER_LIMIT, async {
                // Acknowledged down to its end: only then may the connection be closed over it.
                if let Ok(stream) = writer.send_last(answer).await {
                    let _ = stream.stopped().await;
                }
            })
            .await;
        }
        self.connection.close(Reason::Done.var(), b"");
    }
}
