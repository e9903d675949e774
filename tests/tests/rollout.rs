//! A version on its way from the console to three boxes, with the real daemons: presses made while it is carried are told
//! as promptly as ever, two failures halt it, and a person lets it go on.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test, which shows the logs")]

use onepress::rig::{Button, Plan, Rack};
use onepress_tests::centre::{Centre, folder, programs, until};
use onepress_tests::record::Record;
use onepress_tests::updater::{Appliance, bundle, fares, rollout};
use serde_json::json;
use std::time::{Duration, Instant};

const BOXES: usize = 3;
/// Eight seconds at the pace of the desk.
const BYTES: usize = 4 << 20;
/// From the finger to the ACK in the box. STANDARDS asks for less of a centre that does nothing else; this machine does
/// much else.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(2);

fn stage() -> (Centre, Vec<Appliance>) {
    let (programs, dir) = (programs(), folder());
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).unwrap();
    let appliance = |number| Appliance::at(&dir.path().join(format!("school-{number}")), "1");
    let appliances = (1..=BOXES).map(appliance).collect();
    let mut centre = Centre::around(rack, programs, dir);
    let plan = Plan { gate_repeat_s: 0, ..Plan::default() };
    for _ in 0..BOXES {
        centre = centre.with_school(&plan);
    }
    centre.settle();
    (centre, appliances)
}

/// Presses the gate button of a school, and waits until the box has its ACK. How long that took.
fn press(centre: &Centre, school: usize) -> Duration {
    let school = &centre.schools[school];
    let (before, begun) = (centre.presses(), Instant::now());
    school.press(Button::Gate);
    until("the press is shown", || (centre.presses() > before).then_some(()));
    until("the box has its ACK", || (school.status().ok()?["waiting"] == json!(0)).then_some(()));
    let took = begun.elapsed();
    school.release(Button::Gate);
    until("the button is back", || school.is("gate", "rest").then_some(()));
    took
}

#[test]
fn presses_go_before_a_bundle_two_failures_halt_it_and_a_person_lets_it_go_on() {
    let (mut centre, mut appliances) = stage();
    let bytes = bundle("2", BYTES);
    centre.desk.upload("/api/bundles", &bytes).unwrap();
    centre.desk.post("/api/rollout", &json!({ "version": "2" })).unwrap();
    until("every box fetches", || appliances.iter().all(Appliance::is_fetching).then_some(()));

    let mut pressed = 0;
    while appliances.iter().all(Appliance::is_fetching) {
        let took = press(&centre, pressed % BOXES);
        eprintln!("press {pressed}: {took:?}");
        assert!(took < ACKNOWLEDGED_WITHIN, "press {pressed}: {took:?}");
        pressed += 1;
    }
    assert!(pressed >= 3, "only {pressed} presses while bundles were carried");
    assert_eq!(centre.presses(), pressed as u64);

    for appliance in &appliances {
        let arrived = until("the bundle arrives", || appliance.takes("2"));
        assert!(arrived == bytes, "whole");
    }
    appliances[0].says("2", "refused", ("signature", "the signature is not good"));
    appliances[1].says("2", "rolled-back", ("unhealthy", "it was started and did not become healthy"));
    until("it halts", || (rollout(&centre.desk)["mood"] == "halted").then_some(()));
    let told = rollout(&centre.desk)["boxes"].clone();
    assert_eq!((&told[0]["cause"], &told[1]["cause"]), (&json!("signature"), &json!("unhealthy")));
    assert_eq!(told[0]["reason"], "the signature is not good");

    centre.desk.post("/api/rollout/resume", &json!({})).unwrap();
    for appliance in &appliances[..2] {
        assert!(until("it is carried once more", || appliance.takes("2")) == bytes);
    }
    for (number, appliance) in appliances.iter_mut().enumerate() {
        appliance.boots("2");
        appliance.says("2", "healthy", ("other", ""));
        centre.schools[number].daemon().stop().unwrap();
        centre.schools[number].start_again().unwrap();
    }
    until("it ends by itself", || (rollout(&centre.desk)["ended_by"] == "desk").then_some(()));
    assert_eq!(fares(&centre.desk, "box-3"), "done");
    centre.settle();
    assert_eq!(centre.presses(), pressed as u64, "each press once");
    let record = Record::of(&mut centre.rack, &centre.programs);
    let told: usize = (1..=BOXES).map(|number| record.presses(&format!("box-{number}"), "gate")).sum();
    assert_eq!(told, pressed, "in the journal");
}
