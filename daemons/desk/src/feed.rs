//! What seats hear of: one message per change, rendered once for all of them.

use std::sync::Arc;
use tokio::sync::broadcast;

/// Messages that a slow console may be behind before it is told to fetch the whole state again: a storm of 2,000
/// presses, each shown twice (taken, then on the disk).
const BEHIND_MAX: usize = 4_096;

/// One server-sent event.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its name: `incident`, `box`, `site`, `seats`, `faults`, `figures`, `announcements`, `bundles`, `rollout`,
    /// `tick`, `reload`.
    pub(crate) name: &'static str,
    /// The journal number that it brings the console up to.
    pub(crate) seq: u64,
    /// JSON.
    pub(crate) data: Arc<str>,
}

/// The channel to all consoles.
#[derive(Clone, Debug)]
pub(crate) struct Feed(broadcast::Sender<Message>);

impl Feed {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BEHIND_MAX).0)
    }

    pub(crate) fn tell(&self, name: &'static str, seq: u64, view: &impl serde::Serialize) {
        if self.0.receiver_count() == 0 {
            return;
        }
        match serde_json::to_string(view) {
            Ok(data) => drop(self.0.send(Message { name, seq, data: data.into() })),
            Err(error) => tracing::warn!(%error, name, "a view cannot be written as JSON"),
        }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Message> {
        self.0.subscribe()
    }
}
