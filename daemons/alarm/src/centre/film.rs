//! What relays tell of recordings: written down once, and listed with the incidents that they belong to.

use super::{Centre, Touched};
use crate::event::Event;
use crate::film::{TAKES_MAX, Take, room_of, take_of};
use crate::incident::Incident;
use crate::media::{Recorded, TakeId};
use crate::{BoxId, IncidentId, Wall};

/// Closed incidents that a late word of a relay may still belong to: more than are closed while a relay is away.
const LATE_MAX: usize = 500;

impl Centre {
    /// A relay tells what it recorded, under its own number. `None` when that number has been written down.
    pub fn recorded(&self, relay: &BoxId, number: u64, what: Recorded) -> Option<Event> {
        if number <= self.last_recorded(relay) {
            return None;
        }
        let told = !matches!(what, Recorded::Segment { .. });
        let incident = self.incidents_of(&what).first().copied().filter(|_| told);
        Some(Event::Recorded { relay: relay.clone(), number, what, incident })
    }

    /// The last number that a relay has told; 0 before the first.
    pub fn last_recorded(&self, relay: &BoxId) -> u64 {
        self.relays.get(relay).copied().unwrap_or(0)
    }

    pub(super) fn recorded_now(&mut self, at: Wall, relay: &BoxId, number: u64, what: &Recorded) -> Touched {
        self.relays.insert(relay.clone(), number.max(self.last_recorded(relay)));
        let ids = self.incidents_of(what);
        for id in &ids {
            if let Some(incident) = self.open.get_mut(id).or_else(|| self.closed.get_mut(id)) {
                list(incident, at, what);
            }
        }
        Touched::Film(ids)
    }

    /// Takes of the same site that go on: an incident that opens beside another one has them too.
    pub(super) fn running_takes(&self, from: &BoxId) -> Vec<Take> {
        let site = self.boxes.get(from).and_then(|entry| entry.site.as_ref());
        let near = |incident: &&Incident| {
            incident.from == *from || (site.is_some() && incident.site.as_ref() == site)
        };
        let goes_on = |take: &&Take| !take.ended && room_of(&take.name).is_none();
        let mut takes: Vec<Take> = Vec::new();
        for take in self.open.values().filter(near).flat_map(|incident| &incident.takes).filter(goes_on) {
            if takes.iter().all(|known| known.name != take.name) {
                takes.push(take.clone());
            }
        }
        takes
    }

    /// Those that list the take, or that a new one belongs to: the open ones of its site, else the last closed one.
    fn incidents_of(&self, what: &Recorded) -> Vec<IncidentId> {
        let name = take_of(what);
        if let Some(id) = room_of(name) {
            return self.incident(id).map(|incident| incident.id).into_iter().collect();
        }
        let listed = |incident: &&Incident| incident.takes.iter().any(|take| take.name == name);
        let late = || self.closed.values().rev().take(LATE_MAX);
        let found: Vec<_> = self.open.values().chain(late()).filter(listed).map(|i| i.id).collect();
        if !found.is_empty() || !matches!(what, Recorded::Began { .. }) {
            return found;
        }
        let Ok(take) = name.parse::<TakeId>() else { return vec![] };
        let concerned = |incident: &&Incident| self.guests(incident).contains(&take.from);
        let open: Vec<_> = self.open.values().filter(concerned).map(|i| i.id).collect();
        if !open.is_empty() {
            return open;
        }
        late().find(concerned).map(|incident| incident.id).into_iter().collect()
    }
}

fn list(incident: &mut Incident, at: Wall, what: &Recorded) {
    let name = take_of(what);
    if let Some(take) = incident.takes.iter_mut().find(|take| take.name == name) {
        take.heed(what);
    } else if incident.takes.len() < TAKES_MAX {
        let mut take = Take::new(name, at);
        take.heed(what);
        incident.takes.push(take);
    }
}
