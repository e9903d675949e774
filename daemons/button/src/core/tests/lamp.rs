use super::rig::{Rig, button};
use crate::core::*;
use proptest::prelude::*;

fn site() -> Vec<Supervised> {
    vec![
        button("silent", Mode::Silent, false),
        button("silent-latched", Mode::Silent, true),
        button("ordinary", Mode::Ordinary, false),
        button("ordinary-latched", Mode::Ordinary, true),
    ]
}

const NAMES: [&str; 4] = ["silent", "silent-latched", "ordinary", "ordinary-latched"];

fn rig() -> Rig {
    let mut rig = Rig::new(site());
    NAMES.iter().for_each(|name| rig.set(name, false));
    rig
}

#[test]
fn an_ordinary_press_lights_when_the_desk_has_it_and_for_thirty_seconds() {
    let mut rig = rig();
    rig.set("ordinary", true);
    rig.set("ordinary", false);
    assert_eq!(rig.lamp, [true; 0]);
    rig.ack_all();
    assert_eq!(rig.lamp, [true]);
    rig.pass(29_000);
    assert_eq!(rig.lamp, [true]);
    rig.pass(1_001);
    assert_eq!(rig.lamp, [true, false]);
}

#[test]
fn the_key_of_a_latched_button_darkens_it() {
    let mut rig = rig();
    rig.set("ordinary-latched", true);
    rig.ack_all();
    rig.set("ordinary-latched", false);
    assert_eq!(rig.lamp, [true, false]);
}

#[test]
fn a_silent_alarm_keeps_the_lamp_dark_whoever_presses_elsewhere() {
    let mut rig = rig();
    rig.set("silent", true);
    rig.set("silent", false);
    rig.set("ordinary", true);
    rig.ack_all();
    assert_eq!(rig.lamp, [true; 0]);
    rig.set("ordinary", false);
    rig.pass(u64::try_from(SILENCE_AFTER.as_millis()).unwrap());
    rig.set("ordinary", true);
    rig.ack_all();
    assert_eq!(rig.lamp, [true]);
}

#[test]
fn a_restart_does_not_forget_the_silence() {
    let mut before = rig();
    before.set("silent-latched", true);
    before.ack_all();
    let mut after = Rig::after(site(), &before.file, 1000);
    after.set("ordinary", false);
    after.set("ordinary", true);
    after.ack_all();
    assert_eq!(after.lamp, [true; 0]);
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, bool),
    Software(Option<usize>, Option<Mode>),
    Ack,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(None), Just(Some(Mode::Silent)), Just(Some(Mode::Ordinary))];
    prop_oneof![
        (0usize..4, any::<bool>()).prop_map(|(button, pressed)| Step::Set(button, pressed)),
        (proptest::option::of(0usize..4), mode).prop_map(|(button, mode)| Step::Software(button, mode)),
        Just(Step::Ack),
        (1u64..40_000).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Over all orders of presses, ACKs and time: the lamp is never lit while a silent alarm stands or is fresh, and
    /// never without an ordinary one.
    #[test]
    fn never_in_silence(steps in proptest::collection::vec(step(), 1..60)) {
        let mut rig = rig();
        let (mut silent_at, mut ordinary) = (None, false);
        for step in steps {
            let before = rig.lamp.len();
            match step {
                Step::Set(button, pressed) => rig.set(NAMES[button], pressed),
                Step::Software(button, mode) => {
                    let point = button.map(|button| PointId::new(NAMES[button]).unwrap());
                    rig.core.handle_press(point, mode, Nature::Real, rig.now()).unwrap();
                    rig.act();
                }
                Step::Ack => rig.ack_all(),
                Step::Pass(ms) => rig.pass(ms),
            }
            let lit_now = rig.lamp[before..].contains(&true);
            let fresh = silent_at.is_some_and(|at| rig.now().mono.since(at) < SILENCE_AFTER);
            prop_assert!(!lit_now || (ordinary && !fresh));
            for notice in &rig.sent {
                if let alarm::What::Alarm { mode, .. } = notice.what {
                    ordinary |= mode == Mode::Ordinary;
                    let at = Mono::default() + notice.at.since(Wall::from_millis(super::rig::EPOCH_MS));
                    if mode == Mode::Silent {
                        silent_at = Some(silent_at.map_or(at, |known: Mono| known.max(at)));
                    }
                }
            }
        }
    }
}
