//! MQTT 3.1.1 (OASIS standard) as far as a press needs it, and Mosquitto.

use super::wire::{Trust, Wire, send};
use super::{Broker, Peer, Publisher, Subscriber, free_port, named, read_exact, version};
use anyhow::{Context, ensure};
use std::io::BufReader;
use std::path::Path;

const TOPIC: &str = "press";
/// Control packets with their flags (section 2.2).
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

pub(super) fn start(dir: &Path, bytes: usize, trust: Option<&Trust>) -> anyhow::Result<Peer> {
    std::fs::create_dir_all(dir)?;
    let (port, file) = (free_port()?, dir.join("mosquitto.conf"));
    let mut config = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\npersistence true\n\
         persistence_location {}/\n",
        dir.display()
    );
    if let Some(Trust { root, certificate, key, .. }) = trust {
        let (root, certificate, key) = (root.display(), certificate.display(), key.display());
        config.push_str(&format!("cafile {root}\ncertfile {certificate}\nkeyfile {key}\n"));
    }
    std::fs::write(&file, config)?;
    let name = named(format!("Mosquitto {}", version("mosquitto", "-h", "version")?), trust);
    let command = ["mosquitto", "-c", file.to_str().context("the folder's name is no text")?];
    let broker = Broker::start(name, dir, &command, port)?;
    let subscriber = Session::open(broker.reach(trust)?, "wall")?.subscribed()?;
    let publisher = Session::open(broker.reach(trust)?, "box")?;
    let promise = "held in memory; persistence on, saved every 30 minutes and at the end, the default";
    Peer::new(broker, promise, (Box::new(publisher), Box::new(subscriber)), bytes)
}

struct Session {
    wire: BufReader<Wire>,
    packet: u16,
}

impl Session {
    fn open(wire: Wire, client: &str) -> anyhow::Result<Self> {
        let mut session = Self { wire: BufReader::new(wire), packet: 0 };
        // Protocol name and level, clean session, no keep-alive.
        let body = [&text("MQTT")[..], &[4, 2, 0, 0], &text(client)].concat();
        session.send(CONNECT, &body)?;
        let (kind, body) = session.receive()?;
        ensure!(kind == CONNACK && body.get(1) == Some(&0), "the broker refused: {body:?}");
        Ok(session)
    }

    fn subscribed(mut self) -> anyhow::Result<Self> {
        let body = [&[0, 1][..], &text(TOPIC), &[1]].concat();
        self.send(SUBSCRIBE, &body)?;
        let (kind, body) = self.receive()?;
        ensure!(kind == SUBACK && body.get(2) == Some(&1), "the broker refused: {body:?}");
        Ok(self)
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> anyhow::Result<()> {
        let mut packet = vec![kind];
        let mut left = body.len();
        while left > 0x7f {
            packet.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        packet.push(left as u8);
        packet.extend_from_slice(body);
        send(self.wire.get_mut(), &packet)
    }

    fn receive(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        let kind = read_exact(&mut self.wire, 1)?[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = read_exact(&mut self.wire, 1)?[0];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok((kind, read_exact(&mut self.wire, length)?));
            }
        }
    }
}

impl Publisher for Session {
    fn publish(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.packet = self.packet.checked_add(1).unwrap_or(1);
        let number = self.packet.to_be_bytes();
        self.send(PUBLISH_QOS_1, &[&text(TOPIC)[..], &number, payload].concat())?;
        let (kind, body) = self.receive()?;
        ensure!(kind == PUBACK && body == number, "no PUBACK: {kind:#x} {body:?}");
        Ok(())
    }
}

impl Subscriber for Session {
    fn next(&mut self) -> anyhow::Result<Vec<u8>> {
        let (kind, body) = self.receive()?;
        ensure!(kind == PUBLISH_QOS_1, "not a message: {kind:#x}");
        let rest = body.get(2 + TOPIC.len()..).context("a message without a topic")?;
        let (number, payload) = rest.split_at_checked(2).context("a message without a number")?;
        self.send(PUBACK, number)?;
        Ok(payload.to_vec())
    }
}

/// A string with its length (section 1.5.3).
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
