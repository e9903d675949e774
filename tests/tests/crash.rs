//! Daemons die at any moment, and nothing that anybody pressed is lost or doubled.
//!
//! SIGKILL leaves the kernel's caches, so what is shown here is the order of writing and telling, not that an fsync
//! reaches the disk. `CRASH_PRESSES=20000` presses more often.

use std::time::Duration;

use onepress::rig::{Plan, pause};
use onepress_tests::centre::{Centre, lasting, until};
use onepress_tests::dice;
use onepress_tests::record::Record;
use onepress_tests::storm::{Blow, storm};
use serde_json::json;

/// As many as keep two cores busy.
const SCHOOLS: usize = 8;
const PRESSES: u64 = 1000;

/// Most presses of the gate button are repeats of one alarm; those of the office button are alarms each.
const PLAN: fn() -> Plan = || Plan { gate_repeat_s: 2, office_repeat_s: 0, ..Plan::default() };

#[test]
fn every_press_is_recorded_once_while_all_daemons_are_killed() {
    let seed = dice::seed("CRASH_SEED");
    eprintln!("CRASH_SEED={seed} cargo nextest run -p onepress-tests --test crash");
    let presses = usize::try_from(dice::number("CRASH_PRESSES", || PRESSES)).unwrap();
    let mut centre = Centre::start(SCHOOLS, &PLAN());

    let done = storm(&mut centre, presses, Blow::Kill, seed);
    done.assert_blows(5);
    centre.settle();
    assert_eq!(centre.presses(), done.presses() as u64, "presses that the seats see");
    centre.wait_wall_shows("red flashing, siren");
    centre.wait_red_flashes();

    let before = lasting(&centre.state());
    centre.rack.daemon().kill();
    centre.rack.restart().unwrap();
    centre.settle();
    assert_eq!(lasting(&centre.state()), before, "the state after a restart");

    centre.answer_all();
    centre.wait_wall_shows("red steady");
    centre.close_all();
    centre.wait_wall_shows("green steady");

    let record = Record::of(&mut centre.rack, &centre.programs);
    done.assert_recorded_once(&record);
}

#[test]
fn a_fault_that_ended_while_the_box_was_down_is_over() {
    let mut centre = Centre::start(1, &PLAN());
    let school = &centre.schools[0];
    school.cut(onepress::rig::Button::Gate);
    until("the cut wire is told", || centre.has_fault("box-1 gate wire-cut").then_some(()));

    let school = &mut centre.schools[0];
    until("the fault is off the box's hands", || {
        school.status().ok().filter(|status| status["waiting"] == json!(0))
    });
    school.daemon().kill();
    school.release(onepress::rig::Button::Gate);
    school.start_again().unwrap();
    centre.settle();
}

#[test]
fn a_power_cut_longer_than_the_battery_is_over_when_the_box_is_back() {
    let mut centre = Centre::start(1, &PLAN());
    centre.schools[0].mains(false);
    until("the power cut is told", || centre.has_fault("box-1 mains mains-lost").then_some(()));
    centre.wait_wall_shows("amber steady");

    let school = &mut centre.schools[0];
    school.daemon().kill();
    school.mains(true);
    school.start_again().unwrap();
    centre.settle();
    centre.wait_wall_shows("green steady");
}

#[test]
fn a_fault_that_began_while_the_box_was_down_stands_until_it_is_over() {
    let mut centre = Centre::start(1, &PLAN());
    let school = &mut centre.schools[0];
    school.daemon().kill();
    school.cut(onepress::rig::Button::Gate);
    school.start_again().unwrap();
    until("the cut wire is told", || centre.has_fault("box-1 gate wire-cut").then_some(()));

    let school = &mut centre.schools[0];
    school.daemon().kill();
    school.start_again().unwrap();
    school.wait_linked().unwrap();
    // Longer than a cut wire takes to be told.
    pause(Duration::from_secs(2));
    assert!(centre.has_fault("box-1 gate wire-cut"), "it still stands: {:?}", centre.faults());
    centre.schools[0].release(onepress::rig::Button::Gate);
    centre.settle();
}
