//! Full disks. An alarm is never refused for housekeeping: it is taken, and a fault is raised beside it. Needs root.

use std::time::Duration;

use onepress::control;
use onepress::rig::{Button, Plan, Rack, pause};
use onepress_tests::centre::{Centre, PATIENCE, SHOWN_WITHIN, folder, programs, until};
use onepress_tests::keeper::SmallDisk;
use onepress_tests::record::Record;
use serde_json::json;

/// Room for the journal, its reserve of 8 MiB and what is written here.
const DESK_KIB: u32 = 16 * 1024;
/// Room for a spool and an identity.
const BOX_KIB: u32 = 512;

/// An unwritten notice is sent again after 5 s: longer than that shows that it is not taken then either.
const WITHHELD: Duration = Duration::from_secs(7);

#[test]
fn a_full_disk_under_the_desk_delays_the_ack_and_nothing_else() {
    let dir = folder();
    let disk = SmallDisk::mount(&dir.path().join("disk"), DESK_KIB);
    let programs = programs();
    let inside = disk.inside();
    let inside = programs.through(&inside.each_ref().map(String::as_str));
    let rack = Rack::start(&inside, &disk.path(), 0).unwrap();
    let plan = Plan::default();
    let mut centre = Centre::around(rack, programs, dir).with_wall().with_school(&plan).with_school(&plan);
    centre.settle();
    let screen = centre.screen();

    disk.fill();
    centre.schools[0].press(Button::Gate);
    screen.wait_incident(SHOWN_WITHIN, "the first press", |incident| incident["site"] == json!("site-1"));
    centre.wait_wall_shows("red flashing, amber steady, siren");
    until("the reserve takes it", || (waiting(&centre, 0) == 0).then_some(()));
    until("the full disk is told", || centre.has_fault("desk disk-full").then_some(()));
    centre.answer_all();
    centre.wait_wall_shows("red steady, amber steady");

    quiet(&centre);
    disk.fill();
    centre.schools[1].press(Button::Gate);
    let shown = screen
        .wait_incident(SHOWN_WITHIN, "the second press", |incident| incident["site"] == json!("site-2"));
    assert_eq!(shown["durable"], json!(false), "it is not on the disk, and says so");
    centre.wait_wall_shows("red flashing, amber steady, siren");
    until("the unwritable journal is told", || centre.has_fault("desk journal-unwritable").then_some(()));
    pause(WITHHELD);
    assert!(waiting(&centre, 1) >= 1, "nobody says that it is written down");

    centre.schools[1].daemon().kill();
    centre.schools[1].start_again().unwrap();
    assert!(waiting(&centre, 1) >= 1, "the box has it in its spool");

    disk.free();
    screen.wait_incident(PATIENCE, "the second press on the disk", |incident| {
        incident["site"] == json!("site-2") && incident["durable"] == json!(true)
    });
    centre.schools.iter().for_each(|school| school.release(Button::Gate));
    centre.settle();

    centre.programs = inside;
    let record = Record::of(&mut centre.rack, &centre.programs);
    record.assert_nothing_twice();
    assert_eq!((record.presses("box-1", "gate"), record.presses("box-2", "gate")), (1, 1));
}

#[test]
fn a_full_disk_under_the_box_costs_no_alarm() {
    let dir = folder();
    let disk = SmallDisk::mount(&dir.path().join("disk"), BOX_KIB);
    let programs = programs();
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let mut centre =
        Centre::around(rack, programs.clone(), dir).with_school_at(&disk.path(), &Plan::default(), &programs);
    centre.settle();
    let screen = centre.screen();

    disk.fill();
    assert_eq!(software_press(&centre)["spooled"], json!(false), "whoever presses hears it");
    screen.wait_incident(SHOWN_WITHIN, "one press", |incident| incident["presses"] == json!(1));
    until("the damaged spool is told", || centre.has_fault("box-1 spool-damaged").then_some(()));
    centre.schools[0].press(Button::Office);
    screen.wait_incident(SHOWN_WITHIN, "two presses", |incident| incident["presses"] == json!(2));
    centre.schools[0].release(Button::Office);

    disk.free();
    centre.settle();
    assert_eq!(software_press(&centre)["spooled"], json!(true));
    centre.settle();

    let record = Record::of(&mut centre.rack, &centre.programs);
    record.assert_nothing_twice();
    assert_eq!((record.presses("box-1", "gate"), record.presses("box-1", "office")), (2, 1));
}

#[test]
fn a_box_that_starts_on_a_full_disk_takes_presses() {
    let dir = folder();
    let disk = SmallDisk::mount(&dir.path().join("disk"), BOX_KIB);
    let programs = programs();
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let mut centre =
        Centre::around(rack, programs.clone(), dir).with_school_at(&disk.path(), &Plan::default(), &programs);
    centre.settle();

    centre.schools[0].daemon().stop().unwrap();
    disk.fill();
    centre.schools[0].press(Button::Gate);
    centre.schools[0].start_again().unwrap();
    until("the press is shown", || (centre.presses() == 1).then_some(()));
    until("the damaged spool is told", || centre.has_fault("box-1 spool-damaged").then_some(()));
    centre.schools[0].release(Button::Gate);
    disk.free();
    centre.settle();
}

fn waiting(centre: &Centre, school: usize) -> u64 {
    until("the box answers", || centre.schools[school].status().ok()?["waiting"].as_u64())
}

fn software_press(centre: &Centre) -> serde_json::Value {
    let request = json!({ "do": "press", "point": "gate", "mode": "silent" });
    control::ask(&centre.schools[0].socket(), &request).expect("the press is taken")
}

/// Waits until the desk has written what it had to: it tries to keep its reserve again only when it writes.
fn quiet(centre: &Centre) {
    let mut last = (json!(null), 0);
    until("the desk is quiet", || {
        let health = centre.desk.get("/healthz").ok()?;
        last = if last.0 == health { (health, last.1 + 1) } else { (health, 0) };
        (last.1 > 30 && last.0["seq"] == last.0["durable"]).then_some(())
    });
}
