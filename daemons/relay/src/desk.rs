//! The link to the desk: hears rooms and members, tells what was recorded and how the relay is.

use crate::outbox::Outbox;
use crate::told::{Hearing, Told};
use alarm::media::Report;
use alarm::path::STATUS_EVERY;
use alarm::wire::{FRAME_MAX, Purpose, Refusal, ToBox, ToRack, encode};
use link::backoff::Backoff;
use link::client::{ConnectError, Connector, Enroller, Path, Receiver, Sender, Session, say};
use link::{Class, Clock, Closed, Reason, StreamError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout};
use unit::Progress;

/// Wait after something that somebody has to mend.
const MEND_WAIT: Duration = Duration::from_secs(10);
/// Reports on their way at most: a desk writes some hundred a second.
const WINDOW: usize = 256;
/// A report that the desk does not confirm for this long is said again.
const AGAIN_AFTER: Duration = Duration::from_secs(15);
const FILE: &str = "told.json";

/// The link.
pub(crate) struct Desk {
    pub(crate) paths: Vec<Path>,
    pub(crate) connector: Connector,
    pub(crate) enroller: Enroller,
    pub(crate) hearing: Hearing,
    pub(crate) told: watch::Sender<Arc<Told>>,
    pub(crate) outbox: Outbox,
    pub(crate) report: watch::Receiver<Report>,
    pub(crate) renewed: watch::Sender<()>,
    pub(crate) state_dir: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) progress: Progress,
    pub(crate) said: String,
}

/// What an earlier life knew from the desk.
pub(crate) fn remembered(state_dir: &std::path::Path) -> Told {
    let Ok(text) = std::fs::read(state_dir.join(FILE)) else { return Told::default() };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, "what the desk told last cannot be read: it will say it again");
        Told::default()
    })
}

impl Desk {
    /// Works until the daemon stops.
    ///
    /// # Errors
    /// Never; the type is that of every task.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        let began = Instant::now();
        let mut turn = 0;
        while !*stop.borrow() {
            let path = self.paths[turn % self.paths.len()].clone();
            turn += 1;
            self.progress.beat();
            let wait = self.turn(&path, &mut backoff, began, &mut stop).await;
            tokio::select! {
                () = sleep(wait) => {}
                () = stopped(&mut stop) => {}
            }
        }
        self.progress.done();
        std::future::pending().await
    }

    /// One connection; how long to wait before the next.
    async fn turn(
        &mut self,
        path: &Path,
        backoff: &mut Backoff,
        began: Instant,
        stop: &mut watch::Receiver<bool>,
    ) -> Duration {
        let now = || alarm::Mono::from_micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        let connected = tokio::select! {
            connected = self.connector.connect(path) => connected,
            () = stopped(stop) => return Duration::ZERO,
        };
        let session = match connected {
            Ok(session) => session,
            Err(error) => return self.not_connected(path, &error, backoff),
        };
        backoff.handle_up(now());
        let ended = tokio::select! {
            ended = self.serve(&session) => ended,
            () = stopped(stop) => {
                session.close(Reason::BackAtOnce).await;
                return Duration::ZERO;
            }
        };
        // A rack that refuses the certificate says so only after the handshake.
        let why = timeout(Duration::ZERO, session.closed()).await.unwrap_or(Closed::ByUs);
        session.close(Reason::Done).await;
        say(&mut self.said, &format!("the desk is lost over path {}: {ended}", path.name));
        backoff.handle_closed(&why, now());
        self.after(class(&ended, &why), backoff.next(random())).await
    }

    async fn after(&mut self, class: Class, wait: Duration) -> Duration {
        match class {
            Class::Retryable => wait,
            Class::Fatal => match self.enroller.again(&|| self.progress.beat()).await {
                Some(identity) => {
                    self.connector.set_identity(identity);
                    self.renewed.send_replace(());
                    Duration::ZERO
                }
                None => wait.max(MEND_WAIT),
            },
        }
    }

    fn not_connected(&mut self, path: &Path, error: &ConnectError, backoff: &mut Backoff) -> Duration {
        say(&mut self.said, &format!("path {}: {error}", path.name));
        backoff.next(random())
    }

    /// Hears and tells until the stream ends; why.
    async fn serve(&mut self, session: &Session) -> StreamError {
        if self.connector.identity().due(self.clock.now()) {
            self.renew(session).await;
        }
        let stream = match session.open(Purpose::Relay).await {
            Ok(stream) => stream,
            Err(error) => {
                if matches!(error, StreamError::Refused(Refusal::CertificateExpired)) {
                    self.renew(session).await;
                }
                return error;
            }
        };
        tracing::info!(rack = %session.rack().remote, "the desk is heard");
        self.said.clear();
        self.hearing.handle_connected();
        let (sender, receiver) = stream.split();
        let tell = tell(sender, self.report.clone(), self.outbox.clone());
        tokio::select! {
            why = self.hear(receiver) => why,
            why = tell => why,
        }
    }

    async fn renew(&mut self, session: &Session) {
        match self.enroller.renew(session, &self.connector.identity()).await {
            Ok(identity) => {
                self.connector.set_identity(identity);
                self.renewed.send_replace(());
            }
            Err(error) => say(&mut self.said, &error.to_string()),
        }
    }

    async fn hear(&mut self, mut from: Receiver) -> StreamError {
        let mut beat = interval(STATUS_EVERY);
        loop {
            tokio::select! {
                heard = from.recv() => match heard {
                    Ok(Some(ToBox::Written { number })) => self.outbox.written(number),
                    Ok(Some(message)) => self.handle(&message),
                    Ok(None) => return StreamError::Ended,
                    Err(error) => return error,
                },
                _ = beat.tick() => self.progress.beat(),
            }
        }
    }

    fn handle(&mut self, message: &ToBox) {
        self.hearing.handle(message, self.clock.now());
        let now = self.hearing.told();
        let changed = self.told.send_if_modified(|told| {
            let changed = **told != *now;
            if changed {
                *told = Arc::new(now.clone());
            }
            changed
        });
        // Only whole news are worth a write: what comes before is said again after a restart.
        if changed && now.whole {
            self.remember();
        }
    }

    fn remember(&self) {
        let text = serde_json::to_vec(self.hearing.told()).expect("what was told is plain data");
        let path = self.state_dir.join(FILE);
        let new = path.with_extension("new");
        let stored = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path));
        if let Err(error) = stored {
            tracing::warn!(%error, "what the desk told is not kept for the next start");
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

async fn tell(mut to: Sender, mut report: watch::Receiver<Report>, outbox: Outbox) -> StreamError {
    let mut news = outbox.news();
    let mut due = interval(STATUS_EVERY);
    let (mut said, mut said_at): (Option<u64>, _) = (None, Instant::now());
    loop {
        for (number, what) in outbox.after(said, WINDOW) {
            if let Err(error) = to.send(&ToRack::Recorded { number, what }).await {
                return error;
            }
            (said, said_at) = (Some(number), Instant::now());
        }
        let telling = tokio::select! {
            Ok(()) = news.changed() => false,
            Ok(()) = report.changed() => true,
            _ = due.tick() => true,
            else => return StreamError::Ended,
        };
        if said_at.elapsed() > AGAIN_AFTER {
            said = None;
        }
        let message = telling.then(|| ToRack::Relay(fitting(report.borrow_and_update().clone())));
        if let Some(message) = message
            && let Err(error) = to.send(&message).await
        {
            return error;
        }
    }
}

/// A report that fits a frame: of a centre with very many cameras the last ones are left out.
fn fitting(mut report: Report) -> Report {
    while encode(&ToRack::Relay(report.clone())).is_err() && !report.cameras.is_empty() {
        let keep = report.cameras.len() * 3 / 4;
        tracing::warn!(cameras = report.cameras.len(), limit = FRAME_MAX, "not every camera fits the report");
        report.cameras.truncate(keep);
    }
    report
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Its other end going away is an end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn random() -> u32 {
    // Without randomness relays come back together: there are few.
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
