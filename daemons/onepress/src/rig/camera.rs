//! The cameras of a school: the camera daemon beside the button daemon, and IP cameras played by GStreamer's RTSP
//! server (a program of its own, which nobody here wrote).

use super::{Daemon, Programs, READY_LIMIT, School, write};
use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// IP cameras on loopback: see the head of the script for their streams and its orders.
pub struct Cameras {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    port: u16,
}

impl Cameras {
    /// Starts them.
    ///
    /// # Errors
    /// When GStreamer's RTSP server is not installed; names the remedy.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_through(&[])
    }

    /// As [`Cameras::start`], started by another program that puts itself in its place, such as `nsenter`.
    ///
    /// # Errors
    /// As [`Cameras::start`].
    pub fn start_through(before: &[&str]) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/camera/serve.py");
        let words = [before, &["/usr/bin/python3"]].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg(script)
            .arg("0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        super::process::end_with_us(&mut command);
        let mut child =
            command.spawn().context("starting the cameras: tests/setup/media.sh installs them")?;
        let orders = child.stdin.take().context("the cameras take orders")?;
        let lines = BufReader::new(child.stdout.take().context("the cameras answer")?).lines();
        let (tell, answers) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut cameras = Self { child, orders, answers, port: 0 };
        let ready = cameras.answer().context("the cameras do not come up: run tests/setup/media.sh")?;
        let port = ready.strip_prefix("ready ").and_then(|port| port.parse().ok());
        cameras.port = port.with_context(|| format!("the cameras said {ready:?}"))?;
        Ok(cameras)
    }

    fn answer(&self) -> anyhow::Result<String> {
        Ok(self.answers.recv_timeout(READY_LIMIT)?)
    }

    /// Gives an order and waits until it is carried out.
    ///
    /// # Errors
    /// When they have ended.
    pub fn order(&mut self, order: &str) -> anyhow::Result<()> {
        writeln!(self.orders, "{order}")?;
        self.answer().map(drop)
    }

    /// The address of one of their streams, such as `/h264-pcmu`.
    pub fn url(&self, stream: &str) -> String {
        format!("rtsp://127.0.0.1:{}{stream}", self.port)
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running camera daemon.
pub struct Camera {
    programs: Programs,
    dir: PathBuf,
    daemon: Daemon,
}

impl Camera {
    /// Starts the camera daemon of a school: `cameras` are names and addresses, `relay` is `host:port`, `more` is
    /// added to its configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        programs: &Programs,
        dir: &Path,
        school: &School,
        relay: &str,
        cameras: &[(&str, String)],
        more: &str,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let each = |(id, url): &(&str, String)| format!("[[camera]]\nid = {id:?}\nurl = {url:?}\n");
        let listed: String = cameras.iter().map(each).collect();
        let config = format!(
            "identity = {:?}\nbutton = {:?}\nstate-dir = {dir:?}\ncontrol = {:?}\nrelay = {relay:?}\n{more}{listed}",
            school.dir(),
            school.socket(),
            dir.join("camera.sock"),
        );
        write(&dir.join("camera.toml"), &config)?;
        let daemon = Self::launch(programs, dir)?;
        Ok(Self { programs: programs.clone(), dir: dir.to_owned(), daemon })
    }

    fn launch(programs: &Programs, dir: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(programs, "onepress-camera", &dir.join("camera.toml"), dir)
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> anyhow::Result<serde_json::Value> {
        crate::control::ask(&self.dir.join("camera.sock"), &serde_json::json!({ "do": "status" }))
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Starts it again after it was killed or stopped. Does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.daemon = Self::launch(&self.programs, &self.dir)?;
        Ok(())
    }
}
