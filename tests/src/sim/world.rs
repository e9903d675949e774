//! The world: takes one happening after the other. Boxes are here; the rack, the links and the checks beside it.

use super::carry::Connection;
use super::desk::Desk;
use super::happening::{Happening, Queue};
use super::look::Looks;
use super::rng::Rng;
use super::school::School;
use super::seats::Seat;
use super::truth::{Contacts, Level, Truth, Wire};
use super::wall::Wall;
use super::{Figures, plan};
use alarm::{BoxId, Mono, PathId, SiteId};
use std::time::Duration;

/// Longest sync of a box's disk, and the usual one.
pub(super) const SYNC_LONGEST_MS: u64 = 400;
const SYNC_USUAL_MS: u64 = 30;
/// Most happenings at one time: a deadline that is never met would stop the clock.
const AT_ONCE_MOST: u32 = 10_000;
/// After everything was mended.
const QUIET: Duration = Duration::from_secs(60);

pub(super) struct World {
    pub(super) now: Mono,
    pub(super) rng: Rng,
    pub(super) queue: Queue,
    pub(super) boxes: Vec<OneBox>,
    pub(super) connections: Vec<Connection>,
    pub(super) desk: Desk,
    pub(super) wall: Option<Wall>,
    pub(super) siren_limit: Duration,
    /// Number of the wall's link; the present one while `wall_linked` is set.
    pub(super) wall_link: u64,
    pub(super) wall_linked: Option<Mono>,
    pub(super) wall_cut: bool,
    pub(super) seats: Vec<Seat>,
    pub(super) truth: Truth,
    pub(super) looks: Looks,
    pub(super) figures: Figures,
    pub(super) mended: bool,
    story: Option<Vec<String>>,
    end: Mono,
}

pub(super) struct OneBox {
    pub(super) school: School,
    pub(super) contacts: Vec<Contacts>,
    pub(super) name: BoxId,
    pub(super) site: SiteId,
    pub(super) paths: [OnePath; 2],
    timer: Option<Mono>,
}

pub(super) struct OnePath {
    pub(super) name: PathId,
    pub(super) cut: bool,
    /// The connection that the box has.
    pub(super) connection: Option<usize>,
    pub(super) delay_ms: u64,
}

pub(super) type Checked = Result<(), String>;

impl World {
    pub(super) fn new(mut rng: Rng, told: bool) -> Self {
        let plan = plan::tell(&mut rng);
        let mut queue = Queue::default();
        plan.happenings.into_iter().for_each(|(at, happening)| queue.put(at, happening));
        queue.put(plan.end, Happening::Mended);
        let boxes: Vec<_> = plan
            .boxes
            .into_iter()
            .enumerate()
            .map(|(number, points)| OneBox {
                contacts: points.iter().map(|point| Contacts::new(point.wiring)).collect(),
                school: School::new(points),
                name: BoxId::new(format!("box-{number}")).expect("a well-formed name"),
                site: SiteId::new(format!("site-{}", plan.sites[number])).expect("a well-formed name"),
                paths: ["wired", "cellular"].map(|name| OnePath {
                    name: PathId::new(name).expect("a well-formed name"),
                    cut: false,
                    connection: None,
                    delay_ms: rng.within(1, 300),
                }),
                timer: None,
            })
            .collect();
        let mut world = Self {
            now: Mono::default(),
            queue,
            boxes,
            connections: Vec::new(),
            desk: Desk::default(),
            wall: None,
            siren_limit: plan.siren_limit,
            wall_link: 0,
            wall_linked: None,
            wall_cut: false,
            seats: (0..plan.seats).map(Seat::new).collect(),
            truth: Truth::default(),
            looks: Looks::default(),
            figures: Figures::default(),
            mended: false,
            story: told.then(Vec::new),
            end: plan.end + QUIET,
            rng,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.desk_start().expect("an empty journal");
        self.register();
        (0..self.boxes.len()).for_each(|site| self.queue.put(self.now, Happening::BoxStart { site }));
        for happening in [Happening::WallStart, Happening::Tick, Happening::Look] {
            self.queue.put(self.now, happening);
        }
    }

    /// Tells the story to its end.
    pub(super) fn run(&mut self) -> Checked {
        let mut at_once = 0;
        while let Some((at, happening)) = self.queue.next() {
            if at > self.end {
                break;
            }
            at_once = if at == self.now { at_once + 1 } else { 0 };
            if at_once > AT_ONCE_MOST {
                return Err(format!("time stands still at {happening:?}"));
            }
            self.now = at;
            if happening.is_told() {
                self.tell(|| format!("{happening:?}"));
            }
            self.happen(happening)?;
        }
        self.check_end()
    }

    /// Adds a line to the story, if anybody listens.
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>12.6} {}", self.now.since(Mono::default()).as_secs_f64(), what()));
        }
    }

    pub(super) fn story(&self) -> &[String] {
        self.story.as_deref().unwrap_or_default()
    }

    /// After this time.
    pub(super) fn later(&mut self, low_ms: u64, high_ms: u64, happening: Happening) {
        let at = self.now + self.rng.ms(low_ms, high_ms);
        self.queue.put(at, happening);
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the rest is the rack's")]
    fn happen(&mut self, happening: Happening) -> Checked {
        use Happening as H;
        match happening {
            H::Finger { site, point, motion } => self.finger(site, point, motion),
            H::Wire { site, point, wire } => self.wire(site, point, wire),
            H::BoxCrash { site } => {
                self.box_crash(site);
                Ok(())
            }
            H::BoxStart { site } => self.box_start(site),
            H::BoxClock { site, by } => {
                self.boxes[site].school.clock += by;
                Ok(())
            }
            H::BoxTimer { site } => self.box_timer(site),
            H::Synced { site, life, upto } => {
                if self.boxes[site].school.life == life {
                    self.boxes[site].school.synced(upto);
                }
                self.send(site);
                Ok(())
            }
            H::Oblige { press, life, from, firm } => {
                self.oblige(press, life, from, firm);
                Ok(())
            }
            H::OddWire { site, point, life, from } => self.odd_wire(site, point, life, from),
            H::Mended => self.mend(),
            H::Look => self.look(),
            link @ (H::PathCut { .. }
            | H::PathMended { .. }
            | H::Connect { .. }
            | H::Noticed { .. }
            | H::ToDesk { .. }
            | H::ToBox { .. }) => self.carry(link),
            rack => self.rack(rack),
        }
    }

    pub(super) fn box_crash(&mut self, site: usize) {
        if self.boxes[site].school.running.is_some() {
            self.figures.crashes += 1;
            self.boxes[site].school.crash(&mut self.rng);
            self.boxes[site].timer = None;
            self.hang_up(site);
        }
    }

    fn box_start(&mut self, site: usize) -> Checked {
        if self.boxes[site].school.running.is_some() {
            return Ok(());
        }
        self.boxes[site].school.start(self.now, &mut self.rng);
        for path in 0..2 {
            self.later(50, 1_000, Happening::Connect { site, path });
        }
        for point in 0..self.boxes[site].contacts.len() {
            self.found(site, point);
            self.expect_fault(site, point);
            self.read(site, point)?;
        }
        self.send(site);
        Ok(())
    }

    pub(super) fn read(&mut self, site: usize, point: usize) -> Checked {
        let one = &mut self.boxes[site];
        one.contacts[point].settle(self.now);
        let reading = one.contacts[point].reading();
        let made = one.school.read(point, reading, self.now, &mut self.rng);
        self.made(site, made)
    }

    fn box_timer(&mut self, site: usize) -> Checked {
        if self.boxes[site].timer != Some(self.now) {
            return Ok(());
        }
        self.boxes[site].timer = None;
        let made = self.boxes[site].school.settle(self.now, &mut self.rng);
        self.made(site, made)
    }

    fn made(&mut self, site: usize, made: Vec<super::school::Made>) -> Checked {
        for one in &made {
            self.tell(|| {
                format!("  box {site} made {:?} {:?} {}", one.notice.point, one.notice.what, one.notice.id)
            });
            self.truth.made(site, one.point, &one.notice, self.now)?;
        }
        if !made.is_empty() {
            let school = &self.boxes[site].school;
            let (life, upto) = (school.life, school.disk.len());
            let longest = if self.rng.chance(25) { SYNC_LONGEST_MS } else { SYNC_USUAL_MS };
            self.later(0, longest, Happening::Synced { site, life, upto });
        }
        self.send(site);
        Ok(())
    }

    /// Sets the box's timer to what it waits for next.
    pub(super) fn set_timer(&mut self, site: usize) {
        let one = &mut self.boxes[site];
        let Some(deadline) = one.school.deadline().map(|at| at.max(self.now)) else { return };
        if one.timer.is_none_or(|timer| deadline < timer || timer < self.now) {
            one.timer = Some(deadline);
            self.queue.put(deadline, Happening::BoxTimer { site });
        }
    }

    /// The end of the story: every wire and path is whole, everything runs, nobody presses.
    fn mend(&mut self) -> Checked {
        for site in 0..self.boxes.len() {
            for point in 0..self.boxes[site].contacts.len() {
                if let Some(press) = self.boxes[site].contacts[point].press.take() {
                    let press = &mut self.truth.presses[press];
                    press.let_go.get_or_insert(self.now);
                    press.rest.get_or_insert(self.now);
                }
                let contacts = &mut self.boxes[site].contacts[point];
                (contacts.pressed, contacts.wire, contacts.wire_since) = (Level::Rest, Wire::Whole, self.now);
                self.read(site, point)?;
            }
            self.box_start(site)?;
            self.boxes[site].paths.iter_mut().for_each(|path| path.cut = false);
        }
        self.mended = true;
        for happening in
            [Happening::DeskStart, Happening::DiskFreed, Happening::WallStart, Happening::WallMended]
        {
            self.queue.put(self.now, happening);
        }
        Ok(())
    }
}
