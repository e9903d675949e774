//! A box on simulated inputs and two paths, in this process, against a played rack.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod played;

use alarm::point::State;
use alarm::{Fault, Mode, Nature, What};
use hw::fake;
use played::Centre;
use played::edge::{Box7, Life};
use std::time::Duration;

const PRESS: What = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false };
const FOUND: What = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: true };

fn centre() -> (Centre, played::Door, played::Door) {
    unit::log::start(Some("button=debug,link=debug"));
    let centre = Centre::new();
    let (wired, cellular) = (centre.open("127.0.0.1:0"), centre.open("127.0.0.2:0"));
    (centre, wired, cellular)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_arrives_over_both_paths_and_an_ack_ends_it() {
    let (mut centre, wired, cellular) = centre();
    centre.acks(false);
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status_over(&["wired", "cellular"], |status| status.points[0].state == State::Rest).await;

    life.press();
    let (first, notice) = centre.alarm().await;
    let (second, same) = centre.alarm().await;
    assert_eq!((notice.what.clone(), &notice), (PRESS, &same));
    assert_ne!(first, second);
    assert_eq!(edge.waiting(), 1, "it is in the spool until it is written down");

    centre.acks(true);
    edge.is_delivered().await;
    life.release();
    let restored = centre.hears(&What::Restored { of: Some(notice.id) }).await;
    assert_eq!(restored.point, notice.point);
    life.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_without_a_rack_is_kept_and_delivered_once() {
    let (mut centre, wired, cellular) = centre();
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|_| true).await;
    let (wired, cellular) = (wired.kill().await, cellular.kill().await);

    life.press();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(edge.waiting(), 1);

    let _wired = centre.reopen(wired).await;
    let _cellular = centre.reopen(cellular).await;
    let (_, notice) = centre.alarm().await;
    edge.is_delivered().await;
    life.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_box_keeps_the_press_and_does_not_raise_it_again() {
    let (mut centre, wired, cellular) = centre();
    centre.acks(false);
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|status| status.points[0].state == State::Rest).await;
    life.press();
    let (_, notice) = centre.alarm().await;
    life.kill().await;
    edge.is_free().await;

    centre.acks(true);
    let again = edge.start_with(true);
    edge.is_delivered().await;
    centre.hears_no_new_alarm_for(Duration::from_millis(500), notice.id).await;
    again.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latched_button_found_pressed_is_a_press_and_only_once() {
    let (mut centre, wired, cellular) = centre();
    let mut edge = Box7::new(wired.address, cellular.address);
    edge.latching = true;
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start_with(true);
    let notice = centre.hears(&FOUND).await;
    edge.is_delivered().await;
    life.stop().await;
    edge.is_free().await;

    let again = edge.start_with(true);
    centre.status(|status| status.points[0].state == State::Active).await;
    centre.hears_no_new_alarm_for(Duration::from_millis(500), notice.id).await;
    again.stop().await;
    edge.is_free().await;

    let reset = edge.start();
    centre.hears(&What::Restored { of: Some(notice.id) }).await;
    reset.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_wire_and_a_lost_device_are_told_and_come_back() {
    let (mut centre, wired, cellular) = centre();
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|status| status.points[0].state == State::Rest).await;
    for (fault, breaks, heals) in [
        (Fault::WireCut, (|life: &Life| life.hand.set("nc", false)) as fn(&Life), Life::release as fn(&Life)),
        (Fault::InputUnreadable, |life| life.hand.fail(fake::Failure::Absent), |life| life.hand.heal()),
        (Fault::EdgesMissed, |life| life.hand.miss("no", false), |_| {}),
    ] {
        breaks(&life);
        centre.hears(&What::Fault { fault: fault.clone() }).await;
        heals(&life);
        centre.hears(&What::Cleared { fault }).await;
    }
    life.stop().await;
    assert_eq!(centre.taken(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_not_enrolled_keeps_presses_until_it_is() {
    let (mut centre, wired, cellular) = centre();
    let edge = Box7::new(wired.address, cellular.address);
    let life = edge.start();
    life.press();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(edge.waiting(), 1);
    centre.enrol(edge.dir.path(), &[]);
    let (_, notice) = centre.alarm().await;
    edge.is_delivered().await;
    life.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_in_its_place_enrols_the_box_and_is_removed() {
    let (mut centre, wired, cellular) = centre();
    let edge = Box7::new(wired.address, cellular.address);
    let ticket = edge.dir.path().join("ticket");
    std::fs::write(&ticket, "not a ticket").unwrap();
    let life = edge.start();
    life.press();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The second address works on a path that is held to another source than the first.
    let text = centre.ticket(&[wired.address, cellular.address]).to_text();
    std::fs::write(&ticket, format!("{text}\n")).unwrap();
    let (_, notice) = centre.alarm().await;
    edge.is_delivered().await;
    assert!(!ticket.exists());
    life.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_delivers_alarms_and_is_renewed() {
    const HUNDRED_DAYS_MS: i64 = 100 * 24 * 3600 * 1000;
    let (mut centre, wired, cellular) = centre();
    let edge = Box7::new(wired.address, cellular.address);
    let long_ago = alarm::Wall::from_millis(played::now().millis() - HUNDRED_DAYS_MS);
    centre.enrol_at(edge.dir.path(), &[], long_ago);
    centre.renews(false);
    let life = edge.start();
    life.press();
    let (_, notice) = centre.alarm().await;
    edge.is_delivered().await;
    life.stop().await;
    edge.is_free().await;

    centre.renews(true);
    let life = edge.start_with(true);
    centre.status_over(&["wired", "cellular"], |_| true).await;
    life.stop().await;
    let identity = link::identity::Identity::load(edge.dir.path()).unwrap().unwrap();
    assert_eq!(identity.dates(played::now()), link::Dates::Good);
    assert_eq!(centre.taken(), [notice.id]);
}
