//! How soon each end notices that the other was killed. The bounds are generous; the times are printed.

use crate::boxes::{alarm_stream, connector, issued, press, registered, wired};
use crate::centre::{Centre, PATIENCE};
use link::client::Session;
use link::{Clock, Closed, Reason};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Three wired keep-alives, fewer than one metered: far below the idle timeout of 7 s.
const SOON: Duration = Duration::from_millis(1500);

async fn connected(centre: &Centre) -> Session {
    let session = registered(centre, "gate").connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 1).await;
    // Until nothing is under way but keep-alives.
    sleep(Duration::from_millis(1200)).await;
    session
}

#[tokio::test]
async fn a_killed_rack_that_is_back_at_once_is_noticed_at_the_next_keep_alive() {
    let centre = Centre::start();
    let session = connected(&centre).await;
    let remains = centre.kill();
    let _centre = Centre::with(remains, Clock::system());
    let back = Instant::now();
    assert_eq!(timeout(SOON, session.closed()).await, Ok(Closed::Reset));
    println!("restart noticed {:?} after the rack was back", back.elapsed());
}

#[tokio::test]
async fn a_rack_that_was_away_is_noticed_as_soon_as_it_reads_its_kept_socket() {
    let centre = Centre::start();
    let session = connected(&centre).await;
    let remains = centre.kill();
    sleep(Duration::from_secs(3)).await;
    let _centre = Centre::with(remains, Clock::system());
    let back = Instant::now();
    assert_eq!(timeout(SOON, session.closed()).await, Ok(Closed::Reset));
    println!("restart noticed {:?} after the rack was back (3 s away, socket kept)", back.elapsed());
}

#[tokio::test]
async fn a_rack_on_a_new_socket_is_noticed_too() {
    let centre = Centre::start();
    let session = connected(&centre).await;
    let mut remains = centre.kill();
    remains.rebind();
    let _centre = Centre::with(remains, Clock::system());
    let back = Instant::now();
    assert_eq!(timeout(SOON, session.closed()).await, Ok(Closed::Reset));
    println!("restart noticed {:?} after the rack was back (new socket)", back.elapsed());
}

#[tokio::test]
async fn without_the_lasting_keys_it_takes_the_idle_timeout() {
    let centre = Centre::start();
    let session = connected(&centre).await;
    let mut remains = centre.kill();
    remains.keys = link::Keys::random();
    let _centre = Centre::with(remains, Clock::system());
    assert!(timeout(SOON, session.closed()).await.is_err(), "this is what the keys are for");
    assert_eq!(timeout(PATIENCE, session.closed()).await, Ok(Closed::TimedOut));
}

#[tokio::test]
async fn a_planned_restart_is_announced() {
    let centre = Centre::start();
    let session = connected(&centre).await;
    let remains = centre.stop(Reason::BackAtOnce);
    let why = timeout(SOON, session.closed()).await.unwrap();
    assert_eq!(why, Closed::ByPeer(Reason::BackAtOnce));
    assert!(why.back_at_once());
    let centre = Centre::with(remains, Clock::system());
    connected(&centre).await;
}

#[tokio::test]
async fn a_box_may_knock_while_the_rack_is_still_starting() {
    let centre = Centre::start();
    let connector = registered(&centre, "gate");
    let remains = centre.kill();
    let knocking = tokio::spawn(async move { connector.connect(&wired()).await });
    sleep(Duration::from_secs(1)).await;
    let _centre = Centre::with(remains, Clock::system());
    timeout(SOON, knocking).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_killed_box_is_noticed_when_it_comes_back() {
    let mut centre = Centre::start();
    let identity = issued(&centre.remains, "gate", Clock::system().now());
    let first = identity.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let kept = runtime.block_on(async {
            let session = connector(first, Clock::system()).connect(&wired()).await.unwrap();
            let mut stream = alarm_stream(&session).await;
            press(&mut stream, 1).await;
            (session, stream)
        });
        // Its tasks are dropped before its handles: nobody is left to say goodbye.
        drop(runtime);
        drop(kept);
    })
    .join()
    .unwrap();

    let back = Instant::now();
    let session = connector(identity, Clock::system()).connect(&wired()).await.unwrap();
    press(&mut alarm_stream(&session).await, 2).await;
    let (peer, why) = centre.gone().await;
    println!("the rack let go of the killed box's connection {:?} after the box was back", back.elapsed());
    assert_eq!((peer.name.as_str(), why), ("gate", Closed::ByUs));
    assert!(back.elapsed() < SOON);
}
