//! The console in Chromium: set-up, sign-in, an alarm that rings (its sound measured), answer, close, register,
//! ticket, a desk that goes and comes back; screenshots of every screen in both languages in `tests/artefacts`.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test, which shows what the page said")]

use onepress::rig::{Button, PASSWORD, Plan, Programs, Rack, School, USER, Wall, pause};
use onepress_tests::centre::{Centre, folder, programs, until};
use onepress_tests::page::{Page, artefacts};
use onepress_tests::updater::{Appliance, bundle};
use std::path::Path;
use std::time::Duration;

/// A finger stays this long.
const PRESS: Duration = Duration::from_millis(300);

#[test]
fn the_console_in_a_real_browser() {
    let dir = tempfile::tempdir().unwrap();
    let programs = Programs::beside_me().unwrap();
    let mut rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let environment = [("ONEPRESS_URL", rack.url()), ("ONEPRESS_CODE", rack.code().unwrap())];
    let mut page = Page::open("console.mjs", "console", &environment);

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
    let shots = std::fs::read_dir(artefacts("console")).unwrap().count();
    assert!(shots >= 24, "a screenshot of every screen in both languages, found {shots}");
}

/// Two appliances whose updaters fail first.
#[test]
fn a_roll_out_in_a_real_browser() {
    let (programs, dir) = (programs(), folder());
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let mut appliances: Vec<_> =
        (1..=2).map(|number| Appliance::at(&dir.path().join(format!("school-{number}")), "1")).collect();
    let file = dir.path().join("onepress-edge-x86_2.bundle");
    std::fs::write(&file, bundle("2", 3 << 20)).unwrap();
    let mut centre = Centre::around(rack, programs, dir);
    for _ in 0..2 {
        centre = centre.with_school(&Plan::default());
    }
    let technician =
        serde_json::json!({ "user": "gong", "name": "工程师", "role": "technician", "password": PASSWORD });
    centre.desk.post("/api/accounts", &technician).unwrap();
    let environment = [
        ("ONEPRESS_URL", centre.rack.url()),
        ("ONEPRESS_USER", USER.to_owned()),
        ("ONEPRESS_PASSWORD", PASSWORD.to_owned()),
        ("ONEPRESS_BUNDLE", file.display().to_string()),
    ];
    let mut page = Page::open("updates.mjs", "updates", &environment);
    while let Some(step) = page.next_step() {
        match step.as_str() {
            "fail" => {
                for (appliance, why) in appliances.iter_mut().zip([
                    ("no-space", "no space for the update"),
                    ("not-written", "writing the other slot failed"),
                ]) {
                    until("the bundle arrives", || appliance.takes("2"));
                    appliance.says("2", "refused", why);
                }
            }
            "heal" => {
                for (appliance, school) in appliances.iter_mut().zip(&mut centre.schools) {
                    until("the bundle arrives", || appliance.takes("2"));
                    appliance.boots("2");
                    appliance.says("2", "healthy", ("other", ""));
                    school.daemon().stop().unwrap();
                    school.start_again().unwrap();
                }
            }
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
