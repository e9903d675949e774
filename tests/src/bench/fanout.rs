//! One camera, many watchers: what a picture and a watcher cost a relay. Four relays on the same wire take turns; the
//! crowd is one process on the other core. Each is a process of its own, from the media crate's examples.

use super::numbers::{Times, text};
use anyhow::Context;
use serde::Deserialize;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the section of the results begins with.
pub(crate) const TITLE: &str = "## Fan-out: one camera, many watchers";
/// The stock relay, as `make peers` installs it.
pub(crate) const STOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/peers/bin/moq-relay");

/// How much of it.
pub(crate) struct Size {
    pub(crate) crowds: &'static [usize],
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// For the results.
pub(crate) const FULL: Size = Size { crowds: &[50, 100, 200, 400], rounds: 2, seconds: 5 };
/// For a glance.
pub(crate) const SHORT: Size = Size { crowds: &[50], rounds: 1, seconds: 3 };

/// A relay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relay {
    Floor,
    Engine,
    Plain,
    Stock,
}

impl Relay {
    const ALL: [Self; 4] = [Self::Floor, Self::Engine, Self::Plain, Self::Stock];

    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor: bare QUIC, film made in place",
            Self::Engine => "our engine",
            Self::Plain => "moq-net 0.3.18 on quinn",
            Self::Stock => "moq-relay 0.17.10",
        }
    }
}

/// What the crowd says of one run.
#[derive(Deserialize)]
struct Seen {
    delivered: usize,
    missing: usize,
    p50_us: u64,
    p99_us: u64,
    us_per_frame: f64,
}

/// Runs of one relay with one crowd.
struct Row {
    relay: Relay,
    crowd: usize,
    runs: Vec<Seen>,
}

/// Measures, and says it as a section of the results. `say` hears of the progress.
///
/// # Errors
/// A relay or the crowd that does not run.
pub(crate) fn section(size: &Size, dir: &Path, say: impl Fn(&str)) -> anyhow::Result<String> {
    let programs = programs()?;
    let relays: Vec<Relay> =
        Relay::ALL.into_iter().filter(|relay| *relay != Relay::Stock || Path::new(STOCK).exists()).collect();
    let mut rows = Vec::new();
    for crowd in size.crowds {
        let mut of_crowd: Vec<Row> =
            relays.iter().map(|relay| Row { relay: *relay, crowd: *crowd, runs: Vec::new() }).collect();
        for round in 1..=size.rounds {
            say(&format!("fan-out to {crowd}, round {round} of {} ...", size.rounds));
            for row in &mut of_crowd {
                row.runs.push(run(&programs, dir, row.relay, *crowd, size.seconds)?);
            }
        }
        rows.extend(of_crowd);
    }
    Ok(page(&rows, size, relays.contains(&Relay::Stock)))
}

/// The folder of the examples: this program is one.
fn programs() -> anyhow::Result<PathBuf> {
    let me = std::env::current_exe()?;
    Ok(me.parent().context("a program lies in a folder")?.to_owned())
}

fn run(programs: &Path, dir: &Path, relay: Relay, crowd: usize, seconds: u64) -> anyhow::Result<Seen> {
    let port = free_ports()?;
    let (process, watch, film) = match relay {
        Relay::Floor => (Process::start(&programs.join("floor"), &[port.to_string()])?, port, None),
        Relay::Plain => {
            (Process::start(&programs.join("plain-relay"), &[port.to_string()])?, port + 1, Some(port))
        }
        Relay::Engine => {
            let arguments = [port.to_string(), "engine".into()];
            (Process::start(&programs.join("plain-relay"), &arguments)?, port + 1, Some(port))
        }
        Relay::Stock => (Process::stock(dir, port)?, port, Some(port)),
    };
    let pid = process.0.id();
    let mut command = on_core(1, &programs.join("crowd"));
    command.args([u64::from(watch), crowd as u64, u64::from(pid), seconds].map(|number| number.to_string()));
    let output = command.args(film.map(|port| port.to_string())).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "the crowd at {} failed", relay.name());
    serde_json::from_slice(&output.stdout).context("what the crowd says")
}

/// Two ports after another that nobody uses.
fn free_ports() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no two free UDP ports after another")
}

/// A relay that runs, on core 0.
struct Process(Child);

impl Process {
    /// One of ours: says when it is ready.
    fn start(program: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let mut child =
            on_core(0, program).args(arguments).stdout(Stdio::piped()).spawn().with_context(|| {
                format!("{}: build the examples of the media crate first", program.display())
            })?;
        let mut line = String::new();
        let output = child.stdout.take().context("its output")?;
        let process = Self(child);
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.trim() == "ready", "{} does not start", program.display());
        Ok(process)
    }

    /// The stock relay, which lets everybody in. The crowd's first packets are repeated until it listens.
    fn stock(dir: &Path, port: u16) -> anyhow::Result<Self> {
        let config = dir.join("moq-relay.toml");
        std::fs::write(
            &config,
            format!(
                "[listen]\nbind = \"127.0.0.1:{port}\"\n[listen.tls]\ngenerate = [\"localhost\"]\n\
                 [auth]\npublic = \"**\"\n"
            ),
        )?;
        let quiet = Stdio::null;
        let child = on_core(0, Path::new(STOCK)).arg(&config).stdout(quiet()).stderr(quiet()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn on_core(core: u8, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

fn page(rows: &[Row], size: &Size, with_stock: bool) -> String {
    let mut page = format!(
        "{TITLE}\n\n| watchers | relay | delivered | missing | p50 | p99 | processor per picture and watcher | of \
         moq-net | of moq-relay |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for row in rows {
        let cost = cost(row);
        let beside = |relay| {
            let other = rows.iter().find(|other| other.relay == relay && other.crowd == row.crowd);
            other.map(|other| format!("{:.2}", cost / self::cost(other))).unwrap_or_default()
        };
        let sum = |of: fn(&Seen) -> usize| row.runs.iter().map(of).sum::<usize>();
        let middle = |of: fn(&Seen) -> u64| {
            text(
                row.runs.iter().map(|seen| Duration::from_micros(of(seen))).collect::<Times>().percentile(50),
            )
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {cost:.1} µs ({}) | {} | {} |",
            row.crowd,
            row.relay.name(),
            sum(|seen| seen.delivered),
            sum(|seen| seen.missing),
            middle(|seen| seen.p50_us),
            middle(|seen| seen.p99_us),
            range(row),
            beside(Relay::Plain),
            beside(Relay::Stock),
        );
    }
    let _ = writeln!(page, "\n{} rounds of {} s each. {METHOD}", size.rounds, size.seconds);
    if !with_stock {
        page.push_str("\nmoq-relay was not measured: `make peers` installs it.\n");
    }
    page
}

/// The median of the rounds, in microseconds.
fn cost(row: &Row) -> f64 {
    let mut costs: Vec<f64> = row.runs.iter().map(|seen| seen.us_per_frame).collect();
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().unwrap_or(f64::NAN)
}

fn range(row: &Row) -> String {
    let costs = || row.runs.iter().map(|seen| seen.us_per_frame);
    format!("{:.1} to {:.1}", costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max))
}

const METHOD: &str = "One film: 25 pictures a second, 2 Mbit/s, a key frame of six times the size every 2 s. Every \
watcher has a QUIC connection and a socket of its own; a picture has come when all of it has been read. The relay \
has core 0, film and crowd have core 1, all relays in turn within each round. Processor time is the relay's process \
only, user and system; the median of the rounds, and their range. The relays read the film from the crowd's process \
by the stock library, the floor makes it. A relay that falls behind gets cheaper, because it does more at each waking: \
compare rows in which nothing is missing.";
