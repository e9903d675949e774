//! Self-tests of a box with a test relay on its button: the relay is an output of the box, and here its coil moves the
//! box's own contacts, as on the wall.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod played;

use alarm::point::State;
use alarm::selftest::{Failure, How};
use alarm::{Mode, Nature, What};
use played::edge::{Box7, Life};
use played::{Centre, Door, Heard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const PRESS: What = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false };
/// Across the button; a busy machine tells late, and no test here counts milliseconds.
const ACROSS: &str = "test = \"t1\"\ntest-drop-ms = 500";
const EACH: &str = "test-no = \"t1\"\ntest-nc = \"t2\"";

struct Wall {
    life: Life,
    finger: Arc<AtomicBool>,
    /// How often a relay drew.
    drew: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

/// A button on a wall: its contacts follow the relays and the finger. `press` says when a finger comes that is not
/// told to: as soon as a relay draws.
fn wall(edge: &Box7, press: bool) -> Wall {
    let life = edge.start();
    let (finger, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let drew = Arc::new(AtomicU64::new(0));
    let (hand, coils) = (life.hand.clone(), life.coils.clone());
    let (pressed, stopped, times) = (finger.clone(), stop.clone(), drew.clone());
    let across = edge.relays == ACROSS;
    let thread = std::thread::spawn(move || {
        let mut known = false;
        while !stopped.load(Ordering::SeqCst) {
            let (one, two) = (coils.is_on("t1"), coils.is_on("t2"));
            if (one || two) != std::mem::replace(&mut known, one || two) && known {
                times.fetch_add(1, Ordering::SeqCst);
                if press {
                    pressed.store(true, Ordering::SeqCst);
                }
            }
            let finger = pressed.load(Ordering::SeqCst);
            hand.set("no", finger || one);
            hand.set("nc", !(finger || two || (across && one)));
            std::thread::park_timeout(Duration::from_millis(1));
        }
    });
    Wall { life, finger, drew, stop, thread }
}

impl Wall {
    async fn end(self) {
        self.life.stop().await;
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

fn enrolled(relays: &'static str) -> (Centre, Box7, [Door; 2]) {
    unit::log::start(Some("button=debug"));
    let centre = Centre::new();
    let doors = [centre.open("127.0.0.1:0"), centre.open("127.0.0.2:0")];
    let mut edge = Box7::new(doors[0].address, doors[1].address);
    edge.relays = relays;
    centre.enrol(edge.dir.path(), &[]);
    (centre, edge, doors)
}

fn nobody_pressed(heard: &[Heard]) {
    for heard in heard {
        match heard {
            Heard::Notice(_, notice) => assert!(matches!(notice.what, What::SelfTest(_)), "{notice:?}"),
            Heard::Status(_, status) => {
                assert!(status.points.iter().all(|point| point.state != State::Active), "{status:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_proves_its_button_and_the_centre_sees_no_press() {
    for relays in [ACROSS, EACH] {
        let (mut centre, edge, _doors) = enrolled(relays);
        let wall = wall(&edge, false);
        let report = centre.selftest().await;
        let proof = &report.proofs[0];
        assert_eq!((proof.how, &proof.failed), (How::Contact, &None), "{relays} {report:?}");
        assert_eq!(wall.drew.load(Ordering::SeqCst), if relays == EACH { 2 } else { 1 });
        nobody_pressed(&centre.rest());
        wall.end().await;
    }
}

/// The finger comes when the relay draws, and stays: a full alarm, and soon.
#[tokio::test(flavor = "multi_thread")]
async fn a_finger_beside_the_relay_is_an_alarm() {
    for relays in [ACROSS, EACH] {
        let (mut centre, edge, _doors) = enrolled(relays);
        let wall = wall(&edge, true);
        let (_, notice) = centre.alarm().await;
        assert_eq!(notice.what, PRESS, "{relays}");
        wall.finger.store(false, Ordering::SeqCst);
        centre.hears(&What::Restored { of: Some(notice.id) }).await;
        wall.end().await;
        assert_eq!(centre.taken(), [notice.id]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_draw_is_a_failure_and_no_alarm() {
    let (mut centre, edge, _doors) = enrolled(ACROSS);
    // Nobody moves the contacts.
    let life = edge.start();
    let report = centre.selftest().await;
    assert_eq!(report.proofs[0].failed, Some(Failure::Deaf), "{report:?}");
    assert!(!life.coils.is_on("t1"), "it has been let go");
    nobody_pressed(&centre.rest());
    life.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_somebody_else_took_is_named() {
    let (mut centre, edge, _doors) = enrolled("");
    let life = edge.start();
    life.hand.spoil("nc", "\"wall\" holds it");
    let report = centre.selftest().await;
    assert_eq!(report.proofs[0].failed, Some(Failure::NotHeld), "{report:?}");
    life.stop().await;
}
