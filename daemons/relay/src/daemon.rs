//! The daemon: joins the doors, the link to the desk and the recorder around one origin.

use crate::cameras;
use crate::config::Config;
use crate::desk::{self, Desk};
use crate::door;
use crate::house::House;
use crate::http::{self, App};
use crate::outbox::Outbox;
use crate::peers;
use crate::record::keep::{Disk, FileSystem, Keeper, Rules};
use crate::record::{self, Recorder};
use crate::report::Reporter;
use crate::rooms::Rooms;
use crate::sessions::Sessions;
use crate::told::{Hearing, Told};
use crate::web::Certificates;
use alarm::media::Report;
use alarm::ticket::Ticket;
use anyhow::Context;
use link::client::{Connector, Enroller, Enrolment};
use link::identity::Identity;
use link::media::{Shown, WebCertificate, is_relay};
use link::{Clock, Keys};
use media::Origin;
use media::engine::{Engine, Fanout};
use quinn::{Endpoint, VarInt};
use std::future::Future;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use unit::{Tasks, Watchdog};

/// How long the link may be busy with one try: an enrolment at four addresses, each with name, handshake and answer.
const PATH_LIMIT: Duration = Duration::from_secs(120);
/// How long sessions and recordings may take on the way down.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// A port that is free for UDP may be somebody's over TCP: with port 0, so many more are tried.
const ANY_PORT_TRIES: u32 = 16;

/// A relay that has its sockets in hand.
pub struct Daemon {
    config: Config,
    udp: UdpSocket,
    tcp: TcpListener,
}

/// Ends that every part has.
struct Parts {
    config: Config,
    house: House,
    told: watch::Sender<Arc<Told>>,
    hearing: Hearing,
    outbox: Outbox,
    shown: watch::Receiver<WebCertificate>,
    report: watch::Receiver<Report>,
    stop: watch::Receiver<bool>,
    watchdog: Watchdog,
    opened: oneshot::Sender<Endpoint>,
}

impl Daemon {
    /// Takes the sockets and makes the folders.
    ///
    /// # Errors
    /// When one of them cannot be had; it is named.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let (udp, tcp) = sockets(config.listen)?;
        for dir in [&config.state_dir, &config.recordings] {
            std::fs::create_dir_all(dir).with_context(|| format!("making the folder {}", dir.display()))?;
        }
        Ok(Self { config, udp, tcp })
    }

    /// Works until `stop`, then ends sessions and recordings in order.
    ///
    /// # Errors
    /// When a part of the daemon ended that should not have.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { config, udp, tcp } = self;
        let watchdog = Watchdog::new();
        let (stopping, stopped) = watch::channel(false);
        let (opened, endpoint) = oneshot::channel();
        let mut tasks = Tasks::new();
        let wired = Wired::new(&config)?;
        wired.serve(&config, tcp, udp.local_addr()?.port(), &mut tasks)?;
        wired.record(&config, &mut tasks).await?;
        let parts = wired.parts(config, stopped, watchdog.clone(), opened, &mut tasks);
        tasks.spawn("link", parts.link(udp));
        tasks.spawn("watchdog", watchdog.feed());
        unit::ready();
        let outcome = tasks.run_until(stop).await;
        // Nobody hears it only when the link has ended already.
        let _ = stopping.send(true);
        if let Ok(endpoint) = endpoint.await {
            endpoint.close(VarInt::from_u32(0), b"stopping");
            let _ = tokio::time::timeout(STOP_LIMIT, endpoint.wait_idle()).await;
        }
        outcome
    }
}

/// The one port, over UDP for QUIC and over TCP for the rest.
fn sockets(listen: SocketAddr) -> anyhow::Result<(UdpSocket, TcpListener)> {
    let (udp, tcp) = (unit::sockets::udp("media"), unit::sockets::tcp("media-tcp"));
    if udp.is_some() || tcp.is_some() || listen.port() != 0 {
        let udp = udp.map_or_else(|| bind_udp(listen), Ok)?;
        let same = SocketAddr::new(listen.ip(), udp.local_addr()?.port());
        return Ok((udp, tcp.map_or_else(|| bind_tcp(same), Ok)?));
    }
    any_port(listen)
}

/// Port 0 is any, and the same for both.
fn any_port(listen: SocketAddr) -> anyhow::Result<(UdpSocket, TcpListener)> {
    let mut tries = 1..=ANY_PORT_TRIES;
    loop {
        let udp = bind_udp(listen)?;
        match bind_tcp(SocketAddr::new(listen.ip(), udp.local_addr()?.port())) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if tries.next().is_some() => {}
            Err(error) => return Err(error),
        }
    }
}

fn bind_udp(address: SocketAddr) -> anyhow::Result<UdpSocket> {
    UdpSocket::bind(address).with_context(|| format!("listening on UDP {address}"))
}

fn bind_tcp(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("listening on TCP {address}"))
}

/// What the parts share, before they run.
struct Wired {
    house: House,
    told: watch::Sender<Arc<Told>>,
    hearing: Hearing,
    recorder: Recorder,
    certificates: Certificates,
    disk: watch::Sender<Disk>,
    report: watch::Sender<Report>,
}

impl Wired {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let hearing = Hearing::from(desk::remembered(&config.state_dir));
        let (told, heard) = watch::channel(Arc::new(hearing.told().clone()));
        let first = u64::try_from(clock.now().millis()).unwrap_or(1);
        let outbox = Outbox::open(&config.state_dir, first)?;
        let recorder = Recorder::new(config.recordings.clone(), outbox);
        let certificates = Certificates::make(clock.now(), names(config))?;
        let engine: Arc<dyn Engine> = Arc::new(Fanout::new());
        let house =
            House { origin: Origin::new(), sessions: Sessions::default(), told: heard, clock, engine };
        let (disk, report) = (watch::Sender::default(), watch::Sender::default());
        Ok(Self { house, told, hearing, recorder, certificates, disk, report })
    }

    /// The TCP port, and what is told of the relay.
    fn serve(&self, config: &Config, tcp: TcpListener, port: u16, tasks: &mut Tasks) -> anyhow::Result<()> {
        let (house, disk) = (self.house.clone(), self.disk.subscribe());
        let app = App::new(house.clone(), self.recorder.clone(), self.certificates.hashes(), disk.clone());
        let tls = match config.plain_http {
            true => None,
            false => Some(http::tls(config.certificate.as_ref(), self.certificates.shown())?),
        };
        let (cameras, seen) = watch::channel(Arc::new(Vec::new()));
        let reporter = Reporter {
            host: config.host.clone(),
            port,
            tls: !config.plain_http,
            hashes: self.certificates.hashes(),
            cameras: seen,
            disk,
            sessions: house.sessions.clone(),
        };
        tasks.spawn("http", http::serve(tcp, tls, Arc::new(app)));
        tasks.spawn("cameras", cameras::watch(house.origin.clone(), house.clock.clone(), cameras));
        tasks.spawn("report", reporter.run(self.report.clone()));
        tasks.spawn("rooms", rooms(house));
        Ok(())
    }

    /// The recorder, after what an earlier life left is in order.
    async fn record(&self, config: &Config, tasks: &mut Tasks) -> anyhow::Result<()> {
        let keeper = Keeper {
            recorder: self.recorder.clone(),
            rules: Rules { warn: config.warn, reserve: config.reserve, keep: config.keep },
            space: Arc::new(FileSystem),
            told: self.house.told.clone(),
            clock: self.house.clock.clone(),
            disk: self.disk.clone(),
        };
        let recorder = self.recorder.clone();
        let old = tokio::task::spawn_blocking(move || recorder.recover()).await?;
        tasks.spawn("disk", keeper.run());
        tasks.spawn("old recordings", self.recorder.clone().end_old(old));
        tasks.spawn("recorder", record::supervise(self.recorder.clone(), self.house.clone()));
        Ok(())
    }

    fn parts(
        self,
        config: Config,
        stop: watch::Receiver<bool>,
        watchdog: Watchdog,
        opened: oneshot::Sender<Endpoint>,
        tasks: &mut Tasks,
    ) -> Parts {
        let shown = self.certificates.shown();
        tasks.spawn("web certificates", self.certificates.keep(self.house.clock.clone()));
        Parts {
            config,
            house: self.house,
            told: self.told,
            hearing: self.hearing,
            outbox: self.recorder.outbox,
            shown,
            report: self.report.subscribe(),
            stop,
            watchdog,
            opened,
        }
    }
}

/// What the certificate for browsers is made out to: they know it by its hash.
fn names(config: &Config) -> Vec<String> {
    let host = if config.host.is_empty() { "localhost" } else { &config.host };
    vec![host.to_owned()]
}

/// Does what the desk tells: wishes, voices, and who has to go.
async fn rooms(mut house: House) -> anyhow::Result<()> {
    let mut rooms = Rooms::new(house.origin.clone());
    loop {
        let told = Arc::clone(&house.told.borrow_and_update());
        for name in rooms.apply(&told) {
            house.sessions.end_box(&name);
        }
        house.sessions.sweep(&told);
        house.told.changed().await?;
    }
}

impl Parts {
    fn enroller(&self) -> Enroller {
        Enroller::new(Enrolment {
            what: "relay",
            ticket: self.config.ticket.clone(),
            state_dir: self.config.state_dir.clone(),
            paths: self.config.paths.clone(),
            credential: || unit::credential("ticket"),
            judge,
        })
    }

    /// Obtains the identity, then opens the media port and keeps the link.
    async fn link(self, udp: UdpSocket) -> anyhow::Result<()> {
        let clock = self.house.clock.clone();
        let enroller = self.enroller();
        let progress = self.watchdog.expects("enrolment", PATH_LIMIT);
        let mut stop = self.stop.clone();
        let beat = || progress.beat();
        let identity = tokio::select! {
            identity = enroller.identity(&beat) => identity,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        progress.done();
        let shown = Shown::new(&identity, self.shown.borrow().clone())?;
        let endpoint = door::open(udp, &identity, &clock, shown.clone())?;
        // The daemon waits for it on the way down.
        let _ = self.opened.send(endpoint.clone());
        let names = self.config.paths.iter().map(|path| path.name.clone()).collect();
        let keys = Keys::open(&self.config.state_dir)?;
        let version = env!("CARGO_PKG_VERSION").into();
        let connector = Connector::new(identity, keys, clock.clone(), names, version);
        let renewed = watch::Sender::new(());
        let mut tasks = Tasks::new();
        tasks.spawn("certificates", show(shown, self.shown, connector.clone(), renewed.subscribe()));
        tasks.spawn("door", door::serve(endpoint.clone(), self.house.clone()));
        for peer in self.config.peers {
            let (connector, origin) = (connector.clone(), self.house.origin.clone());
            tasks.spawn("peer", peers::keep(peer, endpoint.clone(), connector, clock.clone(), origin));
        }
        let desk = Desk {
            paths: self.config.paths,
            connector,
            enroller,
            hearing: self.hearing,
            told: self.told,
            outbox: self.outbox,
            report: self.report,
            renewed,
            state_dir: self.config.state_dir,
            clock,
            progress: self.watchdog.expects("link tick", PATH_LIMIT),
            said: String::new(),
        };
        tasks.spawn("desk", desk.run(self.stop));
        // The doors are closed by the daemon, which waits until everybody has heard it.
        tasks.run_until(std::future::pending()).await
    }
}

fn judge(ticket: &Ticket) -> Result<(), String> {
    match &ticket.site {
        Some(site) => Err(format!("is for a box of site {site}: issue one for a wall with the name relay")),
        None if !is_relay(&ticket.name) => Err(format!(
            "is for {}: issue one for a wall with the name relay, or relay-2 and so on",
            ticket.name
        )),
        None => Ok(()),
    }
}

/// Shows renewed certificates from now on.
async fn show(
    shown: Shown,
    mut web: watch::Receiver<WebCertificate>,
    connector: Connector,
    mut renewed: watch::Receiver<()>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            changed = web.changed() => {
                changed?;
                shown.show_web(web.borrow_and_update().clone());
            }
            changed = renewed.changed() => {
                changed?;
                let identity: Identity = connector.identity();
                if let Err(error) = shown.renew(&identity) {
                    tracing::error!(%error, "the renewed certificate cannot be shown");
                }
            }
        }
    }
}
