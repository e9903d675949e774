//! Self-tests as the centre sees them: what each point last said, and which have been silent for too long.

use super::{Centre, Refused, Touched};
use crate::commission::{Commissioned, Missing};
use crate::event::{About, Actor, Event};
use crate::register::{Appliance, Enrolment};
use crate::selftest::{Record, Report, UNPROVED_AFTER};
use crate::{BoxId, Fault, Notice, Wall};

impl Centre {
    /// What is known of a box's self-tests.
    pub fn selftest(&self, name: &BoxId) -> Option<&Record> {
        self.selftests.get(name)
    }

    /// A box at a site is to be tested from now on.
    pub(super) fn expect_selftest(&mut self, name: &BoxId, at: Wall) {
        if self.boxes.get(name).is_some_and(|entry| entry.site.is_some()) {
            self.selftests.insert(name.clone(), Record::new(at));
        }
    }

    pub(super) fn selftested(&mut self, from: &BoxId, notice: &Notice, report: &Report, at: Wall) -> Touched {
        // A report may have waited in the box for days; a clock that cannot be trusted says nothing about that.
        let tested = if notice.clock_sure { notice.at.min(at) } else { at };
        let record = self.selftests.entry(from.clone()).or_insert_with(|| Record::new(at));
        let gone = record.take(report, tested);
        let failed: Vec<_> = report
            .proofs
            .iter()
            .filter_map(|proof| Some((proof.point.clone(), record.points.get(&proof.point)?.clone())))
            .collect();
        self.faults.remove(&(About::appliance(from.clone()), Fault::Unproved));
        for point in gone {
            self.faults.remove(&(About::point(from.clone(), point.clone()), Fault::SelfTestFailed));
            self.faults.remove(&(About::point(from.clone(), point), Fault::Unproved));
        }
        for (point, known) in failed {
            let about = About::point(from.clone(), point);
            let stands = known.failed.as_ref().map(|failure| failure.is_fault());
            if stands.is_none() {
                self.faults.remove(&(about.clone(), Fault::SelfTestFailed));
                self.faults.remove(&(about, Fault::Unproved));
            } else if stands == Some(true) {
                self.faults.entry((about, Fault::SelfTestFailed)).or_insert(at);
            }
        }
        Touched::Box(from.clone())
    }

    /// Points, and boxes that have never told of any, whose time is over.
    pub(super) fn unproved(&self, now: Wall) -> Vec<Event> {
        let enrolled = |name: &BoxId| {
            self.boxes.get(name).is_some_and(|entry| matches!(entry.enrolment, Enrolment::Enrolled { .. }))
        };
        let mut events = Vec::new();
        for (name, record) in self.selftests.iter().filter(|(name, _)| enrolled(name)) {
            let late = |at: Wall| now.since(at) >= UNPROVED_AFTER;
            if record.tested.is_none() && late(record.since) {
                events.extend(self.raise(About::appliance(name.clone()), Fault::Unproved));
            }
            for (point, _) in record.points.iter().filter(|(_, known)| known.is_unproved(now)) {
                events.extend(self.raise(About::point(name.clone(), point.clone()), Fault::Unproved));
            }
        }
        events
    }

    /// Somebody wants a box to test its points now.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Revoked`], [`Refused::NotEnrolled`].
    pub fn ask_selftest(&self, name: &BoxId, by: Actor) -> Result<Vec<Event>, Refused> {
        self.tested(name)?;
        Ok(vec![Event::SelfTestAsked { name: name.clone(), by }])
    }

    /// A box is in service: `missing` is what a technician took it without.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Revoked`], [`Refused::NotEnrolled`].
    pub fn commission(&self, name: &BoxId, missing: Vec<Missing>, by: Actor) -> Result<Vec<Event>, Refused> {
        self.tested(name)?;
        let known = self.boxes.get(name).is_some_and(|entry| entry.commissioned.is_some());
        Ok(if known { vec![] } else { vec![Event::Commissioned { name: name.clone(), by, missing }] })
    }

    /// Enrolled boxes at sites that are not in service yet.
    pub fn uncommissioned(&self) -> impl Iterator<Item = &Appliance> {
        self.boxes.values().filter(|entry| entry.commissioned.is_none() && is_tested(entry))
    }

    pub(super) fn commissioned(&mut self, name: &BoxId, at: Wall, by: &Actor) -> Touched {
        if let Some(entry) = self.boxes.get_mut(name) {
            entry.commissioned = Some(Commissioned { at, by: by.clone() });
        }
        Touched::Box(name.clone())
    }

    fn tested(&self, name: &BoxId) -> Result<(), Refused> {
        self.in_service(name)?;
        let tested = self.boxes.get(name).is_some_and(is_tested);
        tested.then_some(()).ok_or_else(|| Refused::NotEnrolled(name.clone()))
    }
}

fn is_tested(entry: &Appliance) -> bool {
    entry.site.is_some() && matches!(entry.enrolment, Enrolment::Enrolled { .. })
}
