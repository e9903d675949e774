//! The thread that switches the local lamp. When it is lit is decided in [`crate::core`].

use hw::{Board, Outputs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::watch;

/// How often the output is read back (hardware practice for relay boards).
const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
/// A lamp is switched twice an alarm; more orders than this wait only while its device hangs.
const ORDERS_MAX: usize = 8;
const CONSUMER: &str = "onepress-button";

/// The lamp of a box that may have none.
#[derive(Debug, Default)]
pub(crate) struct Lamp {
    orders: Option<SyncSender<bool>>,
}

impl Lamp {
    /// Starts the thread, dark. The receiver shows whether the output fails.
    pub(crate) fn start(board: Board, output: String) -> std::io::Result<(Self, watch::Receiver<bool>)> {
        let (orders, wanted) = sync_channel(ORDERS_MAX);
        let (failing, told) = watch::channel(false);
        let mut output = Output { board, name: output, bank: None, lit: false, failing };
        std::thread::Builder::new().name("lamp".into()).spawn(move || output.run(&wanted))?;
        Ok((Self { orders: Some(orders) }, told))
    }

    pub(crate) fn switch(&self, lit: bool) {
        let Some(orders) = &self.orders else { return };
        if let Err(TrySendError::Full(_)) = orders.try_send(lit) {
            tracing::error!("the lamp does not follow");
        }
    }
}

struct Output {
    board: Board,
    name: String,
    bank: Option<Box<dyn Outputs>>,
    lit: bool,
    failing: watch::Sender<bool>,
}

impl Output {
    /// Until the daemon ends; then the lamp is dark.
    fn run(&mut self, wanted: &Receiver<bool>) {
        self.apply();
        loop {
            match wanted.recv_timeout(SUPERVISE_EVERY) {
                Ok(lit) => self.lit = lit,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.apply();
        }
        self.lit = false;
        self.apply();
    }

    fn apply(&mut self) {
        let failed = self.try_apply().err();
        let changed = self
            .failing
            .send_if_modified(|known| std::mem::replace(known, failed.is_some()) != failed.is_some());
        match failed {
            Some(error) if changed => tracing::warn!(%error, "lamp cannot be switched"),
            Some(_) => {}
            None if changed => tracing::info!("lamp works again"),
            None => {}
        }
    }

    fn try_apply(&mut self) -> anyhow::Result<()> {
        if self.bank.is_none() {
            self.bank = self.board.open_outputs(CONSUMER, &[&self.name])?.pop();
        }
        let bank = self.bank.as_mut().ok_or_else(|| anyhow::anyhow!("no device carries the lamp"))?;
        bank.set(&self.name, self.lit)?;
        Ok(())
    }
}
