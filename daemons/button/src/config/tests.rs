use super::*;
use alarm::point::{Kind, Wiring};
use alarm::{Fault, Mode};
use std::time::Duration;
use unit::Config as _;

const BOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hw/boards/simulated.toml");

const PATH: &str = "[[path]]\nid = \"wired\"\nkind = \"wired\"\n";
const POINT: &str = "[[point]]\nid = \"gate\"\nno = \"button-1-no\"\nnc = \"button-1-nc\"\n";

fn check(text: &str) -> Result<Config, unit::config::Wrong> {
    let raw: Raw = toml::from_str(&format!("board = {BOARD:?}\n{text}")).unwrap();
    raw.check()
}

fn with_point(keys: &str) -> String {
    format!("{PATH}[[point]]\nid = \"gate\"\n{keys}")
}

#[test]
fn the_least_that_works_has_the_usual_values() {
    let config = check(&format!("{PATH}{POINT}")).unwrap();
    let point = &config.points[0].point;
    assert_eq!(point.kind, Kind::HoldUp { mode: Mode::Silent, latching: false });
    assert_eq!((point.wiring, point.timing), (Wiring::Antivalent, alarm::point::Timing::default()));
    assert!(!config.paths[0].path.metered && config.lamp.is_none());
}

/// What is written, the key that is named, and words of reason and remedy.
#[test]
fn every_mistake_names_its_key_its_reason_and_its_remedy() {
    let no_paths = POINT.to_owned();
    let twice = |text: &str| format!("{PATH}{POINT}{text}");
    let table: &[(String, &str, &str)] = &[
        (no_paths, "path", "there is none; give at least one [[path]]"),
        (PATH.into(), "point", "there is none; give at least one [[point]]"),
        (PATH.repeat(5) + POINT, "path", "there are 5; give at most 4"),
        (twice(PATH), "path.1.id", "another path has this name"),
        (
            format!("[[path]]\nid = \"W\"\nkind = \"wired\"\n{POINT}"),
            "path.0.id",
            "\"W\" is not usable; use 1 to 63",
        ),
        (format!("{PATH}racks = []\n{POINT}"), "path.0.racks", "has 0 addresses; give 1 to 4"),
        (format!("{PATH}racks = [\"rack\"]\n{POINT}"), "path.0.racks", "give host:port"),
        (format!("{PATH}racks = [\"rack:0\"]\n{POINT}"), "path.0.racks", "give host:port"),
        (format!("{PATH}interface = \"much-too-long-name\"\n{POINT}"), "path.0.interface", "1 to 15 letters"),
        (twice(POINT), "point.1.id", "another point has this name"),
        (
            twice(&POINT.replace("gate", "door")),
            "point.1.no",
            "another contact has line \"button-1-no\" already",
        ),
        (
            with_point("no = \"button-1-no\"\n"),
            "point.0.nc",
            "is missing for wiring \"antivalent\"; name a line; the board's inputs are: battery-low",
        ),
        (
            with_point("no = \"x\"\nnc = \"tamper\"\n"),
            "point.0.no",
            "the board has no input \"x\"; the board's inputs are",
        ),
        (with_point("line = \"tamper\"\n"), "point.0.line", "give `no` and `nc` instead"),
        (with_point("wiring = \"normally-open\"\nno = \"tamper\"\n"), "point.0.no", "give `line` instead"),
        (with_point("wiring = \"normally-open\"\n"), "point.0.line", "is missing"),
        (format!("{PATH}{POINT}debounce-ms = 0\n"), "point.0.debounce-ms", "is 0; give 30 to 50"),
        (format!("{PATH}{POINT}debounce-ms = 51\n"), "point.0.debounce-ms", "is 51; give 30 to 50"),
        (format!("{PATH}{POINT}discrepancy-ms = 1501\n"), "point.0.discrepancy-ms", "give 60 to 1500"),
        (format!("{PATH}{POINT}repeat-s = 61\n"), "point.0.repeat-s", "is 61; give 0 to 60"),
        (
            with_point("kind = \"tamper\"\nmode = \"silent\"\n"),
            "point.0.mode",
            "is for buttons only; remove it",
        ),
        (with_point("kind = \"mains\"\nlatching = true\n"), "point.0.latching", "is for buttons only"),
        (format!("{PATH}{POINT}[lamp]\noutput = \"lamp\"\n"), "lamp", "no button is in ordinary mode"),
        (
            format!("{PATH}{POINT}mode = \"ordinary\"\n[lamp]\noutput = \"x\"\n"),
            "lamp.output",
            "the board has no output \"x\"; the board's outputs are: amber",
        ),
        (
            format!("[devices]\nx = \"/dev/null\"\n{PATH}{POINT}"),
            "devices.x",
            "does not exist; name one of: buttons, relays",
        ),
    ];
    for (text, key, words) in table {
        let wrong = check(text).err().unwrap_or_else(|| panic!("accepted:\n{text}"));
        assert_eq!(wrong.key, *key, "{wrong}");
        assert!(wrong.to_string().contains(words), "{wrong}\nlacks: {words}");
    }
}

#[test]
fn a_wrong_board_file_is_the_board_keys_mistake() {
    let raw: Raw = toml::from_str(&format!("board = \"/no/board.toml\"\n{PATH}{POINT}")).unwrap();
    let wrong = raw.check().err().unwrap();
    assert!(wrong.key == "board" && wrong.reason.contains("/no/board.toml"), "{wrong}");
}

#[test]
fn unknown_keys_are_rejected_everywhere() {
    let unknown = "colour = \"red\"\n";
    for text in [
        format!("{unknown}{PATH}{POINT}"),
        format!("{PATH}{unknown}{POINT}"),
        format!("{PATH}{POINT}{unknown}"),
        format!("[lamp]\noutput = \"lamp\"\n{unknown}{PATH}{POINT}"),
    ] {
        let error = toml::from_str::<Raw>(&format!("board = {BOARD:?}\n{text}")).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
    }
}

#[test]
fn the_example_is_good_as_it_stands_and_with_every_comment_taken_off() {
    let example = include_str!("../../button.toml.example");
    let bare: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            // A relay across the button stands instead of those of its contacts.
            Some(key) if key.starts_with("test = ") || key.starts_with("test-drop-ms = ") => String::new(),
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hw/boards/");
    let local = |text: &str| text.replace("/usr/share/onepress/boards/", here);
    let config = toml::from_str::<Raw>(&local(example)).unwrap().check().unwrap();
    assert_eq!((config.paths.len(), config.points.len()), (2, 4));

    // The lamp needs a button in ordinary mode, the other device file a board with serial devices, a relay an output.
    let every = local(&bare)
        .replace("mode = \"silent\"", "mode = \"ordinary\"")
        .replace("raspberry-pi-4", "x86-serial")
        .replace("test-1-no", "amber")
        .replace("test-1-nc", "blue");
    let every = toml::from_str::<Raw>(&every).unwrap();
    let printed = toml::to_string_pretty(&every).unwrap();
    every.check().unwrap();
    assert!(toml::from_str::<Raw>(&printed).unwrap().check().is_ok(), "what --check prints can be read");
}

#[test]
fn the_examples_defaults_are_the_defaults() {
    let example = include_str!("../../button.toml.example");
    let timing = alarm::point::Timing::default();
    let ms = |span: Duration| span.as_millis();
    for line in [
        format!("#debounce-ms = {}", ms(timing.debounce)),
        format!("#discrepancy-ms = {}", ms(timing.discrepancy)),
        format!("#repeat-s = {}", timing.repeat.as_secs()),
        format!("#debounce-ms = {}", ms(alarm::point::MAINS_HOLD_OFF)),
    ] {
        assert!(example.lines().any(|known| known == line), "{line}");
    }
    assert_eq!(Fault::MainsLost.to_string(), "mains-lost");
}
