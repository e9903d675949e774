use super::rig::{Rig, button, single};
use crate::core::*;
use alarm::point::{Kind, State};
use alarm::{Fault, What};

const MINUTE: u64 = 60_000;

fn alarm(mode: Mode, at_start: bool) -> What {
    What::Alarm { mode, nature: Nature::Real, at_start }
}

fn gate() -> Vec<Supervised> {
    vec![button("gate", Mode::Silent, false)]
}

fn latched() -> Vec<Supervised> {
    vec![button("gate", Mode::Silent, true)]
}

#[test]
fn press_repeat_and_release_are_told_in_order() {
    let mut rig = Rig::new(gate());
    rig.set("gate", false);
    for _ in 0..2 {
        rig.set("gate", true);
        rig.set("gate", false);
    }
    let of = rig.sent[0].id;
    let restored = What::Restored { of: Some(of) };
    let told = [alarm(Mode::Silent, false), restored.clone(), What::Repeat { of, count: 2 }, restored];
    assert_eq!(rig.told(), told);
}

#[test]
fn every_kind_of_point_has_its_words() {
    let fault = |fault| What::Fault { fault };
    let cleared = |fault| What::Cleared { fault };
    let table = [
        (Kind::Tamper, 100, What::Tampered, What::TamperRestored),
        (Kind::Mains, 11_000, fault(Fault::MainsLost), cleared(Fault::MainsLost)),
        (Kind::Battery, 11_000, fault(Fault::BatteryLow), cleared(Fault::BatteryLow)),
    ];
    for (kind, hold, active, rest) in table {
        let mut rig = Rig::new(vec![single("p", kind)]);
        for closed in [true, false, true] {
            rig.levels(&[("p", closed)]);
            rig.pass(hold);
        }
        assert_eq!(rig.told(), [active, rest], "{kind:?}");
    }
}

/// What stood in the spool when the box was switched off, how long ago, whether the clock is sure, and
/// how many alarms a button makes that is found pressed.
#[test]
fn a_button_found_at_the_start() {
    let table = [
        (latched(), 1000, true, 0),
        (latched(), 600 * MINUTE, true, 0),
        (latched(), 1000, false, 0),
        (gate(), 5 * MINUTE - 1000, true, 0),
        (gate(), 5 * MINUTE + 1000, true, 1),
        (gate(), 1000, false, 1),
    ];
    for (points, later, sure, alarms) in table {
        let mut before = Rig::new(points.clone());
        before.set("gate", false);
        before.set("gate", true);
        let id = before.sent[0].id;
        before.ack_all();

        let mut after = Rig::found(points.clone(), &before.file, later, Found::Whole, sure);
        after.set("gate", true);
        assert_eq!(
            after.told(),
            vec![alarm(Mode::Silent, true); alarms],
            "{later} ms later, clock sure {sure}"
        );

        let mut at_rest = Rig::found(points.clone(), &before.file, later, Found::Whole, sure);
        at_rest.set("gate", false);
        assert_eq!(at_rest.told(), [What::Restored { of: Some(id) }], "{later} ms later, clock sure {sure}");
    }
}

#[test]
fn a_latched_button_that_nobody_knew_is_a_press() {
    let mut rig = Rig::new(latched());
    rig.set("gate", true);
    assert_eq!(rig.told(), [alarm(Mode::Silent, true)]);
}

#[test]
fn what_the_desk_did_not_write_down_is_sent_after_a_restart() {
    let mut before = Rig::new(gate());
    before.set("gate", false);
    before.set("gate", true);
    let after = Rig::after(gate(), &before.file, 1000);
    assert_eq!(after.sent, before.sent);
}

#[test]
fn an_unsure_clock_is_said_with_every_notice_and_in_the_status() {
    let mut rig = Rig::found(gate(), &[], 0, Found::Whole, false);
    rig.set("gate", false);
    rig.set("gate", true);
    assert!(!rig.sent[0].clock_sure);
    assert_eq!(rig.core.status(rig.now()).faults, [Fault::ClockUnsure]);
    rig.sure = true;
    assert_eq!(rig.core.status(rig.now()).faults, []);
}

#[test]
fn a_noisy_wire_is_two_notices_and_not_thousands() {
    let mut rig = Rig::new(gate());
    rig.set("gate", false);
    for _ in 0..1000 {
        rig.hear(Heard::Edge { line: "gate-no".into(), active: false, missed: true });
        rig.pass(5);
    }
    rig.pass(20_000);
    let missed = Fault::EdgesMissed;
    assert_eq!(rig.told(), [What::Fault { fault: missed.clone() }, What::Cleared { fault: missed }]);
}

#[test]
fn a_short_press_between_two_looks_counts() {
    let mut rig = Rig::new(gate());
    rig.set("gate", false);
    let at = |ms: u64, rig: &Rig| rig.now().mono + Duration::from_millis(ms);
    let stab = [(0, "gate-nc", false), (3, "gate-no", true), (50, "gate-no", false), (54, "gate-nc", true)];
    let times: Vec<_> = stab.iter().map(|(ms, ..)| at(*ms, &rig)).collect();
    rig.pass(60);
    for ((_, line, active), at) in stab.into_iter().zip(times) {
        let heard = Heard::Edge { line: line.into(), active, missed: false };
        rig.core.handle_heard(heard, at, rig.now());
    }
    rig.pass(100);
    assert_eq!(rig.told().first(), Some(&alarm(Mode::Silent, false)));
}

#[test]
fn a_press_by_software_is_an_alarm_that_is_answered_when_kept() {
    let mut rig = Rig::new(gate());
    rig.set("gate", false);
    rig.disk = None;
    let id = rig.core.handle_press(PointId::new("gate").ok(), None, Nature::Test, rig.now()).unwrap();
    rig.act();
    assert_eq!((rig.answers.len(), rig.sent.len()), (0, 0));
    rig.disk = Some(Written::Kept);
    rig.written(Written::Kept);
    assert_eq!(rig.answers, [(id, true)]);
    let test = What::Alarm { mode: Mode::Silent, nature: Nature::Test, at_start: false };
    assert_eq!(rig.told(), [test, What::Restored { of: Some(id) }]);
}

#[test]
fn a_press_by_software_does_not_hide_a_finger() {
    let mut before = Rig::new(latched());
    before.set("gate", false);
    before.core.handle_press(PointId::new("gate").ok(), None, Nature::Real, before.now()).unwrap();
    before.act();
    before.ack_all();
    let mut after = Rig::after(latched(), &before.file, 1000);
    after.set("gate", true);
    assert_eq!(after.told(), [alarm(Mode::Silent, true)]);
}

#[test]
fn software_presses_buttons_only() {
    let mut rig = Rig::new(vec![button("gate", Mode::Silent, false), single("lid", Kind::Tamper)]);
    for wrong in ["lid", "door"] {
        let error =
            rig.core.handle_press(PointId::new(wrong).ok(), None, Nature::Real, rig.now()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(wrong) && error.contains("are gate"), "{error}");
    }
    assert_eq!(rig.told(), []);
}

#[test]
fn the_status_shows_what_points_settled_on() {
    let mut rig = Rig::new(vec![button("gate", Mode::Silent, false), single("lid", Kind::Tamper)]);
    rig.set("gate", true);
    let status = rig.core.status(rig.now());
    let states: Vec<_> = status.points.iter().map(|point| point.state).collect();
    assert_eq!((states, status.waiting), (vec![State::Active, State::Unknown], 1));
}

#[test]
fn a_wire_mended_while_the_box_was_off_is_cleared_once() {
    let cut = [("gate-no", false), ("gate-nc", false)];
    let whole = [("gate-no", false), ("gate-nc", true)];
    let (fault, cleared) = (What::Fault { fault: Fault::WireCut }, What::Cleared { fault: Fault::WireCut });
    for mended in [true, false] {
        let mut rig = Rig::new(gate());
        rig.levels(&cut);
        rig.pass(1000);
        assert_eq!(rig.told(), std::slice::from_ref(&fault));
        rig.ack_all();

        let mut rig = rig.again(gate());
        rig.levels(if mended { &whole } else { &cut });
        rig.pass(1000);
        assert_eq!(
            rig.told(),
            [cleared.clone()][usize::from(!mended)..],
            "a fault that stands is not told again"
        );
        rig.levels(&whole);
        rig.pass(1000);
        assert_eq!(rig.told(), [cleared.clone()][usize::from(mended)..]);
        rig.ack_all();

        let mut rig = rig.again(gate());
        rig.levels(&whole);
        rig.pass(1000);
        assert_eq!(rig.told(), []);
    }
}
