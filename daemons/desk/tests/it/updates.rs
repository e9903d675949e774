//! Bundles and their roll-out at a desk: what is taken, who may, what a box is told, and what it gets.

use crate::centre::{Desk, PATIENCE, until};
use alarm::rollout::{Cause, Fetch, Offer, Outcome, State, Told, Why};
use alarm::wire::{Purpose, Refusal, Status, ToBox, ToRack};
use bundle::made;
use link::StreamError;
use link::client::{Session, Stream};
use serde_json::{Value, json};
use std::io::{Read, Write};
use tokio::time::timeout;

const ADD: &str = "/api/bundles";
const IMAGE: &str = "onepress-edge-x86";

fn kept(desk: &Desk) -> usize {
    std::fs::read_dir(desk.dir.path().join("bundles")).unwrap().count()
}

fn rollout(desk: &Desk) -> Value {
    desk.ok("GET", "/api/state", &json!({}))["rollout"].clone()
}

/// How one box fares: what it is at, and why it failed.
fn fares(desk: &Desk, name: &str) -> (String, String) {
    let rollout = rollout(desk);
    let found = rollout["boxes"].as_array().unwrap().iter().find(|one| one["box"] == name).cloned();
    let found = found.unwrap_or_default();
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("is"), text("reason"))
}

/// A box that says what it runs.
struct Edge {
    session: Session,
    status: Stream,
    told: Told,
}

impl Edge {
    async fn open(desk: &Desk, name: &str, runs: &str) -> Self {
        let session = desk.enrol(name, Some("school-1")).await;
        let status = session.open(Purpose::Status).await.unwrap();
        let told = Told { image: IMAGE.into(), runs: runs.parse().unwrap(), outcome: None, fetch: None };
        let mut edge = Self { session, status, told };
        edge.tell().await;
        until(|| desk.appliance(name)["image"]["version"] == runs).await;
        edge
    }

    async fn tell(&mut self) {
        let status = Status { update: Some(Box::new(self.told.clone())), ..Status::default() };
        self.status.send(&ToRack::Status(status)).await.unwrap();
    }

    async fn ended(&mut self, number: u64, state: State) {
        let version = "2".parse().unwrap();
        self.told.outcome =
            Some(Outcome { number, version, state, why: Why::new(Cause::Unhealthy, "journal not writable") });
        self.tell().await;
    }

    /// The next word of what to fetch that is meant.
    async fn offered(&mut self, meant: impl Fn(&Option<Offer>) -> bool) -> Option<Offer> {
        loop {
            let heard = timeout(PATIENCE, self.status.recv()).await.expect("it is told").unwrap().unwrap();
            if let ToBox::Update { offer } = heard
                && meant(&offer)
            {
                return offer;
            }
        }
    }

    async fn turn(&mut self) -> Offer {
        self.offered(Option::is_some).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bundle_is_refused_with_its_reason_and_leaves_nothing() {
    let desk = Desk::start().await;
    let good = made::unsigned("onepress-edge-x86_2", b"root of 2");
    let mut flipped = good.clone();
    let at = good.windows(9).position(|part| part == b"root of 2").unwrap();
    flipped[at] ^= 1;
    let table = [
        (b"RIFF".to_vec(), 415, "no-bundle", "cut off"),
        (vec![7; 100_000], 415, "no-bundle", "no tar archive"),
        (good[..good.len() - 1_100].to_vec(), 415, "no-bundle", "cut off"),
        (flipped, 415, "no-bundle", "not the file that was listed"),
        (made::archive(&[("notes.txt", b"x")]), 415, "no-bundle", "does not begin with SHA256SUMS"),
        (made::unsigned("onepress-rack_2", b"root"), 415, "wrong-image", "onepress update apply"),
        (vec![], 415, "no-bundle", "cut off"),
    ];
    for (file, status, error, detail) in table {
        let (said, answer) = desk.me().upload(ADD, &file);
        assert_eq!((said, &answer["error"]), (status, &json!(error)), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(detail), "{answer}");
    }
    assert_eq!(kept(&desk), 0);
    assert_eq!(desk.ok("GET", "/api/state", &json!({}))["bundles"], json!([]));
    // The length alone is enough to be refused: nobody sends the file in vain.
    let mut line = std::net::TcpStream::connect(desk.address()).unwrap();
    let head = format!(
        "POST {ADD} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nX-Onepress: 1\r\nContent-Length: 500000000\r\n\r\n",
        desk.cookie()
    );
    line.write_all(head.as_bytes()).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = [0; 1_024];
    let count = line.read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..count]).into_owned();
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    // One that breaks off makes room for the next.
    let mut line = std::net::TcpStream::connect(desk.address()).unwrap();
    line.write_all(head.replace("500000000", "5000").as_bytes()).unwrap();
    line.write_all(&[0; 100]).unwrap();
    until(|| kept(&desk) == 1).await;
    assert_eq!(desk.me().upload(ADD, &good).1["error"], "upload-busy");
    drop(line);
    until(|| kept(&desk) == 0).await;
    assert_eq!(desk.me().upload(ADD, &good).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_adds_bundles_and_rolls_them_out() {
    let desk = Desk::start().await;
    let file = made::unsigned("onepress-edge-x86_2", b"root of 2");
    let technician = desk.person("li", "technician", "seat-2");
    assert_eq!(technician.upload(ADD, &file).0, 403);
    for (method, path) in [
        ("DELETE", "/api/bundles/00"),
        ("POST", "/api/rollout"),
        ("POST", "/api/rollout/pause"),
        ("POST", "/api/rollout/resume"),
        ("DELETE", "/api/rollout"),
    ] {
        assert_eq!(technician.call(method, path, &json!({ "version": "2" })).0, 403, "{method} {path}");
    }
    assert_eq!(kept(&desk), 0);
    let (status, added) = desk.me().upload(ADD, &file);
    assert_eq!((status, &added["image"], &added["version"]), (200, &json!(IMAGE), &json!("2")), "{added}");
    assert_eq!((&added["signature"], &added["by"]), (&json!("unchecked"), &json!("admin")));
    let (status, twice) = desk.me().upload(ADD, &file);
    assert_eq!((status, &twice["error"]), (409, &json!("conflict")), "{twice}");
    assert_eq!(desk.ok("GET", "/api/state", &json!({}))["bundles"], json!([added]));
    let path = format!("/api/bundles/{}", added["sha256"].as_str().unwrap());
    assert_eq!(desk.call("DELETE", &path, &json!({})).0, 200);
    assert_eq!((kept(&desk), desk.call("DELETE", &path, &json!({})).0), (0, 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rolled_out_says_why() {
    let desk = Desk::start().await;
    let begin = |body: Value| {
        let (status, answer) = desk.call("POST", "/api/rollout", &body);
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    };
    let _edge = Edge::open(&desk, "school-1-gate", "2").await;
    desk.ok("POST", "/api/boxes", &json!({ "id": "new", "site": "school-1" }));
    assert_eq!(begin(json!({ "version": "3" })), (409, "bundle-missing".into()));
    for version in ["1", "2", "3"] {
        let file = made::unsigned(&format!("{IMAGE}_{version}"), version.as_bytes());
        assert_eq!(desk.me().upload(ADD, &file).0, 200);
    }
    let table = [
        (json!({ "version": "one" }), 400, "bad-request"),
        (json!({ "version": "1" }), 409, "downgrade"),
        (json!({ "version": "2" }), 409, "nobody-needs-it"),
        (json!({ "version": "3", "box": "nobody" }), 404, "not-found"),
        (json!({ "version": "3", "box": "new" }), 409, "no-appliance"),
        (json!({ "version": "3", "site": "nowhere" }), 404, "not-found"),
        (json!({ "version": "3", "site": "school-1", "box": "new" }), 400, "bad-request"),
    ];
    for (body, status, error) in table {
        assert_eq!(begin(body.clone()), (status, error.to_owned()), "{body}");
    }
    for path in ["/api/rollout/pause", "/api/rollout/resume"] {
        assert_eq!(desk.call("POST", path, &json!({})).1["error"], "no-rollout");
    }
    assert_eq!(rollout(&desk), Value::Null);
    assert_eq!(begin(json!({ "version": "3", "site": "school-1" })).0, 200);
    assert_eq!(begin(json!({ "version": "3" })), (409, "rolling-out".into()));
    let third = desk.ok("GET", "/api/state", &json!({}))["bundles"][2]["sha256"].clone();
    let path = format!("/api/bundles/{}", third.as_str().unwrap());
    assert_eq!(desk.call("DELETE", &path, &json!({})).1["error"], "rolling-out");
    assert_eq!(desk.ok("DELETE", "/api/rollout", &json!({}))["ended_by"], "admin");
    assert_eq!(desk.call("DELETE", &path, &json!({})).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_turn_it_is_gets_the_bundle_from_the_byte_it_asks_for() {
    let desk = Desk::start().await;
    let mut edge = Edge::open(&desk, "school-1-gate", "1").await;
    let other = Edge::open(&desk, "school-1-hall", "1").await;
    let file = made::unsigned("onepress-edge-x86_2", &[b'2'; 200_000]);
    let sha256 = desk.me().upload(ADD, &file).1["sha256"].as_str().unwrap().to_owned();
    assert!(matches!(edge.session.fetch(&sha256, 0).await, Err(StreamError::Refused(Refusal::NotOffered))));
    desk.ok("POST", "/api/rollout", &json!({ "version": "2", "box": "school-1-gate" }));
    let offer = edge.turn().await;
    assert_eq!((&offer.sha256, offer.bytes), (&sha256, u64::try_from(file.len()).unwrap()));
    assert!(other.session.fetch(&sha256, 0).await.is_err(), "it is not this box's turn");
    assert!(edge.session.fetch(&sha256, offer.bytes + 1).await.is_err(), "there is no such byte");
    assert!(edge.session.fetch(&"0".repeat(64), 0).await.is_err(), "another bundle");
    let mut body = edge.session.fetch(&sha256, 1_000).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = timeout(PATIENCE, body.next()).await.unwrap().unwrap() {
        all.extend(bytes);
    }
    assert!(all == file[1_000..]);
    edge.told.fetch = Some(Fetch { since: offer.since, bytes: 1_234, trouble: None, cause: Cause::Other });
    edge.tell().await;
    until(|| rollout(&desk)["boxes"][0]["fetched"] == 1_234).await;
    assert_eq!(fares(&desk, "school-1-gate").0, "fetching");
    edge.ended(1, State::Staged).await;
    until(|| fares(&desk, "school-1-gate").0 == "trial").await;
    (edge.told.runs, edge.told.fetch) = (offer.version.clone(), None);
    edge.ended(2, State::Healthy).await;
    assert_eq!(edge.offered(Option::is_none).await, None);
    until(|| rollout(&desk)["mood"] == "ended").await;
    assert_eq!(
        (&rollout(&desk)["ended_by"], fares(&desk, "school-1-gate").0.as_str()),
        (&json!("desk"), "done")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boxes_that_fail_halt_it_and_resuming_tries_them_again() {
    let desk = Desk::start().await;
    let mut edges = Vec::new();
    for name in ["gate", "hall", "yard"] {
        edges.push(Edge::open(&desk, &format!("school-1-{name}"), "1").await);
    }
    desk.me().upload(ADD, &made::unsigned("onepress-edge-x86_2", b"root of 2"));
    desk.ok("POST", "/api/rollout", &json!({ "version": "2" }));
    let offer = edges[0].turn().await;
    for edge in &mut edges[1..] {
        edge.turn().await;
    }
    let trouble = Some("no space for the update".to_owned());
    edges[0].told.fetch = Some(Fetch { since: offer.since, bytes: 0, trouble, cause: Cause::NoSpace });
    edges[0].tell().await;
    edges[1].ended(1, State::RolledBack).await;
    until(|| rollout(&desk)["mood"] == "halted").await;
    assert_eq!(fares(&desk, "school-1-gate"), ("failed".into(), "no space for the update".into()));
    assert_eq!(fares(&desk, "school-1-hall"), ("failed".into(), "journal not writable".into()));
    let boxes = &rollout(&desk)["boxes"];
    assert_eq!((&boxes[0]["cause"], &boxes[1]["cause"]), (&json!("no-space"), &json!("unhealthy")));
    assert_eq!(edges[2].offered(Option::is_none).await, None, "nobody goes on fetching");
    assert_eq!(edges[0].offered(Option::is_none).await, None);
    edges[0].told.fetch = None;
    desk.ok("POST", "/api/rollout/resume", &json!({}));
    let again = edges[0].turn().await;
    assert!(again.since > offer.since, "another try");
    edges[2].turn().await;
    assert_eq!(rollout(&desk)["mood"], "running");
    desk.ok("POST", "/api/rollout/pause", &json!({}));
    assert_eq!(rollout(&desk)["mood"], "paused");
    desk.ok("DELETE", "/api/rollout", &json!({}));
    assert_eq!(edges[0].offered(Option::is_none).await, None);
}
