//! Self-tests and commissioning at a desk: what a box reports is shown, asked for and kept.

use crate::centre::{Desk, PATIENCE, Relay, camera, until};
use alarm::selftest::{Cause, Failure, How, Proof, Report};
use alarm::wire::{Purpose, Status, ToBox, ToRack};
use alarm::{Fault, Notice, NoticeId, PointId, What};
use link::Clock;
use link::client::Stream;
use serde_json::json;
use tokio::time::timeout;

fn proof(point: &str, ms: u32, failed: Option<Failure>) -> Proof {
    Proof { point: PointId::new(point).unwrap(), how: How::Contact, ms, failed }
}

fn tested(number: u8, proofs: Vec<Proof>) -> Notice {
    let at = Clock::system().now();
    let report = Report { cause: Cause::Daily, run: i64::from(number), part: 1, parts: 1, proofs };
    let id = NoticeId::new(at.millis(), [number; 10]);
    Notice { id, point: None, at, clock_sure: true, what: What::SelfTest(report) }
}

/// Reports twice, as over two paths, and waits until that is written down.
async fn report(alarms: &mut Stream, notice: Notice) {
    for _ in 0..2 {
        alarms.send(&ToRack::of(notice.clone())).await.unwrap();
        let answer = timeout(PATIENCE, alarms.recv()).await.unwrap().unwrap();
        assert_eq!(answer, Some(ToBox::Ack { id: notice.id }));
    }
}

fn words(desk: &Desk, name: &str) -> Vec<String> {
    let faults = desk.appliance(name)["faults"].as_array().unwrap().clone();
    faults.iter().map(|fault| fault["fault"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn results_are_shown_per_point_and_a_failure_is_a_fault_until_it_passes() {
    let desk = Desk::start().await;
    let session = desk.enrol("school-1-gate", Some("school-1")).await;
    let mut alarms = session.open(Purpose::Alarm).await.unwrap();
    let failed = vec![proof("gate", 41, None), proof("office", 750, Some(Failure::Deaf))];
    report(&mut alarms, tested(1, failed)).await;
    let shown = desk.appliance("school-1-gate");
    let points = &shown["selftest"]["points"];
    assert_eq!((&points[0]["ms"], &points[0]["how"]), (&json!(41), &json!("contact")));
    assert_eq!(points[1]["failed"], "deaf");
    assert_eq!(words(&desk, "school-1-gate"), ["self-test-failed"]);
    report(&mut alarms, tested(2, vec![proof("gate", 41, None), proof("office", 44, None)])).await;
    assert_eq!(words(&desk, "school-1-gate"), [""; 0]);
    let state = desk.ok("GET", "/api/state", &json!({}));
    assert_eq!(state["incidents"], json!([]), "a self-test is no alarm");
}

#[tokio::test]
async fn a_test_is_asked_for_over_the_status_stream() {
    let desk = Desk::start().await;
    let (status, refused) = desk.call("POST", "/api/boxes/nobody/self-test", &json!({}));
    assert_eq!((status, refused["error"].as_str()), (404, Some("not-found")));
    let session = desk.enrol("school-1-gate", Some("school-1")).await;
    let (status, refused) = desk.call("POST", "/api/boxes/school-1-gate/self-test", &json!({}));
    assert_eq!((status, refused["error"].as_str()), (409, Some("not-linked")));
    let mut stream = session.open(Purpose::Status).await.unwrap();
    stream.send(&ToRack::Status(Status::default())).await.unwrap();
    assert!(matches!(timeout(PATIENCE, stream.recv()).await.unwrap().unwrap(), Some(ToBox::Seen { .. })));
    let person = desk.person("aux", "auxiliary", "seat-2");
    assert_eq!(person.call("POST", "/api/boxes/school-1-gate/self-test", &json!({})).0, 403);
    desk.ok("POST", "/api/boxes/school-1-gate/self-test", &json!({}));
    let heard = timeout(PATIENCE, stream.recv()).await.unwrap().unwrap();
    assert!(matches!(heard, Some(ToBox::SelfTest { number }) if number > 0), "{heard:?}");
}

#[tokio::test]
async fn a_box_comes_into_service_when_nothing_is_missing() {
    let desk = Desk::start().await;
    let session = desk.enrol("school-1-gate", Some("school-1")).await;
    let mut alarms = session.open(Purpose::Alarm).await.unwrap();
    until(|| desk.appliance("school-1-gate")["paths"][0]["up"] == true).await;
    let mut relay = Relay::open(&desk).await;
    relay.report(&desk, vec![camera("yard", Some(Fault::CameraLost))]).await;
    let missing = || desk.appliance("school-1-gate")["commission"]["missing"].clone();
    let lost = json!({ "what": "camera", "name": "yard", "why": null });
    assert_eq!(missing(), json!([{ "what": "self-test", "name": null, "why": null }, lost]));
    report(&mut alarms, tested(1, vec![proof("gate", 9, Some(Failure::Faulty))])).await;
    let gate = json!({ "what": "point", "name": "gate", "why": "faulty" });
    assert_eq!(missing(), json!([gate, lost]));
    report(&mut alarms, tested(2, vec![proof("gate", 9, None)])).await;
    assert_eq!(missing(), json!([lost]));
    relay.report(&desk, vec![camera("yard", None)]).await;
    until(|| desk.appliance("school-1-gate")["commission"]["done"].is_i64()).await;
    assert_eq!(desk.appliance("school-1-gate")["commission"]["by"], "desk");
}

#[tokio::test]
async fn a_technician_takes_a_box_as_it_is() {
    let desk = Desk::start().await;
    drop(desk.enrol("school-1-gate", Some("school-1")).await);
    let person = desk.person("aux", "auxiliary", "seat-2");
    assert_eq!(person.call("POST", "/api/boxes/school-1-gate/commission", &json!({})).0, 403);
    let shown = desk.ok("POST", "/api/boxes/school-1-gate/commission", &json!({}));
    assert_eq!((&shown["commission"]["by"], &shown["commission"]["missing"]), (&json!("admin"), &json!([])));
    let (status, _) = desk.call("POST", "/api/boxes/nobody/commission", &json!({}));
    assert_eq!(status, 404);
}
