//! A whole centre on this machine, up, linked and quiet: desk, wall and schools as processes, made by the rig.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use onepress::api::{Desk, Told};
use onepress::rig::{Lamps, Plan, Programs, Rack, School, Wall, pause, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::record;

/// Longer than anything takes on a slow machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A press is shown at the platform within this (DB15/T 3968-2025).
pub const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// Lines of each log that a failure prints.
const TAIL: usize = 40;

/// A centre. Dropped while a test fails, it prints the ends of all logs.
pub struct Centre {
    /// `box-1` at `site-1`, and so on.
    pub schools: Vec<School>,
    /// `wall-1`, if there is one.
    pub wall: Option<Wall>,
    /// The rig's seat.
    pub desk: Desk,
    /// The desk's process.
    pub rack: Rack,
    /// The binaries.
    pub programs: Programs,
    /// Where all state lies that has no other place.
    pub dir: TempDir,
}

/// The binaries, which `make build` builds.
///
/// # Panics
/// If they are not there.
#[must_use]
pub fn programs() -> Programs {
    Programs::beside_me().expect("run `cargo build --workspace --bins` first")
}

/// A folder for one test.
///
/// # Panics
/// If there is no room for one.
#[must_use]
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("onepress-test-").tempdir().expect("a folder")
}

/// Waits until `look` finds something.
///
/// # Panics
/// If it does not within [`PATIENCE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits until `look` finds something.
///
/// # Panics
/// If it does not within `limit`.
pub fn within<T>(limit: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(what, limit, look).unwrap_or_else(|error| panic!("{error:#}"))
}

impl Centre {
    /// A desk, a wall, and so many schools.
    #[must_use]
    pub fn start(schools: usize, plan: &Plan) -> Self {
        let (programs, dir) = (programs(), folder());
        let rack = Rack::start(&programs, &dir.path().join("desk"), 0).expect("a rack");
        let mut centre = Self::around(rack, programs, dir).with_wall();
        for _ in 0..schools {
            centre = centre.with_school(plan);
        }
        centre.settle();
        centre
    }

    /// A centre with nothing but its desk.
    ///
    /// # Panics
    /// If nobody can sign in.
    #[must_use]
    pub fn around(rack: Rack, programs: Programs, dir: TempDir) -> Self {
        let desk = rack.set_up().expect("the first account");
        Self { schools: Vec::new(), wall: None, desk, rack, programs, dir }
    }

    /// With a wall.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn with_wall(mut self) -> Self {
        let ticket = self.desk.new_box("wall-1", None).expect("a ticket");
        let wall = Wall::start(&self.programs, &self.dir.path().join("wall"), &ticket);
        self.wall = Some(wall.expect("a wall"));
        self
    }

    /// With one more school.
    #[must_use]
    pub fn with_school(self, plan: &Plan) -> Self {
        let dir = self.dir.path().join(format!("school-{}", self.schools.len() + 1));
        let programs = self.programs.clone();
        self.with_school_at(&dir, plan, &programs)
    }

    /// With one more school, somewhere else.
    ///
    /// # Panics
    /// If it is not linked in time.
    #[must_use]
    pub fn with_school_at(mut self, dir: &Path, plan: &Plan, programs: &Programs) -> Self {
        let number = self.schools.len() + 1;
        let (site, name) = (format!("site-{number}"), format!("box-{number}"));
        self.desk.post("/api/sites", &json!({ "id": site, "name": site })).expect("a site");
        let ticket = self.desk.new_box(&name, Some(&site)).expect("a ticket");
        let school = School::start_as(plan, programs, dir, &ticket).expect("a school");
        school.wait_linked().expect("linked");
        self.schools.push(school);
        self
    }

    /// The wall.
    ///
    /// # Panics
    /// If there is none.
    pub fn wall(&mut self) -> &mut Wall {
        self.wall.as_mut().expect("this centre has a wall")
    }

    /// The whole state, as a seat sees it.
    ///
    /// # Panics
    /// If the desk does not answer.
    #[must_use]
    pub fn state(&self) -> Value {
        self.desk.state().expect("the state")
    }

    /// Presses of all open incidents, repeats included.
    #[must_use]
    pub fn presses(&self) -> u64 {
        list(&self.state()["incidents"]).map(|incident| incident["presses"].as_u64().unwrap_or(0)).sum()
    }

    /// Every standing fault: `box-1 wired path-lost`, `desk disk-full`.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let state = self.state();
        let of_boxes = list(&state["boxes"]).flat_map(|entry| {
            list(&entry["faults"]).map(|fault| told(entry["id"].as_str().unwrap_or("?"), fault))
        });
        of_boxes.chain(list(&state["faults"]).map(|fault| told("desk", fault))).collect()
    }

    /// Whether this fault stands.
    #[must_use]
    pub fn has_fault(&self, fault: &str) -> bool {
        self.faults().iter().any(|standing| standing == fault)
    }

    /// The paths that are up, of all boxes.
    #[must_use]
    pub fn paths_up(&self) -> Vec<String> {
        let state = self.state();
        let up = |entry: &Value| {
            let name = entry["id"].as_str().unwrap_or("?").to_owned();
            let paths: Vec<_> =
                list(&entry["paths"]).filter(|path| path["up"] == json!(true)).cloned().collect();
            paths.into_iter().map(move |path| format!("{name} {}", path["id"].as_str().unwrap_or("?")))
        };
        list(&state["boxes"]).flat_map(up).collect()
    }

    /// Waits until nothing is left to happen: every path is up, no notice waits, all is on the disk, no fault stands.
    ///
    /// # Panics
    /// If that does not come; with what is still open.
    pub fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        while let Err(open) = self.is_settled() {
            assert!(Instant::now() < end, "not settled within {PATIENCE:?}: {open}");
            pause(Duration::from_millis(50));
        }
    }

    fn is_settled(&self) -> Result<(), String> {
        let health = self.desk.get("/healthz").map_err(|error| format!("{error:#}"))?;
        expect(health["seq"] == health["durable"], || format!("not on the disk: {health}"))?;
        for (number, school) in self.schools.iter().enumerate() {
            let status = school.status().map_err(|error| format!("{error:#}"))?;
            expect(status["waiting"] == json!(0), || format!("box-{} holds {status}", number + 1))?;
        }
        for entry in list(&self.state()["boxes"]) {
            let paths: Vec<_> = list(&entry["paths"]).collect();
            let up = !paths.is_empty() && paths.iter().all(|path| path["up"] == json!(true));
            expect(up, || format!("paths of {entry}"))?;
        }
        let faults = self.faults();
        expect(faults.is_empty(), || format!("{faults:?}"))
    }

    /// What seats hear from now on.
    ///
    /// # Panics
    /// If the desk does not tell.
    #[must_use]
    pub fn screen(&self) -> Screen {
        let events = self.desk.events().expect("the stream of events");
        let (tell, told) = channel();
        std::thread::spawn(move || {
            events.into_iter().take_while(|event| tell.send(event.clone()).is_ok()).count()
        });
        Screen(told)
    }

    /// Waits until the wall shows these lights in this order of words: `red`, `amber`, `blue`, `green`, `siren`.
    ///
    /// # Panics
    /// If it does not within [`PATIENCE`].
    pub fn wait_wall_shows(&self, lights: &str) {
        let wall = self.wall.as_ref().expect("this centre has a wall");
        until(&format!("the wall shows {lights}"), || (shown(&wall.status().ok()?) == lights).then_some(()));
        let sounding = lights.contains("siren");
        until("the relays do what the wall says", || (wall.lamps().siren == sounding).then_some(()));
    }

    /// Whether the red lamp is seen both lit and dark within a while.
    ///
    /// # Panics
    /// If there is no wall.
    pub fn wait_red_flashes(&self) {
        let wall = self.wall.as_ref().expect("this centre has a wall");
        let red = |lit| move |lamps: Lamps| lamps.red == lit;
        until("red is lit", || Some(wall.lamps()).filter(|lamps| red(true)(*lamps)));
        until("red is dark", || Some(wall.lamps()).filter(|lamps| red(false)(*lamps)));
    }

    /// The seat takes every incident.
    ///
    /// # Panics
    /// If the desk refuses.
    pub fn answer_all(&mut self) {
        self.desk = self.rack.sign_in(onepress::rig::SEAT).expect("signed in");
        self.for_all("answer", &json!({}));
    }

    /// The seat closes every incident.
    ///
    /// # Panics
    /// If the desk refuses.
    pub fn close_all(&self) {
        self.for_all("close", &json!({ "outcome": "handled" }));
    }

    fn for_all(&self, action: &str, body: &Value) {
        for incident in list(&self.state()["incidents"]) {
            let path = format!("/api/incidents/{}/{action}", incident["id"]);
            self.desk.post(&path, body).expect("done");
        }
    }

    fn logs(&self) -> String {
        let dirs = self.schools.iter().map(School::dir).chain([self.rack.dir(), self.dir.path()]);
        let mut files: Vec<_> = dirs.flat_map(logs).collect();
        files.sort();
        files.dedup();
        let mut text = String::new();
        for file in files {
            let log = std::fs::read(&file).unwrap_or_default();
            let _ = writeln!(text, "--- {}\n{}", file.display(), tail(&String::from_utf8_lossy(&log)));
        }
        for (number, school) in self.schools.iter().enumerate() {
            let _ = writeln!(text, "--- box-{}\n{:?}", number + 1, school.status());
        }
        let lines = record::lines(self.rack.dir()).unwrap_or_default().join("\n");
        let _ = writeln!(text, "--- journal\n{}", tail(&lines));
        text
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}", self.logs());
        }
    }
}

/// A seat's screen: the events as they come.
pub struct Screen(Receiver<Told>);

impl Screen {
    /// Waits for an incident that looks like this; those before it are passed over.
    ///
    /// # Panics
    /// If none comes within `limit`.
    pub fn wait_incident(&self, limit: Duration, what: &str, looks: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        let mut seen = Vec::new();
        while let Ok(event) = self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if event.name == "incident" && looks(&event.data) {
                return event.data;
            }
            seen.push(event.data);
        }
        panic!("no incident with {what} within {limit:?}, but {seen:?}");
    }
}

/// The end of a log.
#[must_use]
pub fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// The items of a list; none of what is no list.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What of the state has to outlast a restart of the desk.
#[must_use]
pub fn lasting(state: &Value) -> Value {
    let boxes = list(&state["boxes"])
        .map(|entry| json!([entry["id"], entry["site"], entry["enrolment"], entry["certificate_until"]]));
    json!({
        "centre": state["centre"],
        "incidents": state["incidents"],
        "sites": state["sites"],
        "boxes": boxes.collect::<Vec<_>>(),
    })
}

fn told(name: &str, fault: &Value) -> String {
    let about = ["point", "path", "fault"].into_iter().filter_map(|key| fault[key].as_str());
    std::iter::once(name).chain(about).collect::<Vec<_>>().join(" ")
}

fn shown(status: &Value) -> String {
    let light = |name: &str| match status["shown"][name].as_str() {
        Some("off") | None => None,
        Some(how) => Some(format!("{name} {how}")),
    };
    let siren = (status["shown"]["siren"] == json!(true)).then(|| "siren".to_owned());
    let lights = ["red", "amber", "blue", "green"].into_iter().filter_map(light);
    lights.chain(siren).collect::<Vec<_>>().join(", ")
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let logs = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.chain(dirs.iter().flat_map(|dir| logs_one_deeper(dir))).collect()
}

fn logs_one_deeper(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}
