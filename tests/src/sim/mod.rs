//! A whole centre in one virtual clock: boxes with their spools, paths, a rack with its journal, a wall and seats,
//! all built from the rules of `alarm`, and a truth model that knows who pressed.
//!
//! ```text
//!   plan (seed) ──▶ queue ──▶ world ──▶ school, desk, wall      the rules, as the daemons join them
//!                     ▲         │
//!                     └─────────┴──▶ truth, look                what must be so whatever happened
//! ```
//!
//! No threads, no real time, no chance but the seed's: the same seed tells the same story. What a real disk, kernel
//! or network does is not here; `daemons/*/tests` have that.

mod carry;
mod desk;
mod disk;
mod fingers;
mod happening;
mod ledger;
mod look;
mod plan;
mod rack;
mod rng;
mod school;
mod seats;
mod truth;
mod wall;
mod world;

use alarm::{Mono, Wall};
use rng::Rng;
use world::World;

/// True time when a story begins: 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600_000;

/// Lines of the story that a failure shows.
const SHOWN: usize = 60;

/// Runs one seed.
///
/// # Errors
/// What was not as it must be, the last happenings before it, and the command that repeats it.
pub fn run(seed: u64) -> Result<Figures, String> {
    let mut world = World::new(Rng::new(seed), false);
    let Err(_) = world.run() else { return Ok(world.figures) };
    let mut again = World::new(Rng::new(seed), true);
    let wrong =
        again.run().err().unwrap_or_else(|| "it did not happen again: the simulation is at fault".into());
    let story = again.story();
    let from = story.len().saturating_sub(SHOWN);
    Err(format!("{}\n\nseed={seed}: {wrong}\nagain: make sim SEED={seed}", story[from..].join("\n")))
}

/// How much happened, so that a simulation in which nothing happens is seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Fingers, and what cannot be told from them.
    pub presses: usize,
    /// Presses that had to be in the journal.
    pub obliged: usize,
    /// Lines of the journal.
    pub lines: usize,
    /// Crashes of boxes, desk and wall.
    pub crashes: usize,
    /// Looks at a wall with a sounding siren.
    pub sirens: usize,
    /// Incidents that a seat answered.
    pub answered: usize,
}

impl std::ops::Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            presses: self.presses + other.presses,
            obliged: self.obliged + other.obliged,
            lines: self.lines + other.lines,
            crashes: self.crashes + other.crashes,
            sirens: self.sirens + other.sirens,
            answered: self.answered + other.answered,
        }
    }
}

/// Wall-clock time by a clock that is `off` ms from true time.
fn wall_of(now: Mono, off: i64) -> Wall {
    let since = i64::try_from(now.micros() / 1000).unwrap_or(0);
    Wall::from_millis(BEGINNING + since + off)
}
