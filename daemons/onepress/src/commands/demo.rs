//! `onepress demo`: a whole centre and a school on this computer, with a button to press.

use super::screen::{Key, Screen};
use crate::api::{Desk, Told};
use crate::rig::{Button, Camera, Cameras, PASSWORD, Programs, Rack, Relay, School, USER, Wall, pause};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The console's port, if it is free.
const CONSOLE_PORT: u16 = 8110;
/// How long a finger stays on the button.
const PRESS: Duration = Duration::from_millis(300);
/// How often the screen is looked over.
const FRAME: Duration = Duration::from_millis(60);

/// How the demo runs.
#[derive(Args)]
pub struct Arguments {
    /// Keep everything in this folder afterwards: journal, logs, keys
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
    /// Port of the console
    #[arg(long, default_value_t = CONSOLE_PORT)]
    port: u16,
}

struct Stage {
    rack: Rack,
    desk: Desk,
    _relay: Relay,
    _cameras: Cameras,
    camera: Camera,
    school: School,
    wall: Wall,
    told: Receiver<Told>,
}

/// Runs until `q`, Ctrl-C or the end of the input.
///
/// # Errors
/// What did not come up, with its log.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("onepress-demo-")
        .tempdir()
        .context("making a folder for the demo")?;
    let dir = arguments.keep.clone().unwrap_or_else(|| folder.path().to_owned());
    let mut screen = Screen::open()?;
    let stage = set_up(&mut screen, &dir, arguments.port)?;
    introduce(&mut screen, &stage.rack);
    let outcome = play(&mut screen, &stage);
    screen.say("ending: every daemon is told to stop …");
    drop(stage);
    if arguments.keep.is_some() {
        screen.say(&format!("kept in {}", dir.display()));
    }
    screen.say("ended; nothing is left running.");
    outcome
}

fn set_up(screen: &mut Screen, dir: &std::path::Path, port: u16) -> anyhow::Result<Stage> {
    let programs = Programs::beside_me()?;
    screen.say("[1/7] desk: journal, site CA, console …");
    let rack = Rack::start(&programs, &dir.join("desk"), port)?;
    screen.say("[2/7] first account with the one-time code, sign-in …");
    let desk = rack.set_up()?;
    screen.say("[3/7] register: one school, its box, one wall, one relay; a ticket for each …");
    desk.post("/api/sites", &school())?;
    let ticket = desk.new_box("school-1-gate", Some("school-1"))?;
    let wall_ticket = desk.new_box("wall-1", None)?;
    let relay_ticket = desk.new_box("relay", None)?;
    let told = listen(&desk)?;
    screen.say("[4/7] wall: enrols with its ticket, relay board on a serial line (Modbus RTU) …");
    let wall = Wall::start(&programs, &dir.join("wall"), &wall_ticket)?;
    screen.say("[5/7] relay: enrols with its ticket; QUIC, WebTransport, WebSocket, recorder …");
    let relay = Relay::start(&programs, &dir.join("relay"), &relay_ticket)?;
    screen.say("[6/7] school: enrols with its ticket, button box on a serial line, two paths (QUIC, mTLS) …");
    let school = School::start(&programs, &dir.join("school"), &ticket)?;
    school.wait_linked()?;
    screen
        .say("[7/7] cameras: two IP cameras (RTSP, H.264, a tone); half a minute of each stays in memory …");
    let cameras = Cameras::start()?;
    let listed = [("gate", cameras.url("/h264-pcmu")), ("hall", cameras.url("/h264-aac"))];
    let at = format!("127.0.0.1:{}", relay.port());
    let camera = Camera::start(&programs, &dir.join("camera"), &school, &at, &listed, "")?;
    Ok(Stage { rack, desk, _relay: relay, _cameras: cameras, camera, school, wall, told })
}

fn school() -> Value {
    json!({
        "id": "school-1", "name": "第一小学", "address": "朝阳大街 1 号",
        "latitude": 41.5718, "longitude": 120.4516,
        "contacts": [{ "name": "李主任", "phone": "0421-5550110" }],
        "places": { "gate": "门卫室,窗户左侧", "office": "校长办公室,桌下" },
    })
}

fn listen(desk: &Desk) -> anyhow::Result<Receiver<Told>> {
    let events = desk.events()?;
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for event in events {
            if tell.send(event).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

fn introduce(screen: &mut Screen, rack: &Rack) {
    screen.say("");
    screen.say(&format!("  console   {}", rack.url()));
    screen.say(&format!("  sign in   user {USER}   password {PASSWORD}   workplace any, such as seat-1"));
    screen.say("");
    screen.say("  b press (gate)    s silent press (office)    c cut the gate button's wire    r restore");
    screen.say("  a acknowledge at the wall    q quit");
    screen.say("");
}

fn play(screen: &mut Screen, stage: &Stage) -> anyhow::Result<()> {
    // What is told again with other details that no line shows is said once.
    let mut said = std::collections::BTreeMap::new();
    loop {
        for event in stage.told.try_iter() {
            let Some(line) = tell(&event) else { continue };
            let about = format!("{} {}", event.name, event.data["id"]);
            if said.insert(about, line.clone()).as_ref() != Some(&line) {
                screen.say(&line);
            }
        }
        let (wall, cameras) = (stage.wall.status().ok(), stage.camera.status().ok());
        screen.status(&format!("{}   {}", status_line(wall.as_ref()), camera_line(cameras.as_ref())));
        match screen.key(FRAME) {
            Some(Key::Quit) => return Ok(()),
            Some(Key::Letter(letter)) => act(screen, stage, letter),
            None => {}
        }
        anyhow::ensure!(stage.desk.get("/healthz").is_ok(), "the desk has ended; see its log");
    }
}

fn act(screen: &mut Screen, stage: &Stage, letter: char) {
    match letter {
        'b' => finger(stage, Button::Gate),
        's' => finger(stage, Button::Office),
        'c' => {
            stage.school.cut(Button::Gate);
            screen.say("the gate button's wire is cut");
        }
        'r' => {
            stage.school.release(Button::Gate);
            stage.school.release(Button::Office);
            screen.say("wire and buttons are as they were");
        }
        'a' => {
            stage.wall.acknowledge(true);
            pause(PRESS);
            stage.wall.acknowledge(false);
        }
        _ => {}
    }
}

fn finger(stage: &Stage, button: Button) {
    stage.school.press(button);
    pause(PRESS);
    stage.school.release(button);
}

/// One line of the story, or nothing.
fn tell(event: &Told) -> Option<String> {
    let data = &event.data;
    let text = |key: &str| data[key].as_str().unwrap_or("-").to_owned();
    match event.name.as_str() {
        "incident" => Some(format!(
            "incident {}  {}  {} ({})  {}  presses {}{}{}{}",
            data["id"],
            text("step"),
            text("kind"),
            text("mode"),
            text("site"),
            data["presses"],
            data["acknowledged_by"].as_str().map_or_else(String::new, |who| format!("  seen by {who}")),
            if data["durable"] == json!(true) { "  on disk" } else { "" },
            recorded(&data["takes"]),
        )),
        "box" => {
            let faults: Vec<_> =
                data["faults"].as_array()?.iter().filter_map(|fault| fault["fault"].as_str()).collect();
            let up = data["paths"].as_array()?.iter().filter(|path| path["up"] == json!(true)).count();
            Some(format!("box {}  {}  paths up {up}  faults {faults:?}", text("id"), text("enrolment")))
        }
        _ => None,
    }
}

fn status_line(wall: Option<&Value>) -> String {
    let Some(wall) = wall else { return "wall: not there".into() };
    let lamp = |name: &str| match wall["shown"][name].as_str() {
        Some("steady") => format!("{}●", name.to_uppercase()),
        Some("flashing") => format!("{}◐", name.to_uppercase()),
        _ => format!("{name}○"),
    };
    let siren = if wall["shown"]["siren"] == json!(true) { "SIREN ♪♪♪" } else { "siren quiet" };
    let lamps = ["red", "amber", "blue", "green"].map(lamp).join("  ");
    format!("wall: {lamps}  {siren}")
}

/// How much of an incident is recorded.
fn recorded(takes: &Value) -> String {
    let length = |take: &Value| take["to"].as_u64().unwrap_or(0) - take["from"].as_u64().unwrap_or(0);
    let lengths: Vec<_> = takes.as_array().into_iter().flatten().map(length).collect();
    match lengths.iter().max() {
        Some(longest) => format!("  recorded {} takes, {} s", lengths.len(), longest / 1_000),
        None => String::new(),
    }
}

fn camera_line(status: Option<&Value>) -> String {
    let cameras: Vec<_> =
        status.and_then(|status| status["cameras"].as_array()).into_iter().flatten().collect();
    let line = |camera: &&Value| {
        let name = camera["camera"].as_str().unwrap_or("?");
        match camera["live"] == json!(true) {
            true => format!("{name} LIVE"),
            false => format!("{name} {} s in memory", camera["ring-s"]),
        }
    };
    format!("cameras: {}", cameras.iter().map(line).collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_shows_lamps_and_siren() {
        let wall = json!({ "shown": { "red": "flashing", "amber": "off", "blue": "off", "green": "steady", "siren": true } });
        assert_eq!(status_line(Some(&wall)), "wall: RED◐  amber○  blue○  GREEN●  SIREN ♪♪♪");
        assert_eq!(status_line(None), "wall: not there");
    }

    #[test]
    fn the_status_line_shows_what_is_in_memory_and_what_is_live() {
        let camera = json!({ "cameras": [{ "camera": "gate", "live": false, "ring-s": 12 }, { "camera": "hall", "live": true }] });
        assert_eq!(camera_line(Some(&camera)), "cameras: gate 12 s in memory  hall LIVE");
        assert_eq!(recorded(&json!([{ "from": 0, "to": 31_500 }])), "  recorded 1 takes, 31 s");
    }
}
