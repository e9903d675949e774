use alarm::Wall;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where this end of the link takes the time of day from. It may be wrong: certificates outside their dates are
/// marked, not refused.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Wall + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Wall::default() + since
        })
    }

    /// Any other clock.
    pub fn from_fn(now: impl Fn() -> Wall + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still.
    pub fn at(now: Wall) -> Self {
        Self::from_fn(move || now)
    }

    /// The time by this clock.
    pub fn now(&self) -> Wall {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(to_unix(self.now()))
    }
}

/// Whole seconds since the epoch; a time before it counts as the epoch.
pub(crate) fn to_unix(at: Wall) -> UnixTime {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(millis / 1000))
}
