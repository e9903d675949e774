use super::raw::{Lamp, Network, Path, Raw};
use super::{Config, Way, point};
use crate::core::Supervised;
use alarm::point::Kind;
use alarm::selftest::At;
use alarm::wire::{PATHS_MAX, POINTS_MAX};
use alarm::{Mode, PathId};
use hw::Board;
use link::client::{self, Bind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use unit::config::Wrong;

/// As many rack addresses as a ticket has.
const RACKS_MAX: usize = 4;
/// Longest name of a network interface: IFNAMSIZ without its zero (netdevice(7)).
const INTERFACE_LONGEST: usize = 15;
/// Where state lies when neither the file nor systemd says so.
const STATE_DIR: &str = "/var/lib/onepress/button";

impl unit::Config for Raw {
    type Checked = Config;

    fn check(self) -> Result<Config, Wrong> {
        let board = board(self.board, &self.devices)?;
        let paths = paths(self.paths)?;
        let state_dir = self.state_dir.unwrap_or_else(|| unit::state_dir(STATE_DIR));
        let points = points(&self.points, &board)?;
        let self_test = self_test(self.self_test.as_deref())?;
        let lamp = self.lamp.map(|lamp| check_lamp(lamp, &board, &points)).transpose()?;
        Ok(Config {
            board,
            ticket: self.ticket.unwrap_or_else(|| state_dir.join("ticket")),
            state_dir,
            control: self.control,
            appliance: self.appliance.unwrap_or_else(|| PathBuf::from("/")),
            paths,
            points,
            self_test,
            lamp,
        })
    }

    fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

fn board(file: PathBuf, devices: &BTreeMap<String, PathBuf>) -> Result<Board, Wrong> {
    let wrong = |key: &str, error: hw::ConfigError| {
        let reason = format!("{}: {}: {}", error.file.display(), error.key, error.reason);
        Wrong::new(key, reason, error.remedy)
    };
    let mut board = Board::load(file).map_err(|error| wrong("board", error))?;
    for (device, path) in devices {
        let key = format!("devices.{device}");
        board = board.with_path(device, path).map_err(|error| wrong(&key, error))?;
    }
    Ok(board)
}

fn paths(raw: Vec<Path>) -> Result<Vec<Way>, Wrong> {
    if raw.is_empty() {
        return Err(Wrong::new("path", "there is none", "give at least one [[path]] to the rack"));
    }
    if raw.len() > PATHS_MAX {
        return Err(Wrong::new(
            "path",
            format!("there are {}", raw.len()),
            format!("give at most {PATHS_MAX}"),
        ));
    }
    let mut names = BTreeSet::new();
    let mut ways = Vec::new();
    for (place, path) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("path.{place}.{name}");
        let way = way(path, &key)?;
        if !names.insert(way.path.name.clone()) {
            return Err(Wrong::new(
                key("id"),
                "another path has this name",
                "give every path a name of its own",
            ));
        }
        ways.push(way);
    }
    Ok(ways)
}

fn way(path: Path, key: &dyn Fn(&str) -> String) -> Result<Way, Wrong> {
    let name = PathId::new(path.id.clone())
        .map_err(|_| Wrong::new(key("id"), format!("{:?} is not usable", path.id), NAME_REMEDY))?;
    if let Some(interface) = &path.interface
        && !(1..=INTERFACE_LONGEST).contains(&interface.len())
    {
        let remedy = format!("give a name of 1 to {INTERFACE_LONGEST} letters, as `ip link` shows it");
        return Err(Wrong::new(key("interface"), format!("{interface:?} is no interface"), remedy));
    }
    if let Some(racks) = &path.racks {
        check_racks(racks, &key("racks"))?;
    }
    let bind = Bind { interface: path.interface, source: path.source };
    let metered = path.kind == Network::Metered;
    Ok(Way { path: client::Path { name, bind, metered }, racks: path.racks })
}

/// What a name may be.
pub(super) const NAME_REMEDY: &str =
    "use 1 to 63 small letters, digits and hyphens, beginning with a letter or digit";

fn check_racks(racks: &[String], key: &str) -> Result<(), Wrong> {
    if racks.is_empty() || racks.len() > RACKS_MAX {
        let reason = format!("has {} addresses", racks.len());
        return Err(Wrong::new(key, reason, format!("give 1 to {RACKS_MAX}, or leave the key out")));
    }
    let usable = |address: &&String| match address.rsplit_once(':') {
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => false,
    };
    match racks.iter().find(|address| !usable(address)) {
        None => Ok(()),
        Some(bad) => {
            Err(Wrong::new(key, format!("{bad:?} is no address"), "give host:port, as in 10.0.0.1:7443"))
        }
    }
}

fn points(raw: &[super::raw::Point], board: &Board) -> Result<Vec<Supervised>, Wrong> {
    if raw.is_empty() {
        return Err(Wrong::new("point", "there is none", "give at least one [[point]]"));
    }
    if raw.len() > POINTS_MAX {
        let reason = format!("there are {}", raw.len());
        return Err(Wrong::new("point", reason, format!("give at most {POINTS_MAX}")));
    }
    let mut names = BTreeSet::new();
    let mut lines = BTreeSet::new();
    let mut relays = BTreeSet::new();
    let mut points = Vec::new();
    for (place, raw) in raw.iter().enumerate() {
        let check = point::Check { raw, place, board };
        let supervised = check.point()?;
        if !names.insert(supervised.point.id.clone()) {
            return Err(check.wrong(
                "id",
                "another point has this name",
                "give every point a name of its own",
            ));
        }
        for (key, line) in check.lines() {
            if !lines.insert(line.to_owned()) {
                let reason = format!("another contact has line {line:?} already");
                return Err(check.wrong(key, reason, "give every contact a line of its own"));
            }
        }
        for (key, output) in check.relays() {
            if !relays.insert(output.to_owned()) {
                let reason = format!("another contact has test relay {output:?} already");
                return Err(check.wrong(key, reason, "give every contact a relay of its own"));
            }
        }
        points.push(supervised);
    }
    Ok(points)
}

fn self_test(text: Option<&str>) -> Result<At, Wrong> {
    let bad = |error: alarm::selftest::BadAt| {
        Wrong::new("self-test", error.to_string(), "give a time as in \"03:30+08:00\", or leave the key out")
    };
    text.map_or_else(|| Ok(At::default()), |text| text.parse().map_err(bad))
}

fn check_lamp(lamp: Lamp, board: &Board, points: &[Supervised]) -> Result<String, Wrong> {
    let ordinary = |s: &Supervised| matches!(s.point.kind, Kind::HoldUp { mode: Mode::Ordinary, .. });
    if !points.iter().any(ordinary) {
        let remedy = "remove [lamp], or give a button mode = \"ordinary\"";
        return Err(Wrong::new("lamp", "no button is in ordinary mode, so it would never be lit", remedy));
    }
    let tests = points.iter().flat_map(|point| &point.relays);
    if tests.into_iter().any(|test| test.output == lamp.output) {
        let remedy = "give the lamp an output of its own";
        return Err(Wrong::new("lamp.output", "a test relay has this output", remedy));
    }
    if !board.outputs().any(|output| output == lamp.output) {
        let known: Vec<_> = board.outputs().collect();
        let remedy = format!("the board's outputs are: {}", known.join(", "));
        return Err(Wrong::new("lamp.output", format!("the board has no output {:?}", lamp.output), remedy));
    }
    Ok(lamp.output)
}
