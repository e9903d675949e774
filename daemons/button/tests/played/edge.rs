//! A box on simulated inputs and two paths, in this process.

use super::SOON;
use button::inputs::Source;
use button::{Button, config};
use hw::{Inputs, fake};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use unit::Config as _;

/// A box that may be started again and again.
pub(crate) struct Box7 {
    pub(crate) dir: TempDir,
    pub(crate) wired: SocketAddr,
    pub(crate) cellular: SocketAddr,
    pub(crate) latching: bool,
    /// Keys of the point that name its test relays.
    pub(crate) relays: &'static str,
}

/// One life of it.
pub(crate) struct Life {
    pub(crate) hand: fake::InputHand,
    pub(crate) coils: fake::OutputHand,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Box7 {
    pub(crate) fn new(wired: SocketAddr, cellular: SocketAddr) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), wired, cellular, latching: false, relays: "" }
    }

    pub(crate) fn config(&self) -> config::Config {
        let dir = self.dir.path();
        let board = dir.join("board.toml");
        std::fs::write(
            &board,
            "name = \"played\"\n[devices.gpio]\npart = \"gpio\"\n[inputs]\n\
             no = { device = \"gpio\", line = \"A\" }\nnc = { device = \"gpio\", line = \"B\" }\n\
             [outputs]\nt1 = { device = \"gpio\", line = \"C\" }\nt2 = { device = \"gpio\", line = \"D\" }\n",
        )
        .unwrap();
        let text = format!(
            "board = {board:?}\nstate-dir = {dir:?}\nappliance = {dir:?}\nticket = {ticket:?}\ncontrol = {control:?}\n\
             [[path]]\nid = \"wired\"\nkind = \"wired\"\nsource = \"127.0.0.1\"\nracks = [\"{wired}\"]\n\
             [[path]]\nid = \"cellular\"\nkind = \"metered\"\nsource = \"127.0.0.2\"\nracks = [\"{cellular}\"]\n\
             [[point]]\nid = \"gate\"\nno = \"no\"\nnc = \"nc\"\nlatching = {latching}\nrepeat-s = 0\n{relays}\n",
            ticket = dir.join("ticket"),
            control = dir.join("control"),
            wired = self.wired,
            cellular = self.cellular,
            latching = self.latching,
            relays = self.relays,
        );
        toml::from_str::<config::Raw>(&text).unwrap().check().unwrap()
    }

    pub(crate) fn start(&self) -> Life {
        self.start_with(false)
    }

    pub(crate) fn start_with(&self, pressed: bool) -> Life {
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
        let (relays, coils) = fake::outputs("relays", &["t1", "t2"]);
        let mut relays = Some(relays);
        let open = move |_: &[&str]| {
            let bank = relays.take().ok_or(hw::Error::Absent { device: "relays".into() })?;
            Ok(vec![Box::new(bank) as Box<dyn hw::Outputs>])
        };
        let button = Button::with_sources(self.config(), vec![source]).with_relays(Box::new(open));
        let task = tokio::spawn(button.run(async { drop(stopped.await) }));
        Life { hand, coils, stop, task }
    }

    pub(crate) fn waiting(&self) -> usize {
        let bytes = std::fs::read(self.dir.path().join("spool")).unwrap();
        // A self-test tells of itself as well, whenever it is done.
        let waiting = alarm::spool::Spool::replay(&bytes).spool.waiting();
        waiting.iter().filter(|notice| !matches!(notice.what, alarm::What::SelfTest(_))).count()
    }

    /// The threads of a former life end a moment after it; a process takes them along.
    pub(crate) async fn is_free(&self) {
        let Ok(lock) = std::fs::File::open(self.dir.path().join("spool.lock")) else { return };
        let free = async {
            while lock.try_lock().is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, free).await.expect("the former life lets go of the spool");
    }

    pub(crate) async fn is_delivered(&self) {
        let empty = async {
            while self.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, empty).await.expect("all is delivered and marked so on the disk");
    }
}

impl Life {
    pub(crate) fn press(&self) {
        self.hand.set("no", true);
        self.hand.set("nc", false);
    }

    pub(crate) fn release(&self) {
        self.hand.set("no", false);
        self.hand.set("nc", true);
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
    }

    /// As SIGKILL: nothing is flushed and nobody says goodbye.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
