use super::*;
use crate::media::{CAMERAS_MAX, Recorded};
use crate::wire::ToBox;
use crate::{CameraId, Fault};

const TAKE: &str = "school-1-gate/yard/1000000";

fn relay() -> BoxId {
    BoxId::new("relay").unwrap()
}

fn desk_of(n: u8) -> Actor {
    Actor::Seat { user: user(n), seat: seat(n) }
}

fn yard() -> CameraId {
    CameraId::new("yard").unwrap()
}

fn began(take: &str) -> Recorded {
    Recorded::Began { take: take.into() }
}

impl Story {
    fn enrol(&mut self, n: u8, key: &str) {
        let until = self.now + Duration::from_secs(1000);
        self.add(self.centre.enrol(&school(n), "ticket", key, until));
    }

    fn record(&mut self, number: u64, what: Recorded) {
        let event = self.centre.recorded(&relay(), number, what);
        self.add(event.into_iter().collect());
    }

    fn close(&mut self, id: IncidentId) {
        self.add(self.centre.answer(id, &seat(1), &user(1)).unwrap());
        self.add(self.centre.close(id, Outcome::Handled, String::new(), &seat(1), &user(1)).unwrap());
    }

    fn changes(&self, before: &Plane) -> Vec<ToBox> {
        before.changes(&self.centre.plane())
    }

    fn takes(&self, id: u64) -> Vec<&str> {
        let incident = self.centre.incident(IncidentId(id)).unwrap();
        incident.takes.iter().map(|take| take.name.as_str()).collect()
    }
}

#[test]
fn a_relay_is_told_what_changes_and_nothing_else() {
    let mut story = Story::new();
    let mut known = story.centre.plane();
    let mut told = |story: &Story| {
        let words = story.changes(&known);
        known = story.centre.plane();
        words
    };
    story.enrol(1, "first");
    let member = |keys: &[&str]| ToBox::Member {
        name: school(1),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    assert_eq!(told(&story), [member(&["first"])]);
    story.add(story.centre.renew(&school(1), "second", story.now));
    assert_eq!(told(&story), [member(&["second", "first"])]);
    story.add(story.centre.confirm_renewal(&school(1), "second"));
    assert_eq!(told(&story), [member(&["second"])]);

    story.receive(1, press(1));
    let [ToBox::Room(rings)] = &told(&story)[..] else { panic!("one room") };
    assert_eq!((rings.incident, rings.host.as_ref(), &rings.boxes[..]), (FIRST, None, &[school(1)][..]));
    story.add(story.centre.acknowledge(FIRST, desk_of(1)).unwrap());
    assert_eq!(told(&story), [], "who has seen it is nothing to a relay");
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    let [ToBox::Room(answered)] = &told(&story)[..] else { panic!("one room") };
    assert_eq!(answered.host, Some(seat(1)));
    story.add(story.centre.lose_seat(&seat(1)));
    let [ToBox::Void(void), ToBox::Room(lost)] = &told(&story)[..] else { panic!("one room") };
    assert_eq!(void.seat, Some(seat(1)), "nor sees anything with the pass that it had");
    assert_eq!(lost.host, None, "a host that has gone is heard no more");
    story.add(story.centre.revoke(&school(1), Actor::Desk).unwrap());
    assert_eq!(told(&story), [ToBox::MemberGone { name: school(1) }]);
    story.close(FIRST);
    assert_eq!(told(&story), [ToBox::RoomClosed { incident: FIRST }]);
}

#[test]
fn all_boxes_of_a_site_are_in_its_room_and_none_of_another() {
    let mut story = Story::new();
    let site = story.centre.site(&SiteId::new("school-1").unwrap()).unwrap().id.clone();
    let cameras = BoxId::new("school-1-cameras").unwrap();
    story.add(story.centre.register_box(cameras.clone(), Some(site), Actor::Desk).unwrap());
    story.receive(1, press(1));
    assert_eq!(story.centre.guests(story.one()), [school(1)], "not enrolled yet");
    story.add(story.centre.enrol(&cameras, "t", "k", story.now));
    story.enrol(2, "other");
    assert_eq!(story.centre.guests(story.one()), [school(1), cameras]);
}

#[test]
fn a_number_of_a_relay_counts_once_and_a_new_relay_counts_anew() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.record(1, began(TAKE));
    assert_eq!(story.centre.recorded(&relay(), 1, began("school-1-gate/gate/5")), None);
    assert_eq!(story.takes(1), [TAKE]);
    assert_eq!(story.centre.last_recorded(&relay()), 1);
    story.add(vec![Event::BoxRegistered { name: relay(), site: None, by: Actor::Desk }]);
    story.add(story.centre.enrol(&relay(), "t", "k", story.now));
    assert_eq!(story.centre.last_recorded(&relay()), 0);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn a_take_is_listed_with_every_open_incident_of_its_site_and_late_words_find_the_closed_one() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.receive(2, press(2));
    story.record(1, began(TAKE));
    assert_eq!((story.takes(1), story.takes(2)), (vec![TAKE], vec![]));
    story.receive(1, notice(3, What::Tampered));
    assert_eq!(story.takes(3), [TAKE], "it goes on when another incident opens");
    story.close(FIRST);
    story.record(2, Recorded::Ended { take: TAKE.into(), length: 9 });
    let ended = |id| story.centre.incident(IncidentId(id)).unwrap().takes[0].ended;
    assert!(ended(1) && ended(3));
    story.close(IncidentId(3));
    story.record(3, began("school-1-gate/gate/7"));
    assert_eq!(story.takes(3), [TAKE, "school-1-gate/gate/7"], "told late: the last one that closed");
    story.record(4, began("room/2/seat-seat-1"));
    assert_eq!(story.takes(2), ["room/2/seat-seat-1"]);
    story.record(5, began("school-9/gate/7"));
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn what_is_held_is_kept_after_the_end_and_what_is_open_until_then() {
    let mut story = Story::new();
    let hold = |story: &Story| match &Plane::default().changes(&story.centre.plane())[..] {
        [ToBox::Hold { takes }, ..] => takes.clone(),
        _ => vec![],
    };
    story.receive(1, press(1));
    story.record(1, began(TAKE));
    assert_eq!(hold(&story), [TAKE]);
    story.add(story.centre.hold(FIRST, true, desk_of(1)).unwrap());
    assert_eq!(story.centre.hold(FIRST, true, desk_of(1)), Ok(vec![]));
    story.close(FIRST);
    assert_eq!(hold(&story), [TAKE]);
    story.add(story.centre.hold(FIRST, false, desk_of(1)).unwrap());
    assert_eq!(hold(&story), [""; 0]);
}

#[test]
fn a_hold_that_no_relay_could_be_told_is_refused() {
    let mut story = Story::new();
    let long = |n: u32| format!("school-1-gate/{}/{n}", "c".repeat(63));
    let (mut number, mut held) = (0, 0);
    for incident in 1..=20 {
        story.receive(1, press(incident));
        for take in 0..100 {
            number += 1;
            story.record(number, began(&long(u32::from(incident) * 1000 + take)));
        }
        let id = IncidentId(u64::from(incident));
        match story.centre.hold(id, true, desk_of(1)) {
            Ok(events) => {
                held += 1;
                story.add(events);
            }
            Err(refused) => assert_eq!(refused, Refused::HoldFull),
        }
        story.close(id);
    }
    assert!((5..20).contains(&held), "{held}");
    for word in Plane::default().changes(&story.centre.plane()) {
        assert!(crate::wire::encode(&word).is_ok(), "goes in one frame");
    }
}

#[test]
fn only_the_host_of_an_open_ordinary_incident_speaks() {
    let mut story = Story::new();
    let ordinary = What::Alarm { mode: Mode::Ordinary, nature: Nature::Real, at_start: false };
    story.receive(1, notice(1, ordinary.clone()));
    story.receive(2, press(2));
    assert!(!story.centre.may_speak(FIRST, &seat(1)), "it rings");
    for id in [1, 2] {
        story.add(story.centre.answer(IncidentId(id), &seat(1), &user(1)).unwrap());
    }
    assert!(story.centre.may_speak(FIRST, &seat(1)) && !story.centre.may_speak(FIRST, &seat(2)));
    assert!(!story.centre.may_speak(IncidentId(2), &seat(1)), "silent");
    story.receive(1, press(3));
    assert!(!story.centre.may_speak(FIRST, &seat(1)), "one silent press silences the whole incident");
    story.receive(2, notice(4, ordinary));
    assert!(!story.centre.may_speak(IncidentId(2), &seat(1)), "and no ordinary one undoes that");
}

#[test]
fn a_look_without_a_press_has_a_reason_and_an_end() {
    let mut story = Story::new();
    let look = |story: &Story, cameras: Vec<CameraId>, reason: &str| {
        let (seat, user) = (seat(1), user(1));
        story.centre.watch(&school(1), cameras, reason.into(), (&seat, &user), story.now)
    };
    assert!(matches!(look(&story, vec![yard()], "x"), Err(Refused::NotFound { .. })), "not enrolled");
    story.enrol(1, "k");
    assert_eq!(look(&story, vec![yard()], " "), Err(Refused::Reason));
    assert_eq!(look(&story, vec![yard()], &"x".repeat(201)), Err(Refused::Reason));
    assert_eq!(look(&story, vec![], "x"), Err(Refused::Cameras));
    assert_eq!(look(&story, vec![yard(); CAMERAS_MAX + 1], "x"), Err(Refused::Cameras));
    story.add(look(&story, vec![yard(), yard()], "a parent called").unwrap());
    let wanted = |story: &Story| {
        let all = Plane::default().changes(&story.centre.plane());
        all.into_iter()
            .find_map(|word| if let ToBox::Wanted { cameras, .. } = word { Some(cameras) } else { None })
    };
    assert_eq!(wanted(&story), Some(vec![yard()]));
    story.wait(599);
    assert!(wanted(&story).is_some());
    story.wait(1);
    assert_eq!(wanted(&story), None);
    story.add(look(&story, vec![yard()], "again").unwrap());
    story.add(story.centre.lose_seat(&seat(1)));
    assert_eq!(wanted(&story), None, "nobody looks from an empty seat");
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn who_was_let_in_is_written_once() {
    let mut story = Story::new();
    story.receive(1, press(1));
    let letting = |story: &Story, n| story.centre.let_in(FIRST, &seat(n), &user(n)).unwrap();
    story.add(letting(&story, 1));
    assert_eq!(letting(&story, 1), []);
    assert_eq!(letting(&story, 2).len(), 1);
    story.close(FIRST);
    assert_eq!(letting(&story, 1), []);
    assert!(story.centre.let_in(IncidentId(9), &seat(1), &user(1)).is_err());
}

#[test]
fn a_fault_of_a_camera_is_one_of_its_box() {
    let mut story = Story::new();
    let about = About::camera(school(1), yard());
    story.add(story.centre.raise(about.clone(), Fault::CameraLost).into_iter().collect());
    let standing: Vec<_> =
        story.centre.faults_of(Some(&school(1))).map(|fault| fault.about.clone()).collect();
    assert_eq!(standing, [about]);
    let text = serde_json::to_string(&story.centre).unwrap();
    assert_eq!(serde_json::from_str::<Centre>(&text).unwrap(), story.centre);
}
