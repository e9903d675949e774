//! What fingers and wires do, and what follows for the truth: which presses nothing can have hidden.

use super::happening::{Happening, Motion};
use super::truth::{Level, Press, Wire};
use super::world::{Checked, SYNC_LONGEST_MS, World};
use alarm::Mono;
use alarm::point::{DEBOUNCE, DISCREPANCY, Wiring};
use std::time::Duration;

/// What the checks allow for a reading to become a notice on the disk.
const KEPT_WITHIN: Duration = Duration::from_millis(SYNC_LONGEST_MS + 10);
/// A point has to have been at rest this long before a press is held against the box.
const CALM: Duration = Duration::from_millis(100);

impl World {
    pub(super) fn finger(&mut self, site: usize, point: usize, motion: Motion) -> Checked {
        if self.mended {
            return Ok(());
        }
        let contacts = &mut self.boxes[site].contacts[point];
        contacts.pressed = match motion {
            Motion::Begun | Motion::LetGo => Level::Between,
            Motion::Bounce(level) => [Level::Rest, Level::Between, Level::Active][level],
            Motion::Firm => Level::Active,
            Motion::Rest => Level::Rest,
        };
        if motion == Motion::Begun {
            let calm = contacts.calm_since.is_some_and(|calm| self.now.since(calm) >= CALM);
            self.begin_press(site, point, calm);
        } else if let Some(number) = self.boxes[site].contacts[point].press {
            self.go_on(site, number, motion);
        }
        self.read(site, point)
    }

    fn begin_press(&mut self, site: usize, point: usize, calm: bool) {
        let begun = self.now;
        self.truth.presses.push(Press {
            site,
            point,
            calm,
            disturbed: vec![],
            begun,
            firm: None,
            let_go: None,
            rest: None,
        });
        self.boxes[site].contacts[point].press = Some(self.truth.presses.len() - 1);
    }

    fn go_on(&mut self, site: usize, number: usize, motion: Motion) {
        let press = &mut self.truth.presses[number];
        match motion {
            Motion::Firm => {
                press.firm = Some(self.now);
                self.firm(site, number);
            }
            Motion::LetGo => press.let_go = Some(self.now),
            Motion::Rest => {
                press.rest = Some(self.now);
                let point = press.point;
                self.boxes[site].contacts[point].press = None;
            }
            Motion::Begun | Motion::Bounce(_) => {}
        }
    }

    /// From here on the press counts, unless something hides it.
    fn firm(&mut self, site: usize, number: usize) {
        let (press, school) = (&self.truth.presses[number], &self.boxes[site].school);
        let up = school.running.as_ref().is_some_and(|running| press.begun.since(running.since) >= CALM);
        if up && press.calm {
            let (life, from, firm) = (school.life, press.begun, self.now);
            self.queue
                .put(firm + DEBOUNCE + KEPT_WITHIN, Happening::Oblige { press: number, life, from, firm });
        }
    }

    pub(super) fn oblige(&mut self, press: usize, life: u64, from: Mono, firm: Mono) {
        let held = &self.truth.presses[press];
        let one = &self.boxes[held.site];
        let long = held.let_go.is_none_or(|let_go| let_go >= firm + DEBOUNCE);
        let whole = !held.disturbed.iter().any(|at| (from..=firm + DEBOUNCE).contains(at));
        if one.school.running.is_some() && one.school.life == life && long && whole {
            self.truth.obliged.insert(press);
        }
    }

    pub(super) fn wire(&mut self, site: usize, point: usize, wire: Wire) -> Checked {
        let now = self.now;
        if self.mended {
            return Ok(());
        }
        let contacts = &mut self.boxes[site].contacts[point];
        contacts.wire = wire;
        contacts.wire_since = now;
        if let Some(number) = contacts.press {
            self.truth.presses[number].disturbed.push(now);
        }
        let begun = contacts.press.take();
        if contacts.wiring != Wiring::NormallyClosed {
            contacts.press = begun;
        } else if let Some(number) = begun {
            let press = &mut self.truth.presses[number];
            (press.let_go, press.rest) = (Some(now), Some(now));
        } else {
            // On one contact, normally closed, a cut wire cannot be told from a press.
            self.begin_press(site, point, false);
        }
        self.expect_fault(site, point);
        self.read(site, point)
    }

    /// A pair that is wrong for long enough has to be told as a fault.
    pub(super) fn expect_fault(&mut self, site: usize, point: usize) {
        let one = &self.boxes[site];
        let contacts = &one.contacts[point];
        if contacts.wiring == Wiring::Antivalent
            && contacts.wire != Wire::Whole
            && one.school.running.is_some()
        {
            let happening = Happening::OddWire { site, point, life: one.school.life, from: self.now };
            self.queue.put(self.now + DISCREPANCY + KEPT_WITHIN, happening);
        }
    }

    pub(super) fn odd_wire(&self, site: usize, point: usize, life: u64, from: Mono) -> Checked {
        let one = &self.boxes[site];
        if one.school.life == life && one.contacts[point].wire_since <= from && !one.school.names(point) {
            return Err(format!(
                "box {site} point {point}: its wire is wrong since {from:?}, and nobody is told"
            ));
        }
        Ok(())
    }

    /// A button found pressed, and not known as told, has to be told.
    pub(super) fn found(&mut self, site: usize, point: usize) {
        let one = &self.boxes[site];
        let held = one.school.running.as_ref().is_some_and(|running| running.held_at_start[point]);
        let Some(press) = one.contacts[point].press.filter(|_| !held) else { return };
        let whole = one.contacts[point].wire == Wire::Whole && one.contacts[point].pressed == Level::Active;
        let firm = self.truth.presses[press].firm.is_some() && self.truth.presses[press].let_go.is_none();
        if whole && firm {
            let (from, firm, life) = (self.now, self.now, one.school.life);
            self.queue.put(self.now + DEBOUNCE + KEPT_WITHIN, Happening::Oblige { press, life, from, firm });
        }
    }
}
