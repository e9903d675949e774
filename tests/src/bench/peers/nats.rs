//! The NATS client protocol (lines of text) as far as a press needs it, and JetStream on files.

use super::wire::{Trust, Wire, send};
use super::{Broker, Peer, Publisher, Subscriber, free_port, named, read_exact, version};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;

const SUBJECT: &str = "press";
const STREAM: &str = "PRESSES";
/// Where the server delivers to the wall.
const DELIVER: &str = "deliver.wall";
/// Where the server answers the publisher.
const INBOX: &str = "_INBOX.box";

pub(super) fn start(dir: &Path, bytes: usize, trust: Option<&Trust>) -> anyhow::Result<Peer> {
    let version = version("nats-server", "--version", ": v")?;
    let name = named(format!("NATS JetStream {version}"), trust);
    // `sync_interval` came with 2.10.
    let started = server(dir, &name, ", sync_interval: always", trust);
    let (broker, promise) = match started {
        Ok(broker) => (broker, "on the disk, sync_interval: always"),
        Err(_) => (
            server(dir, &name, "", trust)?,
            "in the kernel's cache; synced every 2 minutes, this version has no other",
        ),
    };
    let mut publisher = Session::open(&broker, trust)?;
    publisher.subscribe(INBOX)?;
    publisher.ask("$JS.API.STREAM.CREATE.PRESSES", &json!({
        "name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1, "retention": "limits",
    }))?;
    let mut subscriber = Session::open(&broker, trust)?;
    subscriber.subscribe(DELIVER)?;
    publisher.ask("$JS.API.CONSUMER.DURABLE.CREATE.PRESSES.wall", &json!({
        "stream_name": STREAM,
        "config": { "durable_name": "wall", "deliver_subject": DELIVER, "deliver_policy": "new", "ack_policy": "none" },
    }))?;
    Peer::new(broker, promise, (Box::new(publisher), Box::new(subscriber)), bytes)
}

fn server(dir: &Path, name: &str, sync: &str, trust: Option<&Trust>) -> anyhow::Result<Broker> {
    std::fs::create_dir_all(dir)?;
    let (port, file) = (free_port()?, dir.join("nats.conf"));
    let mut config =
        format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?}{sync} }}\n", dir.join("store"));
    if let Some(Trust { certificate, key, .. }) = trust {
        config.push_str(&format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n"));
    }
    std::fs::write(&file, config)?;
    let file = file.to_str().context("the folder's name is no text")?;
    let checked = std::process::Command::new("nats-server").args(["-t", "-c", file]).output()?;
    ensure!(checked.status.success(), "nats-server does not take its configuration");
    Broker::start(name.to_owned(), dir, &["nats-server", "-c", file], port)
}

struct Session(BufReader<Wire>);

impl Session {
    fn open(broker: &Broker, trust: Option<&Trust>) -> anyhow::Result<Self> {
        let mut stream = broker.connect()?;
        // The server's INFO comes in the clear, also before TLS.
        while read_exact(&mut stream, 1)? != b"\n" {}
        let wire = trust
            .map_or_else(|| Ok(Wire::Plain(stream.try_clone()?)), |trust| trust.wrap(stream.try_clone()?));
        let mut session = Self(BufReader::new(wire?));
        session.send(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n")?;
        while session.line()? != "PONG" {}
        Ok(session)
    }

    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        send(self.0.get_mut(), bytes)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.0.read_line(&mut line)? > 0, "the server has gone");
        let line = line.trim_end();
        ensure!(!line.starts_with("-ERR"), "the server says {line}");
        Ok(line.to_owned())
    }

    fn subscribe(&mut self, subject: &str) -> anyhow::Result<()> {
        self.send(format!("SUB {subject} 1\r\nPING\r\n").as_bytes())?;
        while self.line()? != "PONG" {}
        Ok(())
    }

    fn publish_to(&mut self, subject: &str, payload: &[u8]) -> anyhow::Result<()> {
        let head = format!("PUB {subject} {INBOX} {}\r\n", payload.len());
        self.send(&[head.as_bytes(), payload, b"\r\n"].concat())
    }

    fn message(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            let line = self.line()?;
            if line == "PING" {
                self.send(b"PONG\r\n")?;
            } else if line.starts_with("MSG ") {
                let bytes = line.rsplit(' ').next().unwrap_or_default().parse::<usize>()?;
                let mut payload = read_exact(&mut self.0, bytes + 2)?;
                payload.truncate(bytes);
                return Ok(payload);
            }
        }
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        let answer: Value = serde_json::from_slice(&self.message()?)?;
        ensure!(answer.get("error").is_none(), "the server refused: {answer}");
        Ok(())
    }

    fn ask(&mut self, subject: &str, request: &Value) -> anyhow::Result<()> {
        self.publish_to(subject, request.to_string().as_bytes())?;
        self.answer()
    }
}

impl Publisher for Session {
    fn publish(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.publish_to(SUBJECT, payload)?;
        self.answer()
    }
}

impl Subscriber for Session {
    fn next(&mut self) -> anyhow::Result<Vec<u8>> {
        self.message()
    }
}
