//! A version on its way from the rack's console into the slot of a box, both in machines: whatever is pressed meanwhile
//! is told, also by a finger that lies on the button while the box restarts.

use crate::centre::{Buttons, built, wait};
use crate::update::{GOOD, running};
use crate::vm::BOOT;
use crate::{presses, sound, together};
use onepress::api::Desk;
use serde_json::{Value, json};
use std::time::Duration;

/// A finger takes longer than the debounce.
const FINGER: Duration = Duration::from_secs(2);

#[test]
fn a_roll_out_reaches_the_slot_of_a_box_and_no_press_is_lost_on_the_way() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (_rack, desk, buttons, mut site) = together(dir.path());
    let bundle = built("edge-x86", GOOD, &format!("onepress-edge-x86_{GOOD}.bundle"));
    let bundle = std::fs::read(bundle).expect("the bundle");
    let added = desk.upload("/api/bundles", &bundle).expect("the rack takes it");
    assert_eq!((&added["version"], &added["signature"]), (&json!(GOOD), &json!("good")), "{added}");

    desk.post("/api/rollout", &json!({ "version": GOOD, "box": "box" })).expect("begun");
    wait("the box fetches", || (fares(&desk)["fetched"].as_u64()? > 0).then_some(()));
    told(&desk, &buttons, 1);
    assert_eq!(fares(&desk)["is"], "fetching", "the press came while it was carried");
    wait("the updater has it", || (fares(&desk)["is"] == "putting-on").then_some(()));
    told(&desk, &buttons, 2);

    wait("it lies in the other slot", || (fares(&desk)["is"] == "trial").then_some(()));
    assert_eq!(fares(&desk)["runs"], "1", "no restart while an incident is open");
    for (action, body) in
        [("acknowledge", json!({})), ("answer", json!({})), ("close", json!({ "outcome": "handled" }))]
    {
        desk.post(&format!("/api/incidents/1/{action}"), &body).expect("done");
    }
    site.says("reboot: Restarting system", BOOT);
    buttons.press(true);
    assert_eq!(presses(&desk.state().expect("the state")), 0, "nobody is there to read it");
    wait("the press is told after the restart", || (presses(&desk.state().ok()?) == 1).then_some(()));
    buttons.press(false);
    wait("the roll-out has ended by itself", || {
        (desk.state().ok()?["rollout"]["ended_by"] == "desk").then_some(())
    });
    assert_eq!(fares(&desk)["is"], "done");
    site.started();
    running(&mut site, GOOD);
    sound(&mut site);
    told(&desk, &buttons, 2);
}

/// A press is shown at the rack, the `count`th of what is open; the finger then leaves the button.
fn told(desk: &Desk, buttons: &Buttons, count: usize) {
    buttons.press(true);
    wait("the press is shown", || (presses(&desk.state().ok()?) == count).then_some(()));
    buttons.press(false);
    onepress::rig::pause(FINGER);
}

/// How the box fares in the roll-out.
fn fares(desk: &Desk) -> Value {
    desk.state().map_or(Value::Null, |state| state["rollout"]["boxes"][0].clone())
}
