use super::*;
use crate::centre::Plane;
use crate::media::VOIDS_MAX;
use crate::wire::ToBox;

impl Story {
    /// Whether a pass that seat `n` was given at line `line` still opens `room`.
    fn opens(&self, n: u8, room: Option<IncidentId>, line: u64) -> bool {
        !self.centre.voids().iter().any(|void| void.hits(&user(n), &seat(n), room, line))
    }
}

#[test]
fn whoever_signs_out_or_is_lost_has_no_pass_any_more() {
    for lost in [false, true] {
        let mut story = Story::new();
        let before = story.centre.seq();
        story.add(if lost {
            story.centre.lose_seat(&seat(1))
        } else {
            story.centre.close_seat(&seat(1)).unwrap()
        });
        assert!(!story.opens(1, None, before) && !story.opens(1, Some(FIRST), before));
        assert!(story.opens(2, None, before), "nobody else's");
        story.add(story.centre.open_seat(&seat(1), &user(1)).unwrap());
        assert!(story.opens(1, None, story.centre.seq()), "a new pass is good");
        assert!(!story.opens(1, None, before), "an old one is not good again");
    }
}

#[test]
fn a_transfer_takes_the_old_hosts_pass_of_this_room_only() {
    let mut story = Story::new();
    story.receive(1, press(1));
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    story.add(story.centre.offer(FIRST, &seat(2), &seat(1), &user(1)).unwrap());
    let before = story.centre.seq();
    assert_eq!(story.centre.voids(), []);
    story.add(story.centre.accept(FIRST, &seat(2), &user(2)).unwrap());
    assert!(!story.opens(1, Some(FIRST), before));
    assert!(story.opens(1, None, before) && story.opens(1, Some(IncidentId(2)), before));
    assert!(story.opens(2, Some(FIRST), before));
    assert!(story.opens(1, Some(FIRST), story.centre.seq()), "as a guest it may look again");
}

#[test]
fn who_may_not_be_here_any_longer_leaves_at_once_and_what_was_owned_rings_again() {
    let mut story = Story::new();
    let account = |n| crate::register::Account {
        user: user(n),
        name: "x".into(),
        role: crate::role::Role::Administrator,
    };
    for n in 1..=2 {
        story.add(story.centre.make_account(account(n), Actor::Desk).unwrap());
    }
    story.receive(1, press(1));
    story.add(story.centre.answer(FIRST, &seat(1), &user(1)).unwrap());
    let before = story.centre.seq();
    let by = |n| Actor::Seat { user: user(n), seat: seat(n) };
    story.add(story.centre.change_password(&user(1), by(1)).unwrap());
    assert!(story.opens(1, Some(FIRST), before), "a new password of one's own ends nothing");
    story.add(story.centre.change_password(&user(1), by(2)).unwrap());
    assert!(!story.opens(1, Some(FIRST), before));
    story.add(story.centre.remove_account(&user(1), by(2)).unwrap());
    assert!(!story.opens(1, None, story.centre.seq() - 1));
    assert_eq!(story.one().step, Step::Ringing);
    assert_eq!(story.centre.seats().count(), 1);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn relays_hear_each_once_and_nothing_grows_without_end() {
    let mut story = Story::new();
    let told = |before: &Plane, now: &Plane| {
        before.changes(now).iter().filter(|word| matches!(word, ToBox::Void(_))).count()
    };
    let before = story.centre.plane();
    for _ in 0..3 {
        story.add(story.centre.lose_seat(&seat(1)));
        story.add(story.centre.open_seat(&seat(1), &user(1)).unwrap());
    }
    story.add(story.centre.lose_seat(&seat(2)));
    let now = story.centre.plane();
    assert_eq!((told(&before, &now), told(&now, &now), told(&Plane::default(), &now)), (2, 0, 2));
    for n in 0..VOIDS_MAX + 5 {
        let seat = SeatId::new(format!("s{n}")).unwrap();
        story.add(vec![Event::SeatClosed { seat, lost: true }]);
    }
    assert_eq!(story.centre.voids().len(), VOIDS_MAX);
    assert!(story.centre.voids().is_sorted_by_key(|void| void.line));
}
