//! One test of a whole box: all lines are looked at together, then the relays draw one after the other.

use super::{Claim, Failure, How, Proof, Relay, Step, Stroke};
use crate::Mono;
use crate::PointId;
use crate::point::{Reading, Wiring};
use std::collections::VecDeque;
use std::time::Duration;

/// A device that has not answered by then does not: a serial box has 2 s for its read, twice, and levels must settle.
pub const LOOK_WITHIN: Duration = Duration::from_secs(6);
/// A point that is not at rest by then is tested some other time.
pub const READY_WITHIN: Duration = Duration::from_secs(2);

/// A point to be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which.
    pub point: PointId,
    /// How it is wired.
    pub wiring: Wiring,
    /// How long a reading must hold.
    pub debounce: Duration,
    /// Its test relays: none, one across it, or one for each contact.
    pub relays: Vec<Relay>,
}

/// What is to be done. Points and relays go by their places in what [`Run::begin`] was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Switch this relay of this point.
    Switch {
        /// The point.
        place: usize,
        /// The relay.
        relay: usize,
        /// On or off.
        on: bool,
    },
    /// A press of this point that was held back was somebody's.
    Press(usize),
    /// It is over.
    Done(Vec<Proof>),
}

#[derive(Clone, Debug)]
struct Drawn {
    place: usize,
    relay: usize,
    stroke: Stroke,
}

/// A test that goes on.
#[derive(Clone, Debug)]
pub struct Run {
    subjects: Vec<Subject>,
    began: Mono,
    looked: Vec<Option<Proof>>,
    /// Relays that have not drawn yet: point and relay.
    left: VecDeque<(usize, usize)>,
    /// The relays have their turn.
    drawing: bool,
    drawn: Option<Drawn>,
    /// Until when the next point may take to be at rest.
    ready: Option<Mono>,
    orders: VecDeque<Order>,
    over: bool,
}

impl Run {
    /// Begins a test of these points.
    pub fn begin(subjects: Vec<Subject>, now: Mono) -> Self {
        let relays = |(place, subject): (usize, &Subject)| {
            (0..subject.relays.len()).map(move |relay| (place, relay)).collect::<Vec<_>>()
        };
        Self {
            looked: vec![None; subjects.len()],
            left: subjects.iter().enumerate().flat_map(relays).collect(),
            subjects,
            began: now,
            drawing: false,
            drawn: None,
            ready: None,
            orders: VecDeque::new(),
            over: false,
        }
    }

    /// What was found of a point's lines and levels. Only the first word counts.
    pub fn handle_look(&mut self, place: usize, found: Result<(), Failure>, now: Mono) {
        let (Some(subject), Some(slot)) = (self.subjects.get(place), self.looked.get_mut(place)) else {
            return;
        };
        let proof = |failed| Proof {
            point: subject.point.clone(),
            how: How::Kernel,
            ms: millis(now.since(self.began)),
            failed,
        };
        slot.get_or_insert_with(|| proof(found.err()));
    }

    /// Whether a point's lines have not been found yet.
    pub fn awaits(&self, place: usize) -> bool {
        !self.drawing && self.looked.get(place).is_some_and(Option::is_none)
    }

    /// A reading of a point, made at `at`; `edge` when the device told it by itself.
    pub fn handle_reading(&mut self, place: usize, reading: Reading, edge: bool, at: Mono) {
        if let Some(drawn) = self.drawn_at(place) {
            drawn.stroke.handle_reading(reading, edge, at);
        }
        self.take_steps();
    }

    /// A point has settled on a press.
    pub fn handle_pressed(&mut self, place: usize, now: Mono) -> Claim {
        let claim = self.drawn_at(place).map_or(Claim::Theirs, |drawn| drawn.stroke.handle_pressed(now));
        self.take_steps();
        claim
    }

    /// A point has settled on rest.
    pub fn handle_released(&mut self, place: usize) -> Claim {
        let claim = self.drawn_at(place).map_or(Claim::Theirs, |drawn| drawn.stroke.handle_released());
        self.take_steps();
        claim
    }

    /// A relay has been switched, or could not be.
    pub fn handle_switched(&mut self, place: usize, on: bool, done: bool, now: Mono) {
        if let Some(drawn) = self.drawn_at(place) {
            drawn.stroke.handle_switched(on, done, now);
        }
        self.take_steps();
    }

    /// An alarm has come up: what is left is not tested now.
    pub fn abort(&mut self, now: Mono) {
        if let Some(drawn) = &mut self.drawn {
            drawn.stroke.abort(now);
        }
        for (place, _) in std::mem::take(&mut self.left) {
            self.handle_look(place, Err(Failure::Busy), now);
            self.fail(place, Failure::Busy);
        }
        self.take_steps();
    }

    /// What is due. `at_rest` says whether a point is settled at rest.
    pub fn handle_time(&mut self, now: Mono, at_rest: impl Fn(usize) -> bool) {
        if !self.drawing {
            self.end_look(now);
        }
        if let Some(drawn) = &mut self.drawn {
            drawn.stroke.handle_time(now);
        }
        self.take_steps();
        while self.drawing && self.drawn.is_none() && !self.over {
            if !self.go_on(now, &at_rest) {
                break;
            }
        }
        self.take_steps();
    }

    /// When [`Run::handle_time`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        match (&self.drawn, self.drawing, self.over) {
            (_, _, true) => None,
            (Some(drawn), _, _) => drawn.stroke.deadline(),
            (None, true, _) => self.ready,
            (None, false, _) => Some(self.began + LOOK_WITHIN),
        }
    }

    /// The next thing to do. Call until `None`.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Whether what a point has settled on is a relay's press: nobody is to see it.
    pub fn claims(&self, place: usize) -> bool {
        self.drawn.as_ref().is_some_and(|drawn| drawn.place == place && drawn.stroke.is_claimed())
    }

    fn drawn_at(&mut self, place: usize) -> Option<&mut Drawn> {
        self.drawn.as_mut().filter(|drawn| drawn.place == place)
    }

    fn end_look(&mut self, now: Mono) {
        if now >= self.began + LOOK_WITHIN {
            for place in 0..self.subjects.len() {
                self.handle_look(place, Err(Failure::Unanswered), now);
            }
        }
        if self.looked.iter().all(Option::is_some) {
            self.drawing = true;
            self.ready = Some(now + READY_WITHIN);
        }
    }

    /// Begins the next stroke, or ends the run. False when the next point is waited for.
    fn go_on(&mut self, now: Mono, at_rest: &impl Fn(usize) -> bool) -> bool {
        let Some(&(place, relay)) = self.left.front() else {
            self.over = true;
            let proofs = self.looked.iter().flatten().cloned().collect();
            self.orders.push_back(Order::Done(proofs));
            return false;
        };
        let failed = self.looked[place].as_ref().is_none_or(|proof| proof.failed.is_some());
        if !failed && at_rest(place) {
            let subject = &self.subjects[place];
            let stroke = Stroke::begin(subject.relays[relay], subject.wiring, subject.debounce, now);
            self.drawn = Some(Drawn { place, relay, stroke });
        } else if !failed && self.ready.is_some_and(|ready| now < ready) {
            return false;
        } else {
            self.fail(place, Failure::Busy);
        }
        self.left.pop_front();
        self.ready = Some(now + READY_WITHIN);
        true
    }

    fn take_steps(&mut self) {
        let Some(drawn) = &mut self.drawn else { return };
        let (place, relay) = (drawn.place, drawn.relay);
        let mut ended = None;
        while let Some(step) = drawn.stroke.poll() {
            match step {
                Step::Switch(on) => self.orders.push_back(Order::Switch { place, relay, on }),
                Step::Press => self.orders.push_back(Order::Press(place)),
                Step::Done(result) => ended = Some(result),
            }
        }
        if let Some(result) = ended {
            self.drawn = None;
            self.end_stroke(place, result);
        }
    }

    fn end_stroke(&mut self, place: usize, result: Result<Duration, Failure>) {
        match (result, self.looked[place].as_mut()) {
            (Err(failure), _) => self.fail(place, failure),
            (Ok(took), Some(proof)) if proof.failed.is_none() => {
                // The slower of two contacts is what a press waits for.
                let before = if proof.how == How::Contact { proof.ms } else { 0 };
                *proof = Proof { how: How::Contact, ms: millis(took).max(before), ..proof.clone() };
            }
            (Ok(_), _) => {}
        }
    }

    /// The first failure of a point is what is told of it.
    fn fail(&mut self, place: usize, failure: Failure) {
        if let Some(proof) = self.looked[place].as_mut() {
            proof.failed.get_or_insert(failure);
        }
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
