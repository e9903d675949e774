//! Several ways to one rack.

use crate::boxes::{alarm_stream, connector, issued, path, press, registered, wired};
use crate::centre::{Centre, Event};
use alarm::PathId;
use link::client::{Bind, Path};
use link::{Class, Clock, Closed};

#[tokio::test]
async fn two_paths_at_once_from_two_addresses() {
    let mut centre = Centre::start();
    let connector = registered(&centre, "gate");
    let (wired, cellular) = (path("wired", "127.0.0.1"), path("cellular", "127.0.0.2"));
    let (first, second) = tokio::join!(connector.connect(&wired), connector.connect(&cellular));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut streams = [alarm_stream(&first).await, alarm_stream(&second).await];
    for stream in &mut streams {
        press(stream, 1).await;
    }

    let mut seen = Vec::new();
    while seen.len() < 4 {
        match centre.event().await {
            Event::Session(peer) => seen.push(peer.remote.ip().to_string()),
            Event::Stream(hello) => seen.push(hello.path.to_string()),
            Event::Notice(..) => {}
            Event::Gone(peer, why) => panic!("{peer:?} {why}"),
        }
    }
    seen.sort();
    assert_eq!(seen, ["127.0.0.1", "127.0.0.2", "cellular", "wired"]);
}

#[tokio::test]
async fn the_same_path_again_replaces_the_old_connection() {
    let centre = Centre::start();
    let connector = registered(&centre, "gate");
    let old = connector.connect(&wired()).await.unwrap();
    let _kept = alarm_stream(&old).await;
    let new = connector.connect(&wired()).await.unwrap();
    let mut stream = alarm_stream(&new).await;
    assert_eq!(old.closed().await, Closed::ByPeer(link::Reason::Replaced));
    press(&mut stream, 1).await;
}

#[tokio::test]
async fn a_dead_address_does_not_hold_up_the_next() {
    let centre = Centre::start();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let racks = vec![silent.local_addr().unwrap().to_string(), centre.address().to_string()];
    let identity = issued(&centre.remains, "gate", Clock::system().now()).with_racks(racks);
    let began = std::time::Instant::now();
    let session = connector(identity, Clock::system()).connect(&wired()).await.unwrap();
    assert_eq!(session.rack().remote, centre.address());
    assert!(began.elapsed() < link::client::CONNECT_LIMIT);
}

#[tokio::test]
async fn a_path_that_cannot_be_says_which() {
    let centre = Centre::start();
    let connector = registered(&centre, "gate");
    let missing = Path {
        name: PathId::new("cellular").unwrap(),
        bind: Bind { interface: Some("wwan9".into()), source: None },
        metered: true,
    };
    let error = connector.connect(&missing).await.unwrap_err();
    assert!(error.to_string().contains("cellular"), "{error}");
    assert_eq!(error.class(), Class::Retryable);

    let nowhere = connector.identity().with_racks(vec!["no.such.host.invalid:1".into()]);
    connector.set_identity(nowhere);
    let error = connector.connect(&wired()).await.unwrap_err();
    assert!(error.to_string().contains("no.such.host.invalid"), "{error}");
    assert_eq!(error.class(), Class::Retryable);
}
