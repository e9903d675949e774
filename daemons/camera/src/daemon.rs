//! The daemon: joins sources, feeds, relay, button and control socket.

use crate::buffer::Buffer;
use crate::config::{Camera, Config, Input};
use crate::control::{Asking, CameraStatus, Status};
use crate::feed::{Ears, Feed};
use crate::opening::{Opening, Openness};
use crate::relay::{self, Link, Word};
use crate::ring::Ring;
use crate::show::{self, Stills};
use crate::source::{self, Microphone, Outlet, Rtsp, TURN_LIMIT};
use crate::takes::{Shelf, Takes};
use crate::{press, voice};
use alarm::{BoxId, CameraId, Mono, Wall};
use media::Origin;
use media::origin::KEEP_BYTES;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until};
use unit::{Progress, Tasks, Watchdog};

/// Presses, wishes and questions come one by one.
const QUEUE: usize = 32;
/// The rules look around at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// One try at the relay, over all addresses of a rack.
const LINK_LIMIT: Duration = Duration::from_secs(60);
/// How long the last pictures may take on the way out.
const GOODBYE: Duration = Duration::from_millis(500);

/// How all cameras are, by their place in the configuration.
pub(crate) type Board = watch::Sender<Vec<CameraStatus>>;

/// Monotonic time, as the rules want it. It begins a while after zero: a press may be older than the daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    const BEGIN: Duration = Duration::from_secs(3600);

    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Mono {
        Mono::default() + Self::BEGIN + self.0.elapsed()
    }

    pub(crate) fn ago(self, ago: Duration) -> Mono {
        let now = self.now().since(Mono::default());
        Mono::default() + now.saturating_sub(ago)
    }

    pub(crate) fn wall(self) -> Wall {
        Wall::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn instant(self, at: Mono) -> Instant {
        self.0 + at.since(Mono::default() + Self::BEGIN)
    }
}

/// The daemon, ready to run.
pub struct Daemon {
    config: Config,
    control: UnixListener,
}

/// What the parts share.
struct Shared {
    shelf: Shelf,
    name: watch::Receiver<Option<BoxId>>,
    connected: watch::Receiver<bool>,
    board: Board,
    watchdog: Watchdog,
}

/// Decides who may see what, from presses and wishes.
struct Rules {
    opening: Opening,
    clock: Clock,
    cameras: Vec<(CameraId, watch::Sender<Openness>)>,
    presses: mpsc::Receiver<Mono>,
    words: mpsc::Receiver<Word>,
    asking: mpsc::Receiver<Asking>,
    board: watch::Receiver<Vec<CameraStatus>>,
    connected: watch::Receiver<bool>,
    progress: Progress,
}

impl Daemon {
    /// Takes the control socket. Call it within the runtime.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let control = unit::control::listen(unit::sockets::unix("control"), &config.control)?;
        Ok(Self { config, control })
    }

    /// Works until `stop`.
    ///
    /// # Errors
    /// When a part of the daemon ended that should not have.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { config, control } = self;
        let config = Arc::new(config);
        let (clock, watchdog) = (Clock::start(), Watchdog::new());
        let origin = Origin::keeping(config.memory, KEEP_BYTES);
        let buffer = Buffer::start(&config.state_dir.join("buffer"), config.buffer);
        let (name, named) = watch::channel(None);
        let (connected, connection) = watch::channel(false);
        let (tell, words) = mpsc::channel(QUEUE);
        let (pressed, presses) = mpsc::channel(QUEUE);
        let (ask, asking) = mpsc::channel(QUEUE);
        let board = watch::Sender::new(config.cameras.iter().map(unseen).collect::<Vec<_>>());
        let shared = Shared {
            shelf: Shelf { origin: origin.clone(), buffer },
            name: named.clone(),
            connected: connection.clone(),
            board: board.clone(),
            watchdog: watchdog.clone(),
        };
        let mut tasks = Tasks::new();
        let cameras = shared.start(&config, &mut tasks);
        let rules = Rules {
            opening: Opening::default(),
            clock,
            cameras,
            presses,
            words,
            asking,
            board: board.subscribe(),
            connected: connection,
            progress: watchdog.expects("rules", LOOK_LIMIT),
        };
        let (words, link_origin) = (tell.clone(), origin.clone());
        let progress = watchdog.expects("relay", LINK_LIMIT);
        let link =
            Link { config: Arc::clone(&config), origin: link_origin, name, connected, words, progress };
        tasks.spawn("rules", rules.run());
        let mut way_out = Tasks::new();
        way_out.spawn("relay", link.run());
        tasks.spawn("wishes", relay::wishes(origin.clone(), named.clone(), tell));
        tasks.spawn("presses", press::listen(config.button.clone(), clock, pressed));
        tasks.spawn("states", show::states(origin.clone(), named.clone(), board.subscribe()));
        tasks.spawn("control", unit::control::serve(control, ask));
        if let Some(speaker) = &config.speaker {
            tasks.spawn("voice", voice::play(origin, named, speaker.clone()));
        }
        tasks.spawn("watchdog", watchdog.feed());
        unit::ready();
        let outcome = tokio::select! {
            outcome = tasks.run_until(stop) => outcome,
            ended = way_out.ended() => ended.into_error(),
        };
        // Takes end with their feeds; the last of them leaves while the session still stands.
        drop(tasks);
        sleep(GOODBYE).await;
        outcome
    }
}

fn unseen(camera: &Camera) -> CameraStatus {
    CameraStatus { camera: camera.id.clone(), live: false, fault: None, reason: None, ring_s: 0 }
}

impl Shared {
    /// Starts every camera; how each is opened.
    fn start(self, config: &Config, tasks: &mut Tasks) -> Vec<(CameraId, watch::Sender<Openness>)> {
        let mut cameras = Vec::new();
        for (place, camera) in config.cameras.iter().enumerate() {
            let (opened, openness) = watch::channel(Openness::Closed);
            let (heard, hearing) = mpsc::channel(source::QUEUE);
            let (name, connected) = (self.name.clone(), self.connected.clone());
            let feed = Feed {
                place,
                ring: Ring::new(camera.ring, config.pre_alarm),
                takes: Takes::new(self.shelf.clone(), camera.id.clone()),
                stills: Stills::new(self.shelf.origin.clone(), camera.id.clone(), config.still_every),
                ears: Ears { openness, connected, name },
                board: self.board.clone(),
                segment: None,
                open: Openness::Closed,
                trouble: None,
            };
            tasks.spawn("feed", feed.run(hearing));
            let outlet = Outlet { heard, progress: self.watchdog.expects("camera", TURN_LIMIT) };
            match camera.input.clone() {
                Input::Rtsp { url, credentials, udp, sound } => {
                    tasks.spawn("camera", source::keep(Rtsp { url, credentials, udp, sound }, outlet));
                }
                Input::Microphone { device } => {
                    tasks.spawn("microphone", source::keep(Microphone { device }, outlet));
                }
            }
            cameras.push((camera.id.clone(), opened));
        }
        cameras
    }
}

impl Rules {
    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            self.act();
            self.progress.beat();
            let now = self.clock.now();
            let deadline =
                self.opening.deadline(now).map_or(now + LOOK_EVERY, |due| due.min(now + LOOK_EVERY));
            tokio::select! {
                Some(at) = self.presses.recv() => self.opening.handle_press(at),
                Some(word) = self.words.recv() => self.hear(word),
                Some(asking) = self.asking.recv() => drop(asking.send(self.status())),
                () = sleep_until(self.clock.instant(deadline).into()) => {}
            }
        }
    }

    fn hear(&mut self, word: Word) {
        let now = self.clock.now();
        match word {
            Word::Wish(wish) => {
                tracing::info!(
                    incidents = wish.incidents.len(),
                    cameras = wish.cameras.len(),
                    "the relay's wish"
                );
                self.opening.handle_wish(wish, now);
            }
            Word::Lost => self.opening.handle_lost(now),
        }
    }

    fn act(&self) {
        let now = self.clock.now();
        for (camera, opened) in &self.cameras {
            let wanted = self.opening.of(camera, now);
            opened.send_if_modified(|known| std::mem::replace(known, wanted) != wanted);
        }
    }

    fn status(&self) -> Status {
        Status {
            software: env!("CARGO_PKG_VERSION").into(),
            relay: *self.connected.borrow(),
            open: self.opening.is_open(self.clock.now()),
            cameras: self.board.borrow().clone(),
        }
    }
}
