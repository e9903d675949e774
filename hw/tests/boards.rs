//! The shipped board files, every way to get one wrong, and the simulated board from end to end.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail like the test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use hw::modbus::{self, Slave};
use hw::{Board, Error, OpenError, Severity, pty, serialbox};

const SOON: Duration = Duration::from_secs(2);

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("boards")
}

/// The wall needs these wherever it can run at all.
const WALL: [&str; 5] = ["red", "amber", "blue", "green", "siren"];

#[test]
fn every_shipped_board_is_read_and_is_called_like_its_file() {
    let mut names = Vec::new();
    for entry in shipped().read_dir().unwrap() {
        let file = entry.unwrap().path();
        let board = Board::load(&file).unwrap();
        assert_eq!(file.file_stem().unwrap(), board.name());
        assert!(!board.description().is_empty());
        assert!(
            ["button-1-no", "button-1-nc", "tamper"].iter().all(|i| board.inputs().any(|name| name == *i))
        );
        assert!(board.outputs().any(|name| name == "lamp"), "{}", board.name());
        names.push(board.name().to_owned());
    }
    names.sort_unstable();
    assert_eq!(names, ["gpio-sim", "raspberry-pi-4", "simulated", "x86-serial", "x86-usb-gpio"]);
}

#[test]
fn boards_with_a_wall_have_all_of_it() {
    for name in ["gpio-sim", "raspberry-pi-4", "simulated", "x86-serial"] {
        let board = Board::load(shipped().join(name).with_extension("toml")).unwrap();
        assert!(board.inputs().any(|input| input == "wall-ack"));
        assert!(WALL.iter().all(|wanted| board.outputs().any(|output| output == *wanted)), "{name}");
    }
}

#[test]
fn the_wiring_page_tells_every_line_of_every_board() {
    let page = std::fs::read_to_string(shipped().join("../wiring/README.md")).unwrap();
    for entry in shipped().read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let board = Board::parse("board", &text).unwrap();
        let section = page.split("\n## ").find(|s| s.starts_with(&format!("Board `{}`", board.name())));
        let section = section.unwrap_or_else(|| panic!("no section for {}", board.name()));
        for role in board.inputs().chain(board.outputs()) {
            let row = section.lines().find(|line| line.contains(&format!("| `{role}` |")));
            let row = row.unwrap_or_else(|| panic!("{}: no row for {role}", board.name()));
            let place = place_of(&text, role);
            assert!(row.contains(&format!("`{place}`")), "{}: {role} is at {place}, not {row}", board.name());
        }
    }
}

/// What the board file gives as `line` of a role: `GPIO17` or `3`.
fn place_of<'a>(text: &'a str, role: &str) -> &'a str {
    let row = text.lines().find(|line| line.starts_with(&format!("{role} ="))).unwrap();
    let place = row.split_once("line = ").unwrap().1;
    place.split([',', ' ']).next().unwrap().trim_matches('"')
}

/// A board that is right; each case below spoils one thing.
const RIGHT: &str = r#"
name = "test"
[devices.gpio]
part = "gpio"
[devices.box]
part = "serial-box"
path = "/dev/box"
[devices.relays]
part = "modbus"
path = "/dev/relays"
[inputs]
panel = { device = "gpio", line = "GPIO17" }
desk = { device = "box", line = 0 }
[outputs]
red = { device = "relays", line = 0 }
"#;

#[test]
fn every_wrong_file_names_file_key_reason_and_remedy() {
    Board::parse("test.toml", RIGHT).unwrap();
    let cases = [
        ("name = \"test\"", "name = 3", "line 2: invalid type: integer `3`, expected a string"),
        ("name = \"test\"", "nmae = \"test\"", "line 2: unknown field `nmae`"),
        ("[devices.gpio]", "[devices.gpio", "line 3: "),
        (
            "part = \"gpio\"",
            "part = \"spi\"",
            "devices.gpio: part \"spi\" does not exist, only gpio, pi, serial-box or modbus",
        ),
        ("part = \"gpio\"", "", "devices.gpio: `part` is missing"),
        ("part = \"gpio\"", "part = \"gpio\"\nbaud = 9600", "devices.gpio: unknown field `baud`"),
        ("path = \"/dev/box\"", "", "devices.box: missing field `path`"),
        ("path = \"/dev/box\"", "path = \"/dev/box\"\nbaud = 0", "devices.box.baud: 0 is no speed"),
        (
            "path = \"/dev/relays\"",
            "path = \"/dev/relays\"\nunit = 0",
            "devices.relays.unit: 0 is no unit address",
        ),
        (
            "path = \"/dev/relays\"",
            "path = \"/dev/relays\"\nparity = \"mark\"",
            "devices.relays: unknown variant `mark`",
        ),
        (
            "device = \"gpio\"",
            "device = \"gpoi\"",
            "inputs.panel.device: no device \"gpoi\"; name one of: box, gpio, relays",
        ),
        ("line = \"GPIO17\"", "line = 17", "inputs.panel.line: a number means nothing without a chip"),
        (
            "line = \"GPIO17\"",
            "line = -1",
            "inputs.panel: `line` must be a name in quotes or a number from 0",
        ),
        ("line = \"GPIO17\"", "line = \"GPIO17\", bias = \"up\"", "inputs.panel: unknown variant `up`"),
        ("line = \"GPIO17\"", "line = \"GPIO17\", inverted = true", "inputs.panel: unknown field `inverted`"),
        ("panel =", "Panel =", "inputs.Panel: is no role name"),
        ("\"box\", line = 0", "\"box\", line = 8", "inputs.desk.line: 8 is beyond the last line, 7"),
        ("\"box\", line = 0", "\"box\", line = \"one\"", "inputs.desk.line: \"one\" is a name"),
        ("\"relays\", line = 0", "\"relays\", line = 64", "outputs.red.line: 64 is beyond the last line, 63"),
        ("\"relays\", line = 0", "\"box\", line = 1", "outputs.red.line: a serial-box has no outputs"),
        (
            "desk = {",
            "desk2 = { device = \"box\", line = 0 }\ndesk = {",
            "inputs.desk2.line: another role has this line",
        ),
        (
            "red = {",
            "green = { device = \"gpio\", line = \"GPIO17\" }\nred = {",
            "outputs.green.line: another role has",
        ),
    ];
    for (right, wrong, message) in cases {
        let text = RIGHT.replacen(right, wrong, 1);
        assert_ne!(text, RIGHT, "the case {wrong:?} changes nothing");
        let error = Board::parse("test.toml", &text).err().unwrap_or_else(|| panic!("{wrong:?} was taken"));
        let told = error.to_string();
        assert!(told.starts_with(&format!("test.toml: {message}")), "{wrong:?} gave: {told}");
        assert!(!error.remedy.is_empty());
    }
}

#[test]
fn coils_and_discrete_inputs_have_numbers_of_their_own() {
    let both = RIGHT.replace("[outputs]", "ack = { device = \"relays\", line = 0 }\n[outputs]");
    Board::parse("test.toml", &both).unwrap();
}

#[test]
fn lines_can_be_sorted_by_the_device_that_carries_them() {
    let board = Board::parse("test.toml", RIGHT).unwrap();
    let sorted = board.inputs_by_device(&["desk", "panel"]).unwrap();
    assert_eq!(sorted, [("box".into(), vec!["desk".into()]), ("gpio".into(), vec!["panel".into()])]);
    assert!(matches!(board.inputs_by_device(&["panle"]), Err(OpenError::Config(_))));
    assert_eq!((board.device_of("red"), board.device_of("panel")), (Some("relays"), None));
}

#[test]
fn a_missing_file_is_a_config_error() {
    let error = Board::load("/nowhere/board.toml").err().unwrap();
    assert!(error.to_string().starts_with("/nowhere/board.toml: board file: No such file"), "{error}");
}

#[test]
fn paths_are_replaced_only_where_there_is_one() {
    let board = || Board::parse("test.toml", RIGHT).unwrap();
    assert!(board().with_path("box", "/dev/pts/1").is_ok());
    let error = board().with_path("gpio", "/dev/pts/1").err().unwrap();
    assert!(error.to_string().contains("devices.gpio: has no path to replace"));
    let error = board().with_path("bxo", "/dev/pts/1").err().unwrap();
    assert!(error.to_string().ends_with("does not exist; name one of: box, gpio, relays"), "{error}");
}

#[test]
fn a_name_the_board_lacks_is_config_and_a_device_it_lacks_is_not() {
    let board = Board::parse("test.toml", RIGHT).unwrap();
    let Err(OpenError::Config(error)) = board.open_outputs("test", &["blue"]) else {
        panic!("no config error")
    };
    assert!(error.to_string().ends_with("add it to the board file or use one of: red"), "{error}");
    let Err(OpenError::Device(error)) = board.open_outputs("test", &["red"]) else {
        panic!("no device error")
    };
    assert!(matches!(error, Error::Absent { .. }), "{error}");
    assert_eq!(error.severity(), Severity::Retryable);
}

#[test]
fn the_simulated_board_from_button_to_beacon() {
    let (buttons, relays) = (pty::open().unwrap(), pty::open().unwrap());
    let board = Board::load(shipped().join("simulated.toml")).unwrap();
    let board =
        board.with_path("buttons", buttons.path()).unwrap().with_path("relays", relays.path()).unwrap();
    let buttons = serialbox::Simulated::start(buttons, 0b10);
    let relays = modbus::Simulated::start(relays, Slave::new(1, 8, 8));

    // The wall reads its acknowledge button from the same bus that switches its beacon.
    let mut button = board.open_inputs("button", &["button-1-no", "button-1-nc"]).unwrap().remove(0);
    let mut ack = board.open_inputs("wall", &["wall-ack"]).unwrap().remove(0);
    let mut wall = board.open_outputs("wall", &WALL).unwrap().remove(0);
    button.read().unwrap();
    ack.read().unwrap();

    buttons.set(0, true);
    let edge = button.wait(SOON).unwrap().remove(0);
    assert_eq!((edge.line.as_str(), edge.active), ("button-1-no", true));
    wall.set("red", true).unwrap();
    assert!(relays.with(|slave| slave.coil(0)));
    relays.with(|slave| slave.set_input(0, true));
    assert_eq!(ack.wait(SOON).unwrap().remove(0).line, "wall-ack");
}

#[test]
fn a_device_that_never_ends_is_not_read_into_memory() {
    let error = Board::load("/dev/zero").err().expect("refused");
    assert!(error.reason.contains("longer than"), "{error}");
}
