//! The rules of the box in one place, without threads, files, sockets or a clock: what is heard of the inputs goes
//! in, what the spool, the links and the lamp are to do comes out.
//!
//! ```text
//!   Heard ──▶ Points ──Outcome──▶ Notice ──▶ Keep ──Write──▶ disk
//!                                             │ ◀─Written──
//!   ACK, path up, path down ────────────────▶ └──Send──▶ links      Lamp ◀── ACK of an ordinary press
//! ```

mod contacts;
mod keep;
mod lamp;
mod notices;
mod points;
mod prove;

pub use contacts::Contacts;
pub use keep::{RETRY_EVERY, WRITE_LIMIT, Write, Written};
pub use lamp::{LIT_FOR, Lamp, OrdinaryPress, Press, SilentPress};
pub use points::{CALM, Heard, SAME_PRESS, Supervised};
pub use prove::{START_WITHIN, TestRelay};

use alarm::delivery::Send;
use alarm::point::{DEBOUNCE_LONGEST, State};
use alarm::selftest::At;
use alarm::spool::Spool;
use alarm::wire::{PointStatus, Status};
use alarm::{Fault, Mode, Mono, Nature, Notice, NoticeId, PathId, PointId, Wall};
use keep::{Disk, Keep};
use points::Points;
use prove::Prove;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long after a silent alarm the lamp stays dark whoever presses elsewhere: a lamp tells whoever stands there
/// that the police are coming.
pub const SILENCE_AFTER: Duration = Duration::from_secs(15 * 60);

/// Alarms that may wait to be told to watchers: they are told at every turn of the loop, and no more can be pressed in
/// one.
const RAISED_MAX: usize = 64;

/// The time, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For people.
    pub wall: Wall,
    /// The wall clock can be trusted.
    pub sure: bool,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write to the spool, and say how it ended. One at a time.
    Write(Write),
    /// Send a notice over a path.
    Send(Send),
    /// A new alarm is ready to leave: paths that wait for their next try should not.
    Hurry,
    /// Switch the lamp.
    Lamp(bool),
    /// Ask every device how the kernel holds its lines, and look at them often until told otherwise.
    Look(bool),
    /// Switch a test relay, and say how that ended.
    Relay {
        /// The board's output.
        output: String,
        /// On or off.
        on: bool,
    },
    /// Answer whoever pressed by software.
    Answer {
        /// The alarm.
        id: NoticeId,
        /// It is on the disk.
        on_disk: bool,
    },
}

/// What a core begins with.
pub struct Setup {
    /// The points of the box.
    pub points: Vec<Supervised>,
    /// What an earlier life left in the spool.
    pub spool: Spool,
    /// How the spool file was found.
    pub found: Found,
    /// When the points are tested.
    pub selftest: At,
    /// Makes the id of a notice.
    pub ids: Box<dyn FnMut(Wall) -> NoticeId + std::marker::Send>,
}

/// How the spool file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In order.
    Whole,
    /// It ended in a torn record, which has been cut off.
    Torn,
    /// It cannot be opened: notices are held in memory until it can.
    Unusable,
}

/// The box.
pub struct Core {
    points: Points,
    keep: Keep,
    lamp: Lamp,
    lamp_shown: bool,
    ids: Box<dyn FnMut(Wall) -> NoticeId + std::marker::Send>,
    /// Faults of the box itself that stand.
    faults: BTreeSet<Fault>,
    /// The last alarm of each point, which repeats name.
    last: BTreeMap<PointId, NoticeId>,
    /// When the last silent alarm was raised.
    silent: Option<Mono>,
    /// Alarms whose makers wait for an answer.
    asked: BTreeSet<NoticeId>,
    /// Spool records that have given way, as far as they have been told.
    dropped: u64,
    actions: VecDeque<Action>,
    /// Alarms that watchers have not been told of.
    raised: VecDeque<Notice>,
    prove: Prove,
}

impl Core {
    /// A box that has just started.
    pub fn new(setup: Setup, now: Now) -> Self {
        let keep = Keep::new(setup.spool, setup.found == Found::Unusable);
        let points = Points::new(setup.points, keep.spool(), now);
        let mut core = Self {
            points,
            keep,
            lamp: Lamp::default(),
            lamp_shown: false,
            ids: setup.ids,
            faults: BTreeSet::new(),
            last: BTreeMap::new(),
            silent: None,
            asked: BTreeSet::new(),
            dropped: 0,
            actions: VecDeque::new(),
            raised: VecDeque::new(),
            prove: Prove::new(setup.selftest, now),
        };
        core.remember_alarms(now);
        core.tell_of_waiting_alarms();
        if setup.found != Found::Whole {
            core.raise(Fault::SpoolDamaged, now);
        }
        core.clear_what_is_over(now);
        core
    }

    /// Something was heard of the inputs, at `at`.
    pub fn handle_heard(&mut self, heard: Heard, at: Mono, now: Now) {
        let told = self.points.handle_heard(heard, at);
        let noticed = self.points.take_noticed();
        self.prove_noticed(noticed);
        self.tell(told, now);
        self.prove(now);
    }

    /// Settles what is due.
    pub fn handle_time(&mut self, now: Now) {
        let told = self.points.handle_time(now.mono);
        self.tell(told, now);
        let disk = self.keep.handle_time(now.mono);
        self.handle_disk(disk, now);
        self.lamp.handle_time(now.mono);
        self.prove(now);
    }

    /// Somebody pressed by software. The answer comes as an [`Action::Answer`] with this id.
    ///
    /// # Errors
    /// [`NoSuchButton`]; nothing has happened then.
    pub fn handle_press(
        &mut self,
        point: Option<PointId>,
        mode: Option<Mode>,
        nature: Nature,
        now: Now,
    ) -> Result<NoticeId, NoSuchButton> {
        let place = point.as_ref().map(|id| self.button(id)).transpose()?;
        let configured = place.map(|place| notices::mode(self.points.point(place).kind));
        let mode = mode.or(configured).unwrap_or_default();
        let id = self.press(point.clone(), mode, nature, now);
        // The contact itself is at rest: a press found there later is another one.
        if let (Some(point), Some(place)) = (point, place)
            && self.state(place) != State::Active
        {
            self.restored(point, now);
        }
        Ok(id)
    }

    /// The spool has done what it was told.
    pub fn handle_written(&mut self, written: Written, now: Now) {
        let disk = self.keep.handle_written(written, now.mono);
        if disk == Disk::Same && written == Written::Kept && self.faults.contains(&Fault::SpoolDamaged) {
            self.clear(Fault::SpoolDamaged, now);
        }
        self.handle_disk(disk, now);
    }

    /// The desk has written a notice down.
    pub fn handle_ack(&mut self, id: NoticeId, now: Now) {
        let Some(notice) = self.keep.handle_ack(id) else { return };
        if let Some(Press::Ordinary(press)) = Press::of(&notice)
            && !self.silence_stands(now.mono)
        {
            self.lamp.handle_written(&press, now.mono);
        }
    }

    /// A path has come up.
    pub fn handle_path_up(&mut self, path: PathId) {
        self.keep.handle_path_up(path);
    }

    /// A path has gone.
    pub fn handle_path_down(&mut self, path: &PathId) {
        self.keep.handle_path_down(path);
    }

    /// A fault of the box itself begins to stand, or ends.
    pub fn handle_condition(&mut self, fault: Fault, stands: bool, now: Now) {
        if stands { self.raise(fault, now) } else { self.clear(fault, now) }
    }

    /// The next thing to do. Call until `None`.
    pub fn poll_action(&mut self, now: Now) -> Option<Action> {
        self.tell_dropped(now);
        if let Some(write) = self.keep.poll_write(now.mono) {
            return Some(Action::Write(write));
        }
        self.pass_on_released();
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if let Some(send) = self.keep.poll_send(now.mono) {
            return Some(Action::Send(send));
        }
        let lit = self.lamp.is_lit();
        (std::mem::replace(&mut self.lamp_shown, lit) != lit).then_some(Action::Lamp(lit))
    }

    /// The next alarm that watchers may hear of: it is in the spool, or the spool has given up. Never holds up anything.
    pub fn poll_raised(&mut self) -> Option<Notice> {
        self.raised.pop_front()
    }

    /// When [`Core::handle_time`] and [`Core::poll_action`] have something to do by themselves.
    pub fn deadline(&self) -> Option<Mono> {
        let parts =
            [self.points.deadline(), self.keep.deadline(), self.lamp.deadline(), self.prove.deadline()];
        parts.into_iter().flatten().min()
    }

    /// How the box is.
    pub fn status(&self, now: Now) -> Status {
        let unsure = (!now.sure).then_some(Fault::ClockUnsure);
        Status {
            now: now.wall,
            points: (0..self.points.count())
                .map(|place| PointStatus { state: self.state(place), ..self.points.status(place) })
                .collect(),
            waiting: u32::try_from(self.keep.waiting()).unwrap_or(u32::MAX),
            faults: self.faults.iter().cloned().chain(unsure).collect(),
            // The links add it: software is no matter of the rules.
            update: None,
        }
    }

    /// Everything that happened is on the disk, as far as the disk works.
    pub fn is_kept(&self) -> bool {
        self.keep.is_kept()
    }

    /// An input is about to settle.
    pub fn is_settling(&self, now: Mono) -> bool {
        self.points.deadline().is_some_and(|due| due <= now + DEBOUNCE_LONGEST)
    }

    /// No alarm waits for the desk.
    pub fn no_alarm_waits(&self) -> bool {
        self.keep.no_alarm_waits()
    }
}

/// A software press of something that is no button of this box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no button {asked:?}; the buttons of this box are {buttons}", asked = asked.as_str())]
pub struct NoSuchButton {
    asked: PointId,
    buttons: String,
}

#[cfg(test)]
mod tests;
