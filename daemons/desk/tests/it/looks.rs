//! Who may see and hear what.

use crate::centre::{Desk, Relay, School};
use alarm::media::Pass;
use alarm::wire::ToBox;
use alarm::{CameraId, Mode, Wall};
use link::pass::PublicPassKey;
use serde_json::{Value, json};

async fn staged(mode: Mode) -> (Desk, School, Relay, PublicPassKey) {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, mode).await;
    let mut relay = Relay::open(&desk).await;
    let key =
        relay.until(|word| if let ToBox::PassKey { key } = word { Some(key.clone()) } else { None }).await;
    relay.report(&desk, vec![]).await;
    (desk, school, relay, PublicPassKey::from_text(&key).unwrap())
}

fn judged(key: &PublicPassKey, answer: &Value) -> Pass {
    key.judge(answer["pass"].as_str().unwrap(), Wall::from_millis(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_host_of_an_ordinary_incident_may_speak() {
    let (desk, _school, _relay, key) = staged(Mode::Ordinary).await;
    let before = desk.ok("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!((&before["publish"], &before["voice"]), (&Value::Null, &Value::Null), "it rings");
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    let host = desk.ok("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!(host["publish"], "room/1/seat-seat-1");
    assert_eq!(host["see"], json!(["box/school-1-gate", "room/1"]));
    assert_eq!((&host["port"], &host["certificates"]), (&json!(4433), &json!(["aGFzaA=="])));
    assert!(judged(&key, &host).publish);

    let guest = desk.person("li", "regular", "seat-2");
    let (status, guest) = guest.call("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!((status, &guest["publish"], &guest["voice"]), (200, &Value::Null, &json!("seat-1")));
    assert!(!judged(&key, &guest).publish);

    desk.ok("POST", "/api/incidents/1/close", &json!({ "outcome": "handled" }));
    let after = desk.ok("POST", "/api/incidents/1/pass", &json!({}));
    assert!(after["publish"].is_null() && judged(&key, &after).recordings_since.is_some());
    assert_eq!(desk.told(1, "pass-issued"), 2, "once for each person");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_into_a_silent_incident() {
    let (desk, _school, _relay, key) = staged(Mode::Silent).await;
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    let host = desk.ok("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!(
        (&host["mode"], &host["publish"], &host["voice"]),
        (&json!("silent"), &Value::Null, &Value::Null)
    );
    assert!(!judged(&key, &host).publish);
    let wall = desk.ok("GET", "/api/wall/pass", &json!({}));
    assert_eq!(wall["see"], json!(["box/school-1-gate"]));
    assert!(!judged(&key, &wall).publish);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_relay_there_are_no_pictures_and_alarms_are_as_ever() {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Silent).await;
    let (status, answer) = desk.call("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!((status, &answer["error"]), (503, &json!("no-relay")));
    assert_eq!(desk.told(1, "pass-issued"), 0);
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_without_a_press_needs_a_reason_and_ends() {
    let (desk, _school, mut relay, key) = staged(Mode::Silent).await;
    let path = "/api/boxes/school-1-gate/watch";
    let pass = "/api/boxes/school-1-gate/pass";
    assert_eq!(desk.call("POST", pass, &json!({})).0, 409);
    for no in [json!({ "cameras": [], "reason": "x" }), json!({ "cameras": ["yard"], "reason": " " })] {
        assert_eq!(desk.call("POST", path, &no).0, 400, "{no}");
    }
    let look = json!({ "cameras": ["yard"], "reason": "a parent called" });
    let auxiliary = desk.person("aux", "auxiliary", "seat-3");
    assert_eq!(auxiliary.call("POST", path, &look).0, 403);
    let shown = desk.ok("POST", path, &look);
    assert_eq!(shown["watching"][0]["seat"], "seat-1");
    let wanted =
        |word: &ToBox| if let ToBox::Wanted { cameras, .. } = word { Some(cameras.clone()) } else { None };
    assert_eq!(relay.until(wanted).await, [CameraId::new("yard").unwrap()]);
    let pass = desk.ok("POST", pass, &json!({}));
    assert_eq!(pass["until"], shown["watching"][0]["until"], "it ends with the look");
    assert!(!judged(&key, &pass).publish);
    desk.ok("DELETE", path, &json!({}));
    assert_eq!(relay.until(wanted).await, []);
    assert_eq!(desk.appliance("school-1-gate")["watching"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_sees_no_incident() {
    let (desk, _school, _relay, _key) = staged(Mode::Silent).await;
    let technician = desk.person("tech", "technician", "seat-4");
    for (method, path) in
        [("POST", "/api/incidents/1/pass"), ("GET", "/api/wall/pass"), ("GET", "/api/snapshots/0")]
    {
        assert_eq!(technician.call(method, path, &json!({})).0, 403, "{path}");
    }
    assert_eq!(technician.call("PUT", "/api/incidents/1/hold", &json!({ "held": true })).0, 403);
}
