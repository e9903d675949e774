//! From an empty folder to a page of tables.

use super::centre::{Centre, Wall};
use super::floor::Server;
use super::press::{self, Rounds, Stage};
use super::storm::{Crowd, Storm};
use super::{boxes, crowd, fanout, floor, generator, glass, idle, interop, peers, report};
use alarm::ticket::Ticket;
use anyhow::Context;
use onepress::rig::{Programs, School};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const USAGE: &str = "usage: bench [--fanout|--interop|--glass|--crowd] [--short]";

/// How much of everything.
struct Size {
    command: &'static str,
    rounds: usize,
    storms: usize,
    boxes: usize,
    window: Duration,
    fanout: fanout::Size,
    glass: glass::Size,
    crowd: crate::crowd::Plan,
}

const FULL: Size = Size {
    command: "make bench",
    rounds: 300,
    storms: 5,
    boxes: 1_000,
    window: Duration::from_secs(60),
    fanout: fanout::FULL,
    glass: glass::FULL,
    crowd: crate::crowd::LONG,
};
const SHORT: Size = Size {
    command: "make bench SHORT=1",
    rounds: 20,
    storms: 1,
    boxes: 200,
    window: Duration::from_secs(10),
    fanout: fanout::SHORT,
    glass: glass::SHORT,
    crowd: crate::crowd::SHORT,
};

/// `bench [--fanout|--interop|--glass|--crowd] [--short]`; the other modes are the processes that it starts.
///
/// # Errors
/// What did not come up or did not answer.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    match arguments {
        [mode, dir] if mode == floor::MODE => runtime.block_on(floor::serve(Path::new(dir))),
        [mode, rest @ ..] if mode == generator::MODE => runtime.block_on(generator::run(rest)),
        [] => whole(&runtime, &FULL),
        [short] if short == "--short" => whole(&runtime, &SHORT),
        [only] => alone(only, &FULL),
        [only, short] if short == "--short" => alone(only, &SHORT),
        _ => anyhow::bail!(USAGE),
    }
}

fn whole(runtime: &Runtime, size: &Size) -> anyhow::Result<()> {
    let begun = Instant::now();
    let load_before = report::load();
    say(&format!("load average {load_before}; an idle machine gives the better numbers"));
    let programs = Programs::beside_me()?;
    // Beside the build, which is on a real disk; /tmp may be memory.
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(built()?)?;
    let dir = folder.path();
    let mut centre = Centre::start(&programs, dir)?;
    let wall = Wall::start(&programs, dir, &centre.desk, "wall-1")?;
    let rounds = rounds(runtime, size, &programs, dir, &centre, &wall)?;
    say(&format!("enrolling {} boxes ...", size.boxes));
    boxes::enrol(runtime, &centre.desk, &boxes::Plan { boxes: size.boxes, per_site: 1, dir })?;
    let storms = storms(runtime, size, &centre, &wall, dir)?;
    drop(wall);
    let plan = idle::Plan { boxes: size.boxes, window: size.window, dir };
    let idle = idle::measure(&mut centre, &plan, |what| {
        say(&format!("at rest, {what}: {} boxes on two paths, {} s ...", plan.boxes, plan.window.as_secs()));
    })?;
    let scene = report::Scene {
        command: size.command,
        load_before,
        load_after: report::load(),
        rounds: size.rounds,
        boxes: size.boxes,
        window: size.window,
    };
    drop(centre);
    let mut page = report::report(&scene, &rounds, &storms, &idle);
    let _ = write!(page, "\n{}", fanout::section(&size.fanout, dir, say)?);
    let _ = write!(page, "\n{}", interop::section(dir, say)?);
    let _ = write!(page, "\n{}", glass::section(&size.glass, dir, say)?);
    let _ = write!(page, "\n{}", crowd::section(size.crowd, say)?);
    say(&page);
    if size.command == FULL.command {
        keep(&page)?;
    }
    say(&format!("{:.0} s in all", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// One section only, in place of what the results say of it.
fn alone(only: &str, size: &Size) -> anyhow::Result<()> {
    let load = report::load();
    let folder = tempfile::tempdir()?;
    let (title, section) = match only {
        "--fanout" => (fanout::TITLE, fanout::section(&size.fanout, folder.path(), say)?),
        "--crowd" => (crowd::TITLE, crowd::section(size.crowd, say)?),
        "--interop" => (interop::TITLE, interop::section(folder.path(), say)?),
        "--glass" => (glass::TITLE, glass::section(&size.glass, folder.path(), say)?),
        _ => anyhow::bail!(USAGE),
    };
    let section = format!("{section}\nLoad average before: {load}; after: {}.\n", report::load());
    say(&section);
    if size.command != FULL.command {
        return Ok(());
    }
    let old = std::fs::read_to_string(results()).unwrap_or_default();
    keep(&report::replace(&old, title, &section))
}

fn rounds(
    runtime: &Runtime,
    size: &Size,
    programs: &Programs,
    dir: &Path,
    centre: &Centre,
    wall: &Wall,
) -> anyhow::Result<Rounds> {
    say("starting a school, a bare QUIC server, Mosquitto and NATS ...");
    centre.desk.post("/api/sites", &json!({ "id": "school", "name": "第一小学" }))?;
    centre.desk.post("/api/sites", &json!({ "id": "other", "name": "第二小学" }))?;
    let ticket = centre.desk.new_box("school-gate", Some("school"))?;
    let school = School::start(programs, &dir.join("school"), &ticket)?;
    school.wait_linked()?;
    let client = dir.join("client");
    let ticket = Ticket::from_text(&centre.desk.new_box("client", Some("other"))?)?;
    boxes::with_ticket(runtime, &ticket, &client)?;
    let server = Server::start(dir)?;
    let peers = peers::Peer::all(dir, boxes::press_bytes()?)?;
    let stage =
        Stage { runtime, dir, centre, wall, school: &school, client: &client, server: &server, peers };
    press::rounds(stage, size.rounds, |round| {
        if round.is_multiple_of(20) {
            say(&format!("round {round} of {}", size.rounds));
        }
    })
}

fn storms(
    runtime: &Runtime,
    size: &Size,
    centre: &Centre,
    wall: &Wall,
    dir: &Path,
) -> anyhow::Result<Vec<Storm>> {
    let mut crowd = Crowd::gather(runtime, centre, dir)?;
    wall.board.forget();
    let storm = |number| {
        say(&format!("storm {number} of {} ...", size.storms));
        crowd.blow(runtime, centre, wall, dir)
    };
    (1..=size.storms).map(storm).collect()
}

/// The folder in which this program was built.
fn built() -> anyhow::Result<PathBuf> {
    let me = std::env::current_exe()?;
    Ok(me.parent().context("a program lies in a folder")?.to_owned())
}

fn keep(page: &str) -> anyhow::Result<()> {
    std::fs::write(results(), page).context("writing bench/RESULTS.md")?;
    say("written to bench/RESULTS.md");
    Ok(())
}

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/RESULTS.md")
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
