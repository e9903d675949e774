use crate::desk::{Desk, Heard};
use crate::place::{AMBER, GREEN, Place, RED, SIREN};
use alarm::Fault;
use alarm::panel::{Light, Signals};
use link::{Closed, Reason};
use std::time::Duration;

const FAST: &str = "the figure for a LAN is 300 ms from press to seat; a wall has a part of it";

fn hold_up(newest: u64) -> Signals {
    Signals { newest, unacknowledged: 1, ..Signals::default() }
}

/// A wall that is enrolled, connected and green.
async fn green() -> (Desk, Place) {
    let mut desk = Desk::start();
    let mut place = Place::new(Some(&desk.ticket()));
    place.start();
    desk.report(|report| report.shown.green == Light::Steady).await;
    place.coil(GREEN, true).await;
    (desk, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_wall_is_amber_until_its_ticket_is_there() {
    let desk = Desk::start();
    let mut place = Place::new(None);
    place.start();
    place.coil(AMBER, true).await;
    place.coil(AMBER, false).await;
    assert!(place.status().await.desk_lost);
    std::fs::write(place.file("ticket"), desk.ticket()).unwrap();
    place.coil(GREEN, true).await;
    assert!(!place.status().await.desk_lost);
    place.stop().await;
    place.start();
    place.coil(GREEN, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_heard_at_once_and_silenced_by_the_button() {
    let (mut desk, place) = green().await;
    desk.signals.send(hold_up(5)).unwrap();
    let took = place.coil(SIREN, true).await;
    println!("signals to siren: {took:?}");
    assert!(took < Duration::from_millis(300), "{took:?}: {FAST}");
    place.coil(RED, true).await;
    place.coil(RED, false).await;
    place.press().await;
    place.coil(SIREN, false).await;
    let newest = |heard| if let Heard::Acknowledged(newest) = heard { Some(newest) } else { None };
    assert_eq!(desk.until(newest).await, 5);
    desk.signals.send(Signals { open: 1, ..Signals::default() }).unwrap();
    let report = desk.report(|report| report.shown.red == Light::Steady).await;
    assert!(!report.shown.siren && !report.siren_cut && report.faults.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_paths_carry_a_stream_and_the_desk_that_dies_leaves_amber() {
    let mut desk = Desk::start();
    let mut place = Place::new(Some(&desk.ticket()));
    place.start();
    let path = |heard| if let Heard::Stream(path) = heard { Some(path.to_string()) } else { None };
    let mut paths = [desk.until(path).await, desk.until(path).await];
    paths.sort();
    assert_eq!(paths, ["second", "wired"]);
    place.coil(GREEN, true).await;
    desk.kill();
    place.coil(GREEN, false).await;
    place.coil(AMBER, true).await;
    assert!(place.status().await.desk_lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_relay_board_is_reported_and_comes_back() {
    let (mut desk, place) = green().await;
    place.board.cut(true);
    desk.report(|report| report.faults == [Fault::OutputFailed, Fault::InputUnreadable]).await;
    let status = place.status().await;
    assert!(status.faults[0].reason.contains("silent"), "{status:?}");
    desk.signals.send(hold_up(8)).unwrap();
    place.board.cut(false);
    place.coil(SIREN, true).await;
    desk.report(|report| report.faults.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welded_relay_is_reported() {
    let (mut desk, place) = green().await;
    place.board.with(|board| board.stick(SIREN, true));
    desk.signals.send(hold_up(8)).unwrap();
    desk.report(|report| report.faults == [Fault::OutputFailed]).await;
    place.coil(RED, true).await;
    place.board.with(|board| board.stick(SIREN, false));
    desk.report(|report| report.faults.is_empty()).await;
    assert!(place.is_on(SIREN));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_down_is_short_silent_and_amber() {
    let (mut desk, mut place) = green().await;
    desk.signals.send(hold_up(8)).unwrap();
    place.coil(SIREN, true).await;
    let took = place.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let left: Vec<_> = (0..8).filter(|coil| place.is_on(*coil)).collect();
    assert_eq!(left, [AMBER]);
    let gone = |heard| if let Heard::Gone(closed) = heard { Some(closed) } else { None };
    for _path in ["wired", "second"] {
        assert_eq!(desk.until(gone).await, Closed::ByPeer(Reason::BackAtOnce));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_board_does_not_hold_up_the_way_down() {
    let (_desk, mut place) = green().await;
    place.board.cut(true);
    let took = place.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_says_what_it_knows() {
    let (_desk, place) = green().await;
    let status = place.ask(r#"{"do":"status"}"#).await;
    let shown = r#"{"shown":{"red":"off","amber":"off","blue":"off","green":"steady","siren":false}"#;
    assert!(status.starts_with(shown), "{status}");
    assert!(status.ends_with(",\"desk-lost\":false,\"siren-cut\":false,\"faults\":[]}\n"), "{status}");
    let error = place.ask("silence the siren").await;
    assert!(error.starts_with(r#"{"error":"#) && error.contains("status"), "{error}");
}
