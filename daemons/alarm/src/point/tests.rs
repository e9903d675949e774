use super::*;
use proptest::prelude::*;

const REST: Reading = Reading::Pair { open: false, closed: true };
const PRESS: Reading = Reading::Pair { open: true, closed: false };
const CUT: Reading = Reading::Pair { open: false, closed: false };
const SHORT: Reading = Reading::Pair { open: true, closed: true };

fn at(ms: u64) -> Mono {
    Mono::from_micros(ms * 1000)
}

fn button(before: Before) -> Watch {
    let kind = Kind::HoldUp { mode: Mode::Silent, latching: false };
    let id = PointId::new("gate").unwrap();
    Watch::new(Point { id, kind, wiring: Wiring::Antivalent, timing: Timing::default() }, before)
}

/// Feeds readings at their times and settles everything 20 s after the last.
fn story(mut watch: Watch, readings: &[(u64, Reading)]) -> Vec<Outcome> {
    let mut told = Vec::new();
    for (ms, reading) in readings {
        told.extend(watch.handle_reading(*reading, at(*ms)));
    }
    let end = readings.last().map_or(0, |(ms, _)| *ms) + 20_000;
    told.extend(watch.handle_time(at(end)));
    told
}

/// Every settled state under every reading that holds for its time.
#[test]
fn transition_table() {
    use Outcome::{Cleared, Faulted, Pressed, Released};
    let (cut, short) = (Fault::WireCut, Fault::WireShort);
    let gone = Fault::InputUnreadable;
    let table: &[(&[Reading], Reading, State, Vec<Outcome>)] = &[
        (&[], REST, State::Rest, vec![]),
        (&[], PRESS, State::Active, vec![Pressed { at_start: true }]),
        (&[], CUT, State::Faulty, vec![Faulted(cut.clone())]),
        (&[], SHORT, State::Faulty, vec![Faulted(short.clone())]),
        (&[], Reading::Unreadable, State::Faulty, vec![Faulted(gone.clone())]),
        (&[REST], REST, State::Rest, vec![]),
        (&[REST], PRESS, State::Active, vec![Pressed { at_start: false }]),
        (&[REST], CUT, State::Faulty, vec![Faulted(cut.clone())]),
        (&[REST], SHORT, State::Faulty, vec![Faulted(short.clone())]),
        (&[REST], Reading::Unreadable, State::Faulty, vec![Faulted(gone.clone())]),
        (&[PRESS], REST, State::Rest, vec![Released]),
        (&[PRESS], PRESS, State::Active, vec![]),
        (&[PRESS], CUT, State::Faulty, vec![Faulted(cut.clone())]),
        (&[PRESS], SHORT, State::Faulty, vec![Faulted(short.clone())]),
        (&[REST, CUT], REST, State::Rest, vec![Cleared(cut.clone())]),
        (&[REST, CUT], PRESS, State::Active, vec![Pressed { at_start: false }, Cleared(cut.clone())]),
        (&[REST, CUT], CUT, State::Faulty, vec![]),
        (&[REST, CUT], SHORT, State::Faulty, vec![Faulted(short.clone()), Cleared(cut.clone())]),
        (&[PRESS, CUT], REST, State::Rest, vec![Released, Cleared(cut.clone())]),
        (&[PRESS, SHORT], PRESS, State::Active, vec![Cleared(short.clone())]),
    ];
    for (path, reading, state, outcomes) in table {
        let mut watch = button(Before::Rest);
        let mut now = 0;
        for step in path.iter() {
            watch.handle_reading(*step, at(now));
            now += 60_000;
            watch.handle_time(at(now));
        }
        watch.handle_reading(*reading, at(now));
        let told = watch.handle_time(at(now + 60_000));
        assert_eq!((&told, watch.state()), (outcomes, *state), "{path:?} then {reading:?}");
    }
}

#[test]
fn bounce_shorter_than_the_debounce_is_one_press() {
    let bouncing: Vec<_> = (0..20)
        .map(|step| (1000 + step, if step % 2 == 0 { PRESS } else { CUT }))
        .chain([(1020, PRESS)])
        .collect();
    let readings = [&[(0, REST)], bouncing.as_slice(), &[(1400, REST)]].concat();
    assert_eq!(
        story(button(Before::Rest), &readings),
        [Outcome::Pressed { at_start: false }, Outcome::Released]
    );
}

#[test]
fn a_stab_of_fifty_milliseconds_counts() {
    let readings = [(0, REST), (1000, CUT), (1004, PRESS), (1050, CUT), (1053, REST)];
    assert_eq!(
        story(button(Before::Rest), &readings),
        [Outcome::Pressed { at_start: false }, Outcome::Released]
    );
}

#[test]
fn presses_within_the_window_are_counted() {
    let readings = [(0, REST), (1000, PRESS), (1500, REST), (2000, PRESS), (2500, REST), (30_000, PRESS)];
    assert_eq!(
        story(button(Before::Rest), &readings),
        [
            Outcome::Pressed { at_start: false },
            Outcome::Released,
            Outcome::Repeated { count: 2 },
            Outcome::Released,
            Outcome::Pressed { at_start: false },
        ]
    );
}

#[test]
fn a_latched_press_that_was_handled_is_not_raised_again() {
    assert_eq!(story(button(Before::Active), &[(0, PRESS)]), []);
    assert_eq!(story(button(Before::Rest), &[(0, PRESS)]), [Outcome::Pressed { at_start: true }]);
    assert_eq!(story(button(Before::Active), &[(0, REST)]), [Outcome::Released]);
}

#[test]
fn a_glitch_long_ago_does_not_shorten_the_discrepancy_time() {
    let mut watch = button(Before::Rest);
    for (ms, reading) in [(0, REST), (1000, CUT), (1010, REST), (60_000, CUT)] {
        watch.handle_reading(reading, at(ms));
    }
    assert_eq!(watch.handle_time(at(60_100)), []);
    assert_eq!(watch.handle_time(at(60_500)), [Outcome::Faulted(Fault::WireCut)]);
}

#[test]
fn a_chattering_wire_is_a_fault_in_the_end() {
    let readings: Vec<_> = (0..100).map(|n| (1000 + n * 10, if n % 2 == 0 { CUT } else { REST })).collect();
    let told = story(button(Before::Rest), &[&[(0, REST)], readings.as_slice()].concat());
    assert_eq!(told.first(), Some(&Outcome::Faulted(Fault::WireCut)));
}

#[test]
fn mains_waits_for_its_hold_off_and_comes_back_at_once() {
    let id = PointId::new("mains").unwrap();
    let point =
        Point { id, kind: Kind::Mains, wiring: Wiring::NormallyClosed, timing: Timing::of(Kind::Mains) };
    let mut watch = Watch::new(point, Before::Rest);
    watch.handle_reading(Reading::Single(true), at(0));
    watch.handle_reading(Reading::Single(false), at(1_000));
    assert_eq!(watch.handle_time(at(10_999)), []);
    assert_eq!(watch.handle_time(at(11_000)), [Outcome::Faulted(Fault::MainsLost)]);
    watch.handle_reading(Reading::Single(true), at(20_000));
    assert_eq!(watch.handle_time(at(20_050)), [Outcome::Cleared(Fault::MainsLost)]);
}

fn any_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![Just(REST), Just(PRESS), Just(CUT), Just(SHORT), Just(Reading::Unreadable)]
}

proptest! {
    /// Whatever came before, a press held longer than the debounce from a settled rest is told exactly once.
    #[test]
    fn a_held_press_is_told_once(noise in proptest::collection::vec((1u64..300, any_reading()), 0..40), held in 31u64..5000) {
        let mut watch = button(Before::Rest);
        let mut now = 0;
        for (gap, reading) in noise {
            watch.handle_reading(reading, at(now));
            now += gap;
        }
        watch.handle_reading(REST, at(now));
        now += 20_000;
        watch.handle_reading(PRESS, at(now));
        let mut told = watch.handle_reading(REST, at(now + held));
        told.extend(watch.handle_time(at(now + held + 1000)));
        let presses = told.iter().filter(|o| matches!(o, Outcome::Pressed { .. } | Outcome::Repeated { .. })).count();
        prop_assert_eq!(presses, 1);
    }

    /// Calls that come early or twice change nothing.
    #[test]
    fn early_calls_are_no_ops(readings in proptest::collection::vec((1u64..700, any_reading()), 1..40)) {
        let (mut calm, mut eager) = (button(Before::Rest), button(Before::Rest));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (gap, reading) in readings {
            a.extend(calm.handle_reading(reading, at(now)));
            b.extend(eager.handle_reading(reading, at(now)));
            for early in 0..gap {
                b.extend(eager.handle_time(at(now + early)));
                b.extend(eager.handle_reading(reading, at(now + early)));
            }
            now += gap;
        }
        a.extend(calm.handle_time(at(now + 20_000)));
        b.extend(eager.handle_time(at(now + 20_000)));
        prop_assert_eq!(a, b);
    }
}
