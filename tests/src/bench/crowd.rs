//! Many incidents with live media both ways at once, in release build.

use super::numbers::{Times, text};
use crate::crowd::{Heard, PICTURE, Plan, play, worst};
use std::fmt::Write;

/// What the section of the results begins with.
pub(crate) const TITLE: &str = "## Crowd: many incidents with media both ways";

/// Plays it, and says it as a section of the results.
///
/// # Errors
/// What was late, did not arrive or was not recorded whole.
pub(crate) fn section(plan: Plan, say: impl Fn(&str)) -> anyhow::Result<String> {
    say(&format!("{} incidents for {:?} ...", plan.incidents, plan.span));
    let outcome = play(plan)?;
    let mut page = format!(
        "{TITLE}\n\n{} incidents for {} s, each with pictures and sound from its box to a seat and a voice from the seat \
         to the box: {} takes, all recorded whole and without a gap. A press was ACKed within {} before the media and \
         within {} while all of it ran.\n\n| | frames | p50 | p99 | max |\n|---|--:|--:|--:|--:|\n",
        plan.incidents,
        plan.span.as_secs(),
        outcome.takes,
        text(worst(&outcome.acked)),
        text(worst(&outcome.acked_under_load)),
    );
    for (what, heard) in
        [("pictures at the seats", &outcome.pictures), ("voices at the boxes", &outcome.voices)]
    {
        let delays: Times = heard.iter().flat_map(|heard| heard.delays.iter().copied()).collect();
        let frames: u64 = heard.iter().map(|heard: &Heard| heard.frames).sum();
        let at = |percent| text(delays.percentile(percent));
        let _ = writeln!(page, "| {what} | {frames} | {} | {} | {} |", at(50), at(99), text(delays.max()));
    }
    let _ = writeln!(
        page,
        "\nBoxes, seats, desk, relay and recorder share this machine, so pictures are scaled: {} a second of {PICTURE} \
         bytes (a camera: 25 of 10,000), {} packets of sound a second (50). Numbers of sessions and streams are not \
         scaled. Delays are those of whole groups: from the last frame's write to the read of the group.",
        plan.fps, plan.sounds
    );
    Ok(page)
}
