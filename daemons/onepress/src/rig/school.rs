//! A school: the button daemon, with a simulated button box on a serial line.

use super::{Daemon, Programs, READY_LIMIT, wait_for, write};
use crate::control;
use hw::pty;
use hw::serialbox::Simulated;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Contacts of a school at rest: both buttons' normally closed contacts, enclosure shut, mains there.
const AT_REST: u8 = 0b0011_1010;

/// The supply's "mains present" contact.
const MAINS_OK: u8 = 5;

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

/// How a school is fitted out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its ways to the rack.
    pub ways: Vec<Way>,
    /// Presses of the gate button this close together are one alarm, in seconds.
    pub gate_repeat_s: u64,
    /// The same of the office button.
    pub office_repeat_s: u64,
}

/// One way to the rack.
#[derive(Clone, Debug)]
pub struct Way {
    /// Its name.
    pub id: &'static str,
    /// `wired` or `metered`.
    pub kind: &'static str,
    /// What its socket is held to: `interface` or `source`, and which.
    pub held_to: (&'static str, &'static str),
    /// The rack's address on this way; by default those of the ticket.
    pub rack: Option<String>,
}

/// Two ways over loopback, told apart by their source address.
impl Default for Plan {
    fn default() -> Self {
        let way = |id, kind, source| Way { id, kind, held_to: ("source", source), rack: None };
        let ways = vec![way("wired", "wired", "127.0.0.1"), way("cellular", "metered", "127.0.0.2")];
        Self { ways, gate_repeat_s: 2, office_repeat_s: 2 }
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
        Self::start_as(&Plan::default(), programs, dir, ticket)
    }

    /// As [`School::start`], fitted out otherwise.
    ///
    /// # Errors
    /// As [`School::start`].
    pub fn start_as(plan: &Plan, programs: &Programs, dir: &Path, ticket: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let line = pty::open()?;
        write(&dir.join("ticket"), ticket)?;
        write(&dir.join("button.toml"), &config(plan, programs, dir, line.path()))?;
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

    /// Whether a point has settled on this state: `rest`, `active`, `faulty`.
    pub fn is(&self, point: &str, state: &str) -> bool {
        let status = self.status().unwrap_or_default();
        let mut points = status["points"].as_array().into_iter().flatten();
        points.any(|entry| entry["point"] == json!(point) && entry["state"] == json!(state))
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("button.sock")
    }

    /// Where its state lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its spool.
    pub fn spool(&self) -> PathBuf {
        self.dir.join("spool")
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

    /// The mains fails, or comes back.
    pub fn mains(&self, there: bool) {
        self.buttons.set(MAINS_OK, there);
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

impl Way {
    fn config(&self) -> String {
        let Self { id, kind, held_to: (what, which), rack } = self;
        let racks = rack.as_ref().map_or_else(String::new, |rack| format!("racks = [{rack:?}]\n"));
        format!("[[path]]\nid = {id:?}\nkind = {kind:?}\n{what} = {which:?}\n{racks}")
    }
}

fn config(plan: &Plan, programs: &Programs, dir: &Path, line: &Path) -> String {
    let board = programs.board("simulated");
    let (ticket, control) = (dir.join("ticket"), dir.join("button.sock"));
    // Whatever this computer is, it is not what a test updates.
    let appliance = dir.join("appliance");
    let ways: String = plan.ways.iter().map(Way::config).collect();
    let (gate, office) = (plan.gate_repeat_s, plan.office_repeat_s);
    format!(
        r#"board = {board:?}
state-dir = {dir:?}
ticket = {ticket:?}
control = {control:?}
appliance = {appliance:?}
[devices]
buttons = {line:?}
{ways}[[point]]
id = "gate"
mode = "ordinary"
no = "button-1-no"
nc = "button-1-nc"
repeat-s = {gate}
[[point]]
id = "office"
mode = "silent"
no = "button-2-no"
nc = "button-2-nc"
repeat-s = {office}
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
