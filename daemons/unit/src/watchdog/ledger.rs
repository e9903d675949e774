//! Who promised to beat how often, and who has not. Pure: time is an argument.

use std::time::{Duration, Instant};

/// The promises in force.
#[derive(Debug, Default)]
pub struct Ledger {
    promises: Vec<Promise>,
    next: u64,
}

/// One promise in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(u64);

/// A part that has been silent for longer than it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// As it was registered.
    pub name: &'static str,
    /// Since its last beat.
    pub silent: Duration,
    /// What it had promised.
    pub limit: Duration,
}

#[derive(Debug)]
struct Promise {
    id: Id,
    name: &'static str,
    limit: Duration,
    last: Instant,
}

impl Ledger {
    /// `name` beats at least every `limit`, the first time counted from `now`.
    pub fn expect_beats(&mut self, name: &'static str, limit: Duration, now: Instant) -> Id {
        let id = Id(self.next);
        self.next += 1;
        self.promises.push(Promise { id, name, limit, last: now });
        id
    }

    /// A beat. Time never runs backwards in the ledger; a released promise stays released.
    pub fn beat(&mut self, id: Id, now: Instant) {
        if let Some(promise) = self.promises.iter_mut().find(|promise| promise.id == id) {
            promise.last = promise.last.max(now);
        }
    }

    /// The promise is kept for good.
    pub fn release(&mut self, id: Id) {
        self.promises.retain(|promise| promise.id != id);
    }

    /// Who is silent for longer than promised; silence of exactly the limit is still kept.
    #[must_use]
    pub fn stuck(&self, now: Instant) -> Vec<Stuck> {
        self.promises.iter().filter_map(|promise| promise.broken(now)).collect()
    }
}

impl Promise {
    fn broken(&self, now: Instant) -> Option<Stuck> {
        let silent = now.saturating_duration_since(self.last);
        (silent > self.limit).then_some(Stuck { name: self.name, silent, limit: self.limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[test]
    fn the_limit_itself_is_kept_and_a_moment_more_is_not() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        ledger.expect_beats("scan", LIMIT, start);
        assert_eq!(ledger.stuck(start + LIMIT), []);
        let late = LIMIT + Duration::from_millis(1);
        assert_eq!(ledger.stuck(start + late), [Stuck { name: "scan", silent: late, limit: LIMIT }]);
    }

    #[test]
    fn a_beat_counts_from_its_own_time_and_never_backwards() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let scan = ledger.expect_beats("scan", LIMIT, start);
        ledger.beat(scan, start + LIMIT);
        ledger.beat(scan, start);
        assert_eq!(ledger.stuck(start + LIMIT + LIMIT), []);
    }

    #[test]
    fn each_part_answers_for_itself_even_under_one_name() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        let wired = ledger.expect_beats("link tick", LIMIT, start);
        let cellular = ledger.expect_beats("link tick", LIMIT, start);
        ledger.beat(wired, start + LIMIT + LIMIT);
        assert_eq!(ledger.stuck(start + LIMIT + LIMIT).len(), 1);
        ledger.release(cellular);
        assert_eq!(ledger.stuck(start + LIMIT + LIMIT), []);
    }
}
