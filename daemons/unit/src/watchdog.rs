//! The watchdog is fed from evidence of progress: each part that must go on says so by itself, and systemd
//! hears from us only while none of them has been silent for longer than it promised.
//!
//! ```text
//! input scan ──beat──┐
//! spool fsync ─beat──┼──▶ Ledger ──nobody stuck──▶ WATCHDOG=1 ──▶ systemd
//! link tick ───beat──┘        └───somebody stuck──▶ its name in the log, no ping, SIGABRT, restart
//! ```

mod ledger;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

pub use ledger::{Ledger, Stuck};

use crate::notify;

/// How often the ledger is looked at when no service manager waits for us: often enough for the log.
const UNWATCHED_PERIOD: Duration = Duration::from_secs(1);

/// The fraction of systemd's limit after which it is told again: half, as `sd_watchdog_enabled(3)` advises.
const PINGS_IN_LIMIT: u32 = 2;

/// Knows who must make progress. Clones share one ledger.
#[derive(Debug, Clone, Default)]
pub struct Watchdog {
    ledger: Arc<Mutex<Ledger>>,
}

/// The right and the duty to say that one part of the daemon goes on.
///
/// Dropping it does not lift the duty: a part that has vanished is silent. [`Progress::done`] lifts it.
#[derive(Debug)]
#[must_use = "a part that never beats is stuck"]
pub struct Progress {
    ledger: Arc<Mutex<Ledger>>,
    id: ledger::Id,
}

impl Watchdog {
    /// With nobody to wait for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `name` must beat at least every `silence`.
    pub fn expects(&self, name: &'static str, silence: Duration) -> Progress {
        let id = lock(&self.ledger).expect_beats(name, silence, now());
        Progress { ledger: Arc::clone(&self.ledger), id }
    }

    /// Tells systemd, while nobody is stuck. Give it to [`crate::Tasks`]; it never ends by itself.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub async fn feed(self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(period());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = Vec::new();
        loop {
            tick.tick().await;
            let stuck = lock(&self.ledger).stuck(now());
            if stuck.is_empty() {
                notify::watchdog();
            }
            report(&stuck, &mut said);
        }
    }
}

impl Progress {
    /// One piece of work was done just now.
    pub fn beat(&self) {
        lock(&self.ledger).beat(self.id, now());
    }

    /// This part has ended as it should, and will not be heard of again.
    pub fn done(self) {
        lock(&self.ledger).release(self.id);
    }
}

/// Each silence once, and its end once.
fn report(stuck: &[Stuck], said: &mut Vec<&'static str>) {
    for part in stuck.iter().filter(|part| !said.contains(&part.name)) {
        tracing::error!(part = part.name, silent = ?part.silent, limit = ?part.limit, "stuck; the watchdog goes unfed");
    }
    for name in said.iter().filter(|name| !stuck.iter().any(|part| part.name == **name)) {
        tracing::warn!(part = name, "goes on again");
    }
    *said = stuck.iter().map(|part| part.name).collect();
}

fn period() -> Duration {
    let mut limit_us = 0;
    if sd_notify::watchdog_enabled(false, &mut limit_us) && limit_us > 0 {
        Duration::from_micros(limit_us) / PINGS_IN_LIMIT
    } else {
        UNWATCHED_PERIOD
    }
}

/// tokio's clock, so that paused time reaches the ledger.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    // The ledger is whole between any two of its calls, whoever panicked.
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(watchdog: &Watchdog) -> Vec<&'static str> {
        lock(&watchdog.ledger).stuck(now()).iter().map(|part| part.name).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_stops_beating_is_named_and_forgiven_when_it_goes_on() {
        let watchdog = Watchdog::new();
        let scan = watchdog.expects("input scan", Duration::from_secs(2));
        let fsync = watchdog.expects("spool fsync", Duration::from_secs(10));

        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(names(&watchdog), ["input scan"]);

        scan.beat();
        assert_eq!(names(&watchdog), [""; 0]);
        fsync.done();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_handle_is_silence_and_a_finished_one_is_not() {
        let watchdog = Watchdog::new();
        drop(watchdog.expects("lost", Duration::from_secs(1)));
        watchdog.expects("finished", Duration::from_secs(1)).done();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(names(&watchdog), ["lost"]);
    }
}
