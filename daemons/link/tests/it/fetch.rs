//! A bundle behind alarms, on one connection.

use crate::boxes::{alarm_stream, press, registered, wired};
use crate::centre::{Centre, PATIENCE, bundle};
use alarm::wire::Purpose;
use link::client::{Body, Session};
use tokio::time::{Instant, timeout};

/// Everything up to the end of the stream.
async fn rest(body: &mut Body) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(bytes) = timeout(PATIENCE, body.next()).await.unwrap().unwrap() {
        all.extend(bytes);
    }
    all
}

async fn linked(centre: &Centre) -> Session {
    registered(centre, "gate").connect(&wired()).await.unwrap()
}

#[tokio::test]
async fn a_bundle_that_is_cut_goes_on_at_the_byte_where_it_was() {
    let centre = Centre::start();
    let session = linked(&centre).await;
    let mut body = session.fetch("00", 0).await.unwrap();
    let whole = bundle();
    assert_eq!(body.whole(), u64::try_from(whole.len()).unwrap());
    let mut all = rest(&mut body).await;
    assert_eq!(all.len(), whole.len() / 2, "the rack has cut it");
    drop(session);
    let session = linked(&centre).await;
    let mut body = session.fetch("00", u64::try_from(all.len()).unwrap()).await.unwrap();
    all.extend(rest(&mut body).await);
    assert!(all == whole);
}

#[tokio::test]
async fn a_box_that_does_not_read_its_bundle_still_has_its_presses_acknowledged() {
    let centre = Centre::start();
    let session = linked(&centre).await;
    let mut alarms = alarm_stream(&session).await;
    // Nobody reads it: its window fills, and what is left of the connection's is for ACKs.
    let stuck = session.fetch("00", 1).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let begun = Instant::now();
    for number in 0..20 {
        press(&mut alarms, number).await;
    }
    assert!(begun.elapsed() < PATIENCE / 4, "{:?}", begun.elapsed());
    assert!(session.open(Purpose::Status).await.is_ok());
    drop(stuck);
}
