//! The self-test of a box: what it says, and what a relay's press is not.

use super::rig::{Rig, button, single};
use crate::core::*;
use alarm::point::Kind;
use alarm::selftest::{Cause, Failure, How, Proof, Relay, Report};
use alarm::{Fault, What};
use hw::{Held, Line};

const MINUTE: u64 = 60_000;

fn tested(mode: Mode) -> Supervised {
    let relay = TestRelay { output: "t1".into(), relay: Relay::press(alarm::selftest::DROP) };
    Supervised { relays: vec![relay], ..button("gate", mode, false) }
}

/// An enrolled box whose points are at rest and whose lines the kernel holds.
fn enrolled(points: Vec<Supervised>) -> Rig {
    let mut rig = Rig::new(points);
    rig.set("gate", false);
    rig.core.handle_named("box-1");
    rig.act();
    rig
}

fn held(rig: &mut Rig, lines: &[&str]) {
    let held = lines.iter().map(|line| Held { line: Line::from(*line), wrong: None }).collect();
    let now = rig.now();
    rig.core.handle_held(held, now);
    rig.act();
}

/// The test relay does as it is told, after some milliseconds.
fn switched(rig: &mut Rig, moves: bool) {
    let (output, on) = rig.relays.pop().expect("a relay was told to move");
    rig.pass(5);
    let now = rig.now();
    if moves {
        contact(rig, on);
    }
    rig.core.handle_relay(&output, on, true, now.mono, now);
    rig.act();
}

fn contact(rig: &mut Rig, pressed: bool) {
    rig.hear(Heard::Edge { line: "gate-no".into(), active: pressed, missed: false });
    rig.hear(Heard::Edge { line: "gate-nc".into(), active: !pressed, missed: false });
}

fn reports(rig: &mut Rig) -> Vec<Report> {
    let report = |what| if let What::SelfTest(report) = what { Some(report) } else { None };
    rig.told().into_iter().filter_map(report).collect()
}

fn only(rig: &mut Rig) -> Proof {
    let mut reports = reports(rig);
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0).proofs.remove(0)
}

#[test]
fn a_box_that_is_not_enrolled_tests_nothing() {
    let mut rig = Rig::new(vec![button("gate", Mode::Silent, false)]);
    rig.set("gate", false);
    rig.pass(30 * 60 * MINUTE);
    assert_eq!((rig.looks.clone(), rig.told()), (vec![], vec![]));
}

#[test]
fn the_kernels_view_is_enough_without_a_relay() {
    let mut rig = enrolled(vec![button("gate", Mode::Silent, false), single("lid", Kind::Tamper)]);
    assert!(rig.looks.is_empty());
    rig.levels(&[("lid", true)]);
    rig.pass(100);
    assert_eq!(rig.looks, [true]);
    held(&mut rig, &["gate-no", "gate-nc", "lid"]);
    rig.pass(10);
    let report = reports(&mut rig).remove(0);
    assert_eq!(
        (report.cause, report.proofs.len(), rig.looks.clone()),
        (Cause::Started, 2, vec![true, false])
    );
    assert!(report.proofs.iter().all(|proof| proof.how == How::Kernel && proof.failed.is_none()));
    for _ in 0..26 * 60 * 60 {
        rig.pass(MINUTE / 60);
        if rig.looks.last() == Some(&true) {
            held(&mut rig, &["gate-no", "gate-nc", "lid"]);
            rig.pass(10);
        }
    }
    assert_eq!(rig.looks, [true, false, true, false], "the next one is the next day's");
}

#[test]
fn what_is_wrong_with_a_point_is_told() {
    type Spoil = fn(&mut Rig);
    let table: [(&str, Failure, Spoil); 4] = [
        ("faulty", Failure::Faulty, |rig| {
            rig.levels(&[("gate-no", true), ("gate-nc", true)]);
            rig.pass(600);
            held(rig, &["gate-no", "gate-nc"]);
        }),
        ("held by another", Failure::NotHeld, |rig| {
            let wrong = Some("\"wall\" holds it".into());
            let now = rig.now();
            rig.core.handle_held(vec![Held { line: "gate-no".into(), wrong }], now);
            held(rig, &["gate-nc"]);
        }),
        ("silent", Failure::Unanswered, |rig| rig.pass(7000)),
        ("unsteady", Failure::Inconsistent, |rig| {
            held(rig, &["gate-no", "gate-nc"]);
        }),
    ];
    for (name, failure, spoil) in table {
        let mut rig = Rig::new(vec![button("gate", Mode::Silent, false)]);
        rig.set("gate", false);
        if name == "unsteady" {
            rig.levels(&[("gate-no", true), ("gate-nc", false)]);
        }
        rig.core.handle_named("box-1");
        rig.act();
        spoil(&mut rig);
        for n in 0..400 {
            if name == "unsteady" {
                rig.levels(&[("gate-no", n % 2 == 0), ("gate-nc", n % 2 != 0)]);
            }
            rig.pass(20);
        }
        assert_eq!(reports(&mut rig)[0].proofs[0].failed, Some(failure), "{name}");
    }
}

#[test]
fn a_relays_press_is_a_proof_and_nobody_sees_it() {
    for mode in [Mode::Silent, Mode::Ordinary] {
        let mut rig = enrolled(vec![tested(mode)]);
        held(&mut rig, &["gate-no", "gate-nc"]);
        switched(&mut rig, true);
        rig.pass(29);
        let claimed = rig.core.status(rig.now());
        rig.pass(5);
        assert_eq!((claimed.points, rig.relays.len()), (rig.core.status(rig.now()).points, 1));
        assert!(rig.core.poll_raised().is_none());
        switched(&mut rig, true);
        rig.pass(200);
        let told = rig.told();
        let [What::SelfTest(report)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((report.proofs[0].how, &report.proofs[0].failed), (How::Contact, &None), "{mode:?}");
        rig.ack_all();
        assert!(rig.lamp.is_empty());
    }
}

/// The next press is an alarm of its own, with its hurry and its lamp, and no repeat of the relay's.
#[test]
fn a_press_right_after_the_test_is_an_alarm() {
    let mut rig = enrolled(vec![tested(Mode::Ordinary)]);
    held(&mut rig, &["gate-no", "gate-nc"]);
    switched(&mut rig, true);
    rig.pass(35);
    switched(&mut rig, true);
    rig.pass(150);
    contact(&mut rig, true);
    rig.pass(100);
    let told = rig.told();
    assert!(matches!(told[..], [What::SelfTest(_), What::Alarm { nature: Nature::Real, .. }]), "{told:?}");
    rig.ack_all();
    assert_eq!(rig.lamp, [true]);
}

#[test]
fn a_finger_that_stays_when_the_relay_lets_go_is_an_alarm() {
    let mut rig = enrolled(vec![tested(Mode::Silent)]);
    held(&mut rig, &["gate-no", "gate-nc"]);
    switched(&mut rig, true);
    rig.pass(35);
    switched(&mut rig, false);
    rig.pass(100);
    rig.levels(&[("gate-no", true), ("gate-nc", false)]);
    let told = rig.told();
    assert!(
        matches!(told[..], [What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false }, ..]),
        "{told:?}"
    );
    let status = rig.core.status(rig.now());
    assert_eq!(status.points[0].state, State::Active);
    rig.set("gate", false);
    let told = rig.told();
    assert!(matches!(told[..], [.., What::Restored { of: Some(_) }]), "{told:?}");
}

#[test]
fn a_press_elsewhere_breaks_the_test_off() {
    let mut rig = enrolled(vec![tested(Mode::Silent), button("office", Mode::Silent, false)]);
    rig.levels(&[("office-no", false), ("office-nc", true)]);
    rig.pass(100);
    held(&mut rig, &["gate-no", "gate-nc", "office-no", "office-nc"]);
    switched(&mut rig, true);
    rig.levels(&[("office-no", true), ("office-nc", false)]);
    rig.pass(31);
    assert_eq!(rig.relays.last(), Some(&("t1".into(), false)), "no relay stays drawn in silence");
    switched(&mut rig, true);
    rig.pass(300);
    let told = rig.told();
    assert!(matches!(told[0], What::Alarm { .. }), "{told:?}");
    let [_, What::SelfTest(report)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(report.proofs[0].failed, Some(Failure::Busy));
    assert_eq!(report.proofs[1].failed, None);
    rig.ack_all();
    rig.pass(19 * MINUTE);
    assert_eq!(rig.relays, [], "a quarter of an hour after a silent alarm nothing clicks");
    rig.set("office", false);
    let begun = (0..180).any(|_| {
        rig.pass(MINUTE / 60);
        rig.looks.last() == Some(&true)
    });
    held(&mut rig, &["gate-no", "gate-nc", "office-no", "office-nc"]);
    assert!(begun);
    assert_eq!(rig.relays, [("t1".into(), true)], "then it is done again");
}

#[test]
fn a_test_that_is_asked_for_is_done_once() {
    let mut rig = enrolled(vec![button("gate", Mode::Silent, false)]);
    held(&mut rig, &["gate-no", "gate-nc"]);
    rig.pass(10);
    assert_eq!(only(&mut rig).failed, None);
    rig.core.handle_selftest_asked();
    rig.core.handle_selftest_asked();
    rig.act();
    rig.core.handle_selftest_asked();
    held(&mut rig, &["gate-no", "gate-nc"]);
    rig.pass(MINUTE);
    let reports = reports(&mut rig);
    assert_eq!((reports.len(), reports[0].cause), (1, Cause::Asked));
    assert!(!rig.core.status(rig.now()).faults.contains(&Fault::Unproved));
}
