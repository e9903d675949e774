//! The whole process: the real binary on a serial button box, started as the service manager would.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod played;

use alarm::{Fault, What};
use hw::serialbox::Simulated;
use played::{Centre, SOON};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

const BOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hw/boards/simulated.toml");
/// Both contacts of one button at rest, the tamper contact closed.
const AT_REST: u8 = 0b1_0010;

struct Edge {
    dir: TempDir,
    heard: Arc<Mutex<String>>,
    buttons: Simulated,
}

struct Process(Child);

impl Edge {
    fn new(wired: SocketAddr, cellular: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let line = hw::pty::open().unwrap();
        let config = format!(
            "board = {BOARD:?}\nstate-dir = {state:?}\nticket = {ticket:?}\ncontrol = {control:?}\n\
             [devices]\nbuttons = {line:?}\n\
             [[path]]\nid = \"wired\"\nkind = \"wired\"\nsource = \"127.0.0.1\"\nracks = [\"{wired}\"]\n\
             [[path]]\nid = \"cellular\"\nkind = \"metered\"\nsource = \"127.0.0.2\"\nracks = [\"{cellular}\"]\n\
             [[point]]\nid = \"gate\"\nno = \"button-1-no\"\nnc = \"button-1-nc\"\n\
             [[point]]\nid = \"lid\"\nkind = \"tamper\"\nwiring = \"normally-closed\"\nline = \"tamper\"\n",
            state = dir.path(),
            ticket = dir.path().join("ticket"),
            control = dir.path().join("control"),
            line = line.path(),
        );
        std::fs::write(dir.path().join("button.toml"), config).unwrap();
        let notify = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let listener = Arc::downgrade(&heard);
        notify.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        std::thread::spawn(move || listen(&notify, &listener));
        Self { heard, buttons: Simulated::start(line, AT_REST), dir }
    }

    fn start(&self) -> Process {
        let mut command = program(&self.dir.path().join("button.toml"));
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify")).env("ONEPRESS_LOG", "debug");
        Process(command.stderr(self.log()).spawn().unwrap())
    }

    fn log(&self) -> std::fs::File {
        std::fs::File::options().append(true).create(true).open(self.dir.path().join("log")).unwrap()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits until the daemon has said this, before or from now on.
    fn hears(&self, expected: &str) {
        let end = Instant::now() + SOON;
        while !self.heard.lock().unwrap().contains(expected) {
            assert!(Instant::now() < end, "never heard {expected:?}\n{}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn press(&self) {
        self.buttons.set(1, false);
        self.buttons.set(0, true);
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.dir.path().join("control")).await.unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        line
    }
}

impl Process {
    fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Stops it as the service manager would; how long that took.
    fn stop(mut self) -> Duration {
        let begin = Instant::now();
        self.signal("TERM");
        let status = self.0.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
        begin.elapsed()
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only of a test that has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service manager always listens: a daemon that it does not hear would wait for it.
fn listen(notify: &UnixDatagram, heard: &Weak<Mutex<String>>) {
    let mut buffer = [0; 4096];
    while let Some(heard) = heard.upgrade() {
        if let Ok(length) = notify.recv(&mut buffer) {
            heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }
}

fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepress-button"));
    command.arg("--config").arg(config).stdin(Stdio::null()).env_remove("JOURNAL_STREAM");
    command
}

fn centre() -> (Centre, played::Door, played::Door) {
    let centre = Centre::new();
    let (wired, cellular) = (centre.open("127.0.0.1:0"), centre.open("127.0.0.2:0"));
    (centre, wired, cellular)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_on_a_serial_box_arrives_and_the_stop_is_quick() {
    let (mut centre, wired, cellular) = centre();
    let edge = Edge::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let process = edge.start();
    edge.hears("READY=1");
    edge.hears("2 of 2 paths up");

    edge.press();
    let (_, notice) = centre.alarm().await;
    let status = edge.ask(r#"{"do":"status"}"#).await;
    for word in [
        "\"enrolled\":true",
        "urn:onepress:box:school-7/box-1",
        "\"path\":\"cellular\",\"up\":true",
        "\"state\":\"active\"",
    ] {
        assert!(status.contains(word), "{status} lacks {word}");
    }
    let pressed = edge.ask(r#"{"do":"press","point":"gate","mode":"silent"}"#).await;
    assert!(pressed.contains("\"is\":\"pressed\"") && pressed.contains("\"spooled\":true"), "{pressed}");
    let (_, software) = loop {
        let heard = centre.alarm().await;
        if heard.1.id != notice.id {
            break heard;
        }
    };
    assert!(pressed.contains(&software.id.to_string()));
    assert!(process.stop() < Duration::from_secs(3));
    edge.hears("STOPPING=1");
    assert_eq!(centre.taken(), [notice.id, software.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing() {
    let (mut centre, wired, cellular) = centre();
    let edge = Edge::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    centre.acks(false);
    let process = edge.start();
    edge.hears("READY=1");
    edge.press();
    let (_, notice) = centre.alarm().await;
    process.kill();

    centre.acks(true);
    let process = edge.start();
    assert_eq!(centre.alarm().await.1, notice);
    centre.hears_no_new_alarm_for(Duration::from_secs(1), notice.id).await;
    process.stop();
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_that_nobody_takes_hold_up_the_stop_for_a_moment_only() {
    let (mut centre, wired, cellular) = centre();
    let edge = Edge::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    centre.acks(false);
    let process = edge.start();
    edge.hears("READY=1");
    edge.press();
    centre.alarm().await;
    let took = process.stop();
    assert!(took >= Duration::from_millis(1400) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_cable_and_a_missing_device_are_faults_and_not_ends() {
    let (mut centre, wired, cellular) = centre();
    let edge = Edge::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    edge.buttons.cut(true);
    let process = edge.start();
    edge.hears("READY=1");
    let unreadable = Fault::InputUnreadable;
    centre.hears(&What::Fault { fault: unreadable.clone() }).await;
    edge.buttons.cut(false);
    centre.hears(&What::Cleared { fault: unreadable }).await;
    edge.press();
    centre.alarm().await;
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_the_same_spool_says_so_and_ends() {
    let (_centre, wired, cellular) = centre();
    let edge = Edge::new(wired.address, cellular.address);
    let process = edge.start();
    edge.hears("not enrolled");
    edge.hears("READY=1");
    let mut second = program(&edge.dir.path().join("button.toml")).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("in use by another onepress-button"), "{said}");
    assert!(edge.said().contains("onepress enrol TICKET"), "{}", edge.said());
    process.stop();
}

#[test]
fn a_wrong_file_ends_with_78_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("button.toml");
    let path = "[[path]]\nid = \"wired\"\nkind = \"wired\"\n";
    let point = "[[point]]\nid = \"gate\"\nno = \"button-1-no\"\nnc = \"button-1-nc\"\n";
    for (text, place, words) in [
        (
            format!("board = {BOARD:?}\n{path}{point}debounce-ms = 5\n"),
            ":9: point.0.debounce-ms: is 5; ",
            "give 30 to 50",
        ),
        (format!("board = {BOARD:?}\n{path}{point}colour = 1\n"), ":9: point.0.colour: ", "unknown field"),
        (format!("board = \"/no/board\"\n{path}{point}"), ":1: board: /no/board: ", "hw/boards"),
    ] {
        std::fs::write(&file, text).unwrap();
        for check in [true, false] {
            let mut command = program(&file);
            let output = if check { command.arg("--check") } else { &mut command }.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{said}");
            let expected = format!("{}{place}", file.display());
            assert!(said.contains(&expected) && said.contains(words), "{said}\nlacks {expected}…{words}");
        }
    }
}
