use super::model::{BEGIN, Story, World, play};
use crate::selftest::{DROP, Failure, Moves};
use proptest::prelude::*;

const EVERY: [Moves; 3] = [Moves::Press, Moves::Open, Moves::Closed];

fn with(moves: Moves, change: impl FnOnce(&mut World)) -> Story {
    let mut world = World::healthy(moves);
    change(&mut world);
    play(world)
}

#[test]
fn a_healthy_relay_proves_the_contact_and_raises_nothing() {
    for moves in EVERY {
        let story = play(World::healthy(moves));
        let took = story.result.unwrap().unwrap().as_millis();
        assert!((30..120).contains(&took), "{moves:?} {took}");
        assert_eq!((story.alarms, story.faults), (vec![], 0), "{moves:?}");
    }
}

#[test]
fn what_does_not_work_is_named() {
    for moves in EVERY {
        let deaf = with(moves, |world| world.deaf = true);
        assert_eq!((deaf.result, deaf.alarms), (Some(Err(Failure::Deaf)), vec![]), "{moves:?}");
        let edgeless = with(moves, |world| world.edgeless = true);
        assert_eq!((edgeless.result, edgeless.alarms), (Some(Err(Failure::NoEdge)), vec![]), "{moves:?}");
    }
}

/// A contact that stays pressed is an alarm: nobody can tell it from a finger.
#[test]
fn a_relay_that_sticks_is_a_failure_and_what_it_shows_is_believed() {
    let across = with(Moves::Press, |world| world.sticks = true);
    assert_eq!((across.result, across.alarms.len()), (Some(Err(Failure::NotRestored)), 1));
    for moves in [Moves::Open, Moves::Closed] {
        let one = with(moves, |world| world.sticks = true);
        assert_eq!(
            (one.result, one.alarms, one.faults),
            (Some(Err(Failure::NotRestored)), vec![], 1),
            "{moves:?}"
        );
    }
}

/// Every place that a finger can take beside the stroke, and how soon its alarm is there.
#[test]
fn fingers_before_beside_and_after() {
    let table = [
        ("long before", BEGIN - 400..BEGIN - 200, 60),
        ("just before", BEGIN - 2..BEGIN + 200, 60),
        ("begins beside, lasts", BEGIN + 20..BEGIN + 600, 300),
        ("begins at its end", BEGIN + 70..BEGIN + 300, 300),
        ("within the debounce of its end", BEGIN + 75..BEGIN + 230, 300),
        ("after", BEGIN + 400..BEGIN + 450, 60),
        ("stays", BEGIN + 30..BEGIN + 9000, 300),
    ];
    for moves in EVERY {
        for (name, press, soon) in table.clone() {
            let story = with(moves, |world| world.fingers = vec![press.clone()]);
            assert_eq!(story.alarms.len(), 1, "{moves:?} {name} {story:?}");
            assert!(story.alarms[0] <= press.start + soon, "{moves:?} {name} {story:?}");
        }
    }
}

#[test]
fn a_finger_on_a_deaf_relay_is_no_relay() {
    for begin in [100, 300, 600] {
        let story = with(Moves::Press, |world| {
            world.deaf = true;
            world.fingers = std::iter::once(BEGIN + begin..BEGIN + begin + 60).collect();
        });
        assert_eq!(story.alarms.len(), 1, "{begin} {story:?}");
    }
}

#[test]
fn a_second_press_right_after_the_stroke_is_an_alarm_and_no_repeat() {
    let story =
        with(Moves::Press, |world| world.fingers = vec![BEGIN + 150..BEGIN + 210, BEGIN + 400..BEGIN + 460]);
    assert_eq!(story.alarms.len(), 2, "{story:?}");
}

fn world(moves: Moves) -> impl Strategy<Value = World> {
    let times = (1u64..20, 0u64..8, 1u64..60, 0u64..15, 20u64..60);
    times.prop_map(move |(relay_ms, bounce_ms, output_ms, edge_ms, poll_ms)| World {
        relay_ms,
        bounce_ms,
        output_ms,
        edge_ms,
        poll_ms,
        ..World::healthy(moves)
    })
}

fn moves() -> impl Strategy<Value = Moves> {
    prop_oneof![Just(Moves::Press), Just(Moves::Open), Just(Moves::Closed)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// However quick or slow the parts are within their limits, a test raises no alarm.
    #[test]
    fn no_false_alarm(world in moves().prop_flat_map(world)) {
        let story = play(world);
        prop_assert!(story.alarms.is_empty(), "{:?}", story);
        prop_assert!(story.result.clone().unwrap().is_ok(), "{:?}", story);
    }

    /// A press of 50 ms counts. On relays of single contacts always; on one across the button when it is not within
    /// the time in which the relay is drawn.
    #[test]
    fn no_press_is_swallowed(
        world in moves().prop_flat_map(world), begin in 300u64..1500, length in 50u64..700, deaf in any::<bool>(),
    ) {
        let moves = world.moves;
        let press = begin..begin + length;
        let story = play(World { fingers: vec![press.clone()], deaf, ..world });
        let drawn = story.on.unwrap_or(u64::MAX)..story.off.unwrap_or(u64::MAX).saturating_add(u64::try_from(DROP.as_millis()).unwrap());
        let hidden = moves == Moves::Press && press.start >= drawn.start && press.end <= drawn.end + 1;
        prop_assert!(!story.alarms.is_empty() || (hidden && !deaf) || (hidden && press.start <= drawn.start + 130), "{press:?} {story:?}");
    }

    /// Nor is any alarm late.
    #[test]
    fn no_alarm_is_late(world in moves().prop_flat_map(world), begin in 300u64..1500, length in 250u64..700) {
        let press = begin..begin + length;
        let story = play(World { fingers: vec![press.clone()], ..world });
        prop_assert!(story.alarms.first().is_some_and(|at| *at <= press.start + 400), "{press:?} {story:?}");
    }
}
