use alarm::Mono;
use std::time::Duration;
use tokio::time::Instant;

/// Monotonic time since the start of the daemon, as `alarm` wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Starts at zero.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub(crate) fn now(self) -> Mono {
        self.at(Instant::now().into_std())
    }

    /// An instant, as an input device stamps its edges.
    pub(crate) fn at(self, instant: std::time::Instant) -> Mono {
        Mono::default() + instant.saturating_duration_since(self.0.into_std())
    }

    /// The instant of `at`, to sleep until.
    pub(crate) fn instant(self, at: Mono) -> Instant {
        self.0 + Duration::from_micros(at.micros())
    }
}
