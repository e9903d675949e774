use crate::selftest::{At, Cause, LONGEST_BETWEEN, SPREAD, Schedule};
use crate::{Mono, Wall};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// Midnight UTC of some day.
const MIDNIGHT: Wall = Wall::from_millis(1_800_057_600_000);

fn mono(after: Duration) -> Mono {
    Mono::default() + after
}

#[test]
fn a_time_of_day_reads_back_and_a_wrong_one_is_named() {
    for text in ["03:30+08:00", "23:59-03:30", "00:00+00:00"] {
        assert_eq!(text.parse::<At>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "3:30+08:00",
        "24:00+08:00",
        "03:60+08:00",
        "03:30",
        "03:30+8",
        "03:30+15:00",
        "ab:cd+08:00",
        "+3:30+08:00",
    ] {
        let error = text.parse::<At>().unwrap_err().to_string();
        assert!(error.contains("03:30+08:00") && error.contains(text), "{error}");
    }
    assert_eq!(At::default().to_string(), "03:30+08:00");
}

/// The day of a box, hour by hour: at its start, then once a day at its time.
#[test]
fn once_a_day_at_its_time() {
    let at: At = "02:00+00:00".parse().unwrap();
    let mut schedule = Schedule::new(at, "box-1");
    let mut begun = Vec::new();
    for hour in 0..72u32 {
        let (now, wall) = (mono(HOUR * hour), MIDNIGHT + HOUR * hour);
        if let Some(cause) = schedule.due(now, wall, true) {
            begun.push((hour, cause));
            schedule.handle_begun(now, wall, true);
            schedule.handle_ended(true, now);
        }
    }
    assert_eq!(begun, [(0, Cause::Started), (3, Cause::Daily), (27, Cause::Daily), (51, Cause::Daily)]);
}

#[test]
fn boxes_are_spread_over_an_hour() {
    let at: At = "02:00+00:00".parse().unwrap();
    let minute = Duration::from_secs(60);
    let first = |name: &str| {
        let mut schedule = Schedule::new(at, name);
        schedule.handle_begun(mono(HOUR), MIDNIGHT + HOUR, true);
        let due =
            |minutes: &u32| schedule.due(mono(HOUR), MIDNIGHT + HOUR + minute * *minutes, true).is_some();
        (0..600).find(due).unwrap()
    };
    let mut begun: Vec<_> = (0..600).map(|n| first(&format!("box-{n}"))).collect();
    begun.sort_unstable();
    assert!(begun[0] >= 60 && begun[599] <= 60 + u32::try_from(SPREAD.as_secs() / 60).unwrap());
    let most = begun.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap();
    assert!(most < 30, "{most} of 600 boxes begin in the same minute");
}

#[test]
fn one_that_was_broken_off_is_done_again_and_one_that_was_asked_for_at_once() {
    let mut schedule = Schedule::new(At::default(), "box-1");
    let (now, wall) = (mono(HOUR), MIDNIGHT + HOUR);
    schedule.handle_begun(now, wall, true);
    schedule.handle_ended(false, now);
    assert_eq!(schedule.due(now + Duration::from_secs(20 * 60 - 1), wall, true), None);
    assert_eq!(schedule.due(now + Duration::from_secs(20 * 60), wall, true), Some(Cause::Daily));
    schedule.handle_begun(now, wall, true);
    schedule.handle_ended(true, now);
    schedule.ask();
    assert_eq!(schedule.due(now, wall, true), Some(Cause::Asked));
    schedule.handle_begun(now, wall, true);
    assert_eq!(schedule.due(now, wall, true), None);
    schedule.named("box-2");
    assert_eq!(schedule.due(now, wall, true), Some(Cause::Started));
}

proptest! {
    /// Whatever the clock does, a box is tested at least as often as it must, and never in a loop.
    #[test]
    fn no_clock_keeps_a_box_untested(jumps in proptest::collection::vec((-40i64..40, any::<bool>()), 1..120)) {
        let mut schedule = Schedule::new(At::default(), "box-1");
        let (mut last, mut wall, mut runs) = (None, MIDNIGHT, 0usize);
        for (step, (jump, sure)) in jumps.iter().enumerate() {
            let now = mono(HOUR * u32::try_from(step).unwrap());
            wall = Wall::from_millis(wall.millis() + 3_600_000 + jump * 3_600_000);
            if schedule.due(now, wall, *sure).is_some() {
                schedule.handle_begun(now, wall, *sure);
                schedule.handle_ended(true, now);
                prop_assert_eq!(schedule.due(now, wall, *sure), None, "one test, and then no other at once");
                last = Some(now);
                runs += 1;
            }
            prop_assert!(last.is_some_and(|last| now.since(last) <= LONGEST_BETWEEN + HOUR));
        }
        prop_assert!(runs >= 1);
    }
}
