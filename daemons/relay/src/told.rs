//! What the desk has told. Pure.
//!
//! On each connection the desk says everything once and ends with `Told`: what it did not say is no more. Until then
//! the news is added to what was known, so that a desk that restarts cuts nobody off.

use alarm::media::{PASS_LIFE, Pass, Room, VOIDS_MAX, Void, Wish};
use alarm::wire::ToBox;
use alarm::{BoxId, CameraId, IncidentId, Wall};
use link::Fingerprint;
use link::pass::PublicPassKey;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a relay knows from the desk. Kept on disk, so that boxes are let in while the desk is away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Told {
    /// Open incidents.
    pub(crate) rooms: BTreeMap<IncidentId, Room>,
    /// Boxes of the register with the fingerprints of their keys.
    pub(crate) members: BTreeMap<BoxId, Vec<String>>,
    /// Cameras that are wanted without a press.
    pub(crate) wanted: BTreeMap<BoxId, BTreeSet<CameraId>>,
    /// The key that signs passes.
    pub(crate) pass_key: Option<String>,
    /// Takes that must stay.
    pub(crate) hold: BTreeSet<String>,
    /// Incidents closed so lately that a pass for them may still be about.
    pub(crate) closed: BTreeMap<IncidentId, Wall>,
    /// Passes that open nothing any more, newest last.
    pub(crate) voids: Vec<Void>,
    /// Everything has been said once.
    pub(crate) whole: bool,
}

impl Told {
    /// Whether the box is in the register with this key.
    pub(crate) fn has_member(&self, name: &BoxId, key: &Fingerprint) -> bool {
        let key = key.to_string();
        self.members.get(name).is_some_and(|keys| keys.contains(&key))
    }

    /// The key that signs passes, once the desk has said it.
    pub(crate) fn pass_key(&self) -> Option<PublicPassKey> {
        self.pass_key.as_deref().and_then(PublicPassKey::from_text)
    }

    /// Whether a pass that is still in time opens nothing any more.
    pub(crate) fn is_void(&self, pass: &Pass) -> bool {
        self.voids.iter().any(|void| void.hits(&pass.user, &pass.seat, pass.incident, pass.line))
    }

    fn void(&mut self, new: &Void) {
        // A desk that speaks for months says many: what is older than these is long over.
        if self.voids.len() >= VOIDS_MAX {
            self.voids.remove(0);
        }
        self.voids.push(new.clone());
    }

    /// Boxes that are in an open room.
    pub(crate) fn called(&self) -> BTreeSet<BoxId> {
        self.rooms.values().flat_map(|room| room.boxes.iter().cloned()).collect()
    }

    /// What is wanted of each box that is known.
    pub(crate) fn wishes(&self) -> BTreeMap<BoxId, Wish> {
        let names = self.members.keys().cloned().chain(self.called()).chain(self.wanted.keys().cloned());
        names.map(|name| (name.clone(), self.wish(&name))).collect()
    }

    fn wish(&self, name: &BoxId) -> Wish {
        let of_box = |room: &&Room| room.boxes.contains(name);
        Wish {
            incidents: self.rooms.values().filter(of_box).map(|room| room.incident).collect(),
            cameras: self.wanted.get(name).into_iter().flatten().cloned().collect(),
        }
    }

    /// Whether a take must stay.
    pub(crate) fn holds(&self, take: &str) -> bool {
        self.hold.contains(take)
    }

    fn close(&mut self, incident: IncidentId, now: Wall) {
        if self.rooms.remove(&incident).is_some() {
            self.closed.insert(incident, now);
        }
    }

    fn apply(&mut self, message: &ToBox, now: Wall) {
        match message {
            ToBox::Room(room) => {
                self.closed.remove(&room.incident);
                self.rooms.insert(room.incident, room.clone());
            }
            ToBox::RoomClosed { incident } => self.close(*incident, now),
            ToBox::Member { name, keys } => drop(self.members.insert(name.clone(), keys.clone())),
            ToBox::MemberGone { name } => drop(self.members.remove(name)),
            ToBox::Wanted { name, cameras } if cameras.is_empty() => drop(self.wanted.remove(name)),
            ToBox::Wanted { name, cameras } => {
                self.wanted.insert(name.clone(), cameras.iter().cloned().collect());
            }
            ToBox::Void(void) => self.void(void),
            ToBox::PassKey { key } => self.pass_key = Some(key.clone()),
            ToBox::Hold { takes } => self.hold = takes.iter().cloned().collect(),
            ToBox::Told
            | ToBox::Written { .. }
            | ToBox::Welcome { .. }
            | ToBox::Ack { .. }
            | ToBox::Seen { .. }
            | ToBox::Signals(_)
            | ToBox::SelfTest { .. }
            | ToBox::Update { .. }
            | ToBox::Bundle { .. }
            | ToBox::Certificate { .. }
            | ToBox::Refused { .. }
            | ToBox::Unknown => {}
        }
    }
}

/// Hears the desk over one connection after the other.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    told: Told,
    fresh: Option<Told>,
}

impl Hearing {
    /// Goes on from what an earlier life knew.
    pub(crate) fn from(told: Told) -> Self {
        Self { told: Told { whole: false, ..told }, fresh: None }
    }

    /// What is known now.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// A new stream: the desk says everything again.
    pub(crate) fn handle_connected(&mut self) {
        self.fresh = Some(Told::default());
    }

    /// The desk has spoken.
    pub(crate) fn handle(&mut self, message: &ToBox, now: Wall) {
        self.told.apply(message, now);
        if let Some(fresh) = &mut self.fresh {
            fresh.apply(message, now);
        }
        if *message == ToBox::Told {
            self.handle_told(now);
        }
        self.told.closed.retain(|_, at| now.since(*at) < PASS_LIFE);
    }

    fn handle_told(&mut self, now: Wall) {
        let Some(fresh) = self.fresh.take() else { return };
        let gone: Vec<_> =
            self.told.rooms.keys().filter(|id| !fresh.rooms.contains_key(id)).copied().collect();
        gone.into_iter().for_each(|incident| self.told.close(incident, now));
        let closed = std::mem::take(&mut self.told.closed);
        self.told = Told { closed, whole: true, ..fresh };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{Mode, SeatId};

    const NOW: Wall = Wall::from_millis(1_000);

    fn name() -> BoxId {
        BoxId::new("school-1").unwrap()
    }

    fn room(incident: u64) -> Room {
        let host = SeatId::new("seat-1").ok();
        Room { incident: IncidentId(incident), boxes: vec![name()], mode: Mode::Ordinary, host, opened: NOW }
    }

    fn hear(hearing: &mut Hearing, messages: &[ToBox]) {
        messages.iter().for_each(|message| hearing.handle(message, NOW));
    }

    #[test]
    fn what_is_not_said_again_is_no_more_but_only_when_all_is_said() {
        let mut hearing = Hearing::default();
        hearing.handle_connected();
        let member = ToBox::Member { name: name(), keys: vec!["k".into()] };
        hear(&mut hearing, &[member.clone(), ToBox::Room(room(1)), ToBox::Room(room(2)), ToBox::Told]);
        assert!(hearing.told().whole);
        hearing.handle_connected();
        hear(&mut hearing, &[ToBox::Room(room(2)), ToBox::Room(room(3))]);
        assert_eq!(hearing.told().rooms.len(), 3, "nobody is cut off while the desk speaks");
        hear(&mut hearing, &[ToBox::Told]);
        let rooms: Vec<_> = hearing.told().rooms.keys().map(|id| id.0).collect();
        assert_eq!(rooms, [2, 3]);
        assert!(hearing.told().closed.contains_key(&IncidentId(1)));
        assert!(hearing.told().members.is_empty());
    }

    #[test]
    fn a_wish_is_made_of_open_rooms_and_wanted_cameras() {
        let mut hearing = Hearing::default();
        let gate = CameraId::new("gate").unwrap();
        let wanted = |cameras| ToBox::Wanted { name: name(), cameras };
        hear(&mut hearing, &[ToBox::Room(room(7)), wanted(vec![gate.clone()])]);
        let wish = hearing.told().wishes().remove(&name()).unwrap();
        assert_eq!(wish, Wish { incidents: vec![IncidentId(7)], cameras: vec![gate] });
        hear(&mut hearing, &[ToBox::RoomClosed { incident: IncidentId(7) }, wanted(vec![])]);
        assert_eq!(hearing.told().wishes(), BTreeMap::new());
    }

    #[test]
    fn what_is_void_is_said_whole_and_does_not_grow() {
        let mut hearing = Hearing::default();
        let void = |line| Void { seat: SeatId::new("seat-1").ok(), user: None, incident: None, line };
        let voids: Vec<_> = (0..2_000).map(|line| ToBox::Void(void(line))).collect();
        hear(&mut hearing, &voids);
        assert_eq!(hearing.told().voids.len(), VOIDS_MAX);
        assert_eq!(hearing.told().voids.last(), Some(&void(1_999)));
        hearing.handle_connected();
        hear(&mut hearing, &[ToBox::Void(void(7)), ToBox::Told]);
        assert_eq!(hearing.told().voids, [void(7)]);
    }

    #[test]
    fn it_reads_back_from_disk() {
        let mut hearing = Hearing::default();
        let takes = vec!["school-1/gate/5".to_owned()];
        hear(&mut hearing, &[ToBox::Room(room(7)), ToBox::Hold { takes }]);
        let text = serde_json::to_string(hearing.told()).unwrap();
        assert_eq!(serde_json::from_str::<Told>(&text).unwrap(), *hearing.told());
        assert!(hearing.told().holds("school-1/gate/5"));
        assert!(!hearing.told().holds("school-1/gate/6"));
    }
}
