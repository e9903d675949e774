//! A whole centre's boxes at once.

use crate::boxes::{alarm_stream, press, registered, wired};
use crate::centre::{Centre, PATIENCE};
use link::client::{Connector, Session};
use link::{Clock, Closed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Four keep-alives; one is enough unless packets are lost in the burst.
const SOON: Duration = Duration::from_secs(2);
const BOXES: usize = 200;

async fn all_connect(connectors: &[Connector]) -> Vec<Session> {
    let mut tasks = JoinSet::new();
    for connector in connectors {
        let connector = connector.clone();
        tasks.spawn(async move {
            let session = connector.connect(&wired()).await.unwrap();
            press(&mut alarm_stream(&session).await, 1).await;
            session
        });
    }
    timeout(PATIENCE * 2, tasks.join_all()).await.expect("not all came through")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_boxes_press_at_once_and_notice_a_restart() {
    let centre = Centre::start();
    let connectors: Vec<_> = (0..BOXES).map(|number| registered(&centre, &format!("box-{number}"))).collect();
    let began = Instant::now();
    let sessions = all_connect(&connectors).await;
    println!("{BOXES} boxes connected, pressed and were answered in {:?}", began.elapsed());

    let remains = centre.kill();
    let _centre = Centre::with(remains, Clock::system());
    let back = Instant::now();
    for session in &sessions {
        assert_eq!(timeout(PATIENCE, session.closed()).await, Ok(Closed::Reset));
    }
    println!("all noticed a restart {:?} after the rack was back", back.elapsed());
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
}
