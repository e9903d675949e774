//! What a relay is told, and what it tells.

use crate::centre::{Desk, Relay, School, camera, until};
use alarm::media::{Recorded, Room};
use alarm::wire::{Purpose, ToBox};
use alarm::{BoxId, Fault, IncidentId, Mode};
use serde_json::json;

const TAKE: &str = "school-1-gate/yard/1763740800123";

fn room(word: &ToBox) -> Option<Room> {
    if let ToBox::Room(room) = word { Some(room.clone()) } else { None }
}

fn segment(number: u64) -> Recorded {
    Recorded::Segment {
        take: TAKE.into(),
        track: "video".into(),
        number,
        from: number * 2000,
        to: (number + 1) * 2000,
        bytes: 10,
        sha256: "a".repeat(64),
        chain: "b".repeat(64),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_hears_all_that_is_and_then_what_changes() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let mut relay = Relay::open(&desk).await;
    let told = relay.told().await;
    assert!(matches!(told[0], ToBox::PassKey { .. }), "{told:?}");
    let member = |word: &ToBox| matches!(word, ToBox::Member { name, keys } if name.as_str() == "school-1-gate" && keys.len() == 1);
    assert_eq!(told.iter().filter(|word| member(word)).count(), 1, "{told:?}");
    let rings = told.iter().find_map(room).unwrap();
    assert_eq!((rings.incident, rings.mode, rings.host), (IncidentId(1), Mode::Silent, None));
    assert_eq!(rings.boxes, [BoxId::new("school-1-gate").unwrap()]);

    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    let answered = relay.until(room).await;
    assert_eq!(answered.host.as_ref().map(alarm::SeatId::as_str), Some("seat-1"));
    desk.ok("POST", "/api/incidents/1/close", &json!({ "outcome": "handled" }));
    let closed =
        relay.until(|word| Some(word.clone()).filter(|word| matches!(word, ToBox::RoomClosed { .. })));
    assert_eq!(closed.await, ToBox::RoomClosed { incident: IncidentId(1) });
    desk.ok("DELETE", "/api/boxes/school-1-gate", &json!({}));
    relay
        .until(|word| {
            matches!(word, ToBox::MemberGone { name } if name.as_str() == "school-1-gate").then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_recorded_is_written_once_however_often_it_is_told() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let mut relay = Relay::open(&desk).await;
    relay.told().await;
    relay.recorded(1, Recorded::Began { take: TAKE.into() }).await;
    relay.recorded(2, segment(0)).await;
    relay.recorded(2, segment(0)).await;
    relay.recorded(3, segment(1)).await;
    relay.written(3).await;
    relay.recorded(3, segment(9)).await;
    relay.recorded(4, Recorded::Gap { take: TAKE.into(), track: "video".into(), from: 4000, to: 5000 }).await;
    relay.written(4).await;

    let takes = desk.incident(1)["takes"].clone();
    assert_eq!(takes.as_array().unwrap().len(), 1, "{takes}");
    let take = &takes[0];
    assert_eq!((&take["take"], &take["camera"]), (&json!(TAKE), &json!("yard")));
    assert_eq!((&take["from"], &take["to"], &take["ended"]), (&json!(0), &json!(4000), &json!(false)));
    assert_eq!(take["gaps"], json!([{ "track": "video", "from": 4000, "to": 5000 }]));
    assert_eq!(desk.told(1, "recorded"), 2, "the beginning and the gap; segments stand in the journal only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_comes_back_hears_how_far_it_was_written_and_goes_on() {
    let desk = Desk::start().await;
    let mut relay = Relay::open(&desk).await;
    relay.recorded(1, Recorded::Began { take: TAKE.into() }).await;
    relay.written(1).await;
    let mut relay = Relay::on(relay.session).await;
    relay.written(1).await;
    relay.recorded(2, segment(0)).await;
    relay.written(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_that_are_held_are_told() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let mut relay = Relay::open(&desk).await;
    relay.recorded(1, Recorded::Began { take: TAKE.into() }).await;
    let held = |word: &ToBox| if let ToBox::Hold { takes } = word { Some(takes.clone()) } else { None };
    assert_eq!(relay.until(held).await, [TAKE], "open");
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    desk.ok("PUT", "/api/incidents/1/hold", &json!({ "held": true }));
    desk.ok("POST", "/api/incidents/1/close", &json!({ "outcome": "handled" }));
    relay.until(|word| matches!(word, ToBox::RoomClosed { .. }).then_some(())).await;
    desk.ok("PUT", "/api/incidents/1/hold", &json!({ "held": false }));
    assert_eq!(relay.until(held).await, [""; 0], "closed and let go");
    assert_eq!(desk.told(1, "held"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_cameras_are_told_of_their_box_and_end() {
    let desk = Desk::start().await;
    let _school = School::open(&desk, "school-1-gate").await;
    let mut relay = Relay::open(&desk).await;
    relay.report(&desk, vec![camera("yard", Some(Fault::CameraLost)), camera("gate", None)]).await;
    until(|| desk.appliance("school-1-gate")["faults"][0]["camera"] == "yard").await;
    let shown = desk.appliance("school-1-gate");
    assert_eq!(shown["faults"][0]["fault"], "camera-lost");
    assert_eq!(shown["cameras"][1], json!({ "id": "gate", "live": true, "still": 5, "fault": null }));
    relay.report(&desk, vec![camera("yard", None)]).await;
    until(|| desk.appliance("school-1-gate")["faults"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_is_no_relay() {
    let desk = Desk::start().await;
    let session = desk.enrol("wall-1", None).await;
    let mut stream = session.open(Purpose::Relay).await.unwrap();
    assert!(stream.recv().await.is_err(), "refused");
}
