//! The ways to the rack: a task for each path, and one that gets and keeps the identity. What is sent, and again, is
//! decided in [`crate::core`]; when to try again is `link`'s.

mod fetch;
mod identity;
mod nudge;
mod path;
mod report;
mod session;

pub use identity::{Enrolled, Keeper};
pub use nudge::{Nudge, Nudger};
pub use path::{Halt, PathTask, Shared};

use alarm::{Notice, NoticeId, PathId};
use tokio::sync::mpsc;

/// Notices on their way to one path's task: what the outbox has in flight on it. One that finds no place is sent
/// again by the outbox.
pub const OUTGOING_MAX: usize = alarm::delivery::WINDOW;
/// What the paths tell the core: an ACK for each notice in flight, and some ups and downs.
pub const EVENTS_MAX: usize = 4 * alarm::delivery::WINDOW;

/// What a path tells the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its alarm stream is open.
    Up(PathId),
    /// It has gone.
    Down(PathId),
    /// The desk has written a notice down.
    Ack(NoticeId),
    /// The desk wants a self-test; a number for each time that somebody asked.
    SelfTest(u64),
}

/// The core's end of one path.
#[derive(Debug)]
pub struct Outgoing {
    /// Its name.
    pub path: PathId,
    /// To its task.
    pub notices: mpsc::Sender<Notice>,
}
