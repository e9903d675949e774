use super::File;
use crate::core::{Write, Written};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;
use unit::Progress;

/// The core has one write under way at a time.
const WRITES_MAX: usize = 1;
/// How often an idle writer says that it lives.
const IDLE_BEAT: Duration = Duration::from_secs(1);

/// One write has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done(pub Written);

/// The thread that writes the spool: an fsync blocks, and nothing else waits behind it.
#[derive(Debug)]
pub struct Writer {
    orders: SyncSender<Write>,
}

impl Writer {
    /// Starts the thread. It ends when the writer is dropped.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(file: File, progress: Progress) -> std::io::Result<(Self, mpsc::Receiver<Done>)> {
        let (orders, given) = sync_channel(WRITES_MAX);
        let (answers, done) = mpsc::channel(WRITES_MAX);
        let thread = std::thread::Builder::new().name("spool".into());
        thread.spawn(move || run(file, &given, &answers, progress))?;
        Ok((Self { orders }, done))
    }

    /// Hands over a write; its end comes through the receiver.
    pub fn write(&self, write: Write) {
        match self.orders.try_send(write) {
            Ok(()) => {}
            // The core waits for an answer and gives up after its limit: that is a fault, not a reason to die.
            Err(TrySendError::Full(_)) => tracing::error!("spool writer is stuck"),
            Err(TrySendError::Disconnected(_)) => tracing::error!("spool writer has ended"),
        }
    }
}

fn run(mut file: File, orders: &Receiver<Write>, answers: &mpsc::Sender<Done>, progress: Progress) {
    let mut failing = false;
    loop {
        let write = match orders.recv_timeout(IDLE_BEAT) {
            Ok(write) => write,
            Err(RecvTimeoutError::Timeout) => {
                progress.beat();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let written = outcome(file.write(&write), &mut failing);
        progress.beat();
        if answers.blocking_send(Done(written)).is_err() {
            break;
        }
    }
    progress.done();
}

/// Each failure is told once, and its end once.
fn outcome(result: std::io::Result<()>, failing: &mut bool) -> Written {
    match (result, *failing) {
        (Ok(()), false) => Written::Kept,
        (Ok(()), true) => {
            tracing::info!("spool written again");
            *failing = false;
            Written::Kept
        }
        (Err(error), known) => {
            if !known {
                tracing::error!(%error, "spool cannot be written, presses leave from memory; check the disk");
            }
            *failing = true;
            Written::Failed
        }
    }
}
