//! A school: the button daemon, with a simulated button box on a serial line.

use super::{Daemon, Programs, READY_LIMIT, wait_for, write};
use crate::control;
use hw::pty;
use hw::serialbox::Simulated;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Contacts of a school at rest: both buttons' normally closed contacts, enclosure shut, mains there.
const AT_REST: u8 = 0b0011_1010;

/// A button of the school.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// In the gate house, ordinary mode.
    Gate,
    /// In the office, silent mode.
    Office,
}

impl Button {
    /// Its point, as the box's configuration names it.
    pub fn point(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Office => "office",
        }
    }

    /// Its normally open and its normally closed contact.
    fn contacts(self) -> (u8, u8) {
        match self {
            Self::Gate => (0, 1),
            Self::Office => (2, 3),
        }
    }
}

/// A running school.
pub struct School {
    programs: Programs,
    dir: PathBuf,
    daemon: Daemon,
    buttons: Simulated,
}

impl School {
    /// Starts a box with its state in `dir`, which enrols with `ticket`.
    ///
    /// # Errors
    /// When it does not come up; its log says why.
    pub fn start(programs: &Programs, dir: &Path, ticket: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let line = pty::open()?;
        write(&dir.join("ticket"), ticket)?;
        write(&dir.join("button.toml"), &config(programs, dir, line.path()))?;
        let buttons = Simulated::start(line, AT_REST);
        let daemon = Self::launch(programs, dir)?;
        Ok(Self { programs: programs.clone(), dir: dir.to_owned(), daemon, buttons })
    }

    fn launch(programs: &Programs, dir: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(programs, "onepress-button", &dir.join("button.toml"), dir)
    }

    /// Waits until the box is enrolled and a path is up.
    ///
    /// # Errors
    /// When that takes too long; with the box's log.
    pub fn wait_linked(&self) -> anyhow::Result<()> {
        let linked = wait_for("the box is linked", READY_LIMIT, || {
            let status = self.status().ok()?;
            let up = |path: &Value| path["up"] == json!(true);
            status["paths"].as_array()?.iter().any(up).then_some(())
        });
        linked.map_err(|error| error.context(self.daemon.log()))
    }

    /// What the box says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> anyhow::Result<Value> {
        control::ask(&self.socket(), &json!({ "do": "status" }))
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("button.sock")
    }

    /// A finger goes down.
    pub fn press(&self, button: Button) {
        let (open, closed) = button.contacts();
        self.buttons.set(closed, false);
        self.buttons.set(open, true);
    }

    /// The button goes back.
    pub fn release(&self, button: Button) {
        let (open, closed) = button.contacts();
        self.buttons.set(open, false);
        self.buttons.set(closed, true);
    }

    /// The wires of a button are cut.
    pub fn cut(&self, button: Button) {
        let (open, closed) = button.contacts();
        self.buttons.set(open, false);
        self.buttons.set(closed, false);
    }

    /// Cuts the whole button box off, or joins it again.
    pub fn unplug(&self, unplugged: bool) {
        self.buttons.cut(unplugged);
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

fn config(programs: &Programs, dir: &Path, line: &Path) -> String {
    let board = programs.board("simulated");
    let (ticket, control) = (dir.join("ticket"), dir.join("button.sock"));
    format!(
        r#"board = {board:?}
state-dir = {dir:?}
ticket = {ticket:?}
control = {control:?}
[devices]
buttons = {line:?}
[[path]]
id = "wired"
kind = "wired"
source = "127.0.0.1"
[[path]]
id = "cellular"
kind = "metered"
source = "127.0.0.2"
[[point]]
id = "gate"
mode = "ordinary"
no = "button-1-no"
nc = "button-1-nc"
repeat-s = 2
[[point]]
id = "office"
mode = "silent"
no = "button-2-no"
nc = "button-2-nc"
repeat-s = 2
[[point]]
id = "enclosure"
kind = "tamper"
wiring = "normally-closed"
line = "tamper"
[[point]]
id = "mains"
kind = "mains"
wiring = "normally-closed"
line = "mains-ok"
"#
    )
}
