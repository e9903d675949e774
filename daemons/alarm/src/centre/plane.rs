//! What a relay must know of the centre, and what to tell it when that changes.

use super::Centre;
use crate::incident::Incident;
use crate::media::{Room, Void};
use crate::register::Enrolment;
use crate::wire::{FRAME_MAX, ToBox};
use crate::{BoxId, CameraId, IncidentId};
use std::collections::BTreeMap;

/// What a list of held takes may need as JSON, so that it goes in one frame.
pub const HOLD_BYTES: usize = FRAME_MAX - 1024;

/// The centre as a relay knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plane {
    members: BTreeMap<BoxId, Vec<String>>,
    rooms: BTreeMap<IncidentId, Room>,
    wanted: BTreeMap<BoxId, Vec<CameraId>>,
    hold: Vec<String>,
    voids: Vec<Void>,
}

impl Plane {
    /// What to tell a relay that knows this one so that it knows `now`: what ends before what begins.
    pub fn changes(&self, now: &Self) -> Vec<ToBox> {
        let gone = self.members.keys().filter(|name| !now.members.contains_key(*name));
        let closed = self.rooms.keys().filter(|id| !now.rooms.contains_key(*id));
        let unwanted = self.wanted.keys().filter(|name| !now.wanted.contains_key(*name));
        let members = now.members.iter().filter(|(name, keys)| self.members.get(*name) != Some(*keys));
        let rooms = now.rooms.values().filter(|room| self.rooms.get(&room.incident) != Some(*room));
        let wanted = now.wanted.iter().filter(|(name, cameras)| self.wanted.get(*name) != Some(*cameras));
        let heard = self.voids.last().map_or(0, |void| void.line);
        let voids = now.voids.iter().filter(|void| void.line > heard).map(|void| ToBox::Void(void.clone()));
        let hold = (self.hold != now.hold).then(|| ToBox::Hold { takes: now.hold.clone() });
        // Who has to go goes first; a take is held before the room that kept it until now closes.
        voids
            .chain(hold)
            .chain(gone.map(|name| ToBox::MemberGone { name: name.clone() }))
            .chain(closed.map(|incident| ToBox::RoomClosed { incident: *incident }))
            .chain(unwanted.map(|name| ToBox::Wanted { name: name.clone(), cameras: vec![] }))
            .chain(members.map(|(name, keys)| ToBox::Member { name: name.clone(), keys: keys.clone() }))
            .chain(rooms.map(|room| ToBox::Room(room.clone())))
            .chain(
                wanted.map(|(name, cameras)| ToBox::Wanted { name: name.clone(), cameras: cameras.clone() }),
            )
            .collect()
    }
}

impl Centre {
    /// What relays must know now.
    pub fn plane(&self) -> Plane {
        let members = self.boxes.values().filter_map(|entry| match &entry.enrolment {
            Enrolment::Enrolled { key, previous, .. } => {
                let keys = std::iter::once(key).chain(previous).cloned().collect();
                Some((entry.name.clone(), keys))
            }
            Enrolment::Waiting | Enrolment::Revoked => None,
        });
        let wanted = self.watches.iter().map(|(name, seats)| {
            let mut cameras: Vec<_> = seats.values().flat_map(|look| &look.cameras).cloned().collect();
            cameras.sort();
            cameras.dedup();
            (name.clone(), cameras)
        });
        Plane {
            members: members.collect(),
            rooms: self.open.values().map(|incident| (incident.id, self.media_room(incident))).collect(),
            wanted: wanted.collect(),
            hold: self.held_takes(),
            voids: self.voids().to_vec(),
        }
    }

    /// The room of an open incident for relays.
    pub fn media_room(&self, incident: &Incident) -> Room {
        Room {
            incident: incident.id,
            boxes: self.guests(incident),
            mode: incident.mode,
            host: incident.room.as_ref().map(|room| room.owner().clone()),
            opened: incident.received,
        }
    }

    /// Takes that may not be removed: those of held incidents, then of open ones, newest first, as many as fit.
    /// Relays keep the takes of open rooms by themselves.
    fn held_takes(&self) -> Vec<String> {
        let held = self.held_incidents().flat_map(kept);
        let open = self.open.values().rev().filter(|incident| !incident.held).flat_map(kept);
        let mut room = HOLD_BYTES;
        let mut takes: Vec<String> = held
            .chain(open)
            .take_while(|take| {
                room = room.saturating_sub(weight(take));
                room > 0
            })
            .map(str::to_owned)
            .collect();
        takes.sort_unstable();
        takes.dedup();
        takes
    }

    /// Whether the takes of one more incident can be held.
    pub(super) fn hold_fits(&self, more: &Incident) -> bool {
        let others = self.held_incidents().filter(|incident| incident.id != more.id);
        others.chain([more]).flat_map(kept).map(weight).sum::<usize>() < HOLD_BYTES
    }

    fn held_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.open.values().chain(self.closed.values()).filter(|incident| incident.held)
    }
}

fn kept(incident: &Incident) -> impl Iterator<Item = &str> {
    incident.takes.iter().filter(|take| !take.removed).map(|take| take.name.as_str())
}

/// With its quotes and comma.
fn weight(take: &str) -> usize {
    take.len() + 3
}
