//! `/etc/onepress/wall.toml`: raw in, checked out.

use crate::line::Role;
use alarm::PathId;
use alarm::panel::SIREN_LIMIT;
use alarm::wire::PATHS_MAX;
use hw::Board;
use link::client::{self, Bind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use unit::config::Wrong;

/// The file as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    /// The board file: which output sits where.
    board: PathBuf,
    /// Longest sounding of the siren for one alarm, in seconds.
    #[serde(default = "siren_limit_s")]
    siren_limit_s: u64,
    /// Where a new wall's ticket is looked for; by default `ticket` in the state directory, where the daemon may
    /// erase it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<PathBuf>,
    /// The control socket.
    #[serde(default = "control")]
    control: PathBuf,
    /// Where key and certificate are kept.
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    /// Log level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// Other paths for serial devices of the board.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    devices: BTreeMap<String, PathBuf>,
    /// The ways to the rack.
    path: Vec<RawPath>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPath {
    id: PathId,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Wired,
    Metered,
}

/// What the daemon works with.
#[derive(Clone)]
pub struct Config {
    /// The board.
    pub(crate) board: Board,
    /// Its outputs that a wall uses.
    pub(crate) outputs: Vec<Role>,
    /// It has an acknowledge button.
    pub(crate) button: bool,
    /// Longest sounding of the siren for one alarm.
    pub(crate) siren_limit: Duration,
    /// Where a new wall's ticket is looked for.
    pub(crate) ticket: PathBuf,
    /// The control socket.
    pub(crate) control: PathBuf,
    /// Where key and certificate are kept.
    pub(crate) state_dir: PathBuf,
    /// The ways to the rack, at least one.
    pub(crate) paths: Vec<client::Path>,
}

fn siren_limit_s() -> u64 {
    SIREN_LIMIT.as_secs()
}

fn control() -> PathBuf {
    "/run/onepress/wall.sock".into()
}

fn state_dir() -> PathBuf {
    unit::state_dir("/var/lib/onepress/wall")
}

impl unit::Config for Raw {
    type Checked = Config;

    fn check(self) -> Result<Config, Wrong> {
        let siren_limit = siren_limit(self.siren_limit_s)?;
        let paths = paths(self.path)?;
        let board = board(&self.board, &self.devices)?;
        let outputs = outputs(&board)?;
        let button = board.inputs().any(|input| input == crate::state::BUTTON);
        let Self { ticket, control, state_dir, .. } = self;
        let ticket = ticket.unwrap_or_else(|| state_dir.join("ticket"));
        Ok(Config { board, outputs, button, siren_limit, ticket, control, state_dir, paths })
    }

    fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

fn board(file: &Path, devices: &BTreeMap<String, PathBuf>) -> Result<Board, Wrong> {
    let wrong = |key: &str, error: hw::ConfigError| {
        let reason = format!("{}: {}: {}", error.file.display(), error.key, error.reason);
        Wrong::new(key, reason, error.remedy)
    };
    let mut board = Board::load(file).map_err(|error| wrong("board", error))?;
    for (device, path) in devices {
        board = board.with_path(device, path).map_err(|error| wrong(&format!("devices.{device}"), error))?;
    }
    Ok(board)
}

fn siren_limit(seconds: u64) -> Result<Duration, Wrong> {
    let longest = SIREN_LIMIT.as_secs();
    if (1..=longest).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(Wrong::new("siren-limit-s", format!("is {seconds}"), format!("give 1 to {longest} (15 minutes)")))
}

fn paths(raw: Vec<RawPath>) -> Result<Vec<client::Path>, Wrong> {
    if raw.is_empty() || raw.len() > PATHS_MAX {
        return Err(Wrong::new("path", format!("{} paths", raw.len()), format!("give 1 to {PATHS_MAX}")));
    }
    let mut paths: Vec<client::Path> = Vec::new();
    for (place, path) in raw.into_iter().enumerate() {
        if paths.iter().any(|known| known.name == path.id) {
            let reason = format!("{} is there already", path.id);
            return Err(Wrong::new(format!("path.{place}.id"), reason, "give every path a name of its own"));
        }
        let bind = Bind { interface: path.interface, source: path.source };
        paths.push(client::Path { name: path.id, bind, metered: path.kind == Kind::Metered });
    }
    Ok(paths)
}

fn outputs(board: &Board) -> Result<Vec<Role>, Wrong> {
    let on_board = |role: &Role| board.outputs().any(|output| output == role.name());
    if let Some(missing) = Role::NEEDED.iter().find(|role| !on_board(role)) {
        let reason = format!("board {:?} has no output {:?}", board.name(), missing.name());
        return Err(Wrong::new("board", reason, "add siren, red and amber to its [outputs]"));
    }
    Ok(Role::ALL.into_iter().filter(on_board).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use unit::Config as _;

    const EXAMPLE: &str = include_str!("../wall.toml.example");

    fn boards() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../hw/boards"))
    }

    /// The example, with the board files of this source tree and one line replaced.
    fn checked(from: &str, to: &str) -> Result<Config, Wrong> {
        assert!(EXAMPLE.contains(from), "the example has no {from:?}");
        let text = EXAMPLE.replace(from, to);
        let mut raw: Raw = toml::from_str(&text).unwrap();
        if let Ok(shipped) = raw.board.strip_prefix("/usr/share/onepress/boards") {
            raw.board = boards().join(shipped);
        }
        raw.check()
    }

    fn wrong(from: &str, to: &str) -> String {
        checked(from, to).err().expect("refused").to_string()
    }

    #[test]
    fn the_example_is_a_good_configuration() {
        let config = checked("", "").unwrap();
        assert_eq!((config.outputs.len(), config.button, config.paths.len()), (5, true, 2));
        assert!(config.paths[1].metered && !config.paths[0].metered);
        assert_eq!(config.siren_limit, Duration::from_secs(300));
    }

    #[test]
    fn what_is_commented_out_is_the_default() {
        let short = "board = '/b'\n[[path]]\nid = 'wired'\nkind = 'wired'\n";
        let raw: Raw = toml::from_str(short).unwrap();
        for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix("#")) {
            let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else {
                continue;
            };
            let said = toml::to_string(&raw).unwrap();
            let known = said.lines().find(|l| l.starts_with(&format!("{key} = ")));
            assert!(known.is_none_or(|l| l == format!("{key} = {value}")), "{line} but {known:?}");
        }
        assert_eq!(raw.siren_limit_s, 900);
    }

    #[test]
    fn what_cannot_work_names_key_reason_and_remedy() {
        let siren = wrong("siren-limit-s = 300", "siren-limit-s = 1000");
        assert_eq!(siren, "siren-limit-s: is 1000; give 1 to 900 (15 minutes)");
        assert!(
            wrong("id = \"cellular\"", "id = \"wired\"")
                .starts_with("path.1.id: wired is there already; give")
        );
        let board = wrong("raspberry-pi-4.toml", "none.toml");
        assert!(board.starts_with("board: ") && board.contains("none.toml"), "{board}");
    }

    #[test]
    fn a_board_without_a_siren_is_refused() {
        let text = "name = 'x'\n[devices.r]\npart = 'modbus'\npath = '/dev/x'\n[outputs]\nred = { device = 'r', line = 0 }\n";
        let board = Board::parse("x.toml", text).unwrap();
        let error = outputs(&board).unwrap_err().to_string();
        assert_eq!(
            error,
            "board: board \"x\" has no output \"siren\"; add siren, red and amber to its [outputs]"
        );
    }
}
