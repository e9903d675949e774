//! The console in Chromium: set-up, sign-in, an alarm that rings (its sound measured), answer, close, register,
//! ticket, a desk that goes and comes back; screenshots of every screen in both languages in `tests/artefacts`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed step is a failed test, which shows what the page said"
)]

use onepress::rig::{Button, Programs, Rack, School, Wall, pause};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// A finger stays this long.
const PRESS: Duration = Duration::from_millis(300);

#[test]
fn the_console_in_a_real_browser() {
    let dir = tempfile::tempdir().unwrap();
    let programs = Programs::beside_me().unwrap();
    let mut rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let mut page = Page::open(&rack);

    let mut stage: Option<(School, Wall)> = None;
    while let Some(step) = page.next_step() {
        match step.as_str() {
            "press" => {
                let (school, wall) = stage.insert(centre(&programs, dir.path(), &rack));
                school.press(Button::Office);
                pause(PRESS);
                school.release(Button::Office);
                assert!(wall.status().is_ok());
            }
            "cut" => stage.as_ref().unwrap().0.cut(Button::Gate),
            "mend" => stage.as_ref().unwrap().0.release(Button::Gate),
            "stop the desk" => drop(rack.daemon().stop().unwrap()),
            "start the desk" => rack.restart().unwrap(),
            other => panic!("the page is ready for {other:?}, which this test does not know"),
        }
        page.go();
    }
    page.end();
}

/// A school and a wall, registered by the account that the page has made.
fn centre(programs: &Programs, dir: &Path, rack: &Rack) -> (School, Wall) {
    let mut desk = onepress::api::Desk::at(&rack.url());
    desk.sign_in("zhang", "correct-horse-110", "rig").unwrap();
    let site = serde_json::json!({
        "id": "school-1", "name": "第一小学", "address": "朝阳大街 1 号", "latitude": 41.5718, "longitude": 120.4516,
        "contacts": [{ "name": "李主任", "phone": "0421-5550110" }],
        "places": { "gate": "门卫室,窗户左侧", "office": "校长办公室,桌下" },
    });
    desk.post("/api/sites", &site).unwrap();
    let ticket = desk.new_box("school-1-gate", Some("school-1")).unwrap();
    let wall_ticket = desk.new_box("wall-1", None).unwrap();
    desk.delete("/api/session").unwrap();
    let wall = Wall::start(programs, &dir.join("wall"), &wall_ticket).unwrap();
    let school = School::start(programs, &dir.join("school"), &ticket).unwrap();
    school.wait_linked().unwrap();
    (school, wall)
}

/// The story that the browser plays.
struct Page {
    child: Child,
    input: ChildStdin,
    lines: Box<dyn Iterator<Item = String>>,
    told: Vec<String>,
}

impl Page {
    fn open(rack: &Rack) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = folder.join("browser/console.mjs");
        assert!(
            folder.join("browser/node_modules").exists(),
            "Playwright is missing: run tests/setup/browser.sh"
        );
        let mut child = Command::new("node")
            .arg(script)
            .env("ONEPRESS_URL", rack.url())
            .env("ONEPRESS_CODE", rack.code().unwrap())
            .env("ONEPRESS_ARTEFACTS", artefacts())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there: tests/setup/base.sh installs it");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        Self { input: child.stdin.take().unwrap(), child, lines: Box::new(lines), told: vec![] }
    }

    /// What the page is ready for, or nothing when its story has ended.
    fn next_step(&mut self) -> Option<String> {
        for line in self.lines.by_ref() {
            println!("page: {line}");
            if let Some(step) = line.strip_prefix("ready: ") {
                return Some(step.to_owned());
            }
            self.told.push(line);
        }
        None
    }

    fn go(&mut self) {
        writeln!(self.input, "go").expect("the page listens");
    }

    fn end(mut self) {
        let status = self.child.wait().unwrap();
        assert!(
            status.success() && self.told.iter().any(|line| line == "done"),
            "the page's story failed: {:#?}",
            self.told
        );
        let shots = std::fs::read_dir(artefacts()).unwrap().count();
        assert!(shots >= 24, "a screenshot of every screen in both languages, found {shots}");
    }
}

fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("artefacts/console")
}
