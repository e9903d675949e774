//! Where the time comes from: the one place in this crate that reads a clock.

use crate::core::Now;
use alarm::{Mono, Wall};
use std::time::Instant;

/// No box was installed before: a clock that shows less has lost its time.
const NEVER_BEFORE: Wall = Wall::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// The clocks of this machine.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    wall: link::Clock,
}

impl Clock {
    /// The machine's own, monotonic time counted from now.
    pub fn system() -> Self {
        Self { origin: Instant::now(), wall: link::Clock::system() }
    }

    /// The time.
    pub fn now(&self) -> Now {
        let wall = self.wall.now();
        Now { mono: self.mono(Instant::now()), wall, sure: wall >= NEVER_BEFORE || synchronized() }
    }

    /// An instant as the core counts time.
    pub fn mono(&self, at: Instant) -> Mono {
        Mono::default() + at.saturating_duration_since(self.origin)
    }

    /// The instant at which the core wants to be called.
    pub fn instant(&self, at: Mono) -> Instant {
        self.origin + at.since(Mono::default())
    }

    /// The time of day, as the link takes it.
    pub fn wall(&self) -> link::Clock {
        self.wall.clone()
    }
}

/// Whether somebody keeps the kernel's clock right (adjtimex(2): the clock is not in the state TIME_ERROR).
#[allow(unsafe_code, reason = "adjtimex(2) has no safe binding among our dependencies")]
fn synchronized() -> bool {
    // SAFETY: all-zero is a valid `timex`; with modes 0 the kernel only fills it in.
    let state = unsafe { libc::adjtimex(&mut std::mem::zeroed()) };
    state >= 0 && state != libc::TIME_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn instants_and_the_cores_time_are_one_scale() {
        let clock = Clock::system();
        let later = clock.origin + Duration::from_millis(1234);
        assert_eq!(clock.instant(clock.mono(later)), later);
        assert_eq!(clock.mono(clock.origin - Duration::from_secs(1)), Mono::default());
    }
}
