//! Frames of open takes on the disk, for as long as the relay may ask for them: one file a take, appended, and an index
//! in memory. Nothing outlives the daemon: the directory is emptied at the start.

mod store;

use alarm::media::TakeId;
use media::take::Written;
use media::{Frame, Kind};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use store::Store;
use tokio::sync::oneshot;

/// Orders that wait for the disk: what sixteen cameras send while a card collects its garbage for ten seconds.
const QUEUE: usize = 16 * 1024;

/// A take in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

/// One group of one track.
pub(crate) type Group = (Key, Kind, u64);

/// The buffer. Clones are the same; its thread ends with the last of them. Without a disk it holds nothing.
#[derive(Clone)]
pub(crate) struct Buffer(Option<Arc<Inner>>);

struct Inner {
    orders: SyncSender<Order>,
    next: AtomicU64,
    behind: AtomicBool,
}

enum Order {
    Begin(Key, String),
    Write(Key, Written, Frame),
    /// A frame of it was lost on the way: it is not whole.
    Spoil(Group),
    Read(Group, oneshot::Sender<Option<Vec<Frame>>>),
    Forget(Key),
}

impl Buffer {
    /// Empties the directory and starts the thread. A disk that cannot be used keeps no camera from sending.
    pub(crate) fn start(dir: &Path, bytes: u64) -> Self {
        Self::open(dir, bytes).map(|inner| Self(Some(Arc::new(inner)))).unwrap_or_else(|error| {
            tracing::warn!(dir = %dir.display(), %error, "no buffer on the disk: the relay can have the last minute only");
            Self(None)
        })
    }

    fn open(dir: &Path, bytes: u64) -> io::Result<Inner> {
        let store = Store::open(dir, bytes)?;
        let (orders, given) = sync_channel(QUEUE);
        std::thread::Builder::new().name("buffer".into()).spawn(move || run(store, &given))?;
        Ok(Inner { orders, next: AtomicU64::new(0), behind: AtomicBool::new(false) })
    }

    /// A take begins; `None` when nothing is kept.
    pub(crate) fn begin(&self, take: &TakeId) -> Option<Key> {
        let key = Key(self.0.as_ref()?.next.fetch_add(1, Ordering::Relaxed));
        self.order(Order::Begin(key, format!("{}-{}", take.camera, take.began)));
        Some(key)
    }

    /// Takes a frame of a group.
    pub(crate) fn write(&self, key: Key, written: Written, frame: Frame) {
        let kind = frame.kind;
        if !self.order(Order::Write(key, written, frame)) {
            self.order(Order::Spoil((key, kind, written.group)));
        }
    }

    /// The frames of a group; `None` when they are not there, or not all of them.
    pub(crate) async fn read(&self, key: Key, kind: Kind, group: u64) -> Option<Vec<Frame>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Read((key, kind, group), answer));
        answered.await.ok().flatten()
    }

    /// Nobody will ask for the take any more.
    pub(crate) fn forget(&self, key: Key) {
        self.order(Order::Forget(key));
    }

    /// Whether it was taken. Each time the disk falls behind is told once, and its end once.
    fn order(&self, order: Order) -> bool {
        let Some(inner) = &self.0 else { return true };
        let taken = match inner.orders.try_send(order) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        };
        if inner.behind.swap(!taken, Ordering::Relaxed) == taken {
            match taken {
                true => tracing::info!("the disk keeps up again"),
                false => {
                    tracing::warn!("the disk does not keep up: the relay cannot have all that it missed")
                }
            }
        }
        taken
    }
}

fn run(mut store: Store, orders: &Receiver<Order>) {
    let mut failing = false;
    while let Ok(order) = orders.recv() {
        let done = match order {
            Order::Begin(key, name) => store.begin(key, &name),
            Order::Write(key, at, frame) => store.write((key, frame.kind, at.group), at.first, &frame),
            Order::Spoil(group) => {
                store.spoil(group);
                Ok(())
            }
            Order::Read(group, answer) => store.read(group).map(|frames| {
                // Whoever asked may have gone.
                let _ = answer.send(frames);
            }),
            Order::Forget(key) => store.forget(key),
        };
        match (done, failing) {
            (Err(error), false) => {
                tracing::warn!(%error, "the buffer on the disk fails: the relay can have the last minute only");
                failing = true;
            }
            (Ok(()), true) => failing = false,
            (Err(_), true) | (Ok(()), false) => {}
        }
    }
}
