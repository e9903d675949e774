//! A site's box as the daemons build it from the rules: points, spool on a disk, outbox. What it wants done comes
//! back as values; the world does it.

use super::disk::Disk;
use super::rng::Rng;
use alarm::delivery::{Outbox, Send};
use alarm::point::{Before, Kind, Outcome, Point, Reading, Watch};
use alarm::spool::{Kept, Replay, Spool};
use alarm::{Fault, Mono, Nature, Notice, NoticeId, PathId, PointId, Wall, What};
use std::collections::{BTreeMap, BTreeSet};

/// What a box made of its points.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) point: usize,
    pub(super) notice: Notice,
}

/// One life of a box ends with a crash; disk and points stay.
#[derive(Clone, Debug)]
pub(super) struct School {
    pub(super) points: Vec<Point>,
    pub(super) disk: Disk,
    /// The box's wall clock is this far from true time, in ms.
    pub(super) clock: i64,
    pub(super) life: u64,
    pub(super) running: Option<Running>,
}

#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) since: Mono,
    watches: Vec<Watch>,
    pub(super) spool: Spool,
    outbox: Outbox,
    /// Kept, and not yet synced: up to which byte.
    unsynced: Vec<(usize, Notice)>,
    last: BTreeMap<PointId, NoticeId>,
    /// Which points were known as held when this life began.
    pub(super) held_at_start: Vec<bool>,
}

impl School {
    pub(super) fn new(points: Vec<Point>) -> Self {
        Self { points, disk: Disk::default(), clock: 0, life: 0, running: None }
    }

    /// Starts from what the disk has.
    pub(super) fn start(&mut self, now: Mono, rng: &mut Rng) {
        let Replay { mut spool, good, .. } = Spool::replay(self.disk.bytes());
        self.disk.truncate(good);
        if rng.chance(50) {
            self.disk.replace(spool.rewritten());
        }
        let held: Vec<_> = self.points.iter().map(|point| spool.held(&point.id)).collect();
        let watch = |(point, held): (&Point, &Option<_>)| {
            let before = if held.is_some() { Before::Active } else { Before::Rest };
            Watch::new(point.clone(), before).with_told(spool.standing(Some(&point.id)).cloned())
        };
        let watches = self.points.iter().zip(&held).map(watch).collect();
        let last = self.points.iter().zip(&held);
        let last = last.filter_map(|(point, held)| Some((point.id.clone(), (*held)?.alarm))).collect();
        let mut outbox = Outbox::default();
        spool.waiting().into_iter().for_each(|notice| outbox.handle_notice(notice));
        self.life += 1;
        let held_at_start = held.iter().map(Option::is_some).collect();
        let unsynced = Vec::new();
        self.running = Some(Running { since: now, watches, spool, outbox, unsynced, last, held_at_start });
    }

    pub(super) fn crash(&mut self, rng: &mut Rng) {
        self.running = None;
        self.life += 1;
        self.disk.power_cut(rng);
    }

    /// A reading of one point; what is to be synced, if anything.
    pub(super) fn read(&mut self, point: usize, reading: Reading, now: Mono, rng: &mut Rng) -> Vec<Made> {
        let Some(running) = &mut self.running else { return vec![] };
        let outcomes = running.watches[point].handle_reading(reading, now);
        self.keep(point, outcomes, now, rng)
    }

    /// What is due at the points.
    pub(super) fn settle(&mut self, now: Mono, rng: &mut Rng) -> Vec<Made> {
        let mut made = Vec::new();
        for point in 0..self.points.len() {
            let Some(running) = &mut self.running else { break };
            let outcomes = running.watches[point].handle_time(now);
            made.extend(self.keep(point, outcomes, now, rng));
        }
        made
    }

    fn keep(&mut self, point: usize, outcomes: Vec<Outcome>, now: Mono, rng: &mut Rng) -> Vec<Made> {
        let mut made = Vec::new();
        for outcome in outcomes {
            let notice = self.notice(point, outcome, now, rng);
            let Some(running) = &mut self.running else { break };
            match running.spool.keep(notice.clone()) {
                Kept::Append(bytes) => self.disk.append(&bytes),
                Kept::Joined(_) => continue,
            }
            running.unsynced.push((self.disk.len(), notice.clone()));
            made.push(Made { point, notice });
        }
        made
    }

    fn notice(&mut self, point: usize, outcome: Outcome, now: Mono, rng: &mut Rng) -> Notice {
        let at = self.wall(now);
        let id = NoticeId::new(at.millis(), rng.ten_bytes());
        let of_point = self.points[point].id.clone();
        let mode = match self.points[point].kind {
            Kind::HoldUp { mode, .. } => mode,
            Kind::Tamper | Kind::Mains | Kind::Battery => alarm::Mode::default(),
        };
        let last = self.running.as_mut().map(|running| &mut running.last);
        let known = last.as_ref().and_then(|last| last.get(&of_point).copied());
        let what = match outcome {
            Outcome::Pressed { at_start } => What::Alarm { mode, nature: Nature::Real, at_start },
            Outcome::Repeated { count } => What::Repeat { of: known.unwrap_or(id), count },
            Outcome::Released => What::Restored { of: known },
            Outcome::Opened => What::Tampered,
            Outcome::Shut => What::TamperRestored,
            Outcome::Faulted(fault) => What::Fault { fault },
            Outcome::Cleared(fault) => What::Cleared { fault },
        };
        if let (What::Alarm { .. }, Some(last)) = (&what, last) {
            last.insert(of_point.clone(), id);
        }
        Notice { id, point: Some(of_point), at, clock_sure: true, what }
    }

    pub(super) fn wall(&self, now: Mono) -> Wall {
        super::wall_of(now, self.clock)
    }

    /// Everything up to this byte is on the disk: what lies there may leave.
    pub(super) fn synced(&mut self, upto: usize) {
        self.disk.sync(upto);
        let Some(running) = &mut self.running else { return };
        let (done, left) = running.unsynced.drain(..).partition::<Vec<_>, _>(|(end, _)| *end <= upto);
        running.unsynced = left;
        done.into_iter().for_each(|(_, notice)| running.outbox.handle_notice(notice));
    }

    pub(super) fn path_up(&mut self, path: &PathId) {
        if let Some(running) = &mut self.running {
            running.outbox.handle_path_up(path.clone());
        }
    }

    pub(super) fn path_down(&mut self, path: &PathId) {
        if let Some(running) = &mut self.running {
            running.outbox.handle_path_down(path);
        }
    }

    pub(super) fn ack(&mut self, id: NoticeId, rng: &mut Rng) {
        let Some(running) = &mut self.running else { return };
        running.outbox.handle_ack(id);
        let Some(bytes) = running.spool.done(id) else { return };
        self.disk.append(&bytes);
        if rng.chance(15) {
            self.disk.replace(running.spool.rewritten());
            let all = self.disk.len();
            running.unsynced.iter_mut().for_each(|(end, _)| *end = all);
            self.synced(all);
        }
    }

    pub(super) fn poll(&mut self, now: Mono) -> Option<Send> {
        self.running.as_mut()?.outbox.poll(now)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let running = self.running.as_ref()?;
        let points = running.watches.iter().filter_map(Watch::deadline);
        points.chain(running.outbox.deadline()).min()
    }

    /// It has told that the wiring of this point is wrong, and not that it is right again; or it is down.
    pub(super) fn names(&self, point: usize) -> bool {
        let Some(running) = &self.running else { return true };
        running.spool.standing(Some(&self.points[point].id)).any(is_wire_fault)
    }

    /// What it has told of its points and not taken back; `None` while it is down.
    pub(super) fn told(&self) -> Option<BTreeSet<(PointId, Fault)>> {
        let spool = &self.running.as_ref()?.spool;
        let faults = self.points.iter().flat_map(|point| {
            let open = point.kind == Kind::Tamper && spool.held(&point.id).is_some();
            let tampered = open.then_some(Fault::Tampered);
            spool.standing(Some(&point.id)).cloned().chain(tampered).map(|fault| (point.id.clone(), fault))
        });
        Some(faults.collect())
    }

    /// Nothing waits any more.
    pub(super) fn is_idle(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.spool.is_empty() && running.outbox.is_empty())
    }
}

/// A fault of the wiring.
pub(super) fn is_wire_fault(fault: &Fault) -> bool {
    matches!(fault, Fault::WireCut | Fault::WireShort)
}
