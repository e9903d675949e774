//! A command wall: the wall daemon, with a simulated relay board.

use super::{Daemon, Programs, write};
use crate::control;
use hw::modbus::{Simulated, Slave};
use hw::pty;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Address, relays and inputs of the simulated board.
const UNIT: u8 = 1;
const RELAYS: usize = 8;
const INPUTS: usize = 8;

/// What is lit and sounding on the board at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lamps {
    /// Relay 0.
    pub red: bool,
    /// Relay 1.
    pub amber: bool,
    /// Relay 2.
    pub blue: bool,
    /// Relay 3.
    pub green: bool,
    /// Relay 4.
    pub siren: bool,
}

/// A running wall.
pub struct Wall {
    programs: Programs,
    dir: PathBuf,
    daemon: Daemon,
    board: Simulated,
}

impl Wall {
    /// Starts a wall with its state in `dir`, which enrols with `ticket`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(programs: &Programs, dir: &Path, ticket: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let line = pty::open()?;
        write(&dir.join("ticket"), ticket)?;
        let board = programs.board("simulated");
        let (ticket, control) = (dir.join("ticket"), dir.join("wall.sock"));
        let config = format!(
            "board = {board:?}\nstate-dir = {dir:?}\nticket = {ticket:?}\ncontrol = {control:?}\n\
             [devices]\nrelays = {:?}\n[[path]]\nid = \"wired\"\nkind = \"wired\"\n",
            line.path()
        );
        write(&dir.join("wall.toml"), &config)?;
        let board = Simulated::start(line, Slave::new(UNIT, RELAYS, INPUTS));
        let daemon = Self::launch(programs, dir)?;
        Ok(Self { programs: programs.clone(), dir: dir.to_owned(), daemon, board })
    }

    fn launch(programs: &Programs, dir: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(programs, "onepress-wall", &dir.join("wall.toml"), dir)
    }

    /// What the relays do now.
    pub fn lamps(&self) -> Lamps {
        self.board.with(|board| Lamps {
            red: board.coil(0),
            amber: board.coil(1),
            blue: board.coil(2),
            green: board.coil(3),
            siren: board.coil(4),
        })
    }

    /// Holds or lets go the acknowledge button.
    pub fn acknowledge(&self, held: bool) {
        self.board.with(|board| board.set_input(0, held));
    }

    /// Makes a relay stick, or frees it.
    pub fn stick(&self, relay: usize, stuck: bool) {
        self.board.with(|board| board.stick(relay, stuck));
    }

    /// Cuts the board off, or joins it again.
    pub fn unplug(&self, unplugged: bool) {
        self.board.cut(unplugged);
    }

    /// What the wall says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> anyhow::Result<Value> {
        control::ask(&self.dir.join("wall.sock"), &json!({ "do": "status" }))
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
