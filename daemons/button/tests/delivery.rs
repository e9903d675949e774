//! A box on simulated inputs and two paths, in this process, against a played rack.

mod played;

use alarm::{Fault, Mode, Nature, What};
use button::inputs::Source;
use button::{Button, config};
use hw::{Inputs, fake};
use played::{Centre, SOON};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use unit::Config as _;

const PRESS: What = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false };
const FOUND: What = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: true };

/// A box that may be started again and again.
struct Box7 {
    dir: TempDir,
    wired: SocketAddr,
    cellular: SocketAddr,
    latching: bool,
}

/// One life of it.
struct Life {
    hand: fake::InputHand,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Box7 {
    fn new(wired: SocketAddr, cellular: SocketAddr) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), wired, cellular, latching: false }
    }

    fn config(&self) -> config::Config {
        let dir = self.dir.path();
        let board = dir.join("board.toml");
        std::fs::write(
            &board,
            "name = \"played\"\n[devices.gpio]\npart = \"gpio\"\n[inputs]\n\
             no = { device = \"gpio\", line = \"A\" }\nnc = { device = \"gpio\", line = \"B\" }\n",
        )
        .unwrap();
        let text = format!(
            "board = {board:?}\nstate-dir = {dir:?}\nticket = {ticket:?}\ncontrol = {control:?}\n\
             [[path]]\nid = \"wired\"\nkind = \"wired\"\nsource = \"127.0.0.1\"\nracks = [\"{wired}\"]\n\
             [[path]]\nid = \"cellular\"\nkind = \"metered\"\nsource = \"127.0.0.2\"\nracks = [\"{cellular}\"]\n\
             [[point]]\nid = \"gate\"\nno = \"no\"\nnc = \"nc\"\nlatching = {latching}\nrepeat-s = 0\n",
            ticket = dir.join("ticket"),
            control = dir.join("control"),
            wired = self.wired,
            cellular = self.cellular,
            latching = self.latching,
        );
        toml::from_str::<config::Raw>(&text).unwrap().check().unwrap()
    }

    fn start(&self) -> Life {
        self.start_with(false)
    }

    fn start_with(&self, pressed: bool) -> Life {
        let (bank, hand) = fake::inputs("box", &["no", "nc"]);
        hand.set("no", pressed);
        hand.set("nc", !pressed);
        let mut bank = Some(bank);
        let lines = vec!["no".into(), "nc".into()];
        let open = move || {
            let bank = bank.take().ok_or(hw::Error::Absent { device: "box".into() })?;
            Ok(vec![Box::new(bank) as Box<dyn Inputs>])
        };
        let source = Source { lines, open: Box::new(open) };
        let (stop, stopped) = oneshot::channel();
        let button = Button::with_sources(self.config(), vec![source]);
        let task = tokio::spawn(button.run(async { drop(stopped.await) }));
        Life { hand, stop, task }
    }

    fn waiting(&self) -> usize {
        let bytes = std::fs::read(self.dir.path().join("spool")).unwrap();
        alarm::spool::Spool::replay(&bytes).spool.len()
    }

    async fn is_delivered(&self) {
        let empty = async {
            while self.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, empty).await.expect("all is delivered and marked so on the disk");
    }
}

impl Life {
    fn press(&self) {
        self.hand.set("no", true);
        self.hand.set("nc", false);
    }

    fn release(&self) {
        self.hand.set("no", false);
        self.hand.set("nc", true);
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }

    /// As SIGKILL: nothing is flushed and nobody says goodbye.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn centre() -> (Centre, played::Door, played::Door) {
    let centre = Centre::new();
    let (wired, cellular) = (centre.open("127.0.0.1:0").await, centre.open("127.0.0.2:0").await);
    (centre, wired, cellular)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_arrives_over_both_paths_and_an_ack_ends_it() {
    let (mut centre, wired, cellular) = centre().await;
    centre.acks(false);
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    for _ in 0..2 {
        centre.status(|status| status.points[0].state == alarm::point::State::Rest).await;
    }

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
    let (mut centre, wired, cellular) = centre().await;
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|_| true).await;
    let (wired, cellular) = (wired.kill().await, cellular.kill().await);

    life.press();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(edge.waiting(), 1);

    let _wired = centre.open(&wired.to_string()).await;
    let _cellular = centre.open(&cellular.to_string()).await;
    let (_, notice) = centre.alarm().await;
    edge.is_delivered().await;
    life.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_box_keeps_the_press_and_does_not_raise_it_again() {
    let (mut centre, wired, cellular) = centre().await;
    centre.acks(false);
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|status| status.points[0].state == alarm::point::State::Rest).await;
    life.press();
    let (_, notice) = centre.alarm().await;
    life.kill().await;

    centre.acks(true);
    let again = edge.start_with(true);
    edge.is_delivered().await;
    centre.hears_no_new_alarm_for(Duration::from_millis(500), notice.id).await;
    again.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latched_button_found_pressed_is_a_press_and_only_once() {
    let (mut centre, wired, cellular) = centre().await;
    let mut edge = Box7::new(wired.address, cellular.address);
    edge.latching = true;
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start_with(true);
    let notice = centre.hears(&FOUND).await;
    edge.is_delivered().await;
    life.stop().await;

    let again = edge.start_with(true);
    centre.status(|status| status.points[0].state == alarm::point::State::Active).await;
    centre.hears_no_new_alarm_for(Duration::from_millis(500), notice.id).await;
    again.stop().await;

    let reset = edge.start();
    centre.hears(&What::Restored { of: Some(notice.id) }).await;
    reset.stop().await;
    assert_eq!(centre.taken(), [notice.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_wire_and_a_lost_device_are_told_and_come_back() {
    let (mut centre, wired, cellular) = centre().await;
    let edge = Box7::new(wired.address, cellular.address);
    centre.enrol(edge.dir.path(), &[]);
    let life = edge.start();
    centre.status(|status| status.points[0].state == alarm::point::State::Rest).await;
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
    let (mut centre, wired, cellular) = centre().await;
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
