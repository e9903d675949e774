//! Frames that cannot be: each is answered as stated, and nobody else notices.

use crate::boxes::{alarm_stream, press, registered, wired};
use crate::centre::{Centre, PATIENCE};
use crate::rogue;
use alarm::wire::{self, Purpose, Refusal, ToBox, ToRack};
use alarm::{PathId, Wall};
use tokio::time::timeout;

fn hello(version: u16, paths: usize) -> Vec<u8> {
    let path = PathId::new("wired").unwrap();
    wire::encode(&ToRack::Hello {
        version,
        purpose: Purpose::Alarm,
        path: path.clone(),
        paths: vec![path; paths],
        now: Wall::default(),
        software: String::new(),
    })
    .unwrap()
}

fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}

#[tokio::test]
async fn each_bad_beginning_has_its_answer_and_hurts_nobody() {
    let centre = Centre::start();
    let neighbour = registered(&centre, "neighbour").connect(&wired()).await.unwrap();
    let mut pressing = alarm_stream(&neighbour).await;
    let own = rogue::certified(&centre.remains, "rogue");
    let rogue = rogue::connect(centre.address(), wire::ALPN, Some(own)).await;

    let bad: &[(&str, Vec<u8>, Refusal)] = &[
        ("not JSON", frame("hello"), Refusal::BadFrame),
        ("half a hello", frame(r#"{"type":"hello"}"#), Refusal::BadFrame),
        ("longer than allowed", 65_537_u32.to_be_bytes().to_vec(), Refusal::BadFrame),
        ("four gigabytes", vec![0xff; 4], Refusal::BadFrame),
        ("more paths than a box has", hello(1, 5), Refusal::BadFrame),
        ("a newer version", hello(2, 1), Refusal::UnknownVersion),
        ("no hello", frame(r#"{"type":"acknowledge","newest":1}"#), Refusal::NoHello),
        ("a frame of a newer version", frame(r#"{"type":"telemetry"}"#), Refusal::NoHello),
    ];
    for (number, (what, bytes, reason)) in (0..).zip(bad) {
        let (_send, mut recv) = rogue::say(&rogue, bytes).await;
        let answer: ToBox = rogue::hear(&mut recv).await;
        assert_eq!(answer, ToBox::Refused { reason: *reason, version: wire::VERSION }, "{what}");
        press(&mut pressing, number).await;
    }

    let (_send, mut recv) = rogue::say(&rogue, &hello(1, 4)).await;
    let answer: ToBox = rogue::hear(&mut recv).await;
    assert!(matches!(answer, ToBox::Welcome { .. }), "its own next stream works too: {answer:?}");
}

#[tokio::test]
async fn a_bad_frame_later_ends_its_stream_only() {
    let centre = Centre::start();
    let own = rogue::certified(&centre.remains, "rogue");
    let rogue = rogue::connect(centre.address(), wire::ALPN, Some(own)).await;
    let later = [hello(1, 1), frame(r#"{"type":"telemetry"}"#), frame("{")].concat();
    let (_send, mut recv) = rogue::say(&rogue, &later).await;
    assert!(matches!(rogue::hear(&mut recv).await, ToBox::Welcome { .. }));
    let refused = ToBox::Refused { reason: Refusal::BadFrame, version: wire::VERSION };
    assert_eq!(rogue::hear::<ToBox>(&mut recv).await, refused);
    assert_eq!(timeout(PATIENCE, recv.read_to_end(10)).await.unwrap().unwrap(), b"");

    let (_send, mut recv) = rogue::say(&rogue, &hello(1, 1)).await;
    assert!(matches!(rogue::hear(&mut recv).await, ToBox::Welcome { .. }));
}

#[tokio::test]
async fn a_stream_that_stays_silent_is_given_up() {
    let centre = Centre::start();
    let own = rogue::certified(&centre.remains, "rogue");
    let rogue = rogue::connect(centre.address(), wire::ALPN, Some(own)).await;
    let (_send, mut silent) = rogue::say(&rogue, b"\x00").await;
    let (_send, mut recv) = rogue::say(&rogue, &hello(1, 1)).await;
    let refused = ToBox::Refused { reason: Refusal::NoHello, version: wire::VERSION };
    assert_eq!(rogue::hear::<ToBox>(&mut silent).await, refused);
    assert!(matches!(rogue::hear(&mut recv).await, ToBox::Welcome { .. }));
}

#[tokio::test]
async fn a_box_cannot_open_more_streams_than_it_needs() {
    let centre = Centre::start();
    let own = rogue::certified(&centre.remains, "rogue");
    let rogue = rogue::connect(centre.address(), wire::ALPN, Some(own)).await;
    let mut open = Vec::new();
    while let Ok(stream) = timeout(std::time::Duration::from_millis(300), rogue.open_bi()).await {
        open.push(stream.unwrap());
    }
    assert_eq!(open.len(), 8);
}
