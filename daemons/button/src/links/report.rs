//! The status stream of one connection, and the renewal of the certificate over it.

use super::path::Shared;
use super::{Event, Nudge};
use alarm::Wall;
use alarm::path::STATUS_EVERY;
use alarm::rollout::Told;
use alarm::wire::{Purpose, Refusal, Status, ToBox, ToRack};
use link::StreamError;
use link::client::{self, Receiver, Sender, Session};
use link::identity::Identity;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A rack that does not take a report in this time is busy; the report after it will be newer.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// After this a stream that could not be opened is tried again.
const OPEN_EVERY: Duration = Duration::from_secs(30);
/// After this a renewal that failed is tried again; a month is left for it.
const RENEW_EVERY: Duration = Duration::from_secs(600);

pub(super) struct Reporter<'a> {
    shared: &'a Shared,
    session: &'a Session,
    status: watch::Receiver<Status>,
    told: watch::Receiver<Option<Told>>,
    stream: Option<(Sender, Receiver)>,
    /// The rack said that the certificate has expired.
    expired: bool,
    open_at: Instant,
    report_at: Instant,
    renew_at: Instant,
    renewed: bool,
    /// The rack's clock at `since`: it decides when a certificate is due, the box's own may be wrong.
    rack_time: Wall,
    since: Instant,
    identity: Option<Identity>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(shared: &'a Shared, session: &'a Session, rack_time: Wall) -> Self {
        let now = Instant::now();
        Self {
            shared,
            session,
            status: shared.status.clone(),
            told: shared.update.told(),
            stream: None,
            expired: false,
            open_at: now,
            report_at: now,
            renew_at: now,
            renewed: false,
            rack_time,
            since: now,
            identity: shared.enrolled.borrow().clone(),
        }
    }

    /// What is due once a second.
    pub(super) async fn handle_tick(&mut self) {
        let now = Instant::now();
        if now >= self.report_at {
            self.report().await;
        }
        if now >= self.renew_at && self.is_due(now) {
            self.renew_at = now + RENEW_EVERY;
            self.renew().await;
        }
    }

    /// Waits until the box's state is another. Cancel safe.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            changed = self.status.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            changed = self.told.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            () = read(&mut self.stream, self.shared) => self.stream = None,
        }
    }

    /// Sends the state of the box as it is now.
    pub(super) async fn report(&mut self) {
        self.report_at = Instant::now() + STATUS_EVERY;
        if self.stream.is_none() {
            self.open().await;
        }
        let Some((sender, _)) = &mut self.stream else { return };
        let now = self.shared.clock.now().wall;
        let update = self.told.borrow_and_update().clone().map(Box::new);
        let status = Status { now, update, ..self.status.borrow_and_update().clone() };
        let sent = timeout(SEND_LIMIT, sender.send(&ToRack::Status(status))).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::debug!("status stream lost");
            self.stream = None;
        }
    }

    /// More streams would open on another connection, with the certificate that is there now.
    pub(super) fn wants_another_connection(&self) -> bool {
        let known = self.identity.as_ref().map(Identity::fingerprint);
        let now = self.shared.enrolled.borrow().as_ref().map(Identity::fingerprint);
        self.expired && known != now
    }

    async fn open(&mut self) {
        let now = Instant::now();
        if self.expired || now < self.open_at {
            return;
        }
        self.open_at = now + OPEN_EVERY;
        match self.session.open(Purpose::Status).await {
            Ok(stream) => self.stream = Some(stream.split()),
            Err(StreamError::Refused(Refusal::CertificateExpired)) => {
                tracing::warn!(
                    "certificate has expired: alarms are delivered, status is not until it is renewed"
                );
                self.expired = true;
            }
            Err(error) => tracing::debug!(%error, "no status stream"),
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let rack_now = self.rack_time + (now - self.since);
        !self.renewed && self.identity.as_ref().is_some_and(|identity| identity.due(rack_now))
    }

    async fn renew(&mut self) {
        // Another path is at it.
        let Ok(_only) = self.shared.renewing.try_lock() else { return };
        let Some(identity) = self.shared.enrolled.borrow().clone() else { return };
        let renewed = match client::renew(self.session, &identity).await {
            Ok(renewed) => renewed,
            Err(error) => return tracing::warn!(%error, "certificate not renewed"),
        };
        if let Err(error) = renewed.store(&self.shared.state_dir) {
            return tracing::error!(%error, "renewed certificate cannot be kept; the old one stays in use");
        }
        tracing::info!("certificate renewed");
        self.renewed = true;
        self.shared.renewed.send_replace(Some(renewed));
        self.shared.nudger.nudge(Nudge::Identity);
    }
}

/// Takes the rack's signs of life off the stream until it ends; never ends without one.
async fn read(stream: &mut Option<(Sender, Receiver)>, shared: &Shared) {
    let Some((_, receiver)) = stream else { return std::future::pending().await };
    while let Ok(Some(said)) = receiver.recv().await {
        if let ToBox::SelfTest { number } = said {
            // A core that is busy hears it over the other path, or is asked again.
            let _ = shared.events.try_send(Event::SelfTest(number));
        } else if let ToBox::Update { offer } = said {
            shared.update.offer(offer);
        }
    }
}
