//! Self-tests and commissioning as the centre folds them.

use super::*;
use crate::commission::Missing;
use crate::event::About;
use crate::selftest::{Cause, Failure, How, Proof, Report, UNPROVED_AFTER};

fn enrolled() -> Story {
    let mut story = Story::new();
    let name = school(1);
    let ticket =
        story.centre.issue_ticket(&name, "t".into(), story.now + Duration::from_secs(60), Actor::Desk);
    story.add(ticket.unwrap());
    story.add(story.centre.enrol(&name, "t", "key", story.now + UNPROVED_AFTER * 10));
    story
}

fn tested(story: &mut Story, n: u16, points: &[(&str, Option<Failure>)]) -> bool {
    let proof = |(point, failed): &(&str, Option<Failure>)| Proof {
        point: PointId::new(*point).unwrap(),
        how: How::Kernel,
        ms: 5,
        failed: failed.clone(),
    };
    let proofs = points.iter().map(proof).collect();
    let report = Report { cause: Cause::Daily, run: i64::from(n), part: 1, parts: 1, proofs };
    let at = story.now;
    story.receive(1, Notice { point: None, at, ..notice(n, What::SelfTest(report)) })
}

fn faults(story: &Story) -> Vec<String> {
    let word = |standing: Standing<'_>| {
        let point = standing.about.point.as_ref().map_or("-", PointId::as_str);
        format!("{point} {}", standing.fault)
    };
    story.centre.faults_of(Some(&school(1))).map(word).collect()
}

#[test]
fn a_box_that_never_tells_of_a_test_is_a_fault_after_a_day_and_two_hours() {
    let mut story = enrolled();
    story.wait(UNPROVED_AFTER.as_secs() - 1);
    assert_eq!(faults(&story), [""; 0]);
    story.wait(1);
    story.wait(1);
    assert_eq!(faults(&story), ["- unproved"]);
    tested(&mut story, 1, &[("gate", None)]);
    assert_eq!(faults(&story), [""; 0]);
    assert_eq!(story.replayed(), story.centre);
}

#[test]
fn each_point_stands_for_itself_and_one_that_is_gone_for_nothing() {
    let mut story = enrolled();
    assert!(tested(&mut story, 1, &[("gate", None), ("office", None), ("yard", Some(Failure::Busy))]));
    assert!(!tested(&mut story, 1, &[("gate", None)]), "the same report is taken once");
    assert_eq!(faults(&story), [""; 0], "an alarm that was in the way is no fault");
    story.wait(3600);
    tested(&mut story, 2, &[("gate", None), ("office", Some(Failure::Deaf)), ("yard", None)]);
    assert_eq!(faults(&story), ["office self-test-failed"]);
    story.wait(UNPROVED_AFTER.as_secs() - 3600);
    assert_eq!(faults(&story), ["office self-test-failed", "office unproved"]);
    tested(&mut story, 3, &[("gate", None)]);
    assert_eq!(faults(&story), [""; 0]);
    story.wait(UNPROVED_AFTER.as_secs());
    assert_eq!(faults(&story), ["gate unproved"]);
    assert!(story.centre.open.is_empty(), "none of this is an incident");
    assert_eq!(story.replayed(), story.centre);
}

/// What waited in the box for a day was done a day ago.
#[test]
fn a_report_that_comes_late_proves_for_when_it_was_done() {
    let mut story = enrolled();
    let done = story.now;
    story.wait(UNPROVED_AFTER.as_secs() - 60);
    let proof = Proof { point: PointId::new("gate").unwrap(), how: How::Kernel, ms: 5, failed: None };
    let report = Report { cause: Cause::Daily, run: 1, part: 1, parts: 1, proofs: vec![proof] };
    story.receive(1, Notice { point: None, at: done, ..notice(1, What::SelfTest(report)) });
    story.wait(60);
    assert_eq!(faults(&story), ["gate unproved"]);
}

#[test]
fn a_box_that_is_put_out_of_service_is_not_missed() {
    let mut story = enrolled();
    tested(&mut story, 1, &[("gate", Some(Failure::Deaf))]);
    story.add(story.centre.revoke(&school(1), Actor::Desk).unwrap());
    story.wait(UNPROVED_AFTER.as_secs() * 2);
    assert_eq!((faults(&story), story.centre.selftest(&school(1))), (vec![], None));
}

#[test]
fn a_box_comes_into_service_once_and_anew_with_a_new_ticket() {
    let mut story = enrolled();
    let name = school(1);
    assert_eq!(story.centre.uncommissioned().count(), 1);
    let missing = vec![Missing::SelfTest];
    story.add(story.centre.commission(&name, missing, Actor::Desk).unwrap());
    assert_eq!(story.centre.commission(&name, vec![], Actor::Desk), Ok(vec![]));
    assert_eq!(story.centre.uncommissioned().count(), 0);
    let waiting = school(2);
    assert!(matches!(story.centre.commission(&waiting, vec![], Actor::Desk), Err(Refused::NotEnrolled(_))));
    assert!(matches!(story.centre.ask_selftest(&waiting, Actor::Desk), Err(Refused::NotEnrolled(_))));
    story.add(story.centre.enrol(&name, "t", "key-2", story.now));
    assert_eq!(story.centre.uncommissioned().count(), 1);
    assert!(!story.centre.is_faulty(&About::appliance(name), &crate::Fault::Unproved));
}
