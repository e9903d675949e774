//! A button with its test relay and a finger, millisecond by millisecond: contacts, debouncing and stroke as in the
//! field, with a device that tells late and polls beside its edges.

use crate::point::{Kind, Outcome, Point, Reading, Timing, Watch, Wiring};
use crate::selftest::Failure;
use crate::selftest::{Claim, Moves, Relay, Step, Stroke};
use crate::{Mode, Mono, PointId};
use std::ops::Range;
use std::time::Duration;

/// How the parts behave.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) moves: Moves,
    /// From the order until the relay's contact moves, and how long it bounces.
    pub(super) relay_ms: u64,
    pub(super) bounce_ms: u64,
    /// From the order until the output says that it is done.
    pub(super) output_ms: u64,
    /// From an edge until the core hears of it.
    pub(super) edge_ms: u64,
    pub(super) poll_ms: u64,
    /// The relay draws and never lets go; or it never draws.
    pub(super) sticks: bool,
    pub(super) deaf: bool,
    /// No edge is told.
    pub(super) edgeless: bool,
    /// When a finger presses.
    pub(super) fingers: Vec<Range<u64>>,
}

impl World {
    pub(super) fn healthy(moves: Moves) -> Self {
        let (sticks, deaf, edgeless) = (false, false, false);
        Self {
            moves,
            relay_ms: 8,
            bounce_ms: 4,
            output_ms: 10,
            edge_ms: 1,
            poll_ms: 50,
            sticks,
            deaf,
            edgeless,
            fingers: vec![],
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// When alarms were raised.
    pub(super) alarms: Vec<u64>,
    pub(super) faults: usize,
    pub(super) result: Option<Result<Duration, Failure>>,
    /// The relay was told to draw, and said that it had let go.
    pub(super) on: Option<u64>,
    pub(super) off: Option<u64>,
}

/// When the stroke begins.
pub(super) const BEGIN: u64 = 500;
const END: u64 = 12_000;

fn at(ms: u64) -> Mono {
    Mono::default() + Duration::from_millis(ms)
}

struct Play {
    world: World,
    watch: Watch,
    stroke: Option<Stroke>,
    /// The relay's coil, since when, and what the output still has to say.
    coil: (bool, u64),
    switching: Option<(bool, u64)>,
    /// Edges under way: when they are heard, when they were, and the reading.
    edges: Vec<(u64, u64, Reading)>,
    story: Story,
}

pub(super) fn play(world: World) -> Story {
    let kind = Kind::HoldUp { mode: Mode::Silent, latching: false };
    let point = Point {
        id: PointId::new("gate").unwrap(),
        kind,
        wiring: Wiring::Antivalent,
        timing: Timing::of(kind),
    };
    let watch = Watch::new(point, crate::point::Before::Rest);
    let mut play = Play {
        world,
        watch,
        stroke: None,
        coil: (false, 0),
        switching: None,
        edges: vec![],
        story: Story::default(),
    };
    let mut shown = play.contacts(0);
    play.hear(shown, false, 0, 0);
    for ms in 1..END {
        let now = play.contacts(ms);
        if now != shown && !play.world.edgeless {
            play.edges.push((ms + play.world.edge_ms, ms, now));
        }
        shown = now;
        play.turn(ms, shown);
    }
    play.story
}

impl Play {
    fn turn(&mut self, ms: u64, shown: Reading) {
        let due: Vec<_> = self.edges.extract_if(.., |(heard, _, _)| *heard <= ms).collect();
        for (_, happened, reading) in due {
            self.hear(reading, true, happened, ms);
        }
        // Levels that were overtaken by an edge are not told.
        if ms.is_multiple_of(self.world.poll_ms) && self.edges.is_empty() {
            self.hear(shown, false, ms, ms);
        }
        let outcomes = self.watch.handle_time(at(ms));
        self.tell(outcomes, ms);
        if ms >= BEGIN
            && self.story.on.is_none()
            && self.watch.is_settled()
            && self.watch.state() == crate::point::State::Rest
        {
            self.story.on = Some(ms);
            let relay = Relay { moves: self.world.moves, drop: crate::selftest::DROP };
            self.stroke = Some(Stroke::begin(relay, Wiring::Antivalent, crate::point::DEBOUNCE, at(ms)));
        }
        self.steps(ms);
        if let Some((on, done)) = self.switching.filter(|(_, done)| *done <= ms) {
            self.switching = None;
            if !on {
                self.story.off.get_or_insert(done);
            }
            if let Some(stroke) = &mut self.stroke {
                stroke.handle_switched(on, true, at(ms));
            }
        }
        if let Some(stroke) = &mut self.stroke {
            stroke.handle_time(at(ms));
        }
        self.steps(ms);
    }

    fn steps(&mut self, ms: u64) {
        while let Some(step) = self.stroke.as_mut().and_then(Stroke::poll) {
            match step {
                Step::Switch(on) => {
                    self.coil = (on, ms);
                    self.switching = Some((on, ms + self.world.output_ms));
                }
                Step::Press => self.story.alarms.push(ms),
                Step::Done(result) => {
                    self.story.result = Some(result);
                    self.stroke = None;
                }
            }
        }
    }

    fn hear(&mut self, reading: Reading, edge: bool, happened: u64, ms: u64) {
        if let Some(stroke) = &mut self.stroke {
            stroke.handle_reading(reading, edge, at(happened));
        }
        let outcomes = self.watch.handle_reading(reading, at(happened));
        self.tell(outcomes, ms);
    }

    fn tell(&mut self, outcomes: Vec<Outcome>, ms: u64) {
        for outcome in outcomes {
            match outcome {
                Outcome::Pressed { .. } | Outcome::Repeated { .. } => {
                    let claim =
                        self.stroke.as_mut().map_or(Claim::Theirs, |stroke| stroke.handle_pressed(at(ms)));
                    match claim {
                        Claim::Mine => self.watch.forget_press(),
                        Claim::Theirs => self.story.alarms.push(ms),
                    }
                }
                Outcome::Released => {
                    self.stroke.as_mut().map(Stroke::handle_released);
                }
                Outcome::Faulted(_) => self.story.faults += 1,
                Outcome::Cleared(_) | Outcome::Opened | Outcome::Shut => {}
            }
        }
    }

    /// What the contacts show, with everything that moves them.
    fn contacts(&self, ms: u64) -> Reading {
        let (on, since) = self.coil;
        let moved = ms >= since + self.world.relay_ms;
        let bounces =
            moved && ms < since + self.world.relay_ms + self.world.bounce_ms && ms.is_multiple_of(2);
        let drawn = self.story.on.is_some() && (on == (moved && !bounces));
        let drawn = (drawn || (self.world.sticks && self.story.on.is_some_and(|on| ms > on + 20)))
            && !self.world.deaf;
        let finger = self.world.fingers.iter().any(|press| press.contains(&ms));
        let moves = |contact: Moves| {
            finger || (drawn && (matches!(self.world.moves, Moves::Press) || self.world.moves == contact))
        };
        Reading::Pair { open: moves(Moves::Open), closed: !moves(Moves::Closed) }
    }
}
