//! Configuration files that a daemon does not take: it ends with 78 (EX_CONFIG) before it touches anything, and says
//! in one line which file, which key and what to do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onepress::rig::pause;
use onepress_tests::centre::{folder, programs};

const EX_CONFIG: i32 = 78;
/// A daemon that takes the file would run for ever.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// What is put in place of what, the key that the message names, and a word of the remedy.
type Spoilt = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn of_the_desk() {
    let good = r#"
centre = "c"
state-dir = "DIR/state"
[link]
listen = "127.0.0.1:0"
addresses = ["127.0.0.1:4110"]
[console]
listen = "127.0.0.1:0"
plain-http = true
"#;
    let spoilt: &[Spoilt] = &[
        ("centre = \"c\"", "centre = \"\"", "centre", "give the name"),
        ("centre = \"c\"", "center = \"c\"", "center", "expected"),
        ("[\"127.0.0.1:4110\"]", "[]", "link.addresses", "one to four"),
        ("[\"127.0.0.1:4110\"]", "[\"127.0.0.1\"]", "link.addresses.0", "host:port"),
        (
            "listen = \"127.0.0.1:0\"\nplain",
            "listen = \"0.0.0.0:0\"\nplain",
            "console.plain-http",
            "127.0.0.1",
        ),
        ("listen = \"127.0.0.1:0\"\naddr", "listen = \"here\"\naddr", "link.listen", "socket address"),
        ("[link]", "[link", "(file)", "--check"),
    ];
    refuses("onepress-desk", good, spoilt);
}

#[test]
fn of_the_button_daemon() {
    let good = r#"
board = "BOARD"
state-dir = "DIR/state"
ticket = "DIR/ticket"
control = "DIR/control.sock"
[[path]]
id = "wired"
kind = "wired"
[[point]]
id = "gate"
no = "button-1-no"
nc = "button-1-nc"
"#;
    let spoilt: &[Spoilt] = &[
        ("BOARD", "/nowhere/board.toml", "board", "board.toml"),
        ("kind = \"wired\"", "kind = \"pigeon\"", "path.0.kind", "metered"),
        ("id = \"wired\"", "id = \"Wired Path\"", "path.0.id", "small letters"),
        ("kind = \"wired\"", "kind = \"wired\"\nracks = [\"rack\"]", "path.0.racks", "host:port"),
        ("no = \"button-1-no\"", "no = \"button-9-no\"", "point.0.no", "the board's inputs are"),
        ("nc = \"button-1-nc\"", "nc = \"button-1-no\"", "point.0", "line of its own"),
        (
            "nc = \"button-1-nc\"",
            "nc = \"button-1-nc\"\ndebounce-ms = 500",
            "point.0.debounce-ms",
            "give 30 to 50",
        ),
        ("nc = \"button-1-nc\"", "nc = \"button-1-nc\"\narmed = false", "armed", "expected"),
    ];
    refuses("onepress-button", good, spoilt);
}

#[test]
fn of_the_wall() {
    let good = r#"
board = "BOARD"
state-dir = "DIR/state"
ticket = "DIR/ticket"
control = "DIR/control.sock"
siren-limit-s = 60
[[path]]
id = "wired"
kind = "wired"
"#;
    let spoilt: &[Spoilt] = &[
        ("BOARD", "/nowhere/board.toml", "board", "board.toml"),
        ("siren-limit-s = 60", "siren-limit-s = 3600", "siren-limit-s", "give 1 to 900"),
        ("siren-limit-s = 60", "siren-limit-s = 0", "siren-limit-s", "give 1 to 900"),
        ("siren-limit-s = 60", "siren = \"off\"", "siren", "expected"),
        (
            "kind = \"wired\"",
            "kind = \"wired\"\n[[path]]\nid = \"wired\"\nkind = \"metered\"",
            "path.1.id",
            "of its own",
        ),
        ("[[path]]\nid = \"wired\"\nkind = \"wired\"", "path = []", "path", "give 1 to"),
    ];
    refuses("onepress-wall", good, spoilt);
}

#[test]
fn files_that_are_not_there_or_not_text() {
    let dir = folder();
    let file = dir.path().join("x.toml");
    for program in ["onepress-desk", "onepress-button", "onepress-wall"] {
        let _ = std::fs::remove_file(&file);
        let (code, said) = run(program, &file, &[]);
        assert_eq!(code, Some(EX_CONFIG), "{said}");
        assert!(said.contains("x.toml") && said.contains("/usr/share/doc/onepress"), "{said}");
        std::fs::write(&file, [0xff; 100]).unwrap();
        let (code, said) = run(program, &file, &[]);
        assert_eq!(code, Some(EX_CONFIG), "{said}");
        assert!(said.contains("x.toml"), "{said}");
    }
}

fn refuses(program: &str, good: &str, spoilt: &[Spoilt]) {
    let dir = folder();
    let board = programs().board("simulated");
    let (place, board) = (dir.path().display().to_string(), board.display().to_string());
    let good = good.replace("DIR", &place).replace("BOARD", &board);
    let file = dir.path().join(format!("{program}.toml"));
    std::fs::write(&file, &good).expect("written");
    let (code, said) = run(program, &file, &["--check"]);
    assert_eq!(code, Some(0), "the file itself is good: {said}");
    for (before, after, key, remedy) in spoilt {
        let before = before.replace("BOARD", &board);
        let bad = good.replacen(&before, after, 1);
        assert_ne!(bad, good, "{before:?} stands in the file");
        std::fs::write(&file, bad).expect("written");
        let (code, said) = run(program, &file, &[]);
        assert_eq!(code, Some(EX_CONFIG), "{after:?}: {said}");
        let told = said.contains(&file.display().to_string()) && said.contains(key) && said.contains(remedy);
        assert!(told, "{after:?}: {said:?} does not name the file, {key} and {remedy:?}");
        assert!(!dir.path().join("state").exists(), "{after:?}: nothing is touched");
    }
}

/// The exit code and what was said, on one line.
fn run(program: &str, file: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command: Command = programs().command(program);
    command.arg("--config").arg(file).args(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let end = Instant::now() + ENDS_WITHIN;
    while child.try_wait().expect("ours").is_none() {
        if Instant::now() > end {
            child.kill().expect("ours");
        }
        pause(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("ours");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
