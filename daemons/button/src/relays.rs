//! The thread that switches the test relays. When one draws is decided in [`crate::core`].

use hw::{Board, OpenError, Outputs};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;
use tokio::sync::mpsc;

/// One relay draws at a time, and is told to let go once: more orders than these wait only while a device hangs.
const ORDERS_MAX: usize = 16;
const CONSUMER: &str = "onepress-button";

/// Opens the banks of these outputs.
pub type Opener = Box<dyn FnMut(&[&str]) -> Result<Vec<Box<dyn Outputs>>, OpenError> + Send>;

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    pub(crate) output: String,
    pub(crate) on: bool,
    pub(crate) done: bool,
    /// When the device had answered.
    pub(crate) at: Instant,
}

/// The outputs of a board.
pub(crate) fn opener(board: Board) -> Opener {
    Box::new(move |names| board.open_outputs(CONSUMER, names))
}

/// The test relays of a box that may have none.
#[derive(Debug)]
pub(crate) struct Relays {
    orders: SyncSender<(String, bool)>,
    told: mpsc::Sender<Switched>,
}

impl Relays {
    /// Starts the thread: whatever an earlier life left drawn lets go.
    pub(crate) fn start(
        open: Opener,
        outputs: Vec<String>,
    ) -> std::io::Result<(Self, mpsc::Receiver<Switched>)> {
        let (orders, wanted) = sync_channel(ORDERS_MAX);
        let (told, heard) = mpsc::channel(ORDERS_MAX);
        if !outputs.is_empty() {
            let mut bench = Bench { open, outputs, banks: Vec::new(), told: told.clone() };
            std::thread::Builder::new().name("test relays".into()).spawn(move || bench.run(&wanted))?;
        }
        Ok((Self { orders, told }, heard))
    }

    pub(crate) fn switch(&self, output: String, on: bool) {
        let order = self.orders.try_send((output, on));
        if let Err(TrySendError::Full((output, on)) | TrySendError::Disconnected((output, on))) = order {
            tracing::error!(%output, "the test relay does not follow");
            let _ = self.told.try_send(Switched { output, on, done: false, at: Instant::now() });
        }
    }
}

struct Bench {
    open: Opener,
    outputs: Vec<String>,
    banks: Vec<Box<dyn Outputs>>,
    told: mpsc::Sender<Switched>,
}

impl Bench {
    /// Until the daemon ends; then every relay has let go.
    fn run(&mut self, wanted: &Receiver<(String, bool)>) {
        self.let_go();
        while let Ok((output, on)) = wanted.recv() {
            let done = self.switch(&output, on);
            if self.told.blocking_send(Switched { output, on, done, at: Instant::now() }).is_err() {
                break;
            }
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        for output in self.outputs.clone() {
            self.switch(&output, false);
        }
    }

    fn switch(&mut self, output: &str, on: bool) -> bool {
        let switched = self.try_switch(output, on);
        if let Err(error) = &switched {
            tracing::warn!(%output, %on, %error, "a test relay cannot be switched");
            self.banks.clear();
        }
        switched.is_ok()
    }

    fn try_switch(&mut self, output: &str, on: bool) -> anyhow::Result<()> {
        if self.banks.is_empty() {
            let names: Vec<_> = self.outputs.iter().map(String::as_str).collect();
            self.banks = (self.open)(&names)?;
        }
        let carries = |bank: &&mut Box<dyn Outputs>| bank.lines().iter().any(|line| *line == output);
        let bank = self.banks.iter_mut().find(carries);
        bank.ok_or_else(|| anyhow::anyhow!("no device carries {output:?}"))?.set(output, on)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hw::fake::{self, Failure};

    #[test]
    fn what_was_left_drawn_lets_go_and_every_order_is_answered() {
        let (mut bank, hand) = fake::outputs("relays", &["t1", "t2"]);
        bank.set("t2", true).unwrap();
        let mut bank = Some(bank);
        let open: Opener = Box::new(move |_| {
            let bank = bank.take().ok_or(hw::Error::Absent { device: "relays".into() })?;
            Ok(vec![Box::new(bank) as Box<dyn Outputs>])
        });
        let (relays, mut heard) = Relays::start(open, vec!["t1".into(), "t2".into()]).unwrap();
        relays.switch("t1".into(), true);
        let answer = heard.blocking_recv().unwrap();
        assert_eq!((answer.output.as_str(), answer.on, answer.done), ("t1", true, true));
        assert!(!hand.is_on("t2"));
        hand.fail(Failure::Absent);
        relays.switch("t1".into(), false);
        assert!(!heard.blocking_recv().unwrap().done);
    }
}
