//! When a box tries again after a connection was lost or could not be made. Pure: time and randomness come in.

use crate::Closed;
use alarm::Mono;
use std::time::Duration;

/// First wait: longer than a restarting daemon needs to read its socket, too short to matter to anybody.
pub const FIRST: Duration = Duration::from_millis(250);
/// Longest wait: with it a path that has come back is found again within the 20 s of EN 50136-1 SP6.
pub const LONGEST: Duration = Duration::from_secs(15);
/// A connection that held this long has proved itself: the waits begin anew, and a restart of the rack is
/// answered at once. Shorter ones back off, so that a rack that dies on every greeting is not hammered.
pub const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// The waits between tries on one path.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    fails: u32,
    at_once: bool,
    up_since: Option<Mono>,
}

impl Backoff {
    /// A path that has not been tried yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection has been made.
    pub fn handle_up(&mut self, now: Mono) {
        self.up_since = Some(now);
    }

    /// The connection has gone.
    pub fn handle_closed(&mut self, why: &Closed, now: Mono) {
        let settled = self.up_since.take().is_some_and(|since| now.since(since) >= SETTLED_AFTER);
        if settled {
            self.fails = 0;
            self.at_once = why.back_at_once();
        }
    }

    /// How long to wait before the next try: at once after a restart of a settled connection's rack, otherwise
    /// [`FIRST`] doubling to [`LONGEST`], of which between half and all is waited, as `random` (any `u32`,
    /// evenly spread) says: boxes that lost their rack together do not all come back together.
    pub fn next(&mut self, random: u32) -> Duration {
        if std::mem::take(&mut self.at_once) {
            return Duration::ZERO;
        }
        let whole = FIRST.saturating_mul(1 << self.fails.min(16)).min(LONGEST);
        self.fails = self.fails.saturating_add(1);
        whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    fn at(seconds: u64) -> Mono {
        Mono::from_micros(seconds * 1_000_000)
    }

    fn waits(backoff: &mut Backoff, random: u32, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next(random).as_millis()).collect()
    }

    #[test]
    fn waits_double_to_the_longest() {
        let longest = [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000];
        assert_eq!(waits(&mut Backoff::new(), u32::MAX, 9), longest);
        let shortest = [125, 250, 500, 1000, 2000, 4000, 7500, 7500, 7500];
        assert_eq!(waits(&mut Backoff::new(), 0, 9), shortest);
        let mut tired = Backoff { fails: u32::MAX, ..Backoff::new() };
        assert_eq!(tired.next(u32::MAX), LONGEST);
    }

    /// Why it was closed, how long it had held, the waits after.
    #[test]
    fn a_restart_is_answered_at_once_and_only_once() {
        let table: &[(Closed, u64, [u128; 3])] = &[
            (Closed::Reset, 5, [0, 250, 500]),
            (Closed::ByPeer(Reason::BackAtOnce), 60, [0, 250, 500]),
            (Closed::TimedOut, 60, [250, 500, 1000]),
            (Closed::ByPeer(Reason::NotRegistered), 60, [250, 500, 1000]),
            (Closed::Reset, 4, [1000, 2000, 4000]),
        ];
        for (why, held, after) in table {
            let mut backoff = Backoff::new();
            waits(&mut backoff, u32::MAX, 2);
            backoff.handle_up(at(100));
            backoff.handle_closed(why, at(100 + held));
            assert_eq!(waits(&mut backoff, u32::MAX, 3), *after, "{why} after {held} s");
        }
    }

    #[test]
    fn a_failed_try_is_not_a_settled_connection() {
        let mut backoff = Backoff::new();
        backoff.handle_closed(&Closed::Reset, at(100));
        assert_eq!(waits(&mut backoff, u32::MAX, 2), [250, 500]);
    }
}
