//! Two message brokers that do what a centre does with a press: take it, say so, hand it to whoever drives the siren.
//! Both are spoken to by hand over TCP, a thread for each end, so that no client library stands between.

mod mqtt;
mod nats;
mod wire;

use super::board::{Board, Siren};
use anyhow::Context;
use onepress::rig::wait_for;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wire::{Trust, Wire};

const READY_LIMIT: Duration = Duration::from_secs(10);

/// The end that publishes: returns when the broker has acknowledged.
trait Publisher: Send {
    fn publish(&mut self, payload: &[u8]) -> anyhow::Result<()>;
}

/// The end that hears what is published.
trait Subscriber: Send {
    fn next(&mut self) -> anyhow::Result<Vec<u8>>;
}

/// A running broker with a publisher, and a subscriber that switches a siren.
pub(crate) struct Peer {
    /// Name and version.
    pub(crate) name: String,
    /// What its ACK promises, as it is configured here.
    pub(crate) promise: &'static str,
    publisher: Box<dyn Publisher>,
    board: Board,
    payload: Vec<u8>,
    _broker: Broker,
}

/// One press through a broker.
pub(crate) struct Pressed {
    pub(crate) acked: Duration,
    pub(crate) siren: Duration,
}

impl Peer {
    /// Both brokers, in the clear and with TLS, with messages of so many bytes.
    pub(crate) fn all(dir: &Path, bytes: usize) -> anyhow::Result<Vec<Self>> {
        let trust = Trust::create(dir)?;
        Ok(vec![
            mqtt::start(&dir.join("mosquitto"), bytes, None)?,
            mqtt::start(&dir.join("mosquitto-tls"), bytes, Some(&trust))?,
            nats::start(&dir.join("nats"), bytes, None)?,
            nats::start(&dir.join("nats-tls"), bytes, Some(&trust))?,
        ])
    }

    fn new(
        broker: Broker,
        promise: &'static str,
        (publisher, subscriber): (Box<dyn Publisher>, Box<dyn Subscriber>),
        bytes: usize,
    ) -> anyhow::Result<Self> {
        let board = Board::start()?;
        let siren = Siren::open(&board)?;
        std::thread::spawn(move || drive(subscriber, &siren));
        let name = broker.name.clone();
        Ok(Self { name, promise, publisher, board, payload: vec![b'x'; bytes], _broker: broker })
    }

    /// Presses, and silences the siren again.
    pub(crate) fn press(&mut self) -> anyhow::Result<Pressed> {
        self.board.forget();
        self.payload[0] = b'1';
        let begun = Instant::now();
        self.publisher.publish(&self.payload)?;
        let acked = begun.elapsed();
        let siren = self.board.siren(true)?.duration_since(begun);
        self.payload[0] = b'0';
        self.publisher.publish(&self.payload)?;
        self.board.siren(false)?;
        Ok(Pressed { acked, siren })
    }
}

/// Ends with the broker.
fn drive(mut subscriber: Box<dyn Subscriber>, siren: &Siren) {
    while let Ok(payload) = subscriber.next() {
        if siren.switch(payload.first() == Some(&b'1')).is_err() {
            return;
        }
    }
}

/// A broker's process on a port of its own; ended when dropped.
struct Broker {
    name: String,
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Broker {
    fn start(name: String, dir: &Path, command: &[&str], port: u16) -> anyhow::Result<Self> {
        let log = dir.join("log");
        let out = std::fs::File::create(&log)?;
        // It ends with us, however we end.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .args(command)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {}", command[0]))?;
        let broker = Self { name, child, port, log };
        let up = wait_for(&broker.name, READY_LIMIT, || broker.connect().ok());
        up.with_context(|| std::fs::read_to_string(&broker.log).unwrap_or_default())?;
        Ok(broker)
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn reach(&self, trust: Option<&Trust>) -> anyhow::Result<Wire> {
        match trust {
            None => Ok(Wire::Plain(self.connect()?)),
            Some(trust) => trust.wrap(self.connect()?),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn named(name: String, trust: Option<&Trust>) -> String {
    format!("{name}{}", if trust.is_some() { ", TLS" } else { ", in the clear" })
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What a program says of its version, from the word that follows `after`.
fn version(program: &str, argument: &str, after: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| format!("{program} is missing: run tests/setup/bench.sh"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split(after).nth(1).and_then(|rest| rest.split_whitespace().next());
    Ok(version.unwrap_or("of unknown version").to_owned())
}

fn read_exact(stream: &mut impl Read, bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer)?;
    Ok(buffer)
}
