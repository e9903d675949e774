//! Keeps every notice until the desk has it: the order of spool, disk and outbox, without the disk.
//!
//! ```text
//!            poll_write                written
//!   ┌──────┐ ──────────▶ ┌─────────┐ ──────────▶ ┌──────┐
//!   │ Idle │             │ Writing │             │ Idle │    what was written is released to the outbox
//!   └──────┘             └─────────┘             └──────┘
//!      ▲                      │ failed, or not back in WRITE_LIMIT
//!      │ rewritten            ▼
//!      │                 ┌────────┐
//!      └──────────────── │ Broken │   everything is released from memory; a rewrite is tried every RETRY_EVERY
//!                        └────────┘
//! ```
//!
//! While one write is on its way the next gathers: one fsync serves all presses that came meanwhile.

use alarm::delivery::{Outbox, Send};
use alarm::spool::{Held, Kept, Spool};
use alarm::{Mono, Notice, NoticeId, PathId, PointId, What};
use std::time::Duration;

/// An SD card that collects its garbage may take a second for an fsync. A disk that takes longer holds back an
/// alarm, and the alarm goes out without it.
pub const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// How often a spool that could not be written is tried again.
pub const RETRY_EVERY: Duration = Duration::from_secs(1);

/// What is to be done with the spool file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Append these bytes, and have them on the disk before answering when `sync` says so.
    Append {
        /// Whole records.
        bytes: Vec<u8>,
        /// There is a notice among them.
        sync: bool,
    },
    /// Replace the file by these bytes.
    Replace(Vec<u8>),
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk.
    Kept,
    /// It is not.
    Failed,
}

/// A notice that may now leave the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) id: NoticeId,
    /// It is on the disk. Otherwise it goes out from memory.
    pub(super) on_disk: bool,
    /// It is new, and an alarm.
    pub(super) alarm: Option<Notice>,
}

/// How the disk has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    Same,
    Broke,
    Mended,
}

#[derive(Debug)]
struct Writing {
    notices: Vec<Notice>,
    deadline: Option<Mono>,
}

#[derive(Debug, Default)]
pub(super) struct Keep {
    spool: Spool,
    outbox: Outbox,
    /// Bytes for the next append.
    bytes: Vec<u8>,
    /// The notices among them.
    notices: Vec<Notice>,
    writing: Option<Writing>,
    broken: bool,
    /// A broken spool is not tried before.
    retry_at: Mono,
    released: Vec<Released>,
}

impl Keep {
    /// Goes on with what an earlier life left. `broken`: the file could not be opened.
    pub(super) fn new(spool: Spool, broken: bool) -> Self {
        let mut outbox = Outbox::default();
        spool.waiting().into_iter().for_each(|notice| outbox.handle_notice(notice));
        Self { spool, outbox, broken, ..Self::default() }
    }

    /// Takes a new notice; its id, or that of the alarm that it joins.
    pub(super) fn handle_notice(&mut self, notice: Notice) -> NoticeId {
        let id = notice.id;
        match self.spool.keep(notice.clone()) {
            Kept::Append(bytes) => {
                self.bytes.extend(bytes);
                self.notices.push(notice);
                id
            }
            Kept::Joined(known) => {
                self.released.push(Released { id: known, on_disk: !self.broken, alarm: None });
                known
            }
        }
    }

    /// The desk has written it down.
    pub(super) fn handle_ack(&mut self, id: NoticeId) -> Option<Notice> {
        let notice = self.outbox.handle_ack(id);
        self.bytes.extend(self.spool.done(id).unwrap_or_default());
        notice
    }

    pub(super) fn handle_path_up(&mut self, path: PathId) {
        self.outbox.handle_path_up(path);
    }

    pub(super) fn handle_path_down(&mut self, path: &PathId) {
        self.outbox.handle_path_down(path);
    }

    /// The write that [`Keep::poll_write`] gave has ended.
    pub(super) fn handle_written(&mut self, written: Written, now: Mono) -> Disk {
        let notices = self.writing.take().map(|writing| writing.notices).unwrap_or_default();
        self.release(notices, written == Written::Kept);
        match (written, std::mem::replace(&mut self.broken, written == Written::Failed)) {
            (Written::Kept, true) => Disk::Mended,
            (Written::Failed, known) => {
                self.retry_at = now + RETRY_EVERY;
                if known { Disk::Same } else { Disk::Broke }
            }
            (Written::Kept, false) => Disk::Same,
        }
    }

    /// Gives up waiting for a disk that does not answer.
    pub(super) fn handle_time(&mut self, now: Mono) -> Disk {
        let Some(writing) = &mut self.writing else { return Disk::Same };
        if writing.deadline.is_none_or(|deadline| now < deadline) {
            return Disk::Same;
        }
        writing.deadline = None;
        let late = std::mem::take(&mut writing.notices);
        self.release(late, false);
        if std::mem::replace(&mut self.broken, true) { Disk::Same } else { Disk::Broke }
    }

    /// What the disk is to do now. One write at a time: answer it with [`Keep::handle_written`].
    pub(super) fn poll_write(&mut self, now: Mono) -> Option<Write> {
        if self.broken {
            let notices = std::mem::take(&mut self.notices);
            self.release(notices, false);
        }
        if self.writing.is_some() || (self.broken && now < self.retry_at) {
            return None;
        }
        let write = if self.broken || self.spool.wants_rewrite() {
            self.bytes.clear();
            Write::Replace(self.spool.rewritten())
        } else if self.bytes.is_empty() {
            return None;
        } else {
            Write::Append { bytes: std::mem::take(&mut self.bytes), sync: !self.notices.is_empty() }
        };
        let notices = std::mem::take(&mut self.notices);
        self.writing = Some(Writing { notices, deadline: Some(now + WRITE_LIMIT) });
        Some(write)
    }

    /// The next thing to send at `now`.
    pub(super) fn poll_send(&mut self, now: Mono) -> Option<Send> {
        self.outbox.poll(now)
    }

    /// A notice that has left for the outbox.
    pub(super) fn poll_released(&mut self) -> Option<Released> {
        (!self.released.is_empty()).then(|| self.released.remove(0))
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let disk = match &self.writing {
            Some(writing) => writing.deadline,
            None => self.broken.then_some(self.retry_at),
        };
        disk.into_iter().chain(self.outbox.deadline()).min()
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(super) fn held(&self, point: &PointId) -> Option<Held> {
        self.spool.held(point)
    }

    /// Notices that the desk has not written down.
    pub(super) fn waiting(&self) -> usize {
        self.spool.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.spool.dropped()
    }

    /// Nothing waits for the disk.
    pub(super) fn is_kept(&self) -> bool {
        self.writing.is_none() && (self.bytes.is_empty() || self.broken)
    }

    /// No alarm waits for the desk.
    pub(super) fn no_alarm_waits(&self) -> bool {
        let first = self.spool.waiting().into_iter().next();
        first.is_none_or(|notice| notice.what.urgency() != alarm::notice::Urgency::Alarm)
    }

    fn release(&mut self, notices: Vec<Notice>, on_disk: bool) {
        for notice in notices {
            let alarm = matches!(notice.what, What::Alarm { .. }).then(|| notice.clone());
            self.released.push(Released { id: notice.id, on_disk, alarm });
            self.outbox.handle_notice(notice);
        }
    }
}
