//! Supervision of one path, as the desk sees it: up, missing for a moment, lost.
//!
//! ```text
//!            connected                    silent for `grace`
//!   Missing ───────────▶ Up ──── gone ──▶ Missing ───────────▶ Lost
//!                         ▲                                      │
//!                         └───────────── connected ──────────────┘
//! ```
//!
//! QUIC finds a dead peer within [`IDLE_TIMEOUT`]; the rest up to [`LOST_AFTER`] is grace for a box that restarts
//! and comes back at once. EN 50136-1 allows 20 s (SP6) and 90 s (DP4).

use crate::Mono;
use std::time::Duration;

/// A silent path is reported lost after this at the latest.
pub const LOST_AFTER: Duration = Duration::from_secs(10);
/// QUIC's idle timeout on every link.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(7);
/// Keep-alive on a wired path: a restarted peer answers the next one with a reset, so this bounds how long a
/// restart goes unnoticed.
pub const KEEP_ALIVE_WIRED: Duration = Duration::from_millis(500);
/// Keep-alive on a metered path: two may be lost before the idle timeout.
pub const KEEP_ALIVE_METERED: Duration = Duration::from_secs(3);
/// Time to come back after the connection has gone, before the path is reported lost.
pub const GRACE: Duration = Duration::from_millis(2500);
/// How often a box reports its status unasked.
pub const STATUS_EVERY: Duration = Duration::from_secs(10);
/// A clock that differs by more than this is a fault.
pub const CLOCK_WRONG_AFTER: Duration = Duration::from_secs(60);

/// What has become of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works (again).
    Found,
    /// It has been silent for too long.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Gone since then; not yet reported.
    Missing {
        deadline: Mono,
        was_lost: bool,
    },
    Up,
    Lost,
}

/// One path of one box.
#[derive(Clone, Debug)]
pub struct Watch {
    state: State,
}

impl Watch {
    /// A path that should come up: it has [`LOST_AFTER`] for it. `was_lost` when the journal has it as lost.
    pub fn expected(now: Mono, was_lost: bool) -> Self {
        Self { state: State::Missing { deadline: now + LOST_AFTER, was_lost } }
    }

    /// A connection over this path has been made.
    pub fn handle_up(&mut self) -> Option<Outcome> {
        let was = std::mem::replace(&mut self.state, State::Up);
        match was {
            State::Lost | State::Missing { was_lost: true, .. } => Some(Outcome::Found),
            State::Up | State::Missing { was_lost: false, .. } => None,
        }
    }

    /// Its last connection has gone.
    pub fn handle_gone(&mut self, now: Mono) {
        if self.state == State::Up {
            self.state = State::Missing { deadline: now + GRACE, was_lost: false };
        }
    }

    /// Reports the loss when its time has come.
    pub fn handle_time(&mut self, now: Mono) -> Option<Outcome> {
        match self.state {
            State::Missing { deadline, was_lost } if now >= deadline => {
                self.state = State::Lost;
                (!was_lost).then_some(Outcome::Lost)
            }
            State::Missing { .. } | State::Up | State::Lost => None,
        }
    }

    /// When [`Watch::handle_time`] has something to say.
    pub fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Missing { deadline, .. } => Some(deadline),
            State::Up | State::Lost => None,
        }
    }

    /// Whether a connection is there.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1000)
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Up,
        Gone,
        Wait,
    }

    /// Every state under every input, with what is told.
    #[test]
    fn transition_table() {
        use Input::{Gone, Up, Wait};
        let table: &[(bool, &[Input], &[Outcome])] = &[
            (false, &[Up], &[]),
            (false, &[Wait], &[Outcome::Lost]),
            (true, &[Wait], &[]),
            (true, &[Up], &[Outcome::Found]),
            (false, &[Gone, Up], &[]),
            (false, &[Up, Up], &[]),
            (false, &[Up, Wait], &[]),
            (false, &[Up, Gone, Up], &[]),
            (false, &[Up, Gone, Gone, Wait], &[Outcome::Lost]),
            (false, &[Up, Gone, Wait, Wait], &[Outcome::Lost]),
            (false, &[Up, Gone, Wait, Gone, Up], &[Outcome::Lost, Outcome::Found]),
        ];
        for (was_lost, inputs, outcomes) in table {
            let mut now = 0;
            let mut path = Watch::expected(at(now), *was_lost);
            let mut told = Vec::new();
            for input in *inputs {
                match input {
                    Up => told.extend(path.handle_up()),
                    Gone => path.handle_gone(at(now)),
                    Wait => {
                        now += 10_000;
                        told.extend(path.handle_time(at(now)));
                    }
                }
            }
            assert_eq!(told, *outcomes, "{inputs:?}");
        }
    }

    #[test]
    fn loss_is_reported_within_the_figure() {
        assert!(IDLE_TIMEOUT + GRACE <= LOST_AFTER);
        assert!(KEEP_ALIVE_METERED * 2 < IDLE_TIMEOUT);
        let mut path = Watch::expected(at(0), false);
        path.handle_up();
        path.handle_gone(at(7_000));
        assert_eq!(path.handle_time(at(9_499)), None);
        assert_eq!(path.handle_time(at(9_500)), Some(Outcome::Lost));
    }
}
