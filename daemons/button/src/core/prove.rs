//! The self-test within the box: when it begins, what it hears, and what becomes of its results. How a test goes is
//! `alarm::selftest`.

use super::points::{Noticed, Told};
use super::{Action, Core, Now};
use alarm::point::{Kind, Outcome, State};
use alarm::selftest::{
    At, Cause, Claim, Failure, LOOK_WITHIN, Order, Proof, Relay, Report, Run, Schedule, Subject,
};
use alarm::{Mono, What};
use hw::{Held, Line};
use std::collections::BTreeMap;
use std::time::Duration;

/// Inputs that have said nothing by then are tested as they are: a serial box has 2 s for its first frame.
pub const START_WITHIN: Duration = Duration::from_secs(10);

/// A test relay of a point, and the output that switches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRelay {
    /// The board's output.
    pub output: String,
    /// What it moves.
    pub relay: Relay,
}

#[derive(Debug)]
pub(super) struct Prove {
    schedule: Schedule,
    started: Mono,
    /// The box has a name: it is enrolled.
    named: bool,
    last_run: i64,
    test: Option<Test>,
}

#[derive(Debug)]
struct Test {
    cause: Cause,
    number: i64,
    began: Mono,
    run: Run,
    /// When the first point that is looked at becomes steady.
    steady: Option<Mono>,
    /// What the devices said of their lines.
    held: BTreeMap<Line, bool>,
    /// A relay that is being switched: its point.
    switching: BTreeMap<String, usize>,
}

impl Prove {
    pub(super) fn new(at: At, now: Now) -> Self {
        let schedule = Schedule::new(at, "");
        Self { schedule, started: now.mono, named: false, last_run: i64::MIN, test: None }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match &self.test {
            Some(test) => [test.run.deadline(), test.steady].into_iter().flatten().min(),
            None => self.schedule.deadline().map(|at| at.max(self.started + START_WITHIN)),
        }
    }
}

impl Core {
    /// The box is enrolled under this name: its first test is due, and its time of day is known.
    pub fn handle_named(&mut self, name: &str) {
        self.prove.named = true;
        self.prove.schedule.named(name);
    }

    /// Somebody wants a test now. One that goes on is enough.
    pub fn handle_selftest_asked(&mut self) {
        if self.prove.test.is_none() {
            self.prove.schedule.ask();
        }
    }

    /// A device said how the kernel holds its lines. Their levels were told before.
    pub fn handle_held(&mut self, held: Vec<Held>, now: Now) {
        if let Some(test) = &mut self.prove.test {
            test.held.extend(held.into_iter().map(|held| (held.line, held.wrong.is_none())));
        }
        self.prove(now);
    }

    /// A test relay has been switched at `at`, or could not be.
    pub fn handle_relay(&mut self, output: &str, on: bool, done: bool, at: Mono, now: Now) {
        if let Some(test) = &mut self.prove.test
            && let Some(place) = test.switching.get(output)
        {
            test.run.handle_switched(*place, on, done, at);
        }
        self.prove(now);
    }

    /// Begins what is due and carries on with what goes on.
    pub(super) fn prove(&mut self, now: Now) {
        if self.prove.test.is_none() && self.prove.named && self.is_ready(now) {
            self.begin_test(now);
        }
        self.look(now);
        self.drive(now);
    }

    /// Readings for the point whose relay is drawn.
    pub(super) fn prove_noticed(&mut self, noticed: Vec<Noticed>) {
        let Some(test) = &mut self.prove.test else { return };
        for Noticed { place, reading, edge, at } in noticed {
            test.run.handle_reading(place, reading, edge, at);
        }
    }

    /// Leaves out what a test relay did. What is left was somebody.
    pub(super) fn without_relays(&mut self, told: Vec<Told>, now: Now) -> Vec<Told> {
        if told.iter().any(|(_, outcome)| matches!(outcome, Outcome::Cleared(_))) {
            self.prove.schedule.handle_mended(now.mono);
        }
        let somebodys = |(place, outcome): &Told| {
            let Some(test) = &mut self.prove.test else { return true };
            match outcome {
                Outcome::Pressed { .. } | Outcome::Repeated { .. } => {
                    let claim = test.run.handle_pressed(*place, now.mono);
                    if claim == Claim::Mine {
                        self.points.forget_press(*place);
                    }
                    claim == Claim::Theirs
                }
                Outcome::Released => test.run.handle_released(*place) == Claim::Theirs,
                Outcome::Opened | Outcome::Shut | Outcome::Faulted(_) | Outcome::Cleared(_) => true,
            }
        };
        told.into_iter().filter(somebodys).collect()
    }

    /// What a point has settled on, as somebody made it: a relay's press is not to be seen anywhere.
    pub(super) fn state(&self, place: usize) -> State {
        let claimed = self.prove.test.as_ref().is_some_and(|test| test.run.claims(place));
        if claimed { State::Rest } else { self.points.state(place) }
    }

    /// An alarm goes before every test, and in silence no relay may click.
    pub(super) fn break_off_test(&mut self, now: Now) {
        if let Some(test) = &mut self.prove.test {
            test.run.abort(now.mono);
        }
    }

    fn is_ready(&self, now: Now) -> bool {
        let heard = (0..self.points.count()).all(|place| self.points.state(place) != State::Unknown);
        let ready = heard || now.mono.since(self.prove.started) >= START_WITHIN;
        ready && self.prove.schedule.due(now.mono, now.wall, now.sure).is_some()
    }

    fn begin_test(&mut self, now: Now) {
        let cause = self.prove.schedule.due(now.mono, now.wall, now.sure).unwrap_or_default();
        self.prove.schedule.handle_begun(now.mono, now.wall, now.sure);
        let number = now.wall.millis().max(self.prove.last_run.saturating_add(1));
        self.prove.last_run = number;
        let run = Run::begin((0..self.points.count()).map(|place| self.subject(place)).collect(), now.mono);
        let (held, switching) = (BTreeMap::new(), BTreeMap::new());
        self.prove.test = Some(Test { cause, number, began: now.mono, run, steady: None, held, switching });
        self.actions.push_back(Action::Look(true));
        if self.is_hushed(now.mono) {
            self.break_off_test(now);
        }
    }

    fn subject(&self, place: usize) -> Subject {
        let point = self.points.point(place);
        Subject {
            point: point.id.clone(),
            wiring: point.wiring,
            debounce: point.timing.debounce,
            relays: self.points.relays(place).iter().map(|test| test.relay).collect(),
        }
    }

    /// No relay clicks while somebody may be in need of silence, or while an alarm is on its way.
    fn is_hushed(&self, now: Mono) -> bool {
        let pressed = |place| {
            matches!(self.points.point(place).kind, Kind::HoldUp { .. }) && self.state(place) == State::Active
        };
        self.silence_stands(now) || !self.no_alarm_waits() || (0..self.points.count()).any(pressed)
    }

    fn look(&mut self, now: Now) {
        let Some(test) = &mut self.prove.test else { return };
        test.steady = None;
        for place in 0..self.points.count() {
            if !test.run.awaits(place) {
                continue;
            }
            let late = now.mono >= test.began + LOOK_WITHIN;
            let held: Option<Vec<bool>> =
                self.points.lines(place).into_iter().map(|line| test.held.get(line).copied()).collect();
            let steady = self.points.steady_at(place);
            let found = match held {
                _ if self.points.state(place) == State::Faulty => Err(Failure::Faulty),
                Some(held) if held.contains(&false) => Err(Failure::NotHeld),
                Some(_) if steady.is_some_and(|at| now.mono >= at) => Ok(()),
                Some(_) if late => Err(Failure::Inconsistent),
                Some(_) => {
                    test.steady = [test.steady, steady].into_iter().flatten().min();
                    continue;
                }
                None => continue,
            };
            test.run.handle_look(place, found, now.mono);
        }
    }

    fn drive(&mut self, now: Now) {
        let Some(test) = &mut self.prove.test else { return };
        let points = &self.points;
        let at_rest = |place| points.is_settled(place) && points.state(place) == State::Rest;
        test.run.handle_time(now.mono, at_rest);
        while let Some(order) = self.prove.test.as_mut().and_then(|test| test.run.poll()) {
            match order {
                Order::Switch { place, relay, on } => self.switch(place, relay, on),
                Order::Press(place) => {
                    let outcome = Outcome::Pressed { at_start: false };
                    self.tell_of(place, outcome, now);
                }
                Order::Done(proofs) => self.end_test(&proofs, now),
            }
        }
    }

    fn switch(&mut self, place: usize, relay: usize, on: bool) {
        let Some(relay) = self.points.relays(place).get(relay) else { return };
        let output = relay.output.clone();
        if let Some(test) = &mut self.prove.test {
            test.switching.insert(output.clone(), place);
        }
        self.actions.push_back(Action::Relay { output, on });
    }

    fn end_test(&mut self, proofs: &[Proof], now: Now) {
        let Some(test) = self.prove.test.take() else { return };
        let whole = proofs.iter().all(|proof| proof.failed.is_none());
        self.prove.schedule.handle_ended(whole, now.mono);
        self.actions.push_back(Action::Look(false));
        for report in Report::split(test.cause, test.number, proofs) {
            self.notice(None, What::SelfTest(report), now);
        }
    }
}
