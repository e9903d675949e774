//! Kernel timestamps (CLOCK_MONOTONIC) as [`Instant`].

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The kernel's monotonic clock, which stamps edges.
pub(crate) fn monotonic_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// The instant of a kernel time, given both clocks at one moment.
/// A stamp from the future (two clocks are never read quite at once) counts as now.
pub(crate) fn instant_of(stamp: Duration, kernel_now: Duration, now: Instant) -> Instant {
    now.checked_sub(kernel_now.saturating_sub(stamp)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_keeps_its_age() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(instant_of(ms(970), ms(1000), now), now - ms(30));
        assert_eq!(instant_of(ms(1001), ms(1000), now), now);
    }

    #[test]
    fn the_kernels_clock_is_the_one_behind_instant() {
        let (before, now) = (monotonic_now(), Instant::now());
        let drift = instant_of(before, monotonic_now(), Instant::now());
        assert!(now.saturating_duration_since(drift) < Duration::from_millis(50));
    }
}
