//! From what a point settled on to a notice, and who is to hear of it.

use super::contacts::Place;
use super::keep::Disk;
use super::points::Told;
use super::{Action, Core, NoSuchButton, Now, RAISED_MAX, SILENCE_AFTER};
use alarm::point::{Kind, Outcome, Point, State};
use alarm::spool::OTHERS_MAX;
use alarm::{Fault, Mode, Mono, Nature, Notice, NoticeId, PointId, What};

impl Core {
    pub(super) fn tell(&mut self, told: Vec<Told>, now: Now) {
        for (place, outcome) in self.without_relays(told, now) {
            self.tell_of(place, outcome, now);
        }
        self.restore_what_was_found_at_rest(now);
    }

    pub(super) fn tell_of(&mut self, place: Place, outcome: Outcome, now: Now) {
        let point = self.points.point(place);
        let (id, kind) = (point.id.clone(), point.kind);
        self.tell_one(id, kind, outcome, now);
    }

    /// Faults that an earlier life told of, and whose end no reading of a point will tell.
    pub(super) fn clear_what_is_over(&mut self, now: Now) {
        let mut over: Vec<_> = self.keep.spool().standing(None).map(|fault| (None, fault.clone())).collect();
        over.retain(|(_, fault)| !self.faults.contains(fault));
        for place in 0..self.points.count() {
            let id = self.points.point(place).id.clone();
            let missed = self.keep.spool().standing(Some(&id)).any(|fault| *fault == Fault::EdgesMissed);
            over.extend(missed.then_some((Some(id), Fault::EdgesMissed)));
        }
        for (point, fault) in over {
            self.notice(point, What::Cleared { fault }, now);
        }
    }

    fn tell_one(&mut self, point: PointId, kind: Kind, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Pressed { at_start } => {
                let what = What::Alarm { mode: mode(kind), nature: Nature::Real, at_start };
                self.alarm(Some(point), what, now);
            }
            Outcome::Repeated { count } => self.repeat(point, kind, count, now),
            Outcome::Released => self.restored(point, now),
            Outcome::Opened => {
                self.notice(Some(point), What::Tampered, now);
            }
            Outcome::Shut => {
                self.notice(Some(point), What::TamperRestored, now);
            }
            Outcome::Faulted(fault) => {
                self.notice(Some(point), What::Fault { fault }, now);
            }
            Outcome::Cleared(fault) => {
                self.notice(Some(point), What::Cleared { fault }, now);
            }
        }
    }

    /// A press by software.
    pub(super) fn press(&mut self, point: Option<PointId>, mode: Mode, nature: Nature, now: Now) -> NoticeId {
        let id = self.alarm(point, What::Alarm { mode, nature, at_start: false }, now);
        self.asked.insert(id);
        id
    }

    pub(super) fn restored(&mut self, point: PointId, now: Now) {
        let of = self.keep.held(&point).map(|held| held.alarm);
        if self.latches(&point) {
            self.lamp.handle_restored(of);
        }
        self.notice(Some(point), What::Restored { of }, now);
    }

    pub(super) fn button(&self, id: &PointId) -> Result<usize, NoSuchButton> {
        let is_button = |place: &usize| matches!(self.points.point(*place).kind, Kind::HoldUp { .. });
        self.points.find(id).filter(is_button).ok_or_else(|| NoSuchButton {
            asked: id.clone(),
            buttons: (0..self.points.count())
                .filter(is_button)
                .map(|place| self.points.point(place).id.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Alarms from before the start: repeats may name them, and a silent one keeps the lamp dark.
    pub(super) fn remember_alarms(&mut self, now: Now) {
        for place in 0..self.points.count() {
            let point = self.points.point(place);
            if let Some(held) = self.keep.held(&point.id) {
                if is_silent(point.kind) {
                    self.silent = Some(now.mono);
                }
                self.last.insert(point.id.clone(), held.alarm);
            }
        }
    }

    /// Alarms that an earlier life could not deliver: whoever watches was off as well, perhaps.
    pub(super) fn tell_of_waiting_alarms(&mut self) {
        let waiting = self.keep.spool().waiting().into_iter();
        let alarms = waiting.filter(|notice| matches!(notice.what, What::Alarm { .. }));
        self.raised.extend(alarms.take(RAISED_MAX));
    }

    /// Whether a silent alarm stands or was raised a short while ago.
    pub(super) fn silence_stands(&self, now: Mono) -> bool {
        let pressed = (0..self.points.count())
            .any(|place| is_silent(self.points.point(place).kind) && self.state(place) == State::Active);
        pressed || self.silent.is_some_and(|at| now.since(at) < SILENCE_AFTER)
    }

    pub(super) fn raise(&mut self, fault: Fault, now: Now) {
        if self.faults.insert(fault.clone()) {
            self.notice(None, What::Fault { fault }, now);
        }
    }

    pub(super) fn clear(&mut self, fault: Fault, now: Now) {
        if self.faults.remove(&fault) {
            self.notice(None, What::Cleared { fault }, now);
        }
    }

    pub(super) fn handle_disk(&mut self, disk: Disk, now: Now) {
        match disk {
            Disk::Same => {}
            Disk::Broke => self.raise(Fault::SpoolDamaged, now),
            Disk::Mended => self.clear(Fault::SpoolDamaged, now),
        }
    }

    /// The spool is at its limit when notices give way, and no longer when half of it is free.
    pub(super) fn tell_dropped(&mut self, now: Now) {
        let dropped = self.keep.dropped();
        if std::mem::replace(&mut self.dropped, dropped) != dropped {
            self.raise(Fault::SpoolFull, now);
        } else if self.keep.waiting() < OTHERS_MAX / 2 && self.faults.contains(&Fault::SpoolFull) {
            self.clear(Fault::SpoolFull, now);
        }
    }

    pub(super) fn pass_on_released(&mut self) {
        while let Some(released) = self.keep.poll_released() {
            if self.asked.remove(&released.id) {
                self.actions.push_back(Action::Answer { id: released.id, on_disk: released.on_disk });
            }
            if let Some(alarm) = released.alarm.filter(|_| self.raised.len() < RAISED_MAX) {
                self.raised.push_back(alarm);
            }
        }
    }

    fn alarm(&mut self, point: Option<PointId>, what: What, now: Now) -> NoticeId {
        self.break_off_test(now);
        if let What::Alarm { mode: Mode::Silent, .. } = what {
            self.silent = Some(now.mono);
        }
        let id = self.notice(point.clone(), what, now);
        if let Some(point) = point {
            self.last.insert(point, id);
        }
        self.actions.push_back(Action::Hurry);
        id
    }

    fn repeat(&mut self, point: PointId, kind: Kind, count: u32, now: Now) {
        match self.last.get(&point) {
            Some(of) => {
                let of = *of;
                self.notice(Some(point), What::Repeat { of, count }, now);
            }
            None => {
                let what = What::Alarm { mode: mode(kind), nature: Nature::Real, at_start: false };
                self.alarm(Some(point), what, now);
            }
        }
    }

    /// A point that was reported and is found at rest has been restored, also while the box was off.
    fn restore_what_was_found_at_rest(&mut self, now: Now) {
        for place in 0..self.points.count() {
            let Point { id, kind, .. } = self.points.point(place);
            let (id, button) = (id.clone(), matches!(kind, Kind::HoldUp { .. }));
            if button && self.points.state(place) == State::Rest && self.keep.held(&id).is_some() {
                self.restored(id, now);
            }
        }
    }

    /// A momentary button is let go at once, and its lamp should be seen all the same.
    fn latches(&self, point: &PointId) -> bool {
        let kind = self.points.find(point).map(|place| self.points.point(place).kind);
        matches!(kind, Some(Kind::HoldUp { latching: true, .. }))
    }

    pub(super) fn notice(&mut self, point: Option<PointId>, what: What, now: Now) -> NoticeId {
        let id = (self.ids)(now.wall);
        self.keep.handle_notice(Notice { id, point, at: now.wall, clock_sure: now.sure, what })
    }
}

fn is_silent(kind: Kind) -> bool {
    matches!(kind, Kind::HoldUp { mode: Mode::Silent, .. })
}

pub(super) fn mode(kind: Kind) -> Mode {
    match kind {
        Kind::HoldUp { mode, .. } => mode,
        Kind::Tamper | Kind::Mains | Kind::Battery => Mode::Silent,
    }
}
