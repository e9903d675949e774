//! Idle load from a process of its own: boxes with both their ways, or as many bare QUIC connections.

use super::{boxes, floor};
use alarm::PointId;
use alarm::path::{KEEP_ALIVE_METERED, KEEP_ALIVE_WIRED, STATUS_EVERY};
use alarm::point::{Kind, State, Wiring};
use alarm::wire::{PointStatus, Purpose, Status, ToRack};
use anyhow::Context;
use link::client::{Session, Stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

/// The name of the mode in which this program generates load.
pub(crate) const MODE: &str = "generator";
/// Handshakes side by side: no crowd at the door.
const ABREAST: usize = 16;

/// What the load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Boxes with their alarm streams open, and nothing to say.
    Links,
    /// Boxes that also report their status on every way, as the button daemon does.
    Reporting,
    /// Bare QUIC connections to the floor's server.
    Bare {
        /// Its port.
        port: u16,
    },
}

impl Load {
    fn arguments(self) -> [String; 2] {
        match self {
            Self::Links => ["links".into(), "0".into()],
            Self::Reporting => ["reporting".into(), "0".into()],
            Self::Bare { port } => ["bare".into(), port.to_string()],
        }
    }

    fn read(word: &str, port: &str) -> anyhow::Result<Self> {
        match word {
            "links" => Ok(Self::Links),
            "reporting" => Ok(Self::Reporting),
            "bare" => Ok(Self::Bare { port: port.parse()? }),
            other => anyhow::bail!("no load {other:?}"),
        }
    }
}

/// A running generator, with everything connected.
pub(crate) struct Generator {
    child: Child,
    _input: ChildStdin,
}

impl Generator {
    /// Starts one with the identities in `dir`; returns when all connections are there.
    pub(crate) fn start(dir: &Path, boxes: usize, load: Load) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([MODE.as_ref(), dir.as_os_str()])
            .arg(boxes.to_string())
            .args(load.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) =
            (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let generator = Self { child, _input: input };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.trim() == "connected", "the generator ended before all were connected");
        Ok(generator)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The generator's own process.
pub(crate) async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [dir, boxes, word, port] = arguments else { anyhow::bail!("{MODE} DIR BOXES LOAD PORT") };
    let (dir, boxes) = (PathBuf::from(dir), boxes.parse::<usize>()?);
    let load = Load::read(word, port)?;
    raise_limit()?;
    let mut held = Vec::with_capacity(boxes);
    let mut tasks = JoinSet::new();
    for number in 0..boxes {
        let dir = dir.clone();
        tasks.spawn(async move { connect(&dir, number, load).await });
        if tasks.len() >= ABREAST {
            held.extend(tasks.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(done) = tasks.join_next().await {
        held.push(done??);
    }
    writeln!(std::io::stdout(), "connected")?;
    input_ended().await;
    drop(held);
    Ok(())
}

/// Until whoever started this program has gone.
pub(crate) async fn input_ended() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    let _ = told.await;
}

/// Each connection has a socket of its own.
fn raise_limit() -> anyhow::Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?)
}

#[expect(dead_code, reason = "held, not read: dropping one closes its connection")]
enum Held {
    Box(Vec<(Session, Stream)>),
    Bare(Vec<(quinn::Endpoint, quinn::Connection)>),
}

async fn connect(dir: &Path, number: usize, load: Load) -> anyhow::Result<Held> {
    match load {
        Load::Bare { port } => bare(dir, port).await.map(Held::Bare),
        Load::Links | Load::Reporting => {
            let reports = load == Load::Reporting;
            one_box(&dir.join(boxes::name(number)), number, reports).await.map(Held::Box)
        }
    }
}

async fn one_box(dir: &Path, number: usize, reports: bool) -> anyhow::Result<Vec<(Session, Stream)>> {
    let connector = boxes::connector(dir)?;
    let mut held = Vec::new();
    for way in boxes::ways()? {
        let session = connector.connect(&way).await?;
        let alarm = session.open(Purpose::Alarm).await?;
        if reports {
            tokio::spawn(report(session.open(Purpose::Status).await?, number));
        }
        held.push((session, alarm));
    }
    Ok(held)
}

async fn bare(dir: &Path, port: u16) -> anyhow::Result<Vec<(quinn::Endpoint, quinn::Connection)>> {
    let mut held = Vec::new();
    for way in boxes::ways()? {
        let source: IpAddr = way.bind.source.context("a way has a source")?;
        let keep_alive = if way.metered { KEEP_ALIVE_METERED } else { KEEP_ALIVE_WIRED };
        held.push(floor::connect(dir, port, source, keep_alive).await?);
    }
    Ok(held)
}

/// As the button daemon: at once and every ten seconds; spread, so that boxes are not in step.
async fn report(mut stream: Stream, number: usize) -> anyhow::Result<()> {
    let offset = STATUS_EVERY * u32::try_from(number % 100)? / 100;
    let mut every = interval_at(Instant::now() + offset, STATUS_EVERY);
    loop {
        stream.send(&ToRack::Status(status()?)).await?;
        stream.recv().await?;
        every.tick().await;
    }
}

fn status() -> anyhow::Result<Status> {
    let kind = Kind::HoldUp { mode: alarm::Mode::Silent, latching: false };
    let point = |name: &str| {
        let point = PointId::new(name)?;
        anyhow::Ok(PointStatus { point, kind, wiring: Wiring::Antivalent, state: State::Rest })
    };
    let points = vec![point("gate")?, point("office")?];
    Ok(Status { now: link::Clock::system().now(), points, ..Status::default() })
}

/// Long enough for what a burst of handshakes leaves behind.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);
