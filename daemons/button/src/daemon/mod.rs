//! Puts the parts together, and takes them apart in the right order.

mod serve;
mod teller;

use crate::clock::Clock;
use crate::config::Config;
use crate::control::{self, Watched};
use crate::core::{Core, Setup};
use crate::inputs::{self, Looker, Source};
use crate::lamp::Lamp;
use crate::links::{self, Keeper, Nudger, Outgoing, PathTask, Shared};
use crate::relays::{self, Opener, Relays};
use crate::spool::{File, Writer};
use crate::update::{Place, Update};
use alarm::wire::Status;
use alarm::{NoticeId, Wall};
use anyhow::Context;
use link::Keys;
use serve::{Serve, Wires};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;
use unit::{Program, Tasks, Watchdog};

/// Who the daemon is.
pub const PROGRAM: Program = Program {
    name: "onepress-button",
    about: "Turns inputs into alarms and delivers them.",
    version: env!("CARGO_PKG_VERSION"),
    config: "/etc/onepress/button.toml",
};

/// A path's task may be connecting, renewing or waiting for its next try.
const LINK_SILENCE: Duration = Duration::from_secs(45);
/// An fsync may take this long on a card that is dying; a longer one has hung.
const SPOOL_SILENCE: Duration = Duration::from_secs(20);
/// Requests that wait for the core.
const ASKS_MAX: usize = control::CONNECTIONS_MAX;
/// How long the sessions may take to say goodbye.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// The daemon, ready to run.
pub struct Button {
    config: Config,
    sources: Vec<Source>,
    relays: Opener,
    clock: Clock,
}

impl Button {
    /// With the devices of the configured board.
    ///
    /// # Errors
    /// When the board does not have what the configuration names.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let lines: Vec<_> = config.points.iter().flat_map(|point| point.contacts.lines()).collect();
        let names: Vec<_> = lines.iter().map(|line| line.as_str()).collect();
        let sources = inputs::sources(&config.board, &names)?;
        Ok(Self::with_sources(config, sources))
    }

    /// With other devices, as in a simulation.
    pub fn with_sources(config: Config, sources: Vec<Source>) -> Self {
        let relays = relays::opener(config.board.clone());
        Self { config, sources, relays, clock: Clock::system() }
    }

    /// With other test relays.
    pub fn with_relays(mut self, relays: Opener) -> Self {
        self.relays = relays;
        self
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// When another daemon has the spool, or a part ends that should not.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut parts = self.start()?;
        let result = tokio::select! {
            () = parts.serve.run(stop) => Ok(()),
            ended = parts.tasks.ended() => ended.into_error(),
        };
        // Also when a part has failed: the rack then need not wait for its idle timeout.
        parts.halt.send_replace(true);
        let goodbye = async {
            for _ in 0..parts.ways {
                parts.tasks.ended().await;
            }
        };
        if timeout(GOODBYE_LIMIT, goodbye).await.is_err() {
            tracing::debug!("some sessions ended without a goodbye");
        }
        result
    }

    fn start(self) -> anyhow::Result<Parts> {
        let Self { config, sources, relays, clock } = self;
        let watchdog = Watchdog::new();
        let mut tasks = Tasks::new();
        warn_of_single_contacts(&config);

        let opened = File::open(&config.state_dir)?;
        let setup = Setup {
            points: config.points.clone(),
            spool: opened.spool,
            found: opened.found,
            selftest: config.self_test,
            ids: Box::new(new_id),
        };
        let core = Core::new(setup, clock.now());
        let progress = watchdog.expects("spool", SPOOL_SILENCE);
        let (writer, done) = Writer::start(opened.file, progress).context("starting the spool's thread")?;
        let looker = Looker::default();
        let reports = inputs::start(sources, &watchdog, &looker).context("starting a thread for inputs")?;

        let nudger = Nudger::new();
        let binds = config.paths.iter().map(|way| way.path.bind.clone()).collect();
        let keeper = Keeper::open(config.state_dir.clone(), config.ticket.clone(), binds, nudger.clone());
        let (halt, halted) = watch::channel(false);
        let (events_in, events) = mpsc::channel(links::EVENTS_MAX);
        let status = watch::Sender::new(Status::default());
        let (enrolled, unusable) = (keeper.enrolled(), keeper.unusable());
        let update = Update::new(Place::new(&config.appliance, &config.state_dir));
        tasks.spawn("update", update.clone().watch());
        let shared = Shared {
            enrolled: keeper.enrolled(),
            renewed: keeper.publisher(),
            renewing: Arc::new(Mutex::new(())),
            state_dir: config.state_dir.clone(),
            keys: keys(&config.state_dir),
            clock: clock.clone(),
            paths: config.paths.iter().map(|way| way.path.name.clone()).collect(),
            status: status.subscribe(),
            events: events_in,
            nudger: nudger.clone(),
            update,
            halt: halted,
        };
        let outgoing = start_paths(&config, &shared, &watchdog, &mut tasks);
        tasks.spawn("enrolment", keeper.run());
        let watched = Watched::default();
        let asks = start_control(&config.control, watched.clone(), &mut tasks);
        let (lamp, lamp_fails) = start_lamp(&config)?;
        let (relays, switched) = start_relays(&config, relays)?;
        let scan = watchdog.expects("rules", LINK_SILENCE);
        tasks.spawn("watchdog", watchdog.feed());

        let wires = Wires {
            reports,
            done,
            events,
            asks,
            watched,
            lamp_fails,
            switched,
            looker,
            relays,
            writer,
            outgoing,
            nudger,
            lamp,
            status,
            enrolled,
            unusable,
        };
        let serve = Serve::new(core, clock, wires, &config.points, scan);
        Ok(Parts { serve, tasks, halt, ways: config.paths.len() })
    }
}

struct Parts {
    serve: Serve,
    tasks: Tasks,
    halt: watch::Sender<bool>,
    ways: usize,
}

fn warn_of_single_contacts(config: &Config) {
    for supervised in &config.points {
        if let Some(warning) = supervised.point.wiring.warning() {
            tracing::warn!(point = %supervised.point.id, "{warning}");
        }
    }
}

/// Without lasting keys the rack takes seconds longer to notice a restart of this box, and no more.
fn keys(state_dir: &Path) -> Keys {
    Keys::open(state_dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "no lasting link key");
        Keys::random()
    })
}

fn start_paths(config: &Config, shared: &Shared, watchdog: &Watchdog, tasks: &mut Tasks) -> Vec<Outgoing> {
    let start = |way: &crate::config::Way| {
        let (notices, outgoing) = mpsc::channel(links::OUTGOING_MAX);
        let progress = watchdog.expects("link tick", LINK_SILENCE);
        tasks.spawn("path", PathTask::new(shared.clone(), way.clone(), outgoing, progress).run());
        Outgoing { path: way.path.name.clone(), notices }
    };
    config.paths.iter().map(start).collect()
}

/// A box without its control socket still takes presses.
fn start_control(path: &Path, watched: Watched, tasks: &mut Tasks) -> mpsc::Receiver<control::Ask> {
    let (asks, asked) = mpsc::channel(ASKS_MAX);
    match control::listen(path) {
        Ok(listener) => tasks.spawn("control socket", control::serve(listener, asks, watched)),
        Err(error) => tracing::warn!(path = %path.display(), %error, "no control socket"),
    }
    asked
}

fn start_lamp(config: &Config) -> anyhow::Result<(Lamp, watch::Receiver<bool>)> {
    match &config.lamp {
        Some(output) => {
            Lamp::start(config.board.clone(), output.clone()).context("starting the lamp's thread")
        }
        None => Ok((Lamp::default(), watch::channel(false).1)),
    }
}

fn start_relays(config: &Config, open: Opener) -> anyhow::Result<(Relays, mpsc::Receiver<relays::Switched>)> {
    let outputs = config.points.iter().flat_map(|point| &point.relays).map(|test| test.output.clone());
    Relays::start(open, outputs.collect()).context("starting the test relays' thread")
}

fn new_id(now: Wall) -> NoticeId {
    let mut random = [0; 10];
    // Without randomness the time and the monotonic counter of the kernel still tell two presses apart.
    if getrandom::fill(&mut random).is_err() {
        let nanos = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        random.copy_from_slice(&nanos.to_be_bytes()[6..]);
    }
    NoticeId::new(now.millis(), random)
}
