use super::*;
use crate::event::{Actor, Event};
use crate::incident::{Outcome, Step};
use crate::register::Site;
use crate::{Mode, Notice, PathId, PointId, What};
use proptest::prelude::*;

fn seat(n: u8) -> SeatId {
    SeatId::new(format!("seat-{n}")).unwrap()
}

fn user(n: u8) -> UserId {
    UserId::new(format!("user-{n}")).unwrap()
}

fn school(n: u8) -> BoxId {
    BoxId::new(format!("school-{n}-gate")).unwrap()
}

fn wired() -> PathId {
    PathId::new("wired").unwrap()
}

fn notice(n: u16, what: What) -> Notice {
    let at = Wall::from_millis(i64::from(n));
    Notice {
        id: NoticeId::new(i64::from(n), [3; 10]),
        point: PointId::new("gate").ok(),
        at,
        clock_sure: true,
        what,
    }
}

fn press(n: u16) -> Notice {
    notice(n, What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false })
}

/// A centre with two schools and two seats, and the journal that made it.
struct Story {
    centre: Centre,
    journal: Vec<(Wall, Event)>,
    now: Wall,
}

impl Story {
    fn new() -> Self {
        let mut story =
            Self { centre: Centre::default(), journal: vec![], now: Wall::from_millis(1_000_000) };
        story.add(vec![Event::Opened { centre: "Chaoyang".into() }]);
        for n in 1..=2 {
            let id = SiteId::new(format!("school-{n}")).unwrap();
            let site = Site {
                id: id.clone(),
                name: format!("School {n}"),
                address: String::new(),
                position: None,
                contacts: vec![],
                places: BTreeMap::new(),
            };
            story.add(story.centre.register_site(site, Actor::Desk).unwrap());
            story.add(story.centre.register_box(school(n), Some(id), Actor::Desk).unwrap());
            story.add(story.centre.open_seat(&seat(n), &user(n)).unwrap());
        }
        story
    }

    fn add(&mut self, events: Vec<Event>) {
        for event in events {
            self.centre.apply(self.now, &event);
            self.journal.push((self.now, event));
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.add(self.centre.due(self.now));
    }

    fn receive(&mut self, from: u8, notice: Notice) -> bool {
        match self.centre.receive(&school(from), &wired(), notice, self.now) {
            Receipt::New(event) => {
                self.add(vec![*event]);
                true
            }
            Receipt::Known => false,
        }
    }

    fn one(&self) -> &Incident {
        assert_eq!(self.centre.open.len(), 1);
        self.centre.open.values().next().unwrap()
    }

    fn replayed(&self) -> Centre {
        let mut centre = Centre::default();
        self.journal.iter().for_each(|(at, event)| {
            centre.apply(*at, event);
        });
        centre
    }
}

const FIRST: IncidentId = IncidentId(1);

#[test]
fn a_press_rings_once_whatever_path_it_comes_by() {
    let mut story = Story::new();
    assert!(story.receive(1, press(1)));
    assert!(!story.receive(1, press(1)));
    let incident = story.one();
    assert_eq!((incident.step, incident.priority, incident.presses()), (Step::Ringing, 1, 1));
    let signals = story.centre.signals();
    assert_eq!((signals.unacknowledged, signals.open, signals.newest), (1, 0, story.centre.seq()));
}

#[test]
fn from_ring_to_close() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.wait(5);
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    assert_eq!(story.centre.signals(), Signals { open: 1, ..Signals::default() });
    assert_eq!(story.centre.answer(FIRST, &seat(1), &user(1)), Ok(vec![]));
    assert_eq!(story.centre.answer(FIRST, &seat(2), &user(2)), Err(Refused::Answered(seat(1))));
    assert!(matches!(
        story.centre.progress(FIRST, Step::Verified, &seat(2), &user(2)),
        Err(Refused::Room(_))
    ));
    story.add(story.centre.progress(FIRST, Step::Dispatched, &seat(1), &user(1)).unwrap());
    let back = story.centre.progress(FIRST, Step::Verified, &seat(1), &user(1));
    assert_eq!(back, Err(Refused::Step { from: Step::Dispatched, to: Step::Verified }));
    let written_off = story.centre.close(FIRST, Outcome::Test, String::new(), &seat(1), &user(1));
    assert_eq!(written_off, Err(Refused::Outcome(Nature::Real)));
    story.add(story.centre.close(FIRST, Outcome::Handled, "ok".into(), &seat(1), &user(1)).unwrap());
    assert_eq!(story.centre.acknowledge(FIRST, Actor::Desk), Err(Refused::Closed(FIRST)));
    assert_eq!(story.centre.signals(), Signals::default());
    assert_eq!(story.centre.figures(Wall::default()).median(), Some(Duration::from_secs(5)));
}

#[test]
fn a_second_press_before_the_answer_sounds_again() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.add(story.centre.acknowledge(FIRST, Actor::Desk).unwrap());
    assert_eq!(story.centre.signals().unacknowledged, 0);
    story.receive(1, notice(2, What::Repeat { of: press(1).id, count: 2 }));
    assert_eq!((story.one().presses(), story.centre.signals().unacknowledged), (2, 1));
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    story.receive(1, press(3));
    assert_eq!((story.one().presses(), story.centre.signals().unacknowledged), (3, 0));
}

#[test]
fn a_repeat_that_comes_before_its_alarm_is_not_lost() {
    let mut story = Story::new();
    story.receive(1, notice(2, What::Repeat { of: press(1).id, count: 2 }));
    story.receive(1, press(1));
    assert_eq!(story.one().alarms.len(), 2);
}

#[test]
fn the_wall_acknowledges_what_it_sounded_for_and_nothing_newer() {
    let mut story = Story::new();
    story.receive(1, press(1));
    let newest = story.centre.signals().newest;
    story.receive(2, press(2));
    let wall = BoxId::new("wall-1").unwrap();
    story.add(story.centre.acknowledge_all(newest, &wall));
    let left = story.centre.signals();
    assert_eq!((left.unacknowledged, left.open), (1, 1));
}

/// The desk dies with an alarm that only walls had seen, and its number is given out again.
#[test]
fn an_acknowledgement_from_before_a_crash_clears_nothing_after_it() {
    let mut story = Story::new();
    story.add(vec![Event::Started { software: "1".into() }]);
    story.receive(2, press(3));
    let durable = story.journal.len();
    story.receive(1, press(1));
    let newest = story.centre.signals().newest;
    story.journal.truncate(durable);
    story.centre = story.replayed();
    story.now = Wall::from_millis(story.now.millis() - 1);
    story.add(vec![Event::Started { software: "1".into() }]);
    story.receive(2, press(2));
    let wall = BoxId::new("wall-1").unwrap();
    assert_eq!(story.centre.acknowledge_all(newest, &wall), []);
    assert_eq!(story.centre.acknowledge_all(story.centre.signals().newest, &wall).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_neither_prolongs_a_test_nor_puts_off_the_commander() {
    let mut story = Story::new();
    let site = SiteId::new("school-1").unwrap();
    story.add(story.centre.open_window(&site, 30, Actor::Desk, story.now).unwrap());
    story.now = Wall::from_millis(story.now.millis() - 60_000);
    story.receive(1, press(1));
    assert_eq!(story.one().nature, Nature::Real);
    story.now = Wall::from_millis(story.now.millis() - 60_000);
    story.wait(0);
    assert!(story.one().escalated && story.centre.window(&site).is_none());
}

#[test]
fn a_test_window_marks_presses_and_closes_itself() {
    let mut story = Story::new();
    let site = SiteId::new("school-1").unwrap();
    for minutes in [0, 31] {
        assert_eq!(story.centre.open_window(&site, minutes, Actor::Desk, story.now), Err(Refused::Window));
    }
    story.add(story.centre.open_window(&site, 10, Actor::Desk, story.now).unwrap());
    story.receive(1, press(1));
    story.receive(2, press(2));
    let natures: Vec<_> = story.centre.open.values().map(|i| i.nature).collect();
    assert_eq!(natures, [Nature::Test, Nature::Real]);
    story.wait(600);
    assert_eq!(story.centre.window(&site), None);
    story.receive(1, press(3));
    assert_eq!(story.centre.open.len(), 3, "a real press never joins a test");
    let order: Vec<_> = story.centre.open().iter().map(|i| (i.id.0, i.nature)).collect();
    assert_eq!(order, [(2, Nature::Real), (3, Nature::Real), (1, Nature::Test)]);
}

#[test]
fn a_lost_seat_rings_again_and_a_busy_one_cannot_sign_out() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    assert_eq!(story.centre.close_seat(&seat(1)), Err(Refused::SeatBusy(1)));
    assert_eq!(story.centre.open_seat(&seat(1), &user(2)), Err(Refused::SeatTaken(user(1))));
    story.add(story.centre.lose_seat(&seat(1)));
    let incident = story.one();
    assert!(incident.requeued && incident.sounds() && story.centre.seat(&seat(1)).is_none());
    assert_eq!(incident.newest + 1, story.centre.seq());
}

#[test]
fn a_transfer_needs_a_logged_on_seat_and_its_consent() {
    let mut story = Story::new();
    story.receive(1, press(1));
    assert_eq!(story.centre.offer(FIRST, &seat(2), &seat(1), &user(1)), Err(Refused::NotAnswered(FIRST)));
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    assert_eq!(story.centre.offer(FIRST, &seat(3), &seat(1), &user(1)), Err(Refused::SeatEmpty(seat(3))));
    story.add(story.centre.offer(FIRST, &seat(2), &seat(1), &user(1)).unwrap());
    story.add(story.centre.withdraw(FIRST, &seat(2), &user(2)).unwrap());
    story.add(story.centre.offer(FIRST, &seat(2), &seat(1), &user(1)).unwrap());
    story.add(story.centre.accept(FIRST, &seat(2), &user(2)).unwrap());
    assert_eq!(story.one().room.as_ref().map(|room| room.owner().clone()), Some(seat(2)));
}

#[test]
fn nobody_answers_and_it_raises_itself_once() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.wait(59);
    assert!(!story.one().escalated);
    story.wait(1);
    assert!(story.one().escalated);
    assert_eq!(story.centre.due(story.now + Duration::from_secs(600)), []);
}

#[test]
fn faults_stand_until_they_are_cleared() {
    let mut story = Story::new();
    story.receive(1, notice(1, What::Fault { fault: Fault::WireCut }));
    story.receive(1, notice(2, What::Tampered));
    let about = About::path(school(1), wired());
    story.add(story.centre.raise(about.clone(), Fault::PathLost).into_iter().collect());
    assert_eq!(story.centre.raise(about.clone(), Fault::PathLost), None);
    story.add(story.centre.raise(About::desk(), Fault::JournalUnwritable).into_iter().collect());
    assert_eq!(story.centre.faults_of(Some(&school(1))).count(), 3);
    assert_eq!(story.centre.faults_of(None).count(), 1);
    assert_eq!((story.centre.signals().faults, story.centre.signals().unacknowledged), (4, 0));
    story.receive(1, notice(3, What::Cleared { fault: Fault::WireCut }));
    story.receive(1, notice(4, What::TamperRestored));
    story.add(story.centre.clear(about, Fault::PathLost).into_iter().collect());
    assert_eq!(story.centre.faults_of(Some(&school(1))).count(), 0);
}

#[test]
fn a_ticket_enrols_one_key_once_and_in_time() {
    use crate::wire::EnrolRefusal::{Expired, UnknownTicket, Used};
    let mut story = Story::new();
    let end = story.now + Duration::from_secs(60);
    story.add(story.centre.issue_ticket(&school(1), "t1".into(), end, Actor::Desk).unwrap());
    assert_eq!(story.centre.may_enrol("t2", "key", story.now), Err(UnknownTicket));
    assert_eq!(story.centre.may_enrol("t1", "key", end), Err(Expired));
    assert_eq!(story.centre.may_enrol("t1", "key", story.now), Ok(&school(1)));
    story.add(story.centre.enrol(&school(1), "t1", "key", end));
    assert_eq!(story.centre.may_enrol("t1", "key", end), Ok(&school(1)), "its answer was perhaps lost");
    assert_eq!(story.centre.may_enrol("t1", "other", story.now), Err(Used));
    assert!(story.centre.appliance(&school(1)).unwrap().knows("key"));
    story.add(story.centre.renew(&school(1), "key-2", end));
    let renewed = story.centre.appliance(&school(1)).unwrap().clone();
    assert!(renewed.knows("key") && renewed.knows("key-2") && !renewed.knows("other"));
    assert_eq!(story.centre.confirm_renewal(&school(1), "key"), [], "still with the old key");
    story.add(story.centre.confirm_renewal(&school(1), "key-2"));
    assert_eq!(story.centre.confirm_renewal(&school(1), "key-2"), []);
    assert!(!story.centre.appliance(&school(1)).unwrap().knows("key"), "retired");
    story.add(story.centre.revoke(&school(1), Actor::Desk).unwrap());
    assert!(!story.centre.appliance(&school(1)).unwrap().knows("key-2"));
    assert_eq!(
        story.centre.issue_ticket(&school(1), "t3".into(), end, Actor::Desk),
        Err(Refused::Revoked(school(1)))
    );
}

#[test]
fn the_last_administrator_stays() {
    use crate::register::Account;
    use crate::role::Role;
    let mut story = Story::new();
    let account = |n, role| Account { user: user(n), name: "Li".into(), role };
    story.add(story.centre.make_account(account(1, Role::Administrator), Actor::Desk).unwrap());
    story.add(story.centre.make_account(account(2, Role::Regular), Actor::Desk).unwrap());
    assert_eq!(story.centre.remove_account(&user(1), Actor::Desk), Err(Refused::LastAdministrator(user(1))));
    story.add(story.centre.remove_account(&user(2), Actor::Desk).unwrap());
    assert!(story.centre.account(&user(2)).is_none());
}

#[test]
fn a_path_that_is_no_longer_declared_is_no_longer_missed() {
    let mut story = Story::new();
    let both = [wired(), PathId::new("cellular").unwrap()];
    story.add(story.centre.declare_paths(&school(1), &both));
    assert_eq!(story.centre.declare_paths(&school(1), &both), []);
    let about = About::path(school(1), both[1].clone());
    story.add(story.centre.raise(about.clone(), Fault::PathLost).into_iter().collect());
    story.add(story.centre.declare_paths(&school(1), &both[..1]));
    assert!(!story.centre.is_faulty(&about, &Fault::PathLost));
}

proptest! {
    /// Whatever happens: replaying the journal gives the same state, a snapshot reads back to it, each press is in
    /// exactly one incident, and the siren's state is exactly "a real hold-up is unacknowledged".
    #[test]
    fn replay_is_the_state(steps in proptest::collection::vec((0u8..14, 1u8..3, 0u16..12, 1u64..3), 0..120)) {
        let mut story = Story::new();
        let mut presses = std::collections::BTreeSet::new();
        for (step, n, id, incident) in steps {
            let incident = IncidentId(incident);
            let (s, u) = (seat(n), user(n));
            let decided = match step {
                0..=2 => { story.receive(n, press(id + 100 * u16::from(n))); presses.insert((n, id)); Ok(vec![]) }
                3 => { story.receive(n, notice(1000 + id, What::Repeat { of: press(id + 100 * u16::from(n)).id, count: 2 })); Ok(vec![]) }
                4 => { story.receive(n, notice(2000 + id, What::Fault { fault: Fault::WireCut })); Ok(vec![]) }
                5 => story.centre.acknowledge(incident, Actor::Desk),
                6 => story.centre.answer(incident, &s, &u),
                7 => story.centre.offer(incident, &seat(3 - n), &s, &u),
                8 => story.centre.accept(incident, &s, &u),
                9 => story.centre.progress(incident, Step::Dispatched, &s, &u),
                10 => story.centre.close(incident, Outcome::Handled, String::new(), &s, &u),
                11 => Ok(story.centre.lose_seat(&s)),
                12 => story.centre.open_seat(&s, &u),
                _ => { story.wait(u64::from(id)); Ok(vec![]) }
            };
            story.add(decided.unwrap_or_default());
            let sounding = story.centre.open.values().any(Incident::sounds);
            prop_assert_eq!(story.centre.signals().unacknowledged > 0, sounding);
            for incident in story.centre.open.values() {
                prop_assert_eq!(incident.step == Step::Ringing, incident.room.is_none());
            }
        }
        prop_assert_eq!(&story.replayed(), &story.centre);
        let snapshot = serde_json::to_string(&story.centre).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Centre>(&snapshot).unwrap(), &story.centre);
        for (n, id) in presses {
            let id = press(id + 100 * u16::from(n)).id;
            let all = story.centre.open.values().chain(story.centre.closed.values());
            prop_assert_eq!(all.flat_map(|i| &i.alarms).filter(|alarm| alarm.id == id).count(), 1);
        }
    }
}

mod announce;
mod media;
mod prove;
mod updates;
mod voids;
