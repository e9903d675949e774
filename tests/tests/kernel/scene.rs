//! Who takes part: a desk, a wall and a school, each the daemon as it ships, over loopback.

mod desk;
mod school;
mod wall;

pub(crate) use desk::Desk;
pub(crate) use school::School;
pub(crate) use wall::{Light, Wall};

use crate::inside::BOARDS;
use crate::lines::Lines;
use onepress::rig::{Daemon, Programs, wait_for};
use std::path::Path;
use std::time::Duration;

pub(crate) use onepress::rig::pause;

/// Longer than anything here takes on a machine that does other things beside.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them. What each said comes out when the story fails.
pub(crate) struct Scene {
    pub(crate) school: School,
    pub(crate) wall: Wall,
    pub(crate) desk: Desk,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// Everything is up, enrolled, connected and at rest.
    pub(crate) fn begin() -> Self {
        let mut scene = Self::with_the_school_dark();
        scene.school.start();
        scene.desk.sees("the school at rest", || scene.desk.state_of("office") == "rest");
        scene
    }

    /// The box at the school has no power yet.
    pub(crate) fn with_the_school_dark() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let programs = programs();
        let desk = Desk::start(&programs, dir.path());
        let wall = Wall::start(&programs, dir.path(), &desk.new_box("wall-1", None));
        let school = School::new(&programs, dir.path(), &desk.new_box("school-1-gate", Some("school-1")));
        wall.shows(&[("green", Light::Steady)]);
        Self { school, wall, desk, _dir: dir }
    }
}

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(what, PATIENCE, look).unwrap_or_else(|error| panic!("{error}"))
}

/// The daemons lie beside this test, the boards where the kernel shows them.
fn programs() -> Programs {
    let test = std::env::current_exe().expect("own path");
    let profile = test.ancestors().nth(2).expect("target/debug/deps/test");
    Programs::new(profile, std::env::var(BOARDS).expect("told by the host"))
}

/// A board file like `gpio-sim.toml`, on one chip alone: every box has lines of the same names.
fn write_board(programs: &Programs, dir: &Path, chip: &str) {
    let board = std::fs::read_to_string(programs.board("gpio-sim")).expect("the board");
    let part = "part = \"gpio\"";
    assert!(board.contains(part), "{board}");
    let board = board.replace(part, &format!("{part}\nchip = {chip:?}"));
    std::fs::write(dir.join("board.toml"), board).expect("written");
}

/// A box: its directory with board and ticket, its lines, its daemon.
fn unpack(programs: &Programs, dir: &Path, name: &str, ticket: &str) -> (std::path::PathBuf, Lines) {
    let dir = dir.join(name);
    std::fs::create_dir(&dir).expect("made");
    std::fs::write(dir.join("ticket"), ticket).expect("written");
    write_board(programs, &dir, name);
    (dir, Lines::new(name))
}

fn launch(programs: &Programs, name: &'static str, config: &Path, dir: &Path) -> Daemon {
    Daemon::start(programs, name, config, dir).expect("started")
}

/// What a daemon said, if the story fails.
fn tell(name: &str, log: &str) {
    if std::thread::panicking() {
        println!("--- {name}\n{log}");
    }
}
