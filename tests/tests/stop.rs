//! SIGTERM is a path like any other: every daemon ends in time and well, nothing is lost, and those who stay find
//! it again at once.

use std::time::{Duration, Instant};

use onepress::rig::{Button, PASSWORD, Plan, USER, pause};
use onepress_tests::centre::{Centre, SHOWN_WITHIN, list, until};
use onepress_tests::dice;
use onepress_tests::record::Record;
use onepress_tests::storm::{Blow, ends_well, storm};
use serde_json::json;

const SCHOOLS: usize = 4;
const PRESSES: usize = 300;

/// How long boxes and walls may take to be back after the desk is. QUIC alone would need its idle timeout of 7 s.
const BACK_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn every_daemon_that_has_nothing_to_do_ends_at_once() {
    let mut centre = Centre::start(1, &Plan::default());
    ends_well(centre.schools[0].daemon());
    ends_well(centre.wall().daemon());
    ends_well(centre.rack.daemon());
}

#[test]
fn nothing_is_lost_by_stops_in_a_storm_of_presses() {
    let seed = dice::seed("STOP_SEED");
    eprintln!("STOP_SEED={seed} cargo nextest run -p onepress-tests --test stop");
    let plan = Plan { gate_repeat_s: 2, office_repeat_s: 0, ..Plan::default() };
    let mut centre = Centre::start(SCHOOLS, &plan);

    let done = storm(&mut centre, PRESSES, Blow::Stop, seed);
    done.assert_blows(1);
    centre.settle();
    assert_eq!(centre.presses(), done.presses() as u64, "presses that the seats see");

    let record = Record::of(&mut centre.rack, &centre.programs);
    done.assert_recorded_once(&record);
}

/// The contacts have to hold for 30 ms: a box that is told to stop before that waits for them, and for the ACK. On a
/// busy machine it may not have heard of the finger yet; then the next start finds the button pressed.
#[test]
fn a_box_that_is_stopped_with_the_finger_on_the_button_tells_the_press_first() {
    let mut centre = Centre::start(1, &Plan::default());
    let mut told_first = 0;
    for (presses, held_ms) in (1..).zip([5, 10, 15, 20, 25]) {
        centre.schools[0].press(Button::Gate);
        pause(Duration::from_millis(held_ms));
        ends_well(centre.schools[0].daemon());
        told_first += usize::from(centre.presses() == presses);

        centre.schools[0].start_again().unwrap();
        until("the press is shown", || (centre.presses() == presses).then_some(()));
        centre.schools[0].release(Button::Gate);
        until("the button is back", || centre.schools[0].is("gate", "rest").then_some(()));
    }
    assert!(told_first > 0, "not one of the presses was told before the end");
    let record = Record::of(&mut centre.rack, &centre.programs);
    assert_eq!(record.presses("box-1", "gate"), 5);
}

#[test]
fn a_desk_that_is_stopped_and_started_is_found_again_at_once() {
    let mut centre = Centre::start(3, &Plan::default());
    settled_connections();
    let paths = centre.paths_up();

    ends_well(centre.rack.daemon());
    centre.rack.restart().unwrap();
    back_at_once(&centre, &paths);
}

#[test]
fn a_desk_that_is_killed_and_started_is_found_again_at_once() {
    let mut centre = Centre::start(3, &Plan::default());
    settled_connections();
    let paths = centre.paths_up();

    centre.rack.daemon().kill();
    centre.rack.restart().unwrap();
    back_at_once(&centre, &paths);
}

#[test]
fn a_press_while_the_desk_restarts_is_shown_as_soon_as_it_is_back() {
    let mut centre = Centre::start(1, &Plan::default());
    settled_connections();

    ends_well(centre.rack.daemon());
    centre.schools[0].press(Button::Gate);
    centre.rack.restart().unwrap();
    let back = Instant::now();
    until("the press is shown", || (centre.presses() == 1).then_some(()));
    assert!(
        back.elapsed() < BACK_WITHIN + SHOWN_WITHIN,
        "shown {:?} after the desk was back",
        back.elapsed()
    );
    centre.schools[0].release(Button::Gate);
    centre.settle();
}

#[test]
fn seats_keep_their_session_and_what_they_own() {
    let mut centre = Centre::start(1, &Plan::default());
    centre.schools[0].press(Button::Gate);
    until("the press is shown", || (centre.presses() == 1).then_some(()));
    let seat = centre.rack.sign_in("seat-7").unwrap();
    seat.post("/api/incidents/1/answer", &json!({})).unwrap();

    ends_well(centre.rack.daemon());
    centre.rack.restart().unwrap();

    let me = seat.get("/api/session").unwrap();
    assert_eq!((&me["seat"], &me["user"]), (&json!("seat-7"), &json!(USER)));
    let state = seat.state().unwrap();
    assert_eq!(state["incidents"][0]["seat"], json!("seat-7"), "it owns what it owned");
    assert!(list(&state["seats"]).any(|known| known["id"] == json!("seat-7")), "it is seated: {state}");
    let mut events = seat.events().unwrap();
    assert_eq!(events.next().unwrap().name, "reload", "its stream of events opens again");
    seat.post("/api/incidents/1/progress", &json!({ "step": "verified" })).unwrap();

    let mut other = seat.clone();
    other.sign_in(USER, PASSWORD, "seat-8").unwrap();
    let refused = other.post("/api/incidents/1/close", &json!({ "outcome": "handled" })).unwrap_err();
    assert!(refused.to_string().contains("not-yours"), "{refused:#}");
}

/// A connection that held for five seconds comes back without waiting; younger ones back off.
fn settled_connections() {
    pause(link::backoff::SETTLED_AFTER);
}

fn back_at_once(centre: &Centre, paths: &[String]) {
    let back = Instant::now();
    until("all paths are up again", || (centre.paths_up() == paths).then_some(()));
    assert!(back.elapsed() < BACK_WITHIN, "all paths were up {:?} after the desk was back", back.elapsed());
    centre.wait_wall_shows("green steady");
    assert_eq!(centre.faults(), [""; 0], "no path counts as lost");
}
