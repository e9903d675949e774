//! Whether this appliance does its work, by what can be known on it: its daemons are up and answer, its inputs are read,
//! its disk can be written. Never whether a network or a desk can be reached: an update must not be taken back because a
//! cable was pulled.
//!
//! Which daemons there are is read from the role's target, `onepress-edge.target` or `onepress-rack.target`.

mod facts;
mod local;

pub use facts::{Asked, Fact, Machine, facts};
pub use local::Local;

use std::time::{Duration, Instant};

/// Two looks at the daemons in a row that are to say the same: a daemon that dies at once and is started again looks
/// well in between.
pub const HOLD: Duration = Duration::from_secs(10);
/// Between two looks while waiting; longer where a look takes long, so that at most half of the time goes into looking.
const STEP: Duration = Duration::from_secs(1);

/// The facts, once they have all been good for [`HOLD`], or at the end of the wait. Without a wait: one look.
#[expect(clippy::disallowed_methods, reason = "a command has no runtime whose worker could be held up")]
pub fn wait(machine: &impl Machine, role: &str, longest: Duration) -> Vec<Fact> {
    let end = Instant::now() + longest;
    let mut good: Option<(Instant, Vec<Fact>)> = None;
    loop {
        let begun = Instant::now();
        let seen = facts(machine, role);
        let now = Instant::now();
        if longest.is_zero() || now >= end {
            return seen;
        }
        let well = seen.iter().all(|fact| fact.wrong.is_none());
        good = match good {
            _ if !well => None,
            Some((since, before)) if before == seen => Some((since, before)),
            Some(_) | None => Some((now, seen.clone())),
        };
        if good.as_ref().is_some_and(|(since, _)| now >= *since + HOLD) {
            return seen;
        }
        std::thread::sleep(STEP.max(now - begun));
    }
}
