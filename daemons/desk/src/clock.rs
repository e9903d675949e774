use alarm::{Mono, Wall};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since this process first asked.
pub(crate) fn mono() -> Mono {
    Mono::default() + START.elapsed()
}

/// The time of day.
pub(crate) fn wall() -> Wall {
    Wall::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
