//! The thread of the acknowledge button: reads it, and says so when it cannot.

use alarm::Mono;
use alarm::point::Reading;
use hw::{Board, Inputs};
use std::time::Duration;

use crate::clock::Clock;
use crate::state::BUTTON;

/// How long one wait for an edge lasts: bounds how long the thread outlives the daemon.
const WAIT: Duration = Duration::from_millis(500);
/// Pause after a failure. A finger that is not heard presses again.
const RETRY: Duration = Duration::from_secs(1);

/// Takes readings; `false` when nobody wants them any more.
pub(crate) type Tell = Box<dyn FnMut(Reading, Mono) -> bool + Send>;

/// Reads the button until nobody listens.
pub(crate) fn run(board: &Board, clock: Clock, mut tell: Tell) {
    loop {
        let Err(error) = read(board, clock, &mut tell) else { return };
        tracing::warn!(%error, "the acknowledge button cannot be read");
        if !tell(Reading::Unreadable, clock.now()) {
            return;
        }
        pause();
    }
}

/// Ends well when nobody listens.
fn read(board: &Board, clock: Clock, tell: &mut Tell) -> anyhow::Result<()> {
    let mut banks = board.open_inputs("onepress-wall", &[BUTTON])?;
    let Some(input) = banks.first_mut() else { return Ok(()) };
    for reading in input.read()? {
        if !tell(Reading::Single(reading.active), clock.now()) {
            return Ok(());
        }
    }
    while edges(input.as_mut(), clock, tell)? {}
    Ok(())
}

fn edges(input: &mut dyn Inputs, clock: Clock, tell: &mut Tell) -> anyhow::Result<bool> {
    let edges = input.wait(WAIT)?;
    let now = clock.now();
    if edges.is_empty() {
        // Somebody must be listening, or the thread would stay behind.
        let level = input.read()?.first().is_some_and(|reading| reading.active);
        return Ok(tell(Reading::Single(level), now));
    }
    Ok(edges.into_iter().all(|edge| tell(Reading::Single(edge.active), clock.at(edge.at).min(now))))
}

#[allow(clippy::disallowed_methods, reason = "a thread of its own, and nothing to wait for")]
fn pause() {
    std::thread::sleep(RETRY);
}
