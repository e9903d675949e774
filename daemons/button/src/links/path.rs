use super::nudge::{Nudge, Nudged, Nudger};
use super::session::{self, End, Line};
use super::{Enrolled, Event};
use crate::clock::Clock;
use crate::config::Way;
use crate::update::Update;
use alarm::path::{Outcome, Watch};
use alarm::wire::Status;
use alarm::{Notice, PathId};
use link::backoff::{Backoff, FIRST, LONGEST};
use link::client::{ConnectError, Connector, Session};
use link::identity::Identity;
use link::{Class, Closed, Keys};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{sleep, timeout};
use unit::Progress;

/// What the rack shows as the box's software.
const SOFTWARE: &str = env!("CARGO_PKG_VERSION");

/// How often a path says that it goes on: less than its watchdog's limit, also while nothing happens.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Set when the daemon ends: sessions close.
pub type Halt = watch::Receiver<bool>;

/// What all paths share.
#[derive(Clone)]
pub struct Shared {
    /// Who the box is.
    pub enrolled: Enrolled,
    /// Where a renewed identity is put.
    pub renewed: watch::Sender<Option<Identity>>,
    /// Held by the path that renews.
    pub renewing: Arc<Mutex<()>>,
    /// Where it is stored.
    pub state_dir: PathBuf,
    /// What makes a restarted box recognisable.
    pub keys: Keys,
    /// The time.
    pub clock: Clock,
    /// Every path of the box.
    pub paths: Vec<PathId>,
    /// How the box is.
    pub status: watch::Receiver<Status>,
    /// To the core.
    pub events: mpsc::Sender<Event>,
    /// To and from the other paths.
    pub nudger: Nudger,
    /// What the centre wants fetched, and what it is told of that.
    pub update: Update,
    /// The daemon ends.
    pub halt: Halt,
}

/// One path.
pub struct PathTask {
    shared: Shared,
    way: Way,
    outgoing: mpsc::Receiver<Notice>,
    progress: Progress,
    nudged: Nudged,
    backoff: Backoff,
    watch: Watch,
    /// Somebody has to act before it can work again.
    fatal: bool,
    tried: bool,
}

impl PathTask {
    /// A path that has not been tried yet; notices for it come through `outgoing`.
    pub fn new(shared: Shared, way: Way, outgoing: mpsc::Receiver<Notice>, progress: Progress) -> Self {
        let nudged = shared.nudger.listen();
        let watch = Watch::expected(shared.clock.now().mono, false);
        let backoff = Backoff::new();
        Self { shared, way, outgoing, progress, nudged, backoff, watch, fatal: false, tried: false }
    }

    /// Connects, delivers, and connects again until the daemon ends.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut halt = self.shared.halt.clone();
        loop {
            let session = tokio::select! {
                session = self.connected() => session,
                () = halted(&mut halt) => break,
            };
            match self.hold(session, &mut halt).await {
                End::Halted => break,
                End::Closed(why) => self.handle_closed(&why),
                End::Renewed => self.tried = false,
            }
        }
        self.progress.done();
        Ok(())
    }

    async fn connected(&mut self) -> Session {
        loop {
            let identity = self.identity().await;
            self.wait().await;
            self.progress.beat();
            match self.connector(identity).connect(&self.way.path).await {
                Ok(session) => return session,
                Err(error) => self.handle_failed(&error),
            }
        }
    }

    /// The box's identity, as soon as it has one.
    async fn identity(&mut self) -> Identity {
        loop {
            self.progress.beat();
            if let Some(identity) = self.shared.enrolled.borrow_and_update().clone() {
                return identity;
            }
            // An error means that the daemon is ending.
            let _ = timeout(TICK, self.shared.enrolled.changed()).await;
        }
    }

    fn connector(&self, identity: Identity) -> Connector {
        let identity = match &self.way.racks {
            Some(racks) => identity.with_racks(racks.clone()),
            None => identity,
        };
        let Shared { keys, clock, paths, .. } = &self.shared;
        Connector::new(identity, keys.clone(), clock.wall(), paths.clone(), SOFTWARE.to_owned())
    }

    /// Until the next try. The first one is not waited for, and a nudge shortens the others.
    async fn wait(&mut self) {
        if !std::mem::replace(&mut self.tried, true) {
            return;
        }
        let pause = self.backoff.next(random());
        let pause = if self.fatal { pause.max(LONGEST) } else { pause };
        sleep(pause.min(FIRST)).await;
        self.progress.beat();
        tokio::select! {
            () = sleep(pause.saturating_sub(FIRST)) => {}
            nudge = self.nudged.next() => {
                tracing::debug!(path = %self.way.path.name, ?nudge, "trying at once");
                self.nudged.forget();
            }
        }
    }

    async fn hold(&mut self, session: Session, halt: &mut Halt) -> End {
        let line = Line {
            shared: &self.shared,
            path: &self.way.path.name,
            metered: self.way.path.metered,
            outgoing: &mut self.outgoing,
            progress: &self.progress,
            nudged: &mut self.nudged,
        };
        self.backoff.handle_up(self.shared.clock.now().mono);
        let (end, was_up) = session::hold(line, session, halt).await;
        if was_up {
            self.fatal = false;
            self.handle_found();
        }
        end
    }

    fn handle_found(&mut self) {
        let _ = self.watch.handle_up();
        self.watch.handle_gone(self.shared.clock.now().mono);
    }

    fn handle_closed(&mut self, why: &Closed) {
        let path = &self.way.path.name;
        tracing::info!(%path, %why, "path down");
        self.backoff.handle_closed(why, self.shared.clock.now().mono);
        if why.back_at_once() {
            self.shared.nudger.nudge(Nudge::RackRestarted(path.clone()));
        }
        self.note_trouble(why.class(), why);
    }

    fn handle_failed(&mut self, error: &ConnectError) {
        tracing::debug!(path = %self.way.path.name, %error, "no connection");
        self.note_trouble(error.class(), error);
    }

    fn note_trouble(&mut self, class: Class, why: &dyn std::fmt::Display) {
        self.fatal = class == Class::Fatal;
        if self.watch.handle_time(self.shared.clock.now().mono) == Some(Outcome::Lost) {
            tracing::warn!(path = %self.way.path.name, %why, "path lost");
        }
    }
}

/// Waits for the daemon's end.
pub(super) async fn halted(halt: &mut Halt) {
    // An error means that whoever says so has gone, which is the end too.
    let _ = halt.wait_for(|halt| *halt).await;
}

/// Spreads the tries of many boxes; no secret hangs on it.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
