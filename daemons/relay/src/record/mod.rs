//! Everything of an open incident on the disk: the takes of its boxes, the voices of its room.
//!
//! | module | what |
//! |---|---|
//! | `line` | the order of groups and what is missing of them. Pure |
//! | `mp4` | what has to be known of a fragment's bytes. Pure |
//! | `folder` | files, hash chain and index of one take |
//! | `track` | joins the three for one track |
//! | `take` | a take from announcement to end |
//! | `recover` | what an earlier life left |
//! | `keep` | how long takes stay, and what happens when the disk is full |
//! | `library` | reads recordings, also those that grow |

pub(crate) mod folder;
pub(crate) mod keep;
pub(crate) mod library;
mod line;
mod mp4;
mod recover;
mod take;
mod track;

use crate::house::House;
use crate::outbox::Outbox;
use crate::told::Told;
use alarm::Wall;
use alarm::media::{PRE_ALARM, Recorded, Room, TakeId, box_prefix, room_prefix};
use media::origin::Heard;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use take::Wanted;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How long recording goes on after the last incident of a box is closed: takes under way end by themselves.
const GRACE: Duration = Duration::from_secs(10);
/// How long a box may be away before its take counts as ended. It comes back with the same take after an outage.
const BOX_AWAY: Duration = Duration::from_secs(15 * 60);
/// The same for a guest of a room, who comes back with a new one.
const GUEST_AWAY: Duration = Duration::from_secs(5);
/// By how much the clocks of box and rack may differ when a take's beginning is compared with the alarm's.
const CLOCKS: Duration = Duration::from_secs(60);

/// Whether recording works, and how much it has written.
#[derive(Clone, Default)]
pub(crate) struct Trouble(Arc<(AtomicBool, AtomicBool, AtomicU64)>);

impl Trouble {
    /// Something could not be written.
    pub(crate) fn say(&self, failed: bool) {
        self.0.0.store(failed, Ordering::Relaxed);
    }

    /// Whether something could not be written since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.0.0.swap(false, Ordering::Relaxed)
    }

    /// Nothing may be written from now on, or everything again.
    pub(crate) fn stop(&self, stopped: bool) {
        self.0.1.store(stopped, Ordering::Relaxed);
    }

    /// # Errors
    /// When nothing may be written.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.0.1.load(Ordering::Relaxed), "recording is stopped: the disk is full");
        Ok(())
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.0.2.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// Bytes written since the start.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.2.load(Ordering::Relaxed)
    }
}

/// What all recordings share.
#[derive(Clone)]
pub(crate) struct Recorder {
    /// The folder of all recordings.
    pub(crate) root: PathBuf,
    /// Reports to the desk.
    pub(crate) outbox: Outbox,
    /// Whether it works.
    pub(crate) trouble: Trouble,
    /// Broadcasts that are being recorded, with their takes.
    running: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Recorder {
    /// Nothing is recorded yet.
    pub(crate) fn new(root: PathBuf, outbox: Outbox) -> Self {
        Self { root, outbox, trouble: Trouble::default(), running: Arc::default() }
    }

    /// The takes that are being recorded now.
    pub(crate) fn running(&self) -> BTreeSet<String> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn claim(&self, what: &Wanted) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !running.contains_key(&what.broadcast);
        if free {
            running.insert(what.broadcast.clone(), what.take.clone());
        }
        free
    }

    fn release(&self, broadcast: &str) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(broadcast);
    }

    /// Brings what an earlier life left into order. Blocks. The takes that had not ended are in the answer.
    pub(crate) fn recover(&self) -> Vec<folder::Folder> {
        let mut open = Vec::new();
        for take in recover::takes(&self.root) {
            match recover::recover(&self.root, &take, &self.outbox) {
                Ok(found) => open.extend(found),
                Err(error) => {
                    tracing::error!(take, %error, "what was recorded before cannot be put in order")
                }
            }
        }
        open
    }

    /// Takes of an earlier life that have not come back have ended.
    ///
    /// # Errors
    /// Never ends by itself.
    pub(crate) async fn end_old(self, open: Vec<folder::Folder>) -> anyhow::Result<()> {
        tokio::time::sleep(BOX_AWAY).await;
        let running = self.running();
        let left =
            |folder: &folder::Folder| !running.contains(&folder.take) && !library::has_ended(&folder.dir);
        for folder in open.into_iter().filter(left) {
            let length = library::length(&folder.dir);
            let take = folder.take.clone();
            let told = tokio::task::spawn_blocking(move || folder.tell(Recorded::Ended { take, length }));
            told.await??;
        }
        std::future::pending().await
    }
}

/// Everything below which something is to be recorded, and since when.
fn prefixes(told: &Told) -> BTreeMap<String, Option<Wall>> {
    let mut prefixes: BTreeMap<String, Option<Wall>> = BTreeMap::new();
    for Room { incident, boxes, opened, .. } in told.rooms.values() {
        prefixes.insert(room_prefix(*incident), None);
        for name in boxes {
            let since = prefixes.entry(format!("{}/cam", box_prefix(name))).or_insert(Some(*opened));
            *since = (*since).min(Some(*opened));
        }
    }
    prefixes
}

/// Records what belongs to open incidents until the daemon ends.
///
/// # Errors
/// When what the desk tells can no longer be heard.
pub(crate) async fn supervise(recorder: Recorder, mut house: House) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let mut watched: BTreeMap<String, watch::Sender<bool>> = BTreeMap::new();
    loop {
        let prefixes = prefixes(&house.told.borrow_and_update());
        for (prefix, wanted) in &watched {
            wanted.send_if_modified(|now| {
                let next = prefixes.contains_key(prefix);
                std::mem::replace(now, next) != next
            });
        }
        for (prefix, since) in prefixes {
            if !watched.contains_key(&prefix) {
                let (wanted, still) = watch::channel(true);
                watched.insert(prefix.clone(), wanted);
                let below = Below { prefix, since, recorder: recorder.clone(), house: house.clone() };
                tasks.spawn(below.run(still));
            }
        }
        tokio::select! {
            changed = house.told.changed() => changed?,
            Some(ended) = tasks.join_next() => drop(watched.remove(&ended??)),
        }
    }
}

/// Records what is below one prefix as long as it is wanted.
struct Below {
    prefix: String,
    since: Option<Wall>,
    recorder: Recorder,
    house: House,
}

impl Below {
    /// The prefix, when it is wanted no more.
    async fn run(self, mut wanted: watch::Receiver<bool>) -> anyhow::Result<String> {
        let mut listening = self.house.origin.listen(&self.prefix)?;
        let (go_on, going) = watch::channel(true);
        let mut takes = JoinSet::new();
        let mut until: Option<Instant> = None;
        loop {
            tokio::select! {
                Some(heard) = listening.next() => self.heard(&heard, &going, &mut takes),
                Ok(()) = wanted.changed() => {
                    until = (!*wanted.borrow_and_update()).then(|| Instant::now() + GRACE);
                }
                () = grace(until) => break,
                Some(_) = takes.join_next() => {}
                else => break,
            }
        }
        go_on.send_replace(false);
        while takes.join_next().await.is_some() {}
        Ok(self.prefix)
    }

    fn heard(&self, heard: &Heard, going: &watch::Receiver<bool>, takes: &mut JoinSet<()>) {
        let Some(what) = heard.there.then(|| self.wanted(&heard.name)).flatten() else { return };
        if library::has_ended(&self.recorder.root.join(&what.take)) || !self.recorder.claim(&what) {
            return;
        }
        let (recorder, house, going) = (self.recorder.clone(), self.house.clone(), going.clone());
        takes.spawn(async move {
            let broadcast = what.broadcast.clone();
            take::record(recorder.clone(), house, what, going).await;
            recorder.release(&broadcast);
        });
    }

    fn wanted(&self, broadcast: &str) -> Option<Wanted> {
        if let Some(take) = TakeId::of_broadcast(broadcast) {
            // A take that began long before the alarm is recorded from what is still in memory.
            let early = self.since.map_or(0, Wall::millis).saturating_sub(i64_millis(PRE_ALARM + CLOCKS));
            let whole = take.began >= early;
            let (text, from) = (take.to_string(), Some(take.from));
            let broadcast = broadcast.into();
            return Some(Wanted { broadcast, take: text, whole, from, resume: BOX_AWAY });
        }
        let rest = broadcast.strip_prefix("room/")?;
        // Room, guest, and nothing that could leave the folder.
        let (room, guest) = rest.split_once('/')?;
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain(room) || !plain(guest) {
            return None;
        }
        let take = format!("room/{room}/{guest}-{}", self.house.clock.now().millis());
        Some(Wanted { broadcast: broadcast.into(), take, whole: false, from: None, resume: GUEST_AWAY })
    }
}

fn i64_millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

async fn grace(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
