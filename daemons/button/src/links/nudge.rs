//! What one task knows and the others should act on at once.

use alarm::PathId;
use tokio::sync::broadcast;

/// Nudges that a slow task has not heard yet; losing one costs it a wait that it would have had anyway.
const NUDGES_MAX: usize = 8;

/// Why a task should act now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// A new alarm wants to leave: a path that waits for its next try tries.
    Alarm,
    /// The rack has restarted, as this path has found: the others look at theirs.
    RackRestarted(PathId),
    /// There is another identity.
    Identity,
}

/// Nudges the tasks.
#[derive(Clone, Debug)]
pub struct Nudger(broadcast::Sender<Nudge>);

impl Nudger {
    /// Nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(NUDGES_MAX))
    }

    /// Nudges everybody who listens.
    pub fn nudge(&self, nudge: Nudge) {
        // An error means that nobody listens.
        let _ = self.0.send(nudge);
    }

    pub(super) fn listen(&self) -> Nudged {
        Nudged(self.0.subscribe())
    }
}

impl Default for Nudger {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
pub(super) struct Nudged(broadcast::Receiver<Nudge>);

impl Nudged {
    /// The next nudge; never, when nobody can nudge any more. Cancel safe.
    pub(super) async fn next(&mut self) -> Nudge {
        loop {
            match self.0.recv().await {
                Ok(nudge) => return nudge,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Forgets what was said before.
    pub(super) fn forget(&mut self) {
        self.0 = self.0.resubscribe();
    }
}
