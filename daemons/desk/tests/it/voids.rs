//! Passes that open nothing any more before their time is over, as relays hear of them.

use crate::centre::{Desk, Person, Relay, School};
use alarm::media::{Pass, Void};
use alarm::wire::ToBox;
use alarm::{IncidentId, Mode, SeatId, UserId};
use link::Clock;
use link::pass::PublicPassKey;
use serde_json::json;

fn void(word: &ToBox) -> Option<Void> {
    if let ToBox::Void(void) = word { Some(void.clone()) } else { None }
}

/// What the relay reads of the pass that somebody gets into the room.
fn into_room(key: &PublicPassKey, person: &Person) -> Pass {
    let (status, pass) = person.call("POST", "/api/incidents/1/pass", &json!({}));
    assert_eq!(status, 200, "{pass}");
    key.judge(pass["pass"].as_str().unwrap(), Clock::system().now()).unwrap()
}

fn hits(void: &Void, pass: &Pass) -> bool {
    void.hits(&pass.user, &pass.seat, pass.incident, pass.line)
}

/// A desk with a linked relay and an ordinary incident.
async fn scene() -> (Desk, School, Relay, PublicPassKey) {
    let desk = Desk::start().await;
    let mut school = School::open(&desk, "school-1-gate").await;
    school.press(1, Mode::Ordinary).await;
    let mut relay = Relay::open(&desk).await;
    let key =
        |word: &ToBox| if let ToBox::PassKey { key } = word { PublicPassKey::from_text(key) } else { None };
    let key = relay.until(key).await;
    relay.report(&desk, vec![]).await;
    (desk, school, relay, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_has_no_pass_any_more_and_gets_no_other() {
    let (desk, _school, mut relay, key) = scene().await;
    let officer = desk.person("li", "regular", "seat-2");
    let pass = into_room(&key, &officer);
    assert_eq!(officer.call("DELETE", "/api/session", &json!({})).0, 200);
    let said = relay.until(void).await;
    assert_eq!(
        (said.seat.clone(), said.user.clone(), said.incident),
        (SeatId::new("seat-2").ok(), None, None)
    );
    assert!(hits(&said, &pass), "{said:?} {pass:?}");
    assert_eq!(officer.call("POST", "/api/incidents/1/pass", &json!({})).0, 401);
    let again = desk.back("li", "seat-2");
    assert!(!hits(&said, &into_room(&key, &again)), "a new pass is good");
    // A relay that was away hears it too.
    let mut relay = Relay::on(relay.session).await;
    let told = relay.told().await;
    assert_eq!(told.iter().filter_map(void).collect::<Vec<_>>(), [said]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_host_leaves_with_the_transfer_and_comes_back_as_a_guest() {
    let (desk, _school, mut relay, key) = scene().await;
    desk.ok("POST", "/api/incidents/1/answer", &json!({}));
    let officer = desk.person("li", "regular", "seat-2");
    let (host, guest) = (into_room(&key, &desk.me()), into_room(&key, &officer));
    assert!(host.publish && !guest.publish);
    desk.ok("POST", "/api/incidents/1/offer", &json!({ "to": "seat-2" }));
    assert_eq!(officer.call("POST", "/api/incidents/1/accept", &json!({})).0, 200);
    let said = relay.until(void).await;
    assert_eq!(said.incident, Some(IncidentId(1)));
    assert!(hits(&said, &host) && !hits(&said, &guest), "{said:?}");
    let now = into_room(&key, &desk.me());
    assert!(!now.publish && !hits(&said, &now), "the old host may still look");
    assert!(into_room(&key, &officer).publish);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_removed_is_out_at_once_and_its_incidents_ring_again() {
    let (desk, _school, mut relay, key) = scene().await;
    let officer = desk.person("li", "regular", "seat-2");
    assert_eq!(officer.call("POST", "/api/incidents/1/answer", &json!({})).0, 200);
    let pass = into_room(&key, &officer);
    desk.ok("DELETE", "/api/accounts/li", &json!({}));
    let (first, second) = (relay.until(void).await, relay.until(void).await);
    assert_eq!(
        (first.seat.as_ref(), second.user.as_ref()),
        (SeatId::new("seat-2").ok().as_ref(), UserId::new("li").ok().as_ref())
    );
    assert!(hits(&first, &pass) && hits(&second, &pass));
    assert_eq!(desk.incident(1)["step"], "ringing");
    assert_eq!(officer.call("POST", "/api/incidents/1/pass", &json!({})).0, 401);
}
