//! The story of one seed: who presses when, what breaks and when it is mended.

use super::happening::{Happening, Motion};
use super::rng::Rng;
use super::truth::Wire;
use alarm::point::{Kind, Point, Timing, Wiring};
use alarm::{Mode, Mono, PointId};
use std::time::Duration;

/// Motions of a contact that bounces settle within this.
const BOUNCE_LONGEST_MS: u64 = 20;

/// A whole story.
#[derive(Debug)]
pub(super) struct Plan {
    /// The points of each box.
    pub(super) boxes: Vec<Vec<Point>>,
    /// Which site each box stands at.
    pub(super) sites: Vec<usize>,
    pub(super) seats: usize,
    pub(super) siren_limit: Duration,
    pub(super) happenings: Vec<(Mono, Happening)>,
    pub(super) end: Mono,
}

struct Teller<'a> {
    rng: &'a mut Rng,
    told: Vec<(Mono, Happening)>,
    presses: Vec<Mono>,
    end: Mono,
}

/// Tells the story of this chance.
pub(super) fn tell(rng: &mut Rng) -> Plan {
    let end = Mono::default() + rng.ms(40_000, 200_000);
    let boxes: Vec<Vec<Point>> = (0..rng.within(2, 20)).map(|_| points(rng)).collect();
    let together = rng.place(2) + 1;
    let sites: Vec<usize> = (0..boxes.len()).map(|place| place / together).collect();
    let (seats, siren_limit) = (rng.place(7), rng.ms(15_000, 300_000));
    let mut teller = Teller { rng, told: Vec::new(), presses: Vec::new(), end };
    for (site, points) in boxes.iter().enumerate() {
        points.iter().enumerate().for_each(|(place, point)| teller.point(site, place, point));
    }
    teller.presses.sort_unstable();
    (0..boxes.len()).for_each(|site| teller.one_box(site));
    teller.rack();
    teller.wall();
    (0..seats).for_each(|seat| teller.seat(seat));
    sites.last().into_iter().for_each(|last| teller.windows(last + 1));
    let happenings = teller.told;
    Plan { boxes, sites, seats, siren_limit, happenings, end }
}

fn points(rng: &mut Rng) -> Vec<Point> {
    let point = |place: u64, rng: &mut Rng| {
        let wiring = match rng.place(5) {
            0 => Wiring::NormallyOpen,
            1 => Wiring::NormallyClosed,
            _ => Wiring::Antivalent,
        };
        let mode = if rng.chance(50) { Mode::Silent } else { Mode::Ordinary };
        let hold_up = Kind::HoldUp { mode, latching: rng.chance(20) };
        let kind = if rng.chance(85) { hold_up } else { Kind::Tamper };
        let id = PointId::new(format!("point-{place}")).expect("a well-formed name");
        Point { id, kind, wiring, timing: Timing::default() }
    };
    (0..rng.within(1, 4)).map(|place| point(place, rng)).collect()
}

impl Teller<'_> {
    fn at(&mut self, at: Mono, happening: Happening) {
        if at < self.end {
            self.told.push((at, happening));
        }
    }

    fn some_time(&mut self) -> Mono {
        Mono::from_micros(self.rng.within(0, self.end.micros()))
    }

    /// A moment at which something is under way, or any.
    fn delicate_time(&mut self, within_ms: u64) -> Mono {
        let press = self.rng.pick(&self.presses.clone()).copied();
        match press.filter(|_| self.rng.chance(60)) {
            Some(press) => press + self.rng.ms(0, within_ms),
            None => self.some_time(),
        }
    }

    fn point(&mut self, site: usize, place: usize, point: &Point) {
        let latching = matches!(point.kind, Kind::HoldUp { latching: true, .. });
        let mut now = Mono::default() + self.rng.ms(0, 30_000);
        while now < self.end {
            let alone = point.wiring != Wiring::Antivalent;
            now = if alone && self.rng.chance(15) {
                self.cut(site, place, now, Wire::Cut)
            } else {
                self.press(site, place, now, latching)
            };
            now =
                now + if self.rng.chance(40) { self.rng.ms(120, 3_000) } else { self.rng.ms(3_000, 40_000) };
        }
        if point.wiring == Wiring::Antivalent && self.rng.chance(40) {
            self.cuts(site, place);
        }
    }

    fn cuts(&mut self, site: usize, place: usize) {
        let mut now = self.some_time();
        for _ in 0..self.rng.within(1, 4) {
            let wire = if self.rng.chance(60) { Wire::Cut } else { Wire::Short };
            now = self.cut(site, place, now, wire) + self.rng.ms(300, 10_000);
        }
    }

    fn cut(&mut self, site: usize, place: usize, from: Mono, wire: Wire) -> Mono {
        let to = from + if self.rng.chance(30) { self.rng.ms(1, 499) } else { self.rng.ms(600, 9_000) };
        self.at(from, Happening::Wire { site, point: place, wire });
        self.at(to, Happening::Wire { site, point: place, wire: Wire::Whole });
        to
    }

    fn press(&mut self, site: usize, place: usize, begun: Mono, latching: bool) -> Mono {
        let motion = |motion| Happening::Finger { site, point: place, motion };
        self.presses.push(begun);
        self.at(begun, motion(Motion::Begun));
        let firm = self.bounce(site, place, begun);
        self.at(firm, motion(Motion::Firm));
        let hold = match self.rng.place(6) {
            _ if latching => self.rng.ms(2_000, 40_000),
            0 => self.rng.ms(1, 29),
            1 => self.rng.ms(31, 60),
            2 | 3 => self.rng.ms(60, 500),
            4 => self.rng.ms(500, 5_000),
            _ => self.rng.ms(5_000, 20_000),
        };
        let let_go = firm + hold;
        self.at(let_go, motion(Motion::LetGo));
        let rest = self.bounce(site, place, let_go);
        self.at(rest, motion(Motion::Rest));
        rest
    }

    /// When it is over.
    fn bounce(&mut self, site: usize, point: usize, from: Mono) -> Mono {
        let over = from + self.rng.ms(1, BOUNCE_LONGEST_MS);
        for _ in 0..self.rng.within(0, 6) {
            let at = from
                + Duration::from_micros(
                    self.rng.within(1, over.since(from).as_micros().try_into().unwrap_or(1)),
                );
            if at < over {
                let motion = Motion::Bounce(self.rng.place(3));
                self.at(at, Happening::Finger { site, point, motion });
            }
        }
        over
    }

    fn one_box(&mut self, site: usize) {
        for _ in 0..self.rng.place(5) {
            let at = self.delicate_time(600);
            self.at(at, Happening::BoxCrash { site });
            let back = at + self.rng.ms(100, 10_000);
            self.at(back, Happening::BoxStart { site });
        }
        for path in 0..2 {
            for _ in 0..self.rng.place(4) {
                let at = self.delicate_time(1_000);
                self.at(at, Happening::PathCut { site, path });
                let mended = at + self.rng.ms(100, 30_000);
                self.at(mended, Happening::PathMended { site, path });
            }
        }
        if self.rng.chance(30) {
            let (at, by) = (self.some_time(), self.jump(86_400_000));
            self.at(at, Happening::BoxClock { site, by });
        }
    }

    fn jump(&mut self, most: u64) -> i64 {
        let by = i64::try_from(self.rng.within(0, most)).unwrap_or(0);
        if self.rng.chance(50) { by } else { -by }
    }

    fn rack(&mut self) {
        for _ in 0..self.rng.place(4) {
            let at = self.delicate_time(800);
            let back = at + self.rng.ms(200, 8_000);
            self.at(at, Happening::DeskCrash);
            self.at(back, Happening::DeskStart);
            self.around_crash(at, back);
        }
        for _ in 0..self.rng.place(2) {
            let at = self.some_time();
            self.disk_full(at);
        }
        if self.rng.chance(50) {
            let (at, by) = (self.some_time(), self.jump(7_200_000));
            self.at(at, Happening::RackClock { by });
        }
    }

    /// What makes a crash worse: lines that never reached the disk, and a wall whose people act on them.
    fn around_crash(&mut self, at: Mono, back: Mono) {
        if self.rng.chance(40) {
            let before = at.micros().saturating_sub(self.rng.within(0, 15_000_000));
            self.disk_full(Mono::from_micros(before));
        }
        if self.rng.chance(50) {
            let pressed = at
                + Duration::from_micros(
                    self.rng.within(0, back.since(at).as_micros().try_into().unwrap_or(1)),
                );
            self.at(pressed, Happening::WallButton);
        }
    }

    fn disk_full(&mut self, at: Mono) {
        self.at(at, Happening::DiskFull);
        let freed = at + self.rng.ms(500, 20_000);
        self.at(freed, Happening::DiskFreed);
    }

    fn wall(&mut self) {
        for _ in 0..self.rng.place(3) {
            let at = self.some_time();
            self.at(at, Happening::WallCrash);
            let back = at + self.rng.ms(200, 8_000);
            self.at(back, Happening::WallStart);
        }
        for _ in 0..self.rng.place(3) {
            let at = self.some_time();
            self.at(at, Happening::WallCut);
            let mended = at + self.rng.ms(500, 20_000);
            self.at(mended, Happening::WallMended);
        }
        for _ in 0..self.rng.place(6) {
            let at = self.delicate_time(3_000);
            self.at(at, Happening::WallButton);
        }
    }

    fn seat(&mut self, seat: usize) {
        let mut now = Mono::default() + self.rng.ms(10, 5_000);
        let pace = self.rng.within(500, 20_000);
        while now < self.end {
            self.at(now, Happening::Seat { seat });
            now = now + self.rng.ms(100, pace);
        }
    }

    fn windows(&mut self, sites: usize) {
        for site in 0..sites {
            if self.rng.chance(40) {
                let (at, minutes) = (Mono::from_micros(self.some_time().micros() / 2), 1);
                self.at(at, Happening::Window { site, minutes });
            }
        }
    }
}
