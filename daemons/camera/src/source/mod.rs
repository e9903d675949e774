//! One source of media: a camera over RTSP, or the site's microphone. Whatever breaks, it begins anew; what it gives
//! is a row of segments, each with constant parameters and one timeline.

mod aac;
mod g711;
mod microphone;
mod rtsp;
mod sound;
mod timeline;

pub(crate) use microphone::{Microphone, RATE};
pub(crate) use rtsp::Rtsp;

use alarm::Fault;
use media::Frame;
use media::take::Content;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::time::sleep;
use unit::Progress;

/// What waits for a feed: two seconds of picture and sound. A feed never waits for the network.
pub(crate) const QUEUE: usize = 128;
/// First wait after a source broke off; it doubles to [`RETRY_LONGEST`].
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait: a camera that comes back is seen within two seconds.
const RETRY_LONGEST: Duration = Duration::from_secs(2);
/// A run of this length begins the waits anew.
const SETTLED: Duration = Duration::from_secs(10);
/// Longest that one try takes, with all its limits: to connect, then to wait for a first key frame.
pub(crate) const TURN_LIMIT: Duration = Duration::from_secs(60);

/// When something came, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) mono: Instant,
    pub(crate) wall: SystemTime,
}

impl Stamp {
    pub(crate) fn now() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// What a source gives.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// A segment begins.
    Begin(Arc<Content>),
    /// A frame of it; the first of a segment is at time zero and begins a group.
    Frame(Frame, Stamp),
    /// The segment has ended.
    End,
    /// What is wrong now.
    Trouble(Option<Trouble>),
}

/// What is wrong with a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) fault: Fault,
    /// For the technician.
    pub(crate) reason: String,
}

impl Trouble {
    pub(crate) fn lost(reason: impl ToString) -> Self {
        Self { fault: Fault::CameraLost, reason: reason.to_string() }
    }

    pub(crate) fn unreadable(reason: impl ToString) -> Self {
        Self { fault: Fault::CameraUnreadable, reason: reason.to_string() }
    }
}

/// Where a source puts what it hears.
pub(crate) struct Outlet {
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) progress: Progress,
}

/// Nobody listens any more: the daemon ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

impl Outlet {
    pub(crate) async fn give(&self, heard: Heard) -> Result<(), Ended> {
        self.progress.beat();
        self.heard.send(heard).await.map_err(|_| Ended)
    }
}

/// One kind of source.
pub(crate) trait Source: Send {
    /// One run: from connecting until it breaks, and why it did.
    fn run(&mut self, outlet: &Outlet) -> impl Future<Output = Result<Trouble, Ended>> + Send;
}

/// Runs a source for ever.
///
/// # Errors
/// None; the type is that of every task.
pub(crate) async fn keep(mut source: impl Source, outlet: Outlet) -> anyhow::Result<()> {
    let mut wait = RETRY_FIRST;
    loop {
        let began = Instant::now();
        let Ok(trouble) = source.run(&outlet).await else { return Ok(()) };
        if began.elapsed() >= SETTLED {
            wait = RETRY_FIRST;
        }
        let told = async {
            outlet.give(Heard::End).await?;
            outlet.give(Heard::Trouble(Some(trouble))).await
        };
        if told.await.is_err() {
            return Ok(());
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_LONGEST);
    }
}
