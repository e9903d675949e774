//! The NATS client protocol (lines of text) as far as a press needs it, and JetStream on files.

use super::{Broker, Peer, Publisher, Subscriber, free_port, read_exact, version};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

const SUBJECT: &str = "press";
const STREAM: &str = "PRESSES";
/// Where the server delivers to the wall.
const DELIVER: &str = "deliver.wall";
/// Where the server answers the publisher.
const INBOX: &str = "_INBOX.box";

pub(super) fn start(dir: &Path, bytes: usize) -> anyhow::Result<Peer> {
    let version = version("nats-server", "--version", ": v")?;
    let name = format!("NATS JetStream {version}");
    // `sync_interval` came with 2.10.
    let started = server(dir, &name, ", sync_interval: always");
    let (broker, promise) = match started {
        Ok(broker) => (broker, "on the disk (sync_interval: always)"),
        Err(_) => (
            server(dir, &name, "")?,
            "in the kernel's cache; synced every 2 minutes (this version has no other)",
        ),
    };
    let mut publisher = Session::open(broker.connect()?)?;
    publisher.subscribe(INBOX)?;
    publisher.ask("$JS.API.STREAM.CREATE.PRESSES", &json!({
        "name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1, "retention": "limits",
    }))?;
    let mut subscriber = Session::open(broker.connect()?)?;
    subscriber.subscribe(DELIVER)?;
    publisher.ask("$JS.API.CONSUMER.DURABLE.CREATE.PRESSES.wall", &json!({
        "stream_name": STREAM,
        "config": { "durable_name": "wall", "deliver_subject": DELIVER, "deliver_policy": "new", "ack_policy": "none" },
    }))?;
    Peer::new(broker, promise, (Box::new(publisher), Box::new(subscriber)), bytes)
}

fn server(dir: &Path, name: &str, sync: &str) -> anyhow::Result<Broker> {
    std::fs::create_dir_all(dir)?;
    let (port, file) = (free_port()?, dir.join("nats.conf"));
    let config =
        format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?}{sync} }}\n", dir.join("store"));
    std::fs::write(&file, config)?;
    let file = file.to_str().context("the folder's name is no text")?;
    let checked = std::process::Command::new("nats-server").args(["-t", "-c", file]).output()?;
    ensure!(checked.status.success(), "nats-server does not take its configuration");
    Broker::start(name.to_owned(), dir, &["nats-server", "-c", file], port)
}

struct Session {
    write: TcpStream,
    read: BufReader<TcpStream>,
}

impl Session {
    fn open(stream: TcpStream) -> anyhow::Result<Self> {
        let mut session = Self { write: stream.try_clone()?, read: BufReader::new(stream) };
        session.write.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n")?;
        while session.line()? != "PONG" {}
        Ok(session)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.read.read_line(&mut line)? > 0, "the server has gone");
        let line = line.trim_end();
        ensure!(!line.starts_with("-ERR"), "the server says {line}");
        Ok(line.to_owned())
    }

    fn subscribe(&mut self, subject: &str) -> anyhow::Result<()> {
        self.write.write_all(format!("SUB {subject} 1\r\nPING\r\n").as_bytes())?;
        while self.line()? != "PONG" {}
        Ok(())
    }

    fn publish_to(&mut self, subject: &str, payload: &[u8]) -> anyhow::Result<()> {
        let head = format!("PUB {subject} {INBOX} {}\r\n", payload.len());
        Ok(self.write.write_all(&[head.as_bytes(), payload, b"\r\n"].concat())?)
    }

    fn message(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            let line = self.line()?;
            if line == "PING" {
                self.write.write_all(b"PONG\r\n")?;
            } else if line.starts_with("MSG ") {
                let bytes = line.rsplit(' ').next().unwrap_or_default().parse::<usize>()?;
                let mut payload = read_exact(&mut self.read, bytes + 2)?;
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
