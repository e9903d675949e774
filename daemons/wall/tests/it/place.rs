//! Where a wall hangs: a relay board on a pseudo-terminal, its files in a directory, the daemon in this process.

use hw::modbus::{Simulated, Slave};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use unit::Config;

use crate::desk::PATIENCE;

pub const RED: usize = 0;
pub const AMBER: usize = 1;
pub const GREEN: usize = 3;
pub const SIREN: usize = 4;
/// The discrete input of the acknowledge button.
pub const BUTTON: usize = 0;

const BOARD: &str = include_str!("../../../../hw/boards/simulated.toml");
/// Where the shipped board file has its relay board.
const RELAYS: &str = "/run/onepress/simulated/relays";

pub struct Place {
    pub board: Simulated,
    directory: tempfile::TempDir,
    running: Option<(oneshot::Sender<()>, JoinHandle<anyhow::Result<()>>)>,
}

impl Place {
    /// The board has power; no daemon runs yet.
    pub fn new(ticket: Option<&str>) -> Self {
        let end = hw::pty::open().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let board = BOARD.replace(RELAYS, &end.path().display().to_string());
        std::fs::write(directory.path().join("board.toml"), board).unwrap();
        if let Some(ticket) = ticket {
            std::fs::write(directory.path().join("ticket"), ticket).unwrap();
        }
        let board = Simulated::start(end, Slave::new(1, 8, 8));
        Self { board, directory, running: None }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn start(&mut self) {
        let paths = ["wired", "second"]
            .map(|id| format!("[[path]]\nid = '{id}'\nkind = 'wired'\nsource = '127.0.0.1'\n"));
        let at = |name| self.file(name).display().to_string();
        let text = format!(
            "board = '{}'\nticket = '{}'\ncontrol = '{}'\nstate-dir = '{}'\n{}",
            at("board.toml"),
            at("ticket"),
            at("wall.sock"),
            self.directory.path().display(),
            paths.concat()
        );
        let raw: wall::Raw = toml::from_str(&text).unwrap();
        let daemon = wall::Daemon::open(raw.check().unwrap()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(daemon.run(async move {
            stopped.await.unwrap();
        }));
        self.running = Some((stop, task));
    }

    /// SIGTERM; how long the way down took.
    pub async fn stop(&mut self) -> Duration {
        let (stop, task) = self.running.take().unwrap();
        let asked = Instant::now();
        stop.send(()).unwrap();
        timeout(PATIENCE, task).await.expect("it never ended").unwrap().unwrap();
        asked.elapsed()
    }

    pub fn is_on(&self, coil: usize) -> bool {
        self.board.with(|board| board.coil(coil))
    }

    /// Waits until the coil is so; how long that took.
    pub async fn coil(&self, coil: usize, on: bool) -> Duration {
        let asked = Instant::now();
        while self.is_on(coil) != on {
            assert!(asked.elapsed() < PATIENCE, "coil {coil} never became {on}");
            sleep(Duration::from_millis(1)).await;
        }
        asked.elapsed()
    }

    pub async fn press(&self) {
        self.board.with(|board| board.set_input(BUTTON, true));
        sleep(Duration::from_millis(300)).await;
        self.board.with(|board| board.set_input(BUTTON, false));
    }

    /// What the control socket says to one line.
    pub async fn ask(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.file("wall.sock")).await.unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).await.unwrap();
        reply
    }

    pub async fn status(&self) -> wall::Status {
        serde_json::from_str(&self.ask(r#"{"do":"status"}"#).await).unwrap()
    }
}
