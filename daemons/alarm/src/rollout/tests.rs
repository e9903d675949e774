use super::*;
use proptest::prelude::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn name(n: usize) -> BoxId {
    BoxId::new(format!("box-{n}")).unwrap()
}

fn at(s: u64) -> Wall {
    Wall::default() + Duration::from_secs(s)
}

fn rollout(boxes: usize) -> Rollout {
    Rollout::begin(version("2"), (0..boxes).map(|n| (name(n), Some(version("1"))))).unwrap()
}

fn going(rollout: &Rollout) -> Vec<&str> {
    rollout
        .boxes()
        .filter(|(name, _)| rollout.wanted(name).is_some())
        .map(|(name, _)| name.as_str())
        .collect()
}

fn ends(rollout: &mut Rollout, n: usize, state: State) {
    rollout.handle_outcome(
        &name(n),
        &Outcome { number: 0, version: version("2"), state, why: Why::new(Cause::NotWritten, "no") },
    );
}

#[test]
fn an_outcome_is_read_as_the_updater_writes_it() {
    let text = r#"{"version":"2","state":"rolled-back","reason":"journal not writable"}"#;
    let outcome: Outcome = serde_json::from_str(text).unwrap();
    assert_eq!((outcome.version, outcome.state), (version("2"), State::RolledBack));
    assert!(serde_json::from_str::<Outcome>(r#"{"version":"two","state":"healthy"}"#).is_err());
}

#[test]
fn no_box_is_taken_back_and_nobody_is_updated_for_nothing() {
    let runs = |text: &str| [(name(1), Some(version(text)))];
    let refused = Rollout::begin(version("2"), runs("3")).unwrap_err();
    assert!(refused.to_string().contains("box-1 runs 3"), "{refused}");
    assert_eq!(Rollout::begin(version("2"), runs("2")).unwrap_err(), Refused::Nobody(version("2")));
    assert!(Rollout::begin(version("2"), [(name(1), None)]).is_ok());
}

#[test]
fn a_few_at_a_time_in_order_and_only_those_that_are_linked() {
    let mut rollout = rollout(6);
    rollout.handle_time(at(0), |name| name.as_str() != "box-1");
    assert_eq!(going(&rollout), ["box-0", "box-2", "box-3", "box-4"]);
    ends(&mut rollout, 2, State::Staged);
    ends(&mut rollout, 3, State::Healthy);
    rollout.handle_time(at(60), |_| true);
    assert_eq!(going(&rollout), ["box-0", "box-1", "box-2", "box-4"]);
}

#[test]
fn it_halts_on_failures_and_goes_on_when_a_person_says_so() {
    let mut rollout = rollout(6);
    rollout.handle_time(at(0), |_| true);
    ends(&mut rollout, 0, State::Refused);
    rollout.handle_time(at(1), |_| true);
    assert_eq!((rollout.mood(), going(&rollout).len()), (Mood::Running, AT_ONCE));
    ends(&mut rollout, 1, State::RolledBack);
    rollout.handle_time(at(2), |_| true);
    assert_eq!((rollout.mood(), going(&rollout)), (Mood::Halted, vec![]));
    rollout.resume();
    (0..6).for_each(|n| rollout.handle_runs(&name(n), &version("2")));
    assert!(rollout.is_done());
}

#[test]
fn a_pause_lets_nobody_begin_and_those_who_have_begun_end() {
    let mut rollout = rollout(6);
    rollout.handle_time(at(0), |_| true);
    rollout.pause();
    ends(&mut rollout, 0, State::Healthy);
    rollout.handle_time(at(1), |_| true);
    assert_eq!(going(&rollout), ["box-1", "box-2", "box-3"]);
}

#[test]
fn a_box_that_falls_silent_counts_as_failed_and_old_words_do_not() {
    let mut rollout = rollout(1);
    rollout.handle_time(at(0), |_| true);
    rollout.handle_outcome(
        &name(0),
        &Outcome { number: 0, version: version("1"), state: State::RolledBack, why: Why::default() },
    );
    assert_eq!(going(&rollout), ["box-0"]);
    rollout.handle_time(at(GIVE_UP_AFTER.as_secs()), |_| true);
    assert!(matches!(rollout.boxes().next(), Some((_, Progress::Failed(_)))));
}

proptest! {
    /// Whatever boxes say: never more than allowed at once, none after a halt, and no more failures than it takes.
    #[test]
    fn never_more_than_allowed(words in proptest::collection::vec((0usize..12, 0u8..6, 0u64..4000), 0..200)) {
        let mut rollout = rollout(12);
        let mut now = 0;
        for (n, word, later) in words {
            now += later;
            match word {
                0 => ends(&mut rollout, n, State::Healthy),
                1 => ends(&mut rollout, n, State::RolledBack),
                2 => ends(&mut rollout, n, State::Staged),
                3 => rollout.pause(),
                4 if n == 0 => rollout.resume(),
                _ => {}
            }
            let before = going(&rollout).len();
            rollout.handle_time(at(now), |_| true);
            prop_assert!(going(&rollout).len() <= AT_ONCE);
            match rollout.mood() {
                Mood::Halted => prop_assert!(going(&rollout).is_empty()),
                Mood::Paused => prop_assert!(going(&rollout).len() <= before),
                Mood::Running => prop_assert!(rollout.failures < HALT_AFTER),
            }
        }
    }
}
