//! The rack: the centre as a fold, its journal, ACKs that wait for the disk, and the watches over paths.

use super::ledger::Ledger;
use super::rng::Rng;
use super::truth::Second;
use alarm::centre::{Centre, Receipt, Refused};
use alarm::event::{About, Event};
use alarm::path::{Outcome, Watch};
use alarm::{BoxId, Fault, Mono, Notice, NoticeId, PathId, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// An ACK that may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack {
    pub(super) connection: usize,
    pub(super) id: NoticeId,
}

/// What outlives the desk is the ledger and its clock.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) ledger: Ledger,
    /// The rack's wall clock is this far from true time, in ms.
    pub(super) clock: i64,
    pub(super) life: u64,
    pub(super) disk_full: bool,
    pub(super) running: Option<Running>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) since: Mono,
    pub(super) centre: Centre,
    pub(super) second: Second,
    /// Number of the line that a notice is in, as long as it is not durable.
    fresh: BTreeMap<NoticeId, u64>,
    waiting: BTreeSet<(u64, usize, NoticeId)>,
    watches: BTreeMap<(BoxId, PathId), Watch>,
    connections: BTreeMap<(BoxId, PathId), BTreeSet<usize>>,
}

impl Desk {
    /// Starts from the ledger, expecting these paths.
    pub(super) fn start(&mut self, paths: &[(BoxId, PathId)], now: Mono) -> Result<(), String> {
        let centre = self.ledger.load()?;
        let watch = |path: &(BoxId, PathId)| {
            let lost = centre.is_faulty(&About::path(path.0.clone(), path.1.clone()), &Fault::PathLost);
            (path.clone(), Watch::expected(now, lost))
        };
        let watches = paths.iter().map(watch).collect();
        self.life += 1;
        let mut second = Second::default();
        self.ledger.events().for_each(|event| second.take(event));
        self.running = Some(Running {
            since: now,
            centre,
            second,
            fresh: BTreeMap::new(),
            waiting: BTreeSet::new(),
            watches,
            connections: BTreeMap::new(),
        });
        self.add(vec![Event::Started { software: "sim".into() }], now);
        Ok(())
    }

    /// Dies. The state that it had must be what its lines make.
    pub(super) fn crash(&mut self, rng: &mut Rng) -> Result<(), String> {
        let Some(running) = self.running.take() else { return Ok(()) };
        self.life += 1;
        if self.ledger.replay()? != running.centre {
            return Err("the state of the desk is not what its journal makes".into());
        }
        self.ledger.crash(rng);
        Ok(())
    }

    pub(super) fn wall(&self, now: Mono) -> Wall {
        super::wall_of(now, self.clock)
    }

    pub(super) fn centre(&self) -> Option<&Centre> {
        self.running.as_ref().map(|running| &running.centre)
    }

    /// Takes events, in memory at once.
    pub(super) fn add(&mut self, events: Vec<Event>, now: Mono) {
        let at = self.wall(now);
        let Some(running) = &mut self.running else { return };
        for event in events {
            let seq = self.ledger.add(at, &event);
            if let Event::Received { notice, .. } = &event {
                running.fresh.insert(notice.id, seq);
            }
            running.second.take(&event);
            running.centre.apply(at, &event);
        }
    }

    /// Does what somebody asked for, or does not.
    pub(super) fn decide(&mut self, decided: Result<Vec<Event>, Refused>, now: Mono) {
        if let Ok(events) = decided {
            self.add(events, now);
        }
    }

    /// A notice came; the ACK when it may go at once.
    pub(super) fn receive(
        &mut self,
        (from, path): &(BoxId, PathId),
        notice: Notice,
        connection: usize,
        now: Mono,
    ) -> Option<Ack> {
        let at = self.wall(now);
        let id = notice.id;
        let receipt = self.running.as_ref()?.centre.receive(from, path, notice, at);
        if let Receipt::New(event) = receipt {
            self.add(vec![*event], now);
        }
        let running = self.running.as_mut()?;
        match running.fresh.get(&id) {
            Some(seq) => {
                running.waiting.insert((*seq, connection, id));
                None
            }
            None => Some(Ack { connection, id }),
        }
    }

    /// A commit has come to its end; the ACKs that may go now.
    pub(super) fn committed(&mut self, now: Mono) -> Vec<Ack> {
        let well = !self.disk_full;
        self.ledger.end(well);
        let durable = self.ledger.durable();
        let Some(running) = &mut self.running else { return vec![] };
        running.fresh.retain(|_, seq| *seq > durable);
        let left = running.waiting.split_off(&(durable + 1, 0, NoticeId::new(0, [0; 10])));
        let done = std::mem::replace(&mut running.waiting, left);
        let unwritable = (About::desk(), Fault::JournalUnwritable);
        let told = if well {
            running.centre.clear(unwritable.0, unwritable.1)
        } else {
            running.centre.raise(unwritable.0, unwritable.1)
        };
        self.add(told.into_iter().collect(), now);
        done.into_iter().map(|(_, connection, id)| Ack { connection, id }).collect()
    }

    pub(super) fn path_up(&mut self, path: &(BoxId, PathId), connection: usize, now: Mono) {
        let Some(running) = &mut self.running else { return };
        running.connections.entry(path.clone()).or_default().insert(connection);
        let outcome = running.watches.get_mut(path).and_then(Watch::handle_up);
        self.told(path, outcome, now);
    }

    pub(super) fn path_gone(&mut self, path: &(BoxId, PathId), connection: usize, now: Mono) {
        let Some(running) = &mut self.running else { return };
        let here = running.connections.entry(path.clone()).or_default();
        here.remove(&connection);
        if here.is_empty()
            && let Some(watch) = running.watches.get_mut(path)
        {
            watch.handle_gone(now);
        }
    }

    fn told(&mut self, (name, path): &(BoxId, PathId), outcome: Option<Outcome>, now: Mono) {
        let about = About::path(name.clone(), path.clone());
        let Some(centre) = self.centre() else { return };
        let event = match outcome {
            Some(Outcome::Lost) => centre.raise(about, Fault::PathLost),
            Some(Outcome::Found) => centre.clear(about, Fault::PathLost),
            None => None,
        };
        self.add(event.into_iter().collect(), now);
    }

    /// What is due every second.
    pub(super) fn tick(&mut self, now: Mono) {
        let at = self.wall(now);
        let Some(running) = &mut self.running else { return };
        let due = running.centre.due(at);
        let told: Vec<_> = running
            .watches
            .iter_mut()
            .filter_map(|(path, watch)| Some((path.clone(), watch.handle_time(now)?)))
            .collect();
        self.add(due, now);
        told.into_iter().for_each(|(path, outcome)| self.told(&path, Some(outcome), now));
    }
}
