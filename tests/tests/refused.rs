//! Whom the rack does not let in, and what it does not take from those it does: through the real desk.

use std::net::SocketAddr;
use std::time::Duration;

use alarm::event::{Actor, Event};
use alarm::ticket::{self, Ticket};
use alarm::wire::{self, EnrolAnswer, EnrolRefusal, Purpose, Refusal, ToBox};
use alarm::{BoxId, SiteId, Wall};
use journal::{HeadKey, Secret, Sqlite, Store};
use link::ca::{Ca, Request};
use link::proof::SecretHash;
use link::{Closed, Name, Reason};
use onepress::rig::{Button, Plan, Rack, pause};
use onepress_tests::centre::{Centre, SHOWN_WITHIN, folder, programs, until};
use onepress_tests::stranger::{self, Certified, Key, frame, hear, hello, knock, now, say};
use quinn::Connection;
use serde_json::json;
use tokio::time::timeout;

/// Whoever is cut off is cut off at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Whoever is refused hears it within a handshake.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_centre() {
    let centre = centre_with_a_site();
    let elsewhere = Ca::create("elsewhere", now()).unwrap();
    let closed = closed_on(&centre, wire::ALPN, Some(issued(&elsewhere, "box-1"))).await;
    assert!(matches!(closed, Closed::Distrusted(_)), "{closed:?}");
    let closed = closed_on(&centre, wire::ALPN, None).await;
    assert_eq!(closed, Closed::ByPeer(Reason::NoCertificate));
    nothing_came_of_it(&centre);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_this_centre_that_is_not_in_its_register() {
    let centre = centre_with_a_site();
    let own = Ca::open(centre.rack.dir(), "", now()).unwrap();
    centre.desk.new_box("box-1", Some("site-1")).unwrap();
    // A name that is not there, and one that is there with another key.
    for name in ["box-9", "box-1"] {
        let closed = closed_on(&centre, wire::ALPN, Some(issued(&own, name))).await;
        assert_eq!(closed, Closed::ByPeer(Reason::NotRegistered), "{name}");
    }
    nothing_came_of_it(&centre);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_box_is_cut_off_at_once_and_stays_out() {
    let centre = centre_with_a_site();
    let (key, ticket) = (Key::generate(), ticket_for(&centre, "box-1"));
    let chain = stranger::chain(stranger::enrol(address(&centre), &ticket, &key, wire::VERSION).await);
    let connection = knock(address(&centre), wire::ALPN, Some(key.certified(chain.clone()))).await.unwrap();
    let (_send, mut recv) = say(&connection, &hello(wire::VERSION, Purpose::Alarm, 1)).await;
    assert!(matches!(hear(&mut recv).await, ToBox::Welcome { .. }));

    centre.desk.delete("/api/boxes/box-1").unwrap();
    let closed = timeout(AT_ONCE, connection.closed()).await.expect("at once");
    assert_eq!(Closed::from(closed), Closed::ByPeer(Reason::NotRegistered));
    let closed = closed_on(&centre, wire::ALPN, Some(key.certified(chain))).await;
    assert_eq!(closed, Closed::ByPeer(Reason::NotRegistered));
    let answer = stranger::enrol(address(&centre), &ticket, &Key::generate(), wire::VERSION).await;
    assert!(matches!(answer, EnrolAnswer::Refused { .. }), "its ticket does not let it in again: {answer:?}");
}

#[test]
fn a_revoked_box_keeps_its_presses_to_itself() {
    let mut centre = bare_centre().with_school(&Plan::default());
    centre.settle();
    centre.desk.delete("/api/boxes/box-1").unwrap();
    until("both paths are down", || {
        let status = centre.schools[0].status().ok()?;
        status["paths"].as_array()?.iter().all(|path| path["up"] == json!(false)).then_some(())
    });
    centre.schools[0].press(Button::Gate);
    until("the press is kept", || (centre.schools[0].status().ok()?["waiting"] == json!(1)).then_some(()));
    // An alarm makes the box try at once.
    pause(Duration::from_secs(2));
    nothing_came_of_it(&centre);
    assert!(centre.schools[0].daemon().is_running(), "it waits for somebody to come");
    until("its log says what to do", || {
        let log = centre.schools[0].daemon().log();
        log.contains("not in the rack's register: give it a new ticket").then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_are_no_good() {
    let centre = centre_with_a_site();
    let to = address(&centre);
    let ticket = ticket_for(&centre, "box-1");
    let (first, other) = (Key::generate(), Key::generate());

    let unknown = Ticket { number: "another".into(), ..ticket.clone() };
    assert_refused(stranger::enrol(to, &unknown, &first, wire::VERSION).await, EnrolRefusal::UnknownTicket);
    let guessed = Ticket { secret: ticket::encode(&[7; 32]), ..ticket.clone() };
    assert_refused(stranger::enrol(to, &guessed, &first, wire::VERSION).await, EnrolRefusal::UnknownTicket);
    assert_refused(stranger::enrol(to, &ticket, &first, 9).await, EnrolRefusal::UnknownVersion);

    stranger::chain(stranger::enrol(to, &ticket, &first, wire::VERSION).await);
    assert_refused(stranger::enrol(to, &ticket, &other, wire::VERSION).await, EnrolRefusal::Used);
    // The answer may have been lost on the way: the same key may ask again.
    stranger::chain(stranger::enrol(to, &ticket, &first, wire::VERSION).await);
}

/// Nobody can turn back the clock of one process, so the ticket is old: it is written into the journal of a desk
/// that is down.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_has_expired() {
    let mut centre = centre_with_a_site();
    let fresh = ticket_for(&centre, "box-1");
    let old = Ticket { number: "old".into(), secret: ticket::encode(&[7; 32]), ..fresh.clone() };
    centre.rack.daemon().stop().unwrap();
    let expires = Wall::from_millis(now().millis() - 1000);
    let (number, name) = (old.number.clone(), old.name.clone());
    write_into(&centre.rack, &Event::TicketIssued { number, name, expires, by: Actor::Desk }, &old);
    centre.rack.restart().unwrap();

    let (to, key) = (address(&centre), Key::generate());
    assert_refused(stranger::enrol(to, &old, &key, wire::VERSION).await, EnrolRefusal::Expired);
    stranger::chain(stranger::enrol(to, &fresh, &key, wire::VERSION).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_cannot_be_are_answered_and_hurt_nobody() {
    let mut centre = bare_centre().with_school(&Plan { office_repeat_s: 0, ..Plan::default() });
    centre.settle();
    let (key, ticket) = (Key::generate(), ticket_for(&centre, "rogue"));
    let chain = stranger::chain(stranger::enrol(address(&centre), &ticket, &key, wire::VERSION).await);
    let rogue = knock(address(&centre), wire::ALPN, Some(key.certified(chain))).await.unwrap();

    let bad: &[(&str, Vec<u8>, Refusal)] = &[
        ("not JSON", frame("hello"), Refusal::BadFrame),
        ("half a hello", frame(r#"{"type":"hello"}"#), Refusal::BadFrame),
        ("one byte more than a frame has", 65_537_u32.to_be_bytes().to_vec(), Refusal::BadFrame),
        ("four gigabytes", vec![0xff; 4], Refusal::BadFrame),
        ("more paths than a box has", hello(wire::VERSION, Purpose::Alarm, 5), Refusal::BadFrame),
        ("a newer version", hello(wire::VERSION + 1, Purpose::Alarm, 1), Refusal::UnknownVersion),
        ("no hello", frame(r#"{"type":"acknowledge","newest":1}"#), Refusal::NoHello),
    ];
    for (presses, (what, bytes, reason)) in (1..).zip(bad) {
        let (_send, mut recv) = say(&rogue, bytes).await;
        let answer: ToBox = hear(&mut recv).await;
        assert_eq!(answer, ToBox::Refused { reason: *reason, version: wire::VERSION }, "{what}");
        neighbour_presses(&mut centre, presses);
    }

    let (mut send, mut recv) = say(&rogue, &hello(wire::VERSION, Purpose::Alarm, 1)).await;
    assert!(matches!(hear(&mut recv).await, ToBox::Welcome { .. }), "its next stream works");
    send.write_all(&frame(r#"{"type":"telemetry","degrees":21}"#)).await.unwrap();
    send.write_all(&frame(r#"{"type":"notice","id":"no id"}"#)).await.unwrap();
    let answer: ToBox = hear(&mut recv).await;
    assert!(
        matches!(answer, ToBox::Refused { reason: Refusal::BadFrame, .. }),
        "unknown is passed over: {answer:?}"
    );
    neighbour_presses(&mut centre, 8);
    assert!(centre.rack.daemon().is_running());
}

fn bare_centre() -> Centre {
    let (programs, dir) = (programs(), folder());
    let rack = Rack::start(&programs, &dir.path().join("desk"), 0).expect("a rack");
    Centre::around(rack, programs, dir)
}

fn centre_with_a_site() -> Centre {
    let centre = bare_centre();
    centre.desk.post("/api/sites", &json!({ "id": "site-1", "name": "site-1" })).expect("a site");
    centre
}

fn address(centre: &Centre) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], centre.rack.link_port()))
}

fn ticket_for(centre: &Centre, name: &str) -> Ticket {
    let text = centre.desk.new_box(name, Some("site-1")).expect("a ticket");
    Ticket::from_text(&text).expect("a ticket's text")
}

fn issued(ca: &Ca, name: &str) -> Certified {
    let key = Key::generate();
    let name = Name::of(BoxId::new(name).expect("a name"), SiteId::new("site-1").ok());
    let request = Request::from_der(&key.request()).expect("a request");
    let chain = ca.issue_box(&request, &name, now()).expect("a certificate");
    key.certified(chain)
}

/// How the rack ends a connection that gets no further than this.
async fn closed_on(centre: &Centre, alpn: &[u8], own: Option<Certified>) -> Closed {
    let closed = async {
        let connection: Connection = match knock(address(centre), alpn, own).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        connection.closed().await
    };
    timeout(SOON, closed).await.expect("refused soon").into()
}

fn nothing_came_of_it(centre: &Centre) {
    assert_eq!((centre.paths_up(), centre.presses()), (vec![], 0));
}

fn assert_refused(answer: EnrolAnswer, reason: EnrolRefusal) {
    assert_eq!(answer, EnrolAnswer::Refused { reason });
}

fn write_into(rack: &Rack, event: &Event, ticket: &Ticket) {
    let key = HeadKey::load_or_make(&rack.dir().join("journal.key")).expect("the rack's key");
    let mut store = Sqlite::open(&rack.journal(), key).expect("the journal");
    let head = store.load(journal::From::Snapshot).expect("its lines").head;
    let line = head.next(now(), serde_json::to_string(event).expect("text"));
    store.append(head, &[line]).expect("written");
    let secret = SecretHash::of(&ticket.secret).expect("a secret");
    let secret = serde_json::to_vec(&secret).expect("text");
    store.keep_secret(Secret::Ticket, &ticket.number, &secret).expect("kept");
}

fn neighbour_presses(centre: &mut Centre, presses: u64) {
    let school = &centre.schools[0];
    let pressed = std::time::Instant::now();
    school.press(Button::Office);
    until("the neighbour's press is shown", || (centre.presses() == presses).then_some(()));
    assert!(pressed.elapsed() < SHOWN_WITHIN, "shown after {:?}", pressed.elapsed());
    school.release(Button::Office);
    until("the neighbour's button is back", || school.is("office", "rest").then_some(()));
}
