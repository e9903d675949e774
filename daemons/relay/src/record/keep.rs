//! How long takes stay, and what happens when the disk fills.
//!
//! A take is removed when its time is over and the desk does not hold it, never otherwise: what cannot be removed
//! stays, and when the disk is full recording stops and says so. Before the desk has said what it holds, nothing is
//! removed.

use super::{Recorder, folder, recover};
use crate::told::Told;
use alarm::media::Recorded;
use alarm::{Fault, Wall};
use link::Clock;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::interval;

/// How often the disk is looked at: a hundred cameras write 25 MB/s, the reserve lasts for minutes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Every so many looks the age of the takes is looked at even when there is room: each ten minutes.
const AGE_EVERY: u32 = 120;
/// How long a failure to write stays a fault after the last one.
const FAULT_FOR: u32 = 12;

/// How much room there is. Real and played.
pub(crate) trait Space: Send + Sync + 'static {
    /// Bytes free for this user below `dir`.
    ///
    /// # Errors
    /// When the system does not say.
    fn free(&self, dir: &Path) -> io::Result<u64>;
}

/// The file system (statvfs).
pub(crate) struct FileSystem;

impl Space for FileSystem {
    fn free(&self, dir: &Path) -> io::Result<u64> {
        let told = rustix::fs::statvfs(dir)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

/// The rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Below this a fault is raised, bytes.
    pub(crate) warn: u64,
    /// Below this nothing is recorded, bytes.
    pub(crate) reserve: u64,
    /// How long a take stays at least.
    pub(crate) keep: Duration,
}

/// How the disk is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Bytes free.
    pub(crate) free: u64,
    /// What is wrong.
    pub(crate) faults: Vec<Fault>,
}

/// A take as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    take: String,
    began: Wall,
}

/// When a take began, by its name; none for a folder that is none.
fn began(take: &str) -> Option<Wall> {
    let digits = take.rsplit(['/', '-']).next()?;
    digits.parse().ok().map(Wall::from_millis)
}

/// The takes whose time is over, the oldest first. A beginning in the future is a wrong clock's: it stays.
fn over(takes: &[Kept], told: &Told, running: &BTreeSet<String>, rules: &Rules, now: Wall) -> Vec<String> {
    if !told.whole {
        return Vec::new();
    }
    let old = |kept: &&Kept| now.since(kept.began) >= rules.keep;
    let free = |kept: &&Kept| !told.holds(&kept.take) && !running.contains(&kept.take);
    let mut over: Vec<&Kept> = takes.iter().filter(old).filter(free).collect();
    over.sort_by_key(|kept| kept.began);
    over.into_iter().map(|kept| kept.take.clone()).collect()
}

/// Looks after the disk.
pub(crate) struct Keeper {
    pub(crate) recorder: Recorder,
    pub(crate) rules: Rules,
    pub(crate) space: Arc<dyn Space>,
    pub(crate) told: watch::Receiver<Arc<Told>>,
    pub(crate) clock: Clock,
    pub(crate) disk: watch::Sender<Disk>,
}

impl Keeper {
    /// Works until the daemon ends.
    ///
    /// # Errors
    /// When a look panicked.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut look = interval(LOOK_EVERY);
        let keeper = Arc::new(self);
        let (mut turn, mut failing) = (0u32, 0u32);
        loop {
            look.tick().await;
            failing = if keeper.recorder.trouble.take() { FAULT_FOR } else { failing.saturating_sub(1) };
            let (this, aged, failed) = (Arc::clone(&keeper), turn.is_multiple_of(AGE_EVERY), failing > 0);
            let disk = tokio::task::spawn_blocking(move || this.look(aged, failed)).await?;
            keeper.disk.send_if_modified(|known| {
                let changed = *known != disk;
                if changed {
                    *known = disk;
                }
                changed
            });
            turn = turn.wrapping_add(1);
        }
    }

    /// One look. Blocks.
    pub(crate) fn look(&self, aged: bool, failed: bool) -> Disk {
        let mut free = self.free();
        if aged || free < self.rules.reserve {
            self.tidy();
            free = self.free();
        }
        let stopped = free < self.rules.reserve;
        self.recorder.trouble.stop(stopped);
        let low = (free < self.rules.warn).then_some(Fault::RecordingsLow);
        let stopped = (stopped || failed).then_some(Fault::RecordingStopped);
        Disk { free, faults: low.into_iter().chain(stopped).collect() }
    }

    fn free(&self) -> u64 {
        self.space.free(&self.recorder.root).unwrap_or_else(|error| {
            tracing::error!(%error, "how much room there is for recordings is not known");
            u64::MAX
        })
    }

    fn tidy(&self) {
        let names = recover::takes(&self.recorder.root);
        let kept = |take: String| Some(Kept { began: began(&take)?, take });
        let takes: Vec<Kept> = names.into_iter().filter_map(kept).collect();
        let told = Arc::clone(&self.told.borrow());
        let running = self.recorder.running();
        for take in over(&takes, &told, &running, &self.rules, self.clock.now()) {
            match remove(&self.recorder.root, &take) {
                Ok(()) => {
                    tracing::info!(take, "removed: its time is over");
                    self.recorder.outbox.push(Recorded::Removed { take });
                }
                Err(error) => tracing::error!(take, %error, "a take cannot be removed"),
            }
        }
    }
}

/// Removes a take: the index first, so that half a take is none.
fn remove(root: &Path, take: &str) -> io::Result<()> {
    let dir = root.join(take);
    fs::remove_file(dir.join(folder::INDEX))?;
    fs::remove_dir_all(&dir)?;
    // Folders of boxes and cameras go when they are empty.
    let empty = dir.ancestors().skip(1).take_while(|dir| *dir != root);
    for parent in empty {
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Outbox;
    use std::sync::atomic::{AtomicU64, Ordering};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    struct Played(AtomicU64);

    impl Space for Played {
        fn free(&self, _: &Path) -> io::Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }
    }

    fn keeper(dir: &Path, told: Told) -> (Keeper, Arc<Played>) {
        let outbox = Outbox::open(dir, 1).unwrap();
        let recorder = Recorder::new(dir.join("recordings"), outbox.clone());
        for began in [0, 1, 9] {
            let take = format!("school-1/gate/{}", DAY.as_millis() * began);
            folder::Folder::open(&recorder.root, &take, &outbox).unwrap();
        }
        let space = Arc::new(Played(AtomicU64::new(1000)));
        let rules = Rules { warn: 200, reserve: 100, keep: DAY * 5 };
        let clock = Clock::at(Wall::default() + DAY * 10);
        let (told, disk) = (watch::Sender::new(Arc::new(told)).subscribe(), watch::Sender::default());
        (Keeper { recorder, rules, space: space.clone(), told, clock, disk }, space)
    }

    fn left(keeper: &Keeper) -> Vec<String> {
        recover::takes(&keeper.recorder.root)
    }

    #[test]
    fn only_what_is_old_and_not_held_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let hold = BTreeSet::from(["school-1/gate/0".to_owned()]);
        let (keeper, _) = keeper(dir.path(), Told { whole: true, hold, ..Told::default() });
        assert_eq!(keeper.look(true, false), Disk { free: 1000, faults: vec![] });
        assert_eq!(left(&keeper), ["school-1/gate/0", "school-1/gate/777600000"]);
        let removed = Recorded::Removed { take: "school-1/gate/86400000".into() };
        let told: Vec<_> = keeper.recorder.outbox.after(None, 99).into_iter().map(|(_, what)| what).collect();
        assert!(told.contains(&removed), "{told:?}");
    }

    #[test]
    fn nothing_is_removed_before_the_desk_has_said_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let (keeper, _) = keeper(dir.path(), Told::default());
        keeper.look(true, false);
        assert_eq!(left(&keeper).len(), 3);
    }

    #[test]
    fn a_disk_that_fills_says_so_early_then_recording_stops_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let all = ["0", "86400000", "777600000"].map(|began| format!("school-1/gate/{began}"));
        let (keeper, space) = keeper(dir.path(), Told { whole: true, hold: all.into(), ..Told::default() });
        let look = |free| {
            space.0.store(free, Ordering::Relaxed);
            keeper.look(false, false).faults
        };
        assert_eq!(look(150), [Fault::RecordingsLow]);
        assert!(keeper.recorder.trouble.check().is_ok());
        assert_eq!(look(50), [Fault::RecordingsLow, Fault::RecordingStopped]);
        assert!(keeper.recorder.trouble.check().is_err());
        assert_eq!(left(&keeper).len(), 3, "what is held is never removed");
        assert_eq!(look(500), []);
        assert!(keeper.recorder.trouble.check().is_ok());
    }
}
