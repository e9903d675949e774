//! The real daemons in release build: a desk, a wall whose board has a clock, a school; and a seat that listens.

use super::board::Board;
use anyhow::Context;
use onepress::api::{Desk, Told};
use onepress::rig::{Daemon, Programs, READY_LIMIT, Rack, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Any free port.
const CONSOLE: u16 = 0;
/// Far above anything that is measured.
const LIMIT: Duration = Duration::from_secs(20);

/// A desk with somebody at a seat.
pub(crate) struct Centre {
    pub(crate) rack: Rack,
    pub(crate) desk: Desk,
    told: Receiver<(Instant, Told)>,
}

impl Centre {
    pub(crate) fn start(programs: &Programs, dir: &Path) -> anyhow::Result<Self> {
        let rack = Rack::start(programs, &dir.join("desk"), CONSOLE)?;
        let desk = rack.set_up()?;
        let events = desk.events()?;
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for event in events {
                if tell.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { rack, desk, told })
    }

    /// The next thing that the seat is told of an incident, and when.
    pub(crate) fn incident(&self) -> anyhow::Result<(Instant, Value)> {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, event) = self.told.recv_timeout(left).context("the seat was told nothing")?;
            if event.name == "incident" {
                return Ok((at, event.data));
            }
        }
    }

    /// When the seat was told of an incident that rings and is newer than `known`; its number.
    pub(crate) fn ringing(&self, known: u64) -> anyhow::Result<(Instant, u64)> {
        loop {
            let (at, incident) = self.incident()?;
            let id = incident["id"].as_u64().unwrap_or(0);
            if incident["step"] == json!("ringing") && id > known {
                return Ok((at, id));
            }
        }
    }

    /// Forgets what the seat was told and nobody asked for.
    pub(crate) fn forget(&self) {
        while self.told.try_recv().is_ok() {}
    }

    /// Answers an incident and closes it, which silences the siren.
    pub(crate) fn close(&self, id: u64) -> anyhow::Result<()> {
        self.desk.post(&format!("/api/incidents/{id}/answer"), &json!({}))?;
        self.desk
            .post(&format!("/api/incidents/{id}/close"), &json!({ "outcome": "handled", "note": "" }))?;
        Ok(())
    }
}

/// A wall daemon and its board.
pub(crate) struct Wall {
    pub(crate) board: Board,
    _daemon: Daemon,
}

impl Wall {
    /// Starts one that enrols as `name`, and waits until it shows that it hears the desk.
    pub(crate) fn start(programs: &Programs, dir: &Path, desk: &Desk, name: &str) -> anyhow::Result<Self> {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir)?;
        let board = Board::start()?;
        let (ticket, control) = (dir.join("ticket"), dir.join("wall.sock"));
        std::fs::write(&ticket, desk.new_box(name, None)?)?;
        let config = format!(
            "board = {:?}\nstate-dir = {dir:?}\nticket = {ticket:?}\ncontrol = {control:?}\n[devices]\n\
             relays = {:?}\n[[path]]\nid = \"wired\"\nkind = \"wired\"\n",
            programs.board("simulated"),
            board.path(),
        );
        let file = dir.join("wall.toml");
        std::fs::write(&file, config)?;
        let daemon = Daemon::start(programs, "onepress-wall", &file, &dir)?;
        let heard = wait_for("the wall hears the desk", READY_LIMIT, || {
            let status = onepress::control::ask(&control, &json!({ "do": "status" })).ok()?;
            (status["desk-lost"] == json!(false)).then_some(())
        });
        heard.with_context(|| daemon.log())?;
        Ok(Self { board, _daemon: daemon })
    }
}
