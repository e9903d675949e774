//! A core, a hand on its buttons, and notes of all that it does.

use crate::core::*;
use alarm::point::{Kind, Point, Timing, Wiring};
use alarm::{Notice, What};
use hw::Line;

/// A week after anything else in these tests.
pub(super) const EPOCH_MS: i64 = 1_800_000_000_000;

pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) sure: bool,
    /// How writes end; `None` leaves them under way.
    pub(super) disk: Option<Written>,
    pub(super) file: Vec<u8>,
    pub(super) sent: Vec<Notice>,
    pub(super) lamp: Vec<bool>,
    pub(super) answers: Vec<(NoticeId, bool)>,
    pub(super) looks: Vec<bool>,
    pub(super) relays: Vec<(String, bool)>,
    under_way: Option<Write>,
    /// Sent and not written down.
    every: BTreeSet<NoticeId>,
    ms: u64,
}

pub(super) fn button(id: &str, mode: Mode, latching: bool) -> Supervised {
    let kind = Kind::HoldUp { mode, latching };
    let (open, closed) = (format!("{id}-no"), format!("{id}-nc"));
    Supervised {
        point: Point {
            id: PointId::new(id).unwrap(),
            kind,
            wiring: Wiring::Antivalent,
            timing: Timing::of(kind),
        },
        contacts: Contacts::Pair { open: open.as_str().into(), closed: closed.as_str().into() },
        relays: vec![],
    }
}

pub(super) fn single(id: &str, kind: Kind) -> Supervised {
    Supervised {
        point: Point {
            id: PointId::new(id).unwrap(),
            kind,
            wiring: Wiring::NormallyClosed,
            timing: Timing::of(kind),
        },
        contacts: Contacts::Single(id.into()),
        relays: vec![],
    }
}

pub(super) fn path(name: &str) -> PathId {
    PathId::new(name).unwrap()
}

impl Rig {
    pub(super) fn new(points: Vec<Supervised>) -> Self {
        Self::after(points, &[], 0)
    }

    /// A new life `ms` later, with what the file of the former one holds.
    pub(super) fn after(points: Vec<Supervised>, file: &[u8], ms: u64) -> Self {
        Self::found(points, file, ms, Found::Whole, true)
    }

    /// The next life of this box.
    pub(super) fn again(self, points: Vec<Supervised>) -> Self {
        Self::found(points, &self.file, self.ms, Found::Whole, true)
    }

    pub(super) fn found(points: Vec<Supervised>, file: &[u8], ms: u64, found: Found, sure: bool) -> Self {
        let spool = Spool::replay(file).spool;
        let mut count = 0_u32;
        let ids = Box::new(move |wall: Wall| {
            count += 1;
            let [a, b, c, d] = count.to_be_bytes();
            NoticeId::new(wall.millis(), [0, 0, 0, 0, 0, 0, a, b, c, d])
        });
        let now = now(ms, sure);
        let core = Core::new(Setup { points, spool, found, selftest: At::default(), ids }, now);
        let mut rig = Self {
            core,
            sure,
            disk: Some(Written::Kept),
            file: file.to_vec(),
            sent: Vec::new(),
            lamp: Vec::new(),
            answers: Vec::new(),
            looks: Vec::new(),
            relays: Vec::new(),
            under_way: None,
            every: BTreeSet::new(),
            ms,
        };
        rig.core.handle_path_up(path("wired"));
        rig.act();
        rig
    }

    pub(super) fn now(&self) -> Now {
        now(self.ms, self.sure)
    }

    /// Time passes, in steps of a millisecond when something is due.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(due) =
            self.core.deadline().map(|due| due.micros().div_ceil(1000)).filter(|due| *due < end)
        {
            self.ms = due.max(self.ms + 1);
            self.act();
        }
        self.ms = end;
        self.act();
    }

    pub(super) fn levels(&mut self, levels: &[(&str, bool)]) {
        let levels = levels.iter().map(|(line, level)| (Line::from(*line), *level)).collect();
        self.hear(Heard::Levels(levels));
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        let now = self.now();
        self.core.handle_heard(heard, now.mono, now);
        self.act();
    }

    /// A button is moved, and settles.
    pub(super) fn set(&mut self, button: &str, pressed: bool) {
        self.levels(&[(&format!("{button}-no"), pressed), (&format!("{button}-nc"), !pressed)]);
        self.pass(100);
    }

    pub(super) fn ack(&mut self, id: NoticeId) {
        self.core.handle_ack(id, self.now());
        self.act();
    }

    /// The desk writes down all that was sent.
    pub(super) fn ack_all(&mut self) {
        for id in std::mem::take(&mut self.every) {
            self.ack(id);
        }
    }

    /// The write that is under way ends.
    pub(super) fn written(&mut self, written: Written) {
        let write = self.under_way.take().expect("a write is under way");
        self.end(write, written);
        self.act();
    }

    /// What was sent for the first time since the last call.
    pub(super) fn told(&mut self) -> Vec<What> {
        std::mem::take(&mut self.sent).into_iter().map(|notice| notice.what).collect()
    }

    pub(super) fn act(&mut self) {
        let now = self.now();
        self.core.handle_time(now);
        while let Some(action) = self.core.poll_action(now) {
            match action {
                Action::Write(write) => self.write(write),
                Action::Send(send) => {
                    if self.every.insert(send.notice.id) {
                        self.is_in_the_spool(&send.notice);
                        self.sent.push(send.notice);
                    }
                }
                Action::Lamp(lit) => self.lamp.push(lit),
                Action::Answer { id, on_disk } => self.answers.push((id, on_disk)),
                Action::Hurry => {}
                Action::Look(often) => self.looks.push(often),
                Action::Relay { output, on } => self.relays.push((output, on)),
            }
        }
    }

    fn write(&mut self, write: Write) {
        match self.disk {
            Some(written) => self.end(write, written),
            None => self.under_way = Some(write),
        }
    }

    fn end(&mut self, write: Write, written: Written) {
        match (written, write) {
            (Written::Kept, Write::Append { bytes, .. }) => self.file.extend(bytes),
            (Written::Kept, Write::Replace(bytes)) => self.file = bytes,
            (Written::Failed, _) => {}
        }
        self.core.handle_written(written, self.now());
    }

    /// The one rule above all: nothing leaves that is not on the disk, as long as the disk works.
    fn is_in_the_spool(&self, notice: &Notice) {
        let waiting = Spool::replay(&self.file).spool.waiting();
        assert!(
            self.disk != Some(Written::Kept) || waiting.contains(notice),
            "{notice:?} left before it was kept"
        );
    }
}

fn now(ms: u64, sure: bool) -> Now {
    let wall = Wall::from_millis(EPOCH_MS) + Duration::from_millis(ms);
    Now { mono: Mono::default() + Duration::from_millis(ms), wall, sure }
}
