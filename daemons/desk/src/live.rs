//! What is known only while it lasts: connections, the last status of each box, what walls show, which consoles
//! are there. A restart forgets it, and the boxes tell it again.

use crate::clock;
use alarm::media;
use alarm::panel::Report;
use alarm::path::{Outcome, Watch};
use alarm::wire::Status;
use alarm::{BoxId, Mono, PathId, SeatId, Wall};
use link::{Handle, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

/// A seat whose console has been away for this long is lost: time to reload a page or to start the browser again.
pub(crate) const SEAT_LOST_AFTER: Duration = Duration::from_secs(20);

/// Everything live.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) boxes: BTreeMap<BoxId, LiveBox>,
    pub(crate) seats: BTreeMap<SeatId, LiveSeat>,
    next_link: u64,
}

/// One appliance.
#[derive(Debug, Default)]
pub(crate) struct LiveBox {
    pub(crate) paths: BTreeMap<PathId, LivePath>,
    pub(crate) status: Option<Status>,
    pub(crate) report: Option<Report>,
    /// What a relay says of itself, and the number of the stream on which it said so.
    pub(crate) relay: Option<(u64, media::Report)>,
    pub(crate) software: Option<String>,
    /// The number of the last question for a self-test; its status streams pass it on.
    pub(crate) question: watch::Sender<u64>,
}

/// One path of an appliance.
#[derive(Debug)]
pub(crate) struct LivePath {
    watch: Watch,
    link: Option<(u64, Handle)>,
    pub(crate) since: Option<Wall>,
}

impl LivePath {
    pub(crate) fn is_up(&self) -> bool {
        self.watch.is_up()
    }

    /// Whether a connection was ever there.
    pub(crate) fn was_seen(&self) -> bool {
        self.since.is_some()
    }
}

/// One seat: how many consoles are open, and since when none is.
#[derive(Debug, Default)]
pub(crate) struct LiveSeat {
    consoles: usize,
    away_since: Option<Mono>,
}

impl Live {
    /// A path that should come up.
    pub(crate) fn expect(&mut self, name: &BoxId, path: &PathId, was_lost: bool) {
        let paths = &mut self.boxes.entry(name.clone()).or_default().paths;
        let new = || LivePath { watch: Watch::expected(clock::mono(), was_lost), link: None, since: None };
        paths.entry(path.clone()).or_insert_with(new);
    }

    /// Asks a box for a self-test, under a number. False when no path is up.
    pub(crate) fn ask_selftest(&mut self, name: &BoxId, number: u64) -> bool {
        let Some(live) = self.boxes.get_mut(name).filter(|live| live.paths.values().any(LivePath::is_up))
        else {
            return false;
        };
        live.question.send_replace(number);
        true
    }

    /// Boxes that are linked and have said what they run.
    pub(crate) fn updatable(&self) -> BTreeSet<BoxId> {
        let is = |live: &LiveBox| {
            let said = live.status.as_ref().is_some_and(|status| status.update.is_some());
            said && live.paths.values().any(LivePath::is_up)
        };
        self.boxes.iter().filter(|(_, live)| is(live)).map(|(name, _)| name.clone()).collect()
    }

    /// Paths that the appliance no longer has are no longer watched.
    pub(crate) fn keep_paths(&mut self, name: &BoxId, paths: &[PathId]) {
        if let Some(live) = self.boxes.get_mut(name) {
            live.paths.retain(|path, _| paths.contains(path));
        }
    }

    /// A connection has been made; an older one of the same path is closed. The link's number, and what that means.
    pub(crate) fn link_up(&mut self, name: &BoxId, path: &PathId, handle: Handle) -> (u64, Option<Outcome>) {
        self.expect(name, path, false);
        let number = self.next_number();
        let Some(live) = self.boxes.get_mut(name).and_then(|live| live.paths.get_mut(path)) else {
            return (number, None);
        };
        if let Some((_, older)) = live.link.replace((number, handle)) {
            older.close(Reason::Replaced);
        }
        live.since = Some(clock::wall());
        (number, live.watch.handle_up())
    }

    /// A number for a connection or a stream, unlike all others.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.next_link += 1;
        self.next_link
    }

    /// A connection has gone. True when it was the one that counts.
    pub(crate) fn link_down(&mut self, name: &BoxId, path: &PathId, number: u64) -> bool {
        let live = self.boxes.get_mut(name).and_then(|live| live.paths.get_mut(path));
        let Some(live) = live.filter(|live| live.link.as_ref().is_some_and(|(known, _)| *known == number))
        else {
            return false;
        };
        live.link = None;
        live.since = Some(clock::wall());
        live.watch.handle_gone(clock::mono());
        true
    }

    /// Paths whose time has come.
    pub(crate) fn lost_paths(&mut self, now: Mono) -> Vec<(BoxId, PathId)> {
        let mut lost = Vec::new();
        for (name, live) in &mut self.boxes {
            for (path, live) in &mut live.paths {
                if live.watch.handle_time(now) == Some(Outcome::Lost) {
                    lost.push((name.clone(), path.clone()));
                }
            }
        }
        lost
    }

    /// What linked relays say of themselves, by name.
    pub(crate) fn relays(&self) -> impl Iterator<Item = (&BoxId, &media::Report)> {
        self.boxes.iter().filter_map(|(name, live)| Some((name, &live.relay.as_ref()?.1)))
    }

    /// What relays know of cameras: of each the word of the first relay.
    pub(crate) fn cameras(&self) -> impl Iterator<Item = &media::Camera> {
        self.relays().flat_map(|(_, report)| &report.cameras)
    }

    /// Closes every connection of an appliance and forgets it.
    pub(crate) fn drop_box(&mut self, name: &BoxId, reason: Reason) {
        let Some(live) = self.boxes.remove(name) else { return };
        for (_, handle) in live.paths.into_values().filter_map(|path| path.link) {
            handle.close(reason);
        }
    }

    /// A seat whose console is expected.
    pub(crate) fn expect_seat(&mut self, seat: &SeatId) {
        let live = self.seats.entry(seat.clone()).or_default();
        if live.consoles == 0 {
            live.away_since = Some(clock::mono());
        }
    }

    /// A console has opened its stream of events.
    pub(crate) fn console_opened(&mut self, seat: &SeatId) {
        let live = self.seats.entry(seat.clone()).or_default();
        live.consoles += 1;
        live.away_since = None;
    }

    /// A console has gone.
    pub(crate) fn console_closed(&mut self, seat: &SeatId) {
        if let Some(live) = self.seats.get_mut(seat) {
            live.consoles = live.consoles.saturating_sub(1);
            if live.consoles == 0 {
                live.away_since = Some(clock::mono());
            }
        }
    }

    /// Nobody sits there any more.
    pub(crate) fn forget_seat(&mut self, seat: &SeatId) {
        self.seats.remove(seat);
    }

    /// Seats that have been away for too long; they are forgotten here.
    pub(crate) fn lost_seats(&mut self, now: Mono) -> Vec<SeatId> {
        let late = |live: &LiveSeat| live.away_since.is_some_and(|since| now.since(since) >= SEAT_LOST_AFTER);
        let lost: Vec<_> =
            self.seats.iter().filter(|(_, live)| late(live)).map(|(seat, _)| seat.clone()).collect();
        lost.iter().for_each(|seat| self.forget_seat(seat));
        lost
    }
}
