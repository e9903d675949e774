//! The daemon: joins devices, button, paths and control socket around the one [`Wall`].

use crate::bank::Health;
use crate::button;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Asking;
use crate::device::{Device, Running};
use crate::enrol::enroller;
use crate::line::Role;
use crate::route::{Ends, Route};
use crate::state::{Action, Wall};
use alarm::panel::{Report, Signals};
use alarm::wire::ToRack;
use alarm::{Mono, point};
use link::Keys;
use link::client::Connector;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use unit::{Progress, Tasks, Watchdog};

/// Everything that is told to the wall comes one by one; a full queue is a stuck loop, which the watchdog finds.
const QUEUE: usize = 64;
/// How long the loop may sleep: its report is due every 10 s.
const LOOP_LIMIT: Duration = Duration::from_secs(15);
/// How long a device may block: three tries of a dead Modbus board, for the siren and for the lamps.
const DEVICE_LIMIT: Duration = Duration::from_secs(8);
/// How long a path may be busy with one try: an enrolment at four addresses, each with name, handshake and answer.
const PATH_LIMIT: Duration = Duration::from_secs(120);
/// How long the outputs and the rack may take on the way down.
const STOP_LIMIT: Duration = Duration::from_secs(3);
const STOP_LOOK: Duration = Duration::from_millis(10);

/// A wall that has its devices, and its socket in hand.
pub struct Daemon {
    config: Config,
    control: UnixListener,
    clock: Clock,
}

/// What comes to the wall from inside the box.
enum Inside {
    Device(usize, Health),
    Button(point::Reading, Mono),
}

struct Loop {
    wall: Wall,
    clock: Clock,
    devices: Arc<Vec<Running>>,
    signals: mpsc::Receiver<Signals>,
    inside: mpsc::Receiver<Inside>,
    asking: mpsc::Receiver<Asking>,
    report: watch::Sender<Report>,
    acknowledged: broadcast::Sender<u64>,
    progress: Progress,
    ready: bool,
}

impl Daemon {
    /// Takes the control socket. Call it within the runtime.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let control = unit::control::listen(unit::sockets::unix("control"), &config.control)?;
        Ok(Self { config, control, clock: Clock::start() })
    }

    /// Works until `stop`, then leaves the outputs silent and amber and says goodbye to the rack.
    ///
    /// # Errors
    /// When a part of the daemon ended that should not have.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { config, control, clock } = self;
        let watchdog = Watchdog::new();
        let (tell, inside) = mpsc::channel(QUEUE);
        let devices = Arc::new(devices(&config, clock, &watchdog, &tell)?);
        start_button(&config, clock, &tell)?;
        let (signals, heard) = mpsc::channel(QUEUE);
        let (ask, asking) = mpsc::channel(QUEUE);
        let (report, reports) = watch::channel(Report::default());
        let (acknowledged, _) = broadcast::channel(QUEUE);
        let (stopping, stopped) = watch::channel(false);
        let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
        let wall = Loop {
            wall: Wall::new(config.siren_limit, groups(&config).into_iter().map(|(name, _)| name).collect()),
            clock,
            devices: Arc::clone(&devices),
            signals: heard,
            inside,
            asking,
            report,
            acknowledged: acknowledged.clone(),
            progress: watchdog.expects("output loop", LOOP_LIMIT),
            ready: false,
        };
        let ends = Ends { signals, report: reports, acknowledged, stop: stopped, _open: open };
        let mut tasks = Tasks::new();
        tasks.spawn("output loop", wall.run());
        tasks.spawn("control", unit::control::serve(control, ask));
        tasks.spawn("link", link(config, ends, clock, watchdog.clone()));
        tasks.spawn("watchdog", watchdog.feed());
        let outcome = tasks.run_until(stop).await;
        devices.iter().for_each(Running::stop);
        // Nobody hears it only when every path has ended already.
        let _ = stopping.send(true);
        let goodbye = async { while all_closed.recv().await.is_some() {} };
        let left = async {
            while !devices.iter().all(Running::has_ended) {
                sleep(STOP_LOOK).await
            }
        };
        let _ = timeout(STOP_LIMIT, async { tokio::join!(goodbye, left) }).await;
        outcome
    }
}

/// Outputs by the device that carries them.
fn groups(config: &Config) -> Vec<(String, Vec<Role>)> {
    let mut groups: Vec<(String, Vec<Role>)> = Vec::new();
    for role in &config.outputs {
        let device = config.board.device_of(role.name()).unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| known == device) {
            Some((_, roles)) => roles.push(*role),
            None => groups.push((device.to_owned(), vec![*role])),
        }
    }
    groups
}

fn devices(
    config: &Config,
    clock: Clock,
    watchdog: &Watchdog,
    tell: &mpsc::Sender<Inside>,
) -> anyhow::Result<Vec<Running>> {
    let mut running = Vec::new();
    for (place, (name, roles)) in groups(config).into_iter().enumerate() {
        let board = config.board.clone();
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let open =
            Box::new(move || board.open_outputs("onepress-wall", &names).map_err(|error| error.to_string()));
        let tell = tell.clone();
        let told = Box::new(move |health: &Health| {
            note(&name, health);
            // Nobody listens any more when the daemon ends.
            let _ = tell.blocking_send(Inside::Device(place, health.clone()));
        });
        let device = Device::new(roles, open, clock.now());
        running.push(Running::start(device, clock, watchdog.expects("outputs", DEVICE_LIMIT), told)?);
    }
    Ok(running)
}

fn note(device: &str, health: &Health) {
    match health {
        Health::Untried => {}
        Health::Good => tracing::info!(device, "outputs read back as commanded"),
        Health::Failed(reason) => tracing::error!(device, %reason, "outputs do not work"),
    }
}

fn start_button(config: &Config, clock: Clock, tell: &mpsc::Sender<Inside>) -> anyhow::Result<()> {
    if !config.button {
        tracing::info!("the board has no wall-ack: alarms are acknowledged at the seats only");
        return Ok(());
    }
    let (board, tell) = (config.board.clone(), tell.clone());
    let told = Box::new(move |reading, at| tell.blocking_send(Inside::Button(reading, at)).is_ok());
    std::thread::Builder::new().name("button".into()).spawn(move || button::run(&board, clock, told))?;
    Ok(())
}

/// Obtains the identity, then works on every path.
async fn link(config: Config, ends: Ends, clock: Clock, watchdog: Watchdog) -> anyhow::Result<()> {
    let enroller = Arc::new(enroller(&config));
    let progress = watchdog.expects("enrolment", PATH_LIMIT);
    let beat = || progress.beat();
    let mut stop = ends.stop.clone();
    let identity = tokio::select! {
        identity = enroller.identity(&beat) => identity,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    progress.done();
    let names = config.paths.iter().map(|path| path.name.clone()).collect();
    let keys = Keys::open(&config.state_dir)?;
    let version = env!("CARGO_PKG_VERSION").into();
    let connector = Connector::new(identity, keys, ::link::Clock::system(), names, version);
    let mut routes = JoinSet::new();
    for path in config.paths {
        let (connector, enroller, ends) = (connector.clone(), Arc::clone(&enroller), ends.clone());
        let progress = watchdog.expects("link tick", PATH_LIMIT);
        routes.spawn(Route { path, connector, enroller, ends, clock, progress, said: String::new() }.run());
    }
    drop(ends);
    while let Some(ended) = routes.join_next().await {
        ended??;
    }
    Ok(())
}

impl Loop {
    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            self.act();
            self.progress.beat();
            let deadline = self.clock.instant(self.wall.deadline(self.clock.now()));
            tokio::select! {
                // Signals before all else: the siren waits for nothing.
                biased;
                Some(signals) = self.signals.recv() => self.wall.handle_signals(signals, self.clock.now()),
                Some(inside) = self.inside.recv() => self.take(inside),
                Some(asking) = self.asking.recv() => drop(asking.send(self.wall.status(self.clock.now()))),
                () = sleep_until(deadline) => self.wall.handle_time(self.clock.now()),
            }
        }
    }

    fn take(&mut self, inside: Inside) {
        match inside {
            Inside::Device(place, health) => self.wall.handle_device(place, health),
            Inside::Button(reading, at) => self.wall.handle_button(reading, at),
        }
    }

    fn act(&mut self) {
        let now = self.clock.now();
        while let Some(action) = self.wall.poll(now) {
            match action {
                Action::Show(lit) => self.devices.iter().for_each(|device| device.show(lit)),
                Action::Tell(told) => self.tell(told),
            }
        }
        if !self.ready && self.wall.all_tried() {
            self.ready = true;
            unit::ready();
        }
    }

    fn tell(&self, told: ToRack) {
        match told {
            ToRack::Wall(report) => drop(self.report.send_replace(report)),
            // No path is up: it is repeated when the desk is heard again.
            ToRack::Acknowledge { newest } => drop(self.acknowledged.send(newest)),
            ToRack::Hello { .. }
            | ToRack::Notice(_)
            | ToRack::Report(_)
            | ToRack::Status(_)
            | ToRack::Renew { .. }
            | ToRack::Recorded { .. }
            | ToRack::Relay(_)
            | ToRack::Fetch { .. }
            | ToRack::Unknown => {}
        }
    }
}
