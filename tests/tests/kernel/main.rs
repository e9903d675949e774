//! The real daemons in a real kernel. Buttons, lamps and siren are lines of gpio-sim, and all between them (spool,
//! QUIC, journal, QUIC) is what an appliance runs. Each story boots a kernel of its own and runs in there.

#![allow(clippy::print_stdout, reason = "a story that fails tells what it saw")]

mod inside;
mod lines;
mod scene;

use inside::in_a_kernel;
use scene::{Light, Scene};

/// A wire that is cut shows at the desk within this time (GB 50394 family).
const CUT_SHOWS_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// A machine that tests other things beside may be late, but not every time.
const TRIES: usize = 3;

#[test]
fn a_press_sounds_the_siren_and_the_button_at_the_wall_leaves_the_red_light() {
    in_a_kernel(|| {
        let scene = Scene::begin();
        scene.wall.shows(&[("green", Light::Steady)]);

        scene.school.press("gate");
        let incident = scene.desk.incident_of("gate");
        assert_eq!((&incident["kind"], &incident["mode"]), (&"hold-up".into(), &"ordinary".into()));
        scene.wall.shows(&[("red", Light::Flashing), ("siren", Light::Steady)]);

        scene.wall.press_acknowledge();
        scene.wall.shows(&[("red", Light::Steady)]);
        assert_eq!(scene.desk.incident_of("gate")["acknowledged_by"], "wall");
    });
}

#[test]
fn a_bouncing_press_is_one_press() {
    in_a_kernel(|| {
        let scene = Scene::begin();
        scene.school.press_bouncing("gate");
        scene.school.release_bouncing("gate");
        scene.desk.sees("the button back at rest", || scene.desk.alarms_of("gate")[0]["restored"].is_i64());
        scene.school.press("gate");
        scene.desk.sees("the next press", || scene.desk.presses() >= 2);
        scene.school.waits("told all", |status| status["waiting"] == 0);
        assert_eq!(scene.desk.presses(), 2, "a bouncing one and a clean one");
    });
}

#[test]
fn a_cut_wire_is_a_fault_soon_and_over_when_it_is_mended() {
    in_a_kernel(|| {
        let scene = Scene::begin();
        let cut_and_mend = || {
            let cut = scene.school.cut("gate");
            scene.desk.sees("the cut", || scene.desk.faults_of("gate") == ["wire-cut"]);
            let took = cut.elapsed();
            scene.wall.shows(&[("amber", Light::Steady)]);
            scene.school.mend("gate");
            scene.desk.sees("the wire mended", || scene.desk.faults_of("gate").is_empty());
            scene.wall.shows(&[("green", Light::Steady)]);
            took
        };
        let took: Vec<_> = (0..TRIES).map(|_| cut_and_mend()).collect();
        println!("cut to desk: {took:?}");
        assert!(took.iter().any(|took| *took < CUT_SHOWS_WITHIN), "{took:?}");
        assert_eq!(scene.desk.presses(), 0, "a cut is no press");
    });
}

#[test]
fn a_latched_button_found_pressed_is_told_once_for_all_restarts() {
    in_a_kernel(|| {
        let mut scene = Scene::with_the_school_dark();
        scene.school.press("office");
        scene.school.start();
        assert_eq!(scene.desk.incident_of("office")["alarms"][0]["at_start"], true);

        scene.school.restart();
        scene.school.kill();
        scene.school.start();
        // What it had to tell of the office it has told before the gate.
        scene.desk.sees("the office pressed", || scene.desk.state_of("office") == "active");
        scene.school.press("gate");
        scene.desk.incident_of("gate");
        assert_eq!((scene.desk.alarms_of("office").len(), scene.desk.presses()), (1, 2));

        scene.school.release("office");
        scene.desk.sees("the reset", || scene.desk.alarms_of("office")[0]["restored"].is_i64());
        scene.school.press("office");
        scene.desk.sees("the next press", || scene.desk.presses() == 3);
    });
}

#[test]
fn a_line_that_another_program_holds_is_named_with_its_holder_and_taken_when_it_is_free() {
    in_a_kernel(|| {
        let mut scene = Scene::with_the_school_dark();
        let held = scene.school.lines.hold("BTN1_NO", "multimeter");
        scene.school.start();
        scene.desk.sees("it unreadable", || scene.desk.faults_of("gate") == ["input-unreadable"]);
        let chip = scene.school.lines.chip();
        scene.school.has_logged(&format!("line \"button-1-no\" on {chip} is held by \"multimeter\""));

        drop(held);
        scene.desk.sees("it readable", || scene.desk.faults_of("gate").is_empty());
        scene.school.press("gate");
        scene.desk.incident_of("gate");
        assert!(scene.school.has_never_ended());
    });
}

#[test]
fn the_lamp_lights_when_the_desk_has_written_the_press_down_and_not_before() {
    in_a_kernel(|| {
        let mut scene = Scene::begin();
        scene.desk.freeze(true);
        let outputs = scene.school.lines.watch_outputs();
        scene.school.press("gate");
        scene.school.waits("an alarm on its way", |status| status["waiting"].as_u64() >= Some(1));
        outputs.go_on_for_two_supervisions();
        assert_eq!(outputs.changes(), [""; 0]);
        scene.desk.freeze(false);
        outputs.awaits("LAMP high");
        scene.school.waits("the desk's ACK", |status| status["waiting"] == 0);
        assert_eq!(outputs.changes(), ["LAMP high"]);
    });
}

#[test]
fn a_silent_press_moves_nothing_at_the_school_nor_does_another_after_it() {
    in_a_kernel(|| {
        let scene = Scene::begin();
        let outputs = scene.school.lines.watch_outputs();
        scene.school.press("office");
        assert_eq!(scene.desk.incident_of("office")["mode"], "silent");
        scene.school.waits("the desk's ACK", |status| status["waiting"] == 0);
        scene.school.press("gate");
        scene.desk.incident_of("gate");
        scene.school.waits("the desk's ACK", |status| status["waiting"] == 0);
        outputs.go_on_for_two_supervisions();
        assert_eq!(outputs.changes(), [""; 0]);
    });
}
