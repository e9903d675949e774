use super::*;
use crate::announcement::{ANNOUNCEMENTS_MAX, LOOP_LONGEST, LoopEnd, NAME_MAX};

fn by(n: u8) -> Actor {
    Actor::Seat { user: user(n), seat: seat(n) }
}

fn ordinary(n: u16) -> Notice {
    notice(n, What::Alarm { mode: Mode::Ordinary, nature: Nature::Real, at_start: false })
}

impl Story {
    /// A story with one announcement and an ordinary incident whose host is seat 1.
    fn on_air() -> Self {
        let mut story = Self::new();
        story.add(story.centre.add_announcement("aa".into(), "Leave", (10, 1_000), by(1)).unwrap());
        story.receive(1, ordinary(1));
        story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
        story.add(story.begin(1).unwrap());
        story
    }

    fn begin(&self, n: u8) -> Result<Vec<Event>, Refused> {
        self.centre.begin_loop(FIRST, "aa", (&seat(n), &user(n)), self.now)
    }

    fn ends(&self) -> Vec<LoopEnd> {
        let why = |(_, event): &(Wall, Event)| {
            if let Event::LoopEnded { why, .. } = event { Some(*why) } else { None }
        };
        self.journal.iter().filter_map(why).collect()
    }
}

#[test]
fn an_announcement_has_a_name_and_the_list_an_end() {
    let mut story = Story::new();
    assert!(!story.centre.has_announced());
    let add = |story: &Story, sha256: &str, name: &str| {
        story.centre.add_announcement(sha256.into(), name, (10, 1_000), by(1))
    };
    for no in ["", "  ", "a\nb", &"x".repeat(NAME_MAX + 1)] {
        assert_eq!(add(&story, "aa", no), Err(Refused::AnnouncementName), "{no:?}");
    }
    story.add(add(&story, "aa", " 请沿绿色标志撤离 ").unwrap());
    assert_eq!(story.centre.announcement("aa").unwrap().name, "请沿绿色标志撤离");
    assert!(matches!(add(&story, "aa", "again"), Err(Refused::Exists { .. })));
    story.add(story.centre.rename_announcement("aa", "Leave", by(1)).unwrap());
    assert_eq!(story.centre.rename_announcement("aa", "Leave", by(1)), Ok(vec![]));
    assert_eq!(story.centre.rename_announcement("aa", "", by(1)), Err(Refused::AnnouncementName));
    for n in 1..ANNOUNCEMENTS_MAX {
        story.add(add(&story, &n.to_string(), "one more").unwrap());
    }
    assert_eq!(add(&story, "bb", "too many"), Err(Refused::Announcements));
    story.add(story.centre.remove_announcement("aa", by(1)).unwrap());
    assert!(matches!(story.centre.remove_announcement("aa", by(1)), Err(Refused::NotFound { .. })));
    assert_eq!(story.centre.announcements().count(), ANNOUNCEMENTS_MAX - 1);
    assert!(story.centre.has_announced());
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn only_the_host_of_an_ordinary_incident_plays_one() {
    let mut story = Story::on_air();
    assert_eq!(story.one().playing.as_ref().unwrap().name, "Leave");
    assert_eq!(story.begin(2), Err(Refused::MayNotSpeak(FIRST)));
    let missing = story.centre.begin_loop(FIRST, "bb", (&seat(1), &user(1)), story.now);
    assert!(matches!(missing, Err(Refused::NotFound { .. })));
    let strange = story.centre.end_loop(FIRST, &seat(2), LoopEnd::Stopped, by(2));
    assert_eq!(strange, Err(Refused::MayNotSpeak(FIRST)));
    story.add(story.begin(1).unwrap());
    assert_eq!(story.ends(), [LoopEnd::Stopped], "another one stops it");
    story.add(story.centre.end_loop(FIRST, &seat(1), LoopEnd::Stopped, by(1)).unwrap());
    assert_eq!(story.centre.end_loop(FIRST, &seat(1), LoopEnd::Stopped, by(1)), Ok(vec![]));
    assert_eq!(story.one().playing, None);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn every_way_out_ends_it_and_says_why() {
    let mut story = Story::on_air();
    story.wait(LOOP_LONGEST.as_secs() - 1);
    assert_eq!(story.ends(), []);
    story.wait(1);
    assert_eq!(story.ends(), [LoopEnd::Limit]);

    let mut story = Story::on_air();
    story.now = Wall::from_millis(0);
    story.wait(0);
    assert_eq!(story.ends(), [LoopEnd::Limit], "a clock that is set back prolongs nothing");

    let mut story = Story::on_air();
    story.receive(1, press(2));
    story.wait(0);
    assert_eq!(story.ends(), [LoopEnd::Silent]);
    assert_eq!(story.begin(1), Err(Refused::MayNotSpeak(FIRST)), "nothing is played into a silent incident");

    let mut story = Story::on_air();
    story.add(story.centre.offer(FIRST, &seat(2), &seat(1), &user(1)).unwrap());
    story.add(story.centre.accept(FIRST, &seat(2), &user(2)).unwrap());
    story.wait(0);
    assert_eq!(story.ends(), [LoopEnd::Left]);

    let mut story = Story::on_air();
    story.add(story.centre.lose_seat(&seat(1)));
    story.wait(0);
    assert_eq!(story.ends(), [LoopEnd::Left]);

    let mut story = Story::on_air();
    story.add(story.centre.close(FIRST, Outcome::Handled, String::new(), &seat(1), &user(1)).unwrap());
    story.wait(0);
    assert_eq!(story.ends(), [LoopEnd::Closed]);
    assert_eq!(story.begin(1), Err(Refused::Closed(FIRST)));
    assert_eq!(story.replayed(), story.centre);
}
