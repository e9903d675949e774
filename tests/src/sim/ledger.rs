//! The journal on its disk: lines with their hash chain, of which only what was committed survives a crash.

use super::rng::Rng;
use super::truth::received;
use alarm::centre::Centre;
use alarm::chain::{Head, Line, Walk};
use alarm::event::Event;
use alarm::{NoticeId, Wall};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    lines: Vec<Line>,
    /// What was put into the lines, so that not everybody has to read them.
    events: Vec<(Wall, Event)>,
    durable: usize,
    committing: Option<usize>,
    snapshot: Option<(usize, String)>,
}

impl Ledger {
    /// Adds a line in memory; its number.
    pub(super) fn add(&mut self, at: Wall, event: &Event) -> u64 {
        let head = self.lines.last().map_or_else(Head::default, Head::after);
        let text = serde_json::to_string(event).unwrap_or_default();
        let line = head.next(at, text);
        let seq = line.seq;
        self.lines.push(line);
        self.events.push((at, event.clone()));
        seq
    }

    /// Begins to commit what is new; whether there is anything to do.
    pub(super) fn begin(&mut self) -> bool {
        if self.committing.is_some() || self.durable == self.lines.len() {
            return false;
        }
        self.committing = Some(self.lines.len());
        true
    }

    /// The commit has come to its end.
    pub(super) fn end(&mut self, well: bool) {
        if let Some(upto) = self.committing.take().filter(|_| well) {
            self.durable = upto;
        }
    }

    pub(super) fn durable(&self) -> u64 {
        u64::try_from(self.durable).unwrap_or(u64::MAX)
    }

    /// The desk dies. A commit that was under way may have reached the disk, though nobody was told.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        if let Some(upto) = self.committing.take().filter(|_| rng.chance(50)) {
            self.durable = upto;
        }
        self.lines.truncate(self.durable);
        self.events.truncate(self.durable);
    }

    /// Every event, in order.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event)
    }

    /// Ids of the notices on the disk.
    pub(super) fn notices(&self) -> BTreeSet<NoticeId> {
        let durable = self.events().take(self.durable);
        durable.filter_map(received).map(|notice| notice.id).collect()
    }

    /// The state that the lines make, read from the beginning.
    pub(super) fn replay(&self) -> Result<Centre, String> {
        let mut walk = Walk::default();
        let mut centre = Centre::default();
        for line in &self.lines {
            walk.step(line).map_err(|broken| broken.to_string())?;
            let event =
                serde_json::from_str(&line.text).map_err(|error| format!("{error}: {}", line.text))?;
            centre.apply(line.at, &event);
        }
        Ok(centre)
    }

    /// Keeps a snapshot of the state after the last durable line.
    pub(super) fn keep_snapshot(&mut self, centre: &Centre) {
        if self.durable == self.lines.len() {
            let text = serde_json::to_string(centre).unwrap_or_default();
            self.snapshot = Some((self.durable, text));
        }
    }

    /// The state from the snapshot and the lines after it, as a desk starts.
    pub(super) fn load(&self) -> Result<Centre, String> {
        let Some((upto, text)) = &self.snapshot else { return Ok(self.fold(Centre::default(), 0)) };
        let centre = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let loaded = self.fold(centre, *upto);
        if loaded != self.fold(Centre::default(), 0) {
            return Err("the snapshot and the lines after it do not make what all lines make".into());
        }
        Ok(loaded)
    }

    fn fold(&self, mut centre: Centre, from: usize) -> Centre {
        self.events.iter().skip(from).for_each(|(at, event)| drop(centre.apply(*at, event)));
        centre
    }
}
