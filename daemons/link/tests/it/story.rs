//! The whole way: a ticket, a certificate, a connection, a press, its ACK.

use crate::boxes::{alarm_stream, connector, press, registered, wired};
use crate::centre::Centre;
use alarm::wire::{Purpose, Refusal};
use link::client::{Bind, enrol};
use link::{Class, Clock, Closed, Dates, Reason};

#[tokio::test]
async fn from_ticket_to_ack() {
    let mut centre = Centre::start();
    let disk = tempfile::tempdir().unwrap();
    let ticket = centre.remains.ticket("gate");

    let identity = enrol(&ticket, &Bind::default(), disk.path()).await.unwrap();
    assert_eq!(identity.name().to_string(), "urn:onepress:box:school-1/gate");
    let session = connector(identity.clone(), Clock::system()).connect(&wired()).await.unwrap();
    assert_eq!(session.rack().dates, Dates::Good);
    assert_eq!(session.rack().remote, centre.address());
    let mut stream = alarm_stream(&session).await;
    let id = press(&mut stream, 1).await;

    let peer = centre.session().await;
    assert_eq!(peer.certified_name(), *identity.name());
    assert_eq!((peer.key, peer.expired()), (identity.fingerprint(), false));
    let (from, notice) = centre.notice().await;
    assert_eq!((from.as_str(), notice.id), ("gate", id));
}

#[tokio::test]
async fn streams_of_all_purposes_run_side_by_side() {
    let centre = Centre::start();
    let session = registered(&centre, "gate").connect(&wired()).await.unwrap();
    let mut streams = Vec::new();
    for purpose in [Purpose::Status, Purpose::Wall, Purpose::Alarm] {
        streams.push(session.open(purpose).await.unwrap());
    }
    press(&mut streams[2], 1).await;
    assert_eq!(streams[0].purpose(), Purpose::Status);
}

#[tokio::test]
async fn a_box_that_is_not_in_the_register_is_told_so() {
    let centre = Centre::start();
    let session = registered(&centre, "unregistered").connect(&wired()).await.unwrap();
    let why = session.closed().await;
    assert_eq!(why, Closed::ByPeer(Reason::NotRegistered));
    assert_eq!(why.class(), Class::Fatal);
}

#[tokio::test]
async fn a_box_that_goes_says_so() {
    let mut centre = Centre::start();
    let session = registered(&centre, "gate").connect(&wired()).await.unwrap();
    drop(alarm_stream(&session).await);
    session.close(Reason::BackAtOnce).await;
    assert_eq!(centre.gone().await.1, Closed::ByPeer(Reason::BackAtOnce));
}

#[test]
fn refusals_read_like_instructions() {
    let text = link::StreamError::Refused(Refusal::NotRegistered).to_string();
    assert!(text.contains("new ticket"), "{text}");
}
