use super::*;
use crate::rollout::{
    AT_ONCE, BUNDLES_MAX, Cause, Fetch, GIVE_UP_AFTER, HALT_AFTER, Mood, Outcome, Progress, Scope, Signature,
    State, Told, Version, Why,
};

const IMAGE: &str = "onepress-edge-x86";
const BOXES: u8 = 6;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn runs(text: &str) -> Told {
    Told { image: IMAGE.into(), runs: version(text), outcome: None, fetch: None }
}

fn ended(runs_now: &str, number: u64, state: State) -> Told {
    let outcome = Outcome { number, version: version("2"), state, why: Why::new(Cause::NotWritten, "no") };
    Told { outcome: Some(outcome), ..runs(runs_now) }
}

fn trouble(since: Wall) -> Told {
    let fetch = Fetch { since, bytes: 0, trouble: Some("no space".into()), cause: Cause::NoSpace };
    Told { fetch: Some(fetch), ..runs("1") }
}

impl Story {
    /// A story with six enrolled boxes that run version 1, four of them at the first site, and a bundle of version 2.
    fn fleet() -> Self {
        let mut story = Self::new();
        for n in 1..=BOXES {
            if n > 2 {
                let site = SiteId::new(format!("school-{}", 1 + n / 6)).unwrap();
                story.add(story.centre.register_box(school(n), Some(site), Actor::Desk).unwrap());
            }
            let enrolled =
                Event::BoxEnrolled { name: school(n), ticket: "t".into(), key: "k".into(), until: story.now };
            story.add(vec![enrolled]);
            story.tell(n, &runs("1"));
        }
        story.add(story.bundle("aa", IMAGE, "2").unwrap());
        story
    }

    /// The same, with version 2 on its way to all.
    fn rolling() -> Self {
        let mut story = Self::fleet();
        story.add(story.begin_update("2", Scope::All).unwrap());
        story.roll(0);
        story
    }

    fn bundle(&self, sha256: &str, image: &str, of: &str) -> Result<Vec<Event>, Refused> {
        let size = (1_000, Signature::Unchecked);
        self.centre.add_bundle(sha256.into(), (image, &version(of)), size, Actor::Desk)
    }

    fn begin_update(&self, of: &str, scope: Scope) -> Result<Vec<Event>, Refused> {
        self.centre.begin_rollout(&version(of), scope, Actor::Desk)
    }

    fn tell(&mut self, n: u8, told: &Told) {
        self.add(self.centre.hear_software(&school(n), told));
    }

    /// Time passes, and every box is linked.
    fn roll(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        for _ in 0..3 {
            self.add(self.centre.rollout_due(self.now, |_| true));
        }
    }

    fn going(&self) -> Vec<u8> {
        (1..=BOXES).filter(|n| self.centre.update_for(&school(*n)).is_some()).collect()
    }

    fn mood(&self) -> Mood {
        self.centre.rolling().unwrap().rollout.mood()
    }

    fn progress(&self, n: u8) -> Progress {
        let name = school(n);
        let rollout = &self.centre.rolling().unwrap().rollout;
        rollout.boxes().find(|(known, _)| **known == name).unwrap().1.clone()
    }

    fn since(&self, n: u8) -> Wall {
        self.centre.update_for(&school(n)).unwrap().since
    }

    fn told_of(&self, looks: impl Fn(&Event) -> bool) -> usize {
        self.journal.iter().filter(|(_, event)| looks(event)).count()
    }
}

#[test]
fn one_bundle_of_one_version_and_image_and_the_store_has_an_end() {
    let mut story = Story::fleet();
    assert!(matches!(story.bundle("bb", IMAGE, "2"), Err(Refused::Exists { .. })));
    assert!(matches!(story.bundle("aa", IMAGE, "3"), Err(Refused::Exists { .. })), "the same file");
    for n in 1..BUNDLES_MAX {
        story.add(story.bundle(&n.to_string(), IMAGE, &format!("3.{n}")).unwrap());
    }
    assert_eq!(story.bundle("bb", IMAGE, "4"), Err(Refused::Bundles));
    story.add(story.begin_update("2", Scope::All).unwrap());
    assert_eq!(story.centre.remove_bundle("aa", Actor::Desk), Err(Refused::BundleInUse(version("2"))));
    story.add(story.centre.end_rollout(Actor::Desk).unwrap());
    story.add(story.centre.remove_bundle("aa", Actor::Desk).unwrap());
    assert!(matches!(story.centre.remove_bundle("aa", Actor::Desk), Err(Refused::NotFound { .. })));
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn a_roll_out_begins_for_whom_it_fits_and_for_nobody_else() {
    let mut story = Story::fleet();
    let one = |n: u8| Scope::Box { name: school(n) };
    assert_eq!(story.begin_update("3", Scope::All), Err(Refused::NoBundle(version("3"))));
    assert!(matches!(story.begin_update("2", one(9)), Err(Refused::NotFound { .. })));
    story.add(story.centre.register_box(school(9), SiteId::new("school-1").ok(), Actor::Desk).unwrap());
    assert_eq!(story.begin_update("2", one(9)), Err(Refused::NoAppliance(school(9))));
    story.tell(1, &runs("3"));
    let refused = story.begin_update("2", Scope::All).unwrap_err().to_string();
    assert!(refused.contains("never taken back"), "{refused}");
    story.tell(2, &runs("2"));
    let refused = story.begin_update("2", one(2)).unwrap_err().to_string();
    assert!(refused.contains("no box of this scope needs"), "{refused}");
    story.tell(3, &Told { image: "onepress-edge-arm64".into(), ..runs("1") });
    assert_eq!(story.begin_update("2", one(3)), Err(Refused::NoBundle(version("2"))));
    let began = story.begin_update("2", Scope::Site { site: SiteId::new("school-2").unwrap() }).unwrap();
    assert!(matches!(&began[..], [Event::RolloutBegan { boxes, .. }] if *boxes == [school(6)]), "{began:?}");
    story.add(began);
    assert_eq!(story.begin_update("2", one(4)), Err(Refused::RollingOut(version("2"))));
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn some_at_a_time_until_all_run_it_and_then_it_is_over() {
    let mut story = Story::rolling();
    assert_eq!(story.going(), [1, 2, 3, 4]);
    story.tell(1, &ended("1", 1, State::Staged));
    story.tell(1, &ended("2", 1, State::Staged));
    assert!(matches!(story.progress(1), Progress::Going { .. }), "it runs, and is on trial");
    story.tell(1, &ended("2", 2, State::Healthy));
    story.roll(1);
    assert_eq!((story.progress(1), story.going()), (Progress::Done, vec![2, 3, 4, 5]));
    (2..=BOXES).for_each(|n| story.tell(n, &runs("2")));
    story.roll(1);
    assert!(matches!(&story.centre.rolling().unwrap().ended, Some((_, Actor::Desk))));
    assert_eq!(story.centre.end_rollout(Actor::Desk), Err(Refused::NoRollout));
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn two_failures_halt_it_and_a_person_lets_it_go_on() {
    let mut story = Story::rolling();
    story.tell(1, &trouble(Wall::from_millis(1)));
    assert_eq!(story.going().len(), AT_ONCE, "trouble of another try");
    story.tell(1, &trouble(story.since(1)));
    assert_eq!(story.progress(1), Progress::Failed(Why::new(Cause::NoSpace, "no space")));
    story.tell(2, &ended("1", 7, State::RolledBack));
    story.roll(1);
    assert_eq!((story.mood(), story.going()), (Mood::Halted, vec![]));
    assert_eq!(story.told_of(|event| matches!(event, Event::RolloutHalted { .. })), 1, "told once");
    story.add(story.centre.resume_rollout(Actor::Desk).unwrap());
    story.now = story.now + Duration::from_secs(9);
    story.roll(0);
    assert_eq!((story.mood(), story.going()), (Mood::Running, vec![1, 2, 3, 4]));
    story.tell(2, &ended("1", 7, State::RolledBack));
    assert_eq!(story.going(), [1, 2, 3, 4], "the same word again is an old one");
    story.tell(2, &ended("1", 8, State::RolledBack));
    assert_eq!(story.going(), [1, 3, 4]);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn a_silent_box_is_given_up_and_a_revoked_one_is_forgotten() {
    let mut story = Story::rolling();
    story.add(story.centre.revoke(&school(1), Actor::Desk).unwrap());
    assert_eq!((story.centre.software(&school(1)), story.going()), (None, vec![2, 3, 4]));
    story.roll(1);
    assert_eq!(story.going(), [2, 3, 4, 5]);
    story.add(story.centre.pause_rollout(Actor::Desk).unwrap());
    assert_eq!(story.centre.pause_rollout(Actor::Desk), Ok(vec![]));
    story.roll(GIVE_UP_AFTER.as_secs());
    assert_eq!(story.mood(), Mood::Halted);
    assert_eq!(story.told_of(|event| matches!(event, Event::UpdateFailed { .. })), AT_ONCE);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn what_was_heard_is_written_once_and_strangers_are_not_heard() {
    let mut story = Story::fleet();
    story.tell(1, &runs("1"));
    story.tell(9, &runs("1"));
    let long = Told { image: "x".repeat(1_000), ..runs("1") };
    story.tell(2, &long);
    assert_eq!(story.told_of(|event| matches!(event, Event::SoftwareTold { .. })), usize::from(BOXES));
}

proptest! {
    /// Whatever boxes and people do: never more at once than allowed, none after a halt, and the journal tells all.
    #[test]
    fn replay_of_a_roll_out_is_its_state(
        steps in proptest::collection::vec((0u8..9, 1u8..=BOXES, 1u64..4, 0u64..30_000), 0..120),
    ) {
        let mut story = Story::rolling();
        for (what, n, number, seconds) in steps {
            match what {
                0 => story.tell(n, &runs("2")),
                1 => story.tell(n, &ended("1", number, State::RolledBack)),
                2 => story.tell(n, &ended("1", number, State::Staged)),
                3 => story.tell(n, &ended("2", number, State::Healthy)),
                4 => {
                    let since = story.centre.update_for(&school(n)).map_or(Wall::default(), |offer| offer.since);
                    story.tell(n, &trouble(since));
                }
                5 => story.add(story.centre.resume_rollout(Actor::Desk).unwrap_or_default()),
                6 => story.add(story.centre.pause_rollout(Actor::Desk).unwrap_or_default()),
                7 if n == 1 => story.add(story.centre.end_rollout(Actor::Desk).unwrap_or_default()),
                7 => story.add(story.begin_update("2", Scope::All).unwrap_or_default()),
                _ => story.roll(seconds),
            }
            prop_assert!(story.going().len() <= AT_ONCE);
            if story.mood() == Mood::Halted {
                prop_assert!(story.going().is_empty());
            }
        }
        let halts = story.told_of(|event| matches!(event, Event::RolloutHalted { .. }));
        let failures = story.told_of(|event| matches!(event, Event::UpdateFailed { .. } | Event::SoftwareTold { .. }));
        prop_assert!(failures >= halts * HALT_AFTER);
        prop_assert_eq!(&story.replayed(), &story.centre);
        let snapshot = serde_json::to_string(&story.centre).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Centre>(&snapshot).unwrap(), &story.centre);
    }
}
