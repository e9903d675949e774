use super::rig::{Rig, button, path};
use crate::core::*;
use alarm::{Fault, What};

const BROKEN: What = What::Fault { fault: Fault::SpoolDamaged };
const MENDED: What = What::Cleared { fault: Fault::SpoolDamaged };

fn gate() -> Vec<Supervised> {
    vec![button("gate", Mode::Silent, false)]
}

fn rig() -> Rig {
    let mut rig = Rig::new(gate());
    rig.set("gate", false);
    rig
}

fn press() -> What {
    What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false }
}

#[test]
fn nothing_leaves_before_it_is_kept() {
    let mut rig = rig();
    rig.disk = None;
    rig.set("gate", true);
    assert_eq!(rig.told(), []);
    rig.written(Written::Kept);
    assert_eq!(rig.told(), [press()]);
}

#[test]
fn presses_that_come_during_a_write_share_the_next_one() {
    let mut rig = Rig::new(vec![
        button("a", Mode::Silent, false),
        button("b", Mode::Silent, false),
        button("c", Mode::Silent, false),
    ]);
    for name in ["a", "b", "c"] {
        rig.set(name, false);
    }
    rig.disk = None;
    rig.set("a", true);
    rig.set("b", true);
    rig.set("c", true);
    assert_eq!(rig.sent.len(), 0);
    rig.written(Written::Kept);
    assert_eq!(rig.sent.len(), 1);
    rig.written(Written::Kept);
    assert_eq!(rig.sent.len(), 3);
}

#[test]
fn a_full_disk_holds_no_alarm_back() {
    let mut rig = rig();
    rig.disk = Some(Written::Failed);
    rig.set("gate", true);
    assert_eq!(rig.told(), [press(), BROKEN]);
    assert_eq!(rig.core.status(rig.now()).faults, [Fault::SpoolDamaged]);
    rig.pass(10_000);
    assert!(!rig.told().contains(&MENDED));

    rig.disk = Some(Written::Kept);
    rig.pass(RETRY_EVERY.as_millis().try_into().unwrap());
    assert!(rig.told().contains(&MENDED));
    let kept = Spool::replay(&rig.file).spool.waiting();
    assert_eq!(kept[0].what, press(), "what was in memory only is on the disk now");
    assert_eq!(rig.core.status(rig.now()).faults, []);
}

#[test]
fn a_press_while_the_disk_is_known_to_be_broken_leaves_at_once_and_says_so() {
    let mut rig = rig();
    rig.disk = Some(Written::Failed);
    rig.set("gate", true);
    rig.told();
    let id = rig.core.handle_press(None, None, Nature::Real, rig.now()).unwrap();
    rig.act();
    assert_eq!((rig.told(), rig.answers.clone()), (vec![press()], vec![(id, false)]));
}

#[test]
fn a_disk_that_does_not_answer_holds_an_alarm_back_for_two_seconds() {
    let mut rig = rig();
    rig.disk = None;
    rig.set("gate", true);
    rig.pass(WRITE_LIMIT.as_millis() as u64 - 200);
    assert_eq!(rig.told(), []);
    rig.pass(200);
    assert_eq!(rig.told(), [press(), BROKEN]);
    rig.disk = Some(Written::Kept);
    rig.written(Written::Kept);
    assert!(rig.told().contains(&MENDED));
}

#[test]
fn a_torn_end_is_told_once_and_cleared_by_the_next_good_write() {
    let mut rig = Rig::found(gate(), &[], 0, Found::Torn, true);
    assert_eq!(rig.told(), [BROKEN, MENDED]);
    rig.pass(10_000);
    rig.ack_all();
    assert!(!rig.told().contains(&BROKEN));
}

#[test]
fn a_spool_that_cannot_be_opened_is_made_again_when_it_can() {
    let mut rig = Rig::found(gate(), &[], 0, Found::Unusable, true);
    assert_eq!(rig.told(), [BROKEN, MENDED]);
    rig.set("gate", false);
    rig.set("gate", true);
    assert_eq!(rig.told(), [press()]);
}

#[test]
fn acks_shorten_the_spool_and_survive_a_rewrite() {
    let mut rig = rig();
    for n in 0..600 {
        rig.set("gate", n % 2 == 0);
        rig.pass(11_000);
        rig.ack_all();
        rig.told();
    }
    assert!(rig.file.len() < 100_000, "{} bytes", rig.file.len());
    assert!(Spool::replay(&rig.file).spool.is_empty());
    assert!(rig.core.is_kept() && rig.core.no_alarm_waits());
}

#[test]
fn a_full_spool_is_told_once_and_cleared_when_half_is_free() {
    let mut rig = rig();
    let full = What::Fault { fault: Fault::SpoolFull };
    rig.core.handle_path_down(&path("wired"));
    for _ in 0..2200 {
        for cut in [true, false] {
            rig.levels(&[("gate-no", false), ("gate-nc", !cut)]);
            rig.pass(600);
        }
    }
    let waiting = Spool::replay(&rig.file).spool.waiting();
    assert_eq!(waiting.iter().filter(|notice| notice.what == full).count(), 1);
    for notice in waiting {
        rig.ack(notice.id);
    }
    rig.told();
    rig.pass(10_000);
    let left = Spool::replay(&rig.file).spool.waiting();
    assert!(left.iter().any(|notice| notice.what == What::Cleared { fault: Fault::SpoolFull }), "{left:?}");
}

/// What never reached the spool is ended by the status report: the desk clears a fault of the box itself that the box
/// no longer names.
#[test]
fn a_fault_of_the_box_that_a_restart_ended_is_not_in_its_status() {
    let mut rig = rig();
    rig.disk = Some(Written::Failed);
    rig.set("gate", true);
    assert_eq!(rig.told(), [press(), BROKEN]);
    let again = rig.again(gate());
    assert_eq!(again.core.status(again.now()).faults, []);
}

/// Alarms that watchers may hear of, since the last call.
fn raised(rig: &mut Rig) -> Vec<What> {
    std::iter::from_fn(|| rig.core.poll_raised()).map(|notice| notice.what).collect()
}

#[test]
fn watchers_hear_of_an_alarm_when_it_is_kept_or_cannot_be() {
    let mut rig = rig();
    rig.disk = None;
    rig.set("gate", true);
    assert_eq!(raised(&mut rig), []);
    rig.written(Written::Kept);
    assert_eq!(raised(&mut rig), [press()]);
    rig.set("gate", false);
    rig.written(Written::Kept);
    assert_eq!(raised(&mut rig), [], "a release is no alarm");
    rig.pass(60_000);
    rig.set("gate", true);
    assert_eq!(raised(&mut rig), []);
    rig.pass(WRITE_LIMIT.as_millis() as u64 + 200);
    assert_eq!(raised(&mut rig), [press()], "the disk has given up");
}

#[test]
fn watchers_hear_of_what_an_earlier_life_could_not_deliver() {
    let mut rig = rig();
    rig.set("gate", true);
    assert_eq!(raised(&mut rig), [press()]);
    let mut again = rig.again(gate());
    assert_eq!(raised(&mut again), [press()]);
}
