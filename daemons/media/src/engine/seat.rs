//! One group on its way to one watcher. Nobody waits for a slow one: what does not fit into its stream waits here, and
//! is thrown away when a newer group has begun and the watcher's patience is over.
//!
//! ```text
//!  open ─▶ behind ─▶ seated ─▶ over ─▶ arrived
//!             ▲         │
//!             └─ full ──┘            any: overtaken, or nobody watches any more ─▶ reset
//! ```

use super::group::{End, Group, Standing};
use super::wire::{self, Version};
use bytes::Bytes;
use moq_net::StreamError;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use web_transport_quinn as wt;

/// How long a group may take at least once a newer one has begun, however little age the watcher accepts: what is in
/// flight over a long way is not late.
const PATIENCE: Duration = Duration::from_secs(1);

/// What all groups of a subscription share.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    /// As the watcher asked for.
    pub(super) priority: AtomicU8,
    /// Nobody watches any more.
    pub(super) gone: AtomicBool,
}

/// What a group is to a subscription.
pub(super) struct Ticket {
    pub(super) session: wt::Session,
    pub(super) version: Version,
    pub(super) subscribe: u64,
    pub(super) sequence: u64,
    pub(super) max_age: Duration,
    pub(super) watcher: Arc<Watcher>,
    /// The newest group that has begun; closed when nobody watches any more.
    pub(super) newest: watch::Receiver<u64>,
    /// Held until the group has arrived or is given up.
    pub(super) _pending: mpsc::Sender<()>,
}

/// A stream that has everything so far.
pub(super) struct Seated {
    stream: wt::SendStream,
    watcher: Arc<Watcher>,
    order: Order,
    back: Option<oneshot::Sender<Back>>,
}

/// A stream that has to be looked after again.
struct Back {
    seated: Seated,
    place: usize,
    rest: Bytes,
}

/// Where a stream stands among those of its session. Highest priority first; then the older subscription; within one
/// the newest group, so that what is congested sheds its backlog.
#[derive(Clone, Copy)]
struct Order {
    priority: u8,
    tie: i32,
}

impl Order {
    fn new(subscribe: u64, sequence: u64) -> Self {
        let subscribe = i32::try_from(0x3ff - subscribe.min(0x3ff)).unwrap_or_default();
        let sequence = i32::try_from(sequence & 0xfff).unwrap_or_default();
        Self { priority: 0, tie: subscribe << 12 | sequence }
    }

    fn rank(self) -> i32 {
        i32::from(self.priority) << 22 | self.tie
    }
}

impl Seated {
    fn new(stream: wt::SendStream, ticket: &Ticket) -> Self {
        let order = Order::new(ticket.subscribe, ticket.sequence);
        let mut seated = Self { stream, watcher: ticket.watcher.clone(), order, back: None };
        seated.rank(true);
        seated
    }

    fn rank(&mut self, anyhow: bool) {
        let priority = self.watcher.priority.load(Ordering::Relaxed);
        if anyhow || priority != self.order.priority {
            self.order.priority = priority;
            // A stream that is closed says so when it is written to.
            let _ = self.stream.set_priority(self.order.rank());
        }
    }

    /// Writes now.
    ///
    /// # Errors
    /// What there was no room for, or everything when nobody watches any more.
    pub(super) fn write(&mut self, piece: &Bytes) -> Result<(), Bytes> {
        if self.watcher.gone.load(Ordering::Relaxed) {
            return Err(piece.clone());
        }
        self.rank(false);
        let mut rest = [piece.clone()];
        while !rest[0].is_empty() {
            let written = pin!(self.stream.write_chunks(&mut rest));
            match written.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(_)) => {}
                // Whoever looks after it meets the error again.
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        let [rest] = rest;
        if rest.is_empty() { Ok(()) } else { Err(rest) }
    }

    /// Back to [`serve`], with so many pieces written and the rest of the last.
    pub(super) fn give_back(mut self, place: usize, rest: Bytes) {
        if let Some(back) = self.back.take() {
            // Only when the runtime ends is nobody there.
            let _ = back.send(Back { seated: self, place, rest });
        }
    }
}

/// Brings a group to a watcher.
pub(super) async fn serve(group: Arc<Group>, ticket: Ticket) {
    let mut overtaken: Overtaken =
        Box::pin(overtaken(ticket.newest.clone(), ticket.sequence, ticket.max_age));
    let open = tokio::select! {
        open = ticket.session.open_uni() => open,
        _ = &mut overtaken => return,
    };
    let Ok(stream) = open else { return };
    let seated = Seated::new(stream, &ticket);
    let header = wire::group(ticket.version, ticket.subscribe, ticket.sequence);
    let Some((mut seated, end)) = run(&group, seated, header, &mut overtaken).await else { return };
    match end {
        End::Broken(code) => drop(seated.stream.reset(code)),
        End::Whole => {
            let _ = seated.stream.finish();
            let code = tokio::select! {
                _ = seated.stream.stopped() => return,
                error = &mut overtaken => error,
            };
            let _ = seated.stream.reset(code.to_code());
        }
    }
}

type Overtaken = Pin<Box<dyn Future<Output = StreamError> + Send>>;

/// Writes everything; `None` when the stream has been reset.
async fn run(
    group: &Group,
    mut seated: Seated,
    mut rest: Bytes,
    overtaken: &mut Overtaken,
) -> Option<(Seated, End)> {
    let mut place = 0;
    loop {
        seated = write_all(seated, rest, overtaken).await?;
        let (back, returned) = oneshot::channel();
        seated.back = Some(back);
        match group.sit(seated, place) {
            Standing::Over(seated, end) => return Some((seated, end)),
            Standing::Behind(behind, piece) => {
                (seated, rest) = (behind, piece);
                place += 1;
            }
            Standing::Seated => {
                let back = returned.await.ok()?;
                (seated, place, rest) = (back.seated, back.place, back.rest);
            }
        }
    }
}

async fn write_all(mut seated: Seated, rest: Bytes, overtaken: &mut Overtaken) -> Option<Seated> {
    if rest.is_empty() {
        return Some(seated);
    }
    seated.rank(false);
    let error = tokio::select! {
        biased;
        error = overtaken => error,
        written = seated.stream.write_chunk(rest) => match written {
            Ok(()) => return Some(seated),
            Err(_) => StreamError::Cancel,
        },
    };
    let _ = seated.stream.reset(error.to_code());
    None
}

/// Ends when a newer group has begun and the watcher's patience is over, or when nobody watches any more.
async fn overtaken(mut newest: watch::Receiver<u64>, sequence: u64, max_age: Duration) -> StreamError {
    if newest.wait_for(|newest| *newest > sequence).await.is_err() {
        return StreamError::Cancel;
    }
    let closed = async { while newest.changed().await.is_ok() {} };
    tokio::select! {
        () = tokio::time::sleep(max_age.max(PATIENCE)) => StreamError::Old,
        () = closed => StreamError::Cancel,
    }
}
