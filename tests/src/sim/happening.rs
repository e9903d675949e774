//! Everything that can happen, in the order of its time.

use super::truth::Wire;
use super::wall::Sounding;
use alarm::panel::Signals;
use alarm::{Mono, Notice, NoticeId};
use std::collections::BTreeMap;

/// One happening. Those of the story come from the plan; the others are what follows.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Finger {
        site: usize,
        point: usize,
        motion: Motion,
    },
    Wire {
        site: usize,
        point: usize,
        wire: Wire,
    },
    BoxCrash {
        site: usize,
    },
    BoxStart {
        site: usize,
    },
    BoxClock {
        site: usize,
        by: i64,
    },
    PathCut {
        site: usize,
        path: usize,
    },
    PathMended {
        site: usize,
        path: usize,
    },
    DeskCrash,
    DeskStart,
    DiskFull,
    DiskFreed,
    RackClock {
        by: i64,
    },
    WallCrash,
    WallStart,
    WallCut,
    WallMended,
    WallButton,
    Seat {
        seat: usize,
    },
    Window {
        site: usize,
        minutes: u64,
    },
    /// The story is over: everything is mended, started and let go.
    Mended,

    BoxTimer {
        site: usize,
    },
    Synced {
        site: usize,
        life: u64,
        upto: usize,
    },
    Connect {
        site: usize,
        path: usize,
    },
    /// One end of a dead connection has noticed.
    Noticed {
        connection: usize,
        end: End,
    },
    ToDesk {
        connection: usize,
        notice: Notice,
    },
    ToBox {
        connection: usize,
        id: NoticeId,
    },
    Committed {
        life: u64,
    },
    ConsolesBack {
        life: u64,
    },
    Tick,
    Look,
    WallConnect,
    ToWall {
        link: u64,
        signals: Signals,
        sounding: Sounding,
    },
    FromWall {
        link: u64,
        newest: u64,
    },
    /// Nothing has hidden this press since `from`: it has to be in the journal.
    Oblige {
        press: usize,
        life: u64,
        from: Mono,
        firm: Mono,
    },
    /// The wire has been wrong since `from`.
    OddWire {
        site: usize,
        point: usize,
        life: u64,
        from: Mono,
    },
}

impl Happening {
    /// Whether it belongs into the story of a failure: clocks that tick do not.
    pub(super) fn is_told(&self) -> bool {
        !matches!(
            self,
            Self::Tick
                | Self::Look
                | Self::BoxTimer { .. }
                | Self::Synced { .. }
                | Self::Oblige { .. }
                | Self::OddWire { .. }
                | Self::ToWall { .. }
                | Self::Committed { .. }
                | Self::Connect { .. }
                | Self::Finger { motion: Motion::Bounce(_), .. }
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    Begun,
    Bounce(usize),
    Firm,
    LetGo,
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Box,
    Desk,
}

/// What is to happen; at the same time, in the order in which it was put there.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(Mono, u64), Happening>,
    put: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at: Mono, happening: Happening) {
        self.put += 1;
        self.waiting.insert((at, self.put), happening);
    }

    pub(super) fn next(&mut self) -> Option<(Mono, Happening)> {
        self.waiting.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
