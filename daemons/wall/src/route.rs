//! One path to the rack: connects, hears signals, tells what the wall has to tell, and comes back.

use crate::clock::Clock;
use alarm::panel::{Report, Signals};
use alarm::wire::{Purpose, Refusal, ToBox, ToRack};
use link::backoff::Backoff;
use link::client::{ConnectError, Connector, Enroller, Path, Receiver, Sender, Session, say};
use link::{Class, Closed, Reason, StreamError};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{sleep, timeout};
use unit::Progress;

/// Signals come every second; a stream that brings none for this long is opened again.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// Wait after something that somebody has to mend.
const MEND_WAIT: Duration = Duration::from_secs(10);

/// What every path shares.
#[derive(Clone)]
pub(crate) struct Ends {
    /// To the wall.
    pub(crate) signals: mpsc::Sender<Signals>,
    /// The newest report.
    pub(crate) report: watch::Receiver<Report>,
    /// Presses of the acknowledge button, for every path that is up.
    pub(crate) acknowledged: broadcast::Sender<u64>,
    /// Becomes true when the daemon ends.
    pub(crate) stop: watch::Receiver<bool>,
    /// Held as long as a session may be open.
    pub(crate) _open: mpsc::Sender<Infallible>,
}

/// One path.
pub(crate) struct Route {
    pub(crate) path: Path,
    pub(crate) connector: Connector,
    pub(crate) enroller: Arc<Enroller>,
    pub(crate) ends: Ends,
    pub(crate) clock: Clock,
    pub(crate) progress: Progress,
    pub(crate) said: String,
}

enum Turn {
    Again { after: Duration },
    End,
}

impl Route {
    /// Works until the daemon ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        let mut stop = self.ends.stop.clone();
        while let Turn::Again { after } = self.turn(&mut backoff, &mut stop).await {
            self.progress.beat();
            tokio::select! {
                () = sleep(after) => {}
                () = stopped(&mut stop) => break,
            }
        }
        self.progress.done();
        Ok(())
    }

    async fn turn(&mut self, backoff: &mut Backoff, stop: &mut watch::Receiver<bool>) -> Turn {
        self.progress.beat();
        let connected = tokio::select! {
            connected = self.connector.connect(&self.path) => connected,
            () = stopped(stop) => return Turn::End,
        };
        let session = match connected {
            Ok(session) => session,
            Err(error) => return self.not_connected(&error, backoff),
        };
        backoff.handle_up(self.clock.now());
        let ended = tokio::select! {
            ended = self.serve(&session) => ended,
            () = stopped(stop) => {
                session.close(Reason::BackAtOnce).await;
                return Turn::End;
            }
        };
        // A rack that refuses the certificate says so only after the handshake.
        let why = timeout(Duration::ZERO, session.closed()).await.unwrap_or(Closed::ByUs);
        session.close(Reason::Done).await;
        say(&mut self.said, &format!("path {} lost: {ended}", self.path.name));
        backoff.handle_closed(&why, self.clock.now());
        self.after(class(&ended, &why), backoff).await
    }

    fn not_connected(&mut self, error: &ConnectError, backoff: &mut Backoff) -> Turn {
        say(&mut self.said, &format!("path {}: {error}", self.path.name));
        Turn::Again { after: backoff.next(random()) }
    }

    async fn after(&mut self, class: Class, backoff: &mut Backoff) -> Turn {
        let wait = backoff.next(random());
        match class {
            Class::Retryable => Turn::Again { after: wait },
            Class::Fatal => match self.enroller.again(&|| self.progress.beat()).await {
                Some(identity) => {
                    self.connector.set_identity(identity);
                    Turn::Again { after: Duration::ZERO }
                }
                None => Turn::Again { after: wait.max(MEND_WAIT) },
            },
        }
    }

    /// Hears and tells until the stream ends; why.
    async fn serve(&mut self, session: &Session) -> StreamError {
        if self.connector.identity().due(link::Clock::system().now()) {
            self.renew(session).await;
        }
        let stream = match session.open(Purpose::Wall).await {
            Ok(stream) => stream,
            Err(error) => return self.refused(error, session).await,
        };
        tracing::info!(path = %self.path.name, rack = %session.rack().remote, "connected");
        self.said.clear();
        let (sender, receiver) = stream.split();
        tokio::select! {
            why = hear(receiver, &self.ends.signals, &self.progress) => why,
            why = tell(sender, self.ends.report.clone(), self.ends.acknowledged.subscribe()) => why,
        }
    }

    /// An expired certificate is renewed, whatever this wall's own clock says.
    async fn refused(&mut self, error: StreamError, session: &Session) -> StreamError {
        if matches!(error, StreamError::Refused(Refusal::CertificateExpired)) {
            self.renew(session).await;
        }
        error
    }

    async fn renew(&mut self, session: &Session) {
        match self.enroller.renew(session, &self.connector.identity()).await {
            Ok(identity) => self.connector.set_identity(identity),
            Err(error) => say(&mut self.said, &error.to_string()),
        }
    }
}

fn class(ended: &StreamError, why: &Closed) -> Class {
    match ended {
        StreamError::Refused(Refusal::NotRegistered) => Class::Fatal,
        StreamError::BadFrame(_)
        | StreamError::Refused(_)
        | StreamError::Ended
        | StreamError::Silent
        | StreamError::Lost(_) => why.class(),
    }
}

async fn hear(mut from: Receiver, signals: &mpsc::Sender<Signals>, progress: &Progress) -> StreamError {
    loop {
        progress.beat();
        match timeout(SILENT_AFTER, from.recv()).await {
            Ok(Ok(Some(ToBox::Signals(heard)))) => {
                if signals.send(heard).await.is_err() {
                    return StreamError::Ended;
                }
            }
            Ok(Ok(Some(other))) => tracing::debug!(?other, "not for a wall"),
            Ok(Ok(None)) => return StreamError::Ended,
            Ok(Err(error)) => return error,
            Err(_) => return StreamError::Silent,
        }
    }
}

async fn tell(
    mut to: Sender,
    mut report: watch::Receiver<Report>,
    mut acknowledged: broadcast::Receiver<u64>,
) -> StreamError {
    report.mark_changed();
    loop {
        let message = tokio::select! {
            // What a hand did goes before what a lamp does.
            biased;
            newest = acknowledged.recv() => match newest {
                Ok(newest) => ToRack::Acknowledge { newest },
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return StreamError::Ended,
            },
            Ok(()) = report.changed() => ToRack::Wall(report.borrow_and_update().clone()),
            else => return StreamError::Ended,
        };
        if let Err(error) = to.send(&message).await {
            return error;
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Its other end going away is an end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn random() -> u32 {
    // Without randomness the walls of a centre come back together: there are few.
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
