//! The side of the boxes: sessions over the link, one task each, one task for each of their streams.

mod alarms;
mod enrol;
mod relay;
mod renew;
mod status;
mod update;
mod wall;

use crate::bundles::Bundles;
use crate::{Engine, clock};
use alarm::event::About;
use alarm::path::{CLOCK_WRONG_AFTER, Outcome};
use alarm::register::Appliance;
use alarm::wire::Purpose;
use alarm::{BoxId, Fault, PathId, Wall};
use anyhow::Context;
use link::Reason;
use link::ca::Ca;
use link::pass::PassKey;
use link::rack::{Hello, Incoming, Listener, Peer, Session, Stream};
use std::sync::Arc;

/// What every session needs.
#[derive(Clone)]
pub struct Hall {
    /// The state.
    pub engine: Arc<Engine>,
    /// The site CA: signs what the register has agreed to.
    pub ca: Arc<Ca>,
    /// Signs what opens the relays' doors.
    pub passes: Arc<PassKey>,
    /// What boxes may fetch.
    pub(crate) bundles: Arc<Bundles>,
}

impl Hall {
    /// Takes connections until the socket fails.
    ///
    /// # Errors
    /// When no more connections will come.
    pub async fn serve(&self, listener: &mut Listener) -> anyhow::Result<()> {
        loop {
            match listener.accept().await.context("taking connections of boxes")? {
                Incoming::Box(session) => drop(tokio::spawn(self.clone().welcome(session))),
                Incoming::Enrolment(session) => drop(tokio::spawn(enrol::serve(self.clone(), session))),
            }
        }
    }

    async fn welcome(self, session: Session) {
        let peer = session.peer().clone();
        if !self.registered(&peer) {
            tracing::warn!(name = %peer.name, remote = %peer.remote, "a box that is not in the register was turned away");
            session.close(Reason::NotRegistered);
            return;
        }
        let key = peer.key.to_string();
        self.engine.write(|centre, _| centre.confirm_renewal(&peer.name, &key));
        self.judge_certificate(&peer);
        self.attend(session, &peer).await;
    }

    fn registered(&self, peer: &Peer) -> bool {
        let knows = |entry: &Appliance| entry.site == peer.site && entry.knows(&peer.key.to_string());
        self.engine.read(|centre| centre.appliance(&peer.name).is_some_and(knows))
    }

    fn judge_certificate(&self, peer: &Peer) {
        self.set(About::appliance(peer.name.clone()), Fault::CertificateExpired, peer.expired());
    }

    fn set(&self, about: About, fault: Fault, stands: bool) {
        if stands { self.engine.raise(about, fault) } else { self.engine.clear(about, fault) }
    }

    async fn attend(&self, mut session: Session, peer: &Peer) {
        let mut linked: Option<(PathId, u64)> = None;
        let closed = loop {
            match session.accept_stream().await {
                Ok(stream) => {
                    if linked.is_none() {
                        let path = stream.hello().path.clone();
                        linked = Some((path, self.link_up(&session, peer, stream.hello())));
                    }
                    self.open(stream, peer);
                }
                Err(closed) => break closed,
            }
        };
        tracing::debug!(name = %peer.name, %closed, "session ended");
        if let Some((path, number)) = linked {
            self.link_down(&peer.name, &path, number);
        }
    }

    fn open(&self, stream: Stream, peer: &Peer) {
        let (hall, name) = (self.clone(), peer.name.clone());
        match stream.purpose() {
            Purpose::Alarm => drop(tokio::spawn(alarms::serve(hall, name, stream))),
            Purpose::Status => drop(tokio::spawn(status::serve(hall, name, stream))),
            Purpose::Wall => drop(tokio::spawn(wall::serve(hall, name, stream))),
            Purpose::Renew => drop(tokio::spawn(renew::serve(hall, peer.clone(), stream))),
            Purpose::Relay => drop(tokio::spawn(relay::serve(hall, peer.clone(), stream))),
            Purpose::Update => drop(tokio::spawn(update::serve(hall, name, stream))),
        }
    }

    fn link_up(&self, session: &Session, peer: &Peer, hello: &Hello) -> u64 {
        let (name, path) = (&peer.name, &hello.path);
        self.engine.write(|centre, _| centre.declare_paths(name, &hello.paths));
        let (number, outcome) = self.engine.with(|_, live| {
            live.keep_paths(name, &hello.paths);
            let up = live.link_up(name, path, session.handle());
            hello.paths.iter().for_each(|path| live.expect(name, path, false));
            if let Some(live) = live.boxes.get_mut(name) {
                live.software = Some(hello.software.clone());
            }
            up
        });
        let about = About::path(name.clone(), path.clone());
        if outcome == Some(Outcome::Found) {
            tracing::info!(%name, %path, "path found");
        }
        self.engine.clear(about, Fault::PathLost);
        self.judge_clock(name, hello.now);
        self.engine.refresh_box(name);
        number
    }

    fn judge_clock(&self, name: &BoxId, theirs: Wall) {
        let apart = (clock::wall() - theirs).unsigned_abs();
        let wrong = u128::from(apart) > CLOCK_WRONG_AFTER.as_millis();
        self.set(About::appliance(name.clone()), Fault::ClockWrong, wrong);
    }

    fn link_down(&self, name: &BoxId, path: &PathId, number: u64) {
        if self.engine.with(|_, live| live.link_down(name, path, number)) {
            self.engine.refresh_box(name);
        }
    }
}
