//! Who may look, listen and keep: passes, looking without a press, holds, still pictures.

use super::decide::Decided;
use super::{Centre, Refused, Touched};
use crate::event::{Actor, Event};
use crate::incident::Incident;
use crate::media::CAMERAS_MAX;
use crate::register::{Enrolment, TEXT_MAX};
use crate::room::GUESTS_MAX;
use crate::{BoxId, CameraId, IncidentId, Mode, SeatId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest look without a press; who needs longer says why again.
pub const WATCH_LONGEST: Duration = Duration::from_secs(10 * 60);
/// Still pictures of one incident: a page of them for each hour of a long one.
pub const SNAPSHOTS_MAX: u32 = 500;

/// A seat that looks at a box without a press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Watching {
    /// Who.
    pub user: UserId,
    /// At which cameras.
    pub cameras: Vec<CameraId>,
    /// Since when.
    pub since: Wall,
    /// Until when at most.
    pub until: Wall,
}

/// A still picture that a seat has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// SHA-256 of the JPEG, hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// The take that it is from.
    pub take: String,
    /// The moment that it shows.
    pub shown: Wall,
}

impl Centre {
    /// The boxes of an incident's room: those that raised alarms, then the others of the site; at most
    /// [`GUESTS_MAX`].
    pub fn guests(&self, incident: &Incident) -> Vec<BoxId> {
        let raised = std::iter::once(&incident.from).chain(incident.alarms.iter().map(|alarm| &alarm.from));
        let beside = self.boxes.values().filter(|entry| {
            incident.site.is_some()
                && entry.site == incident.site
                && matches!(entry.enrolment, Enrolment::Enrolled { .. })
        });
        let mut guests: Vec<BoxId> = Vec::new();
        for name in raised.chain(beside.map(|entry| &entry.name)) {
            if guests.len() < GUESTS_MAX && !guests.contains(name) {
                guests.push(name.clone());
            }
        }
        guests
    }

    /// Whether a seat may speak into an incident's room: its host, in ordinary mode, while it is open.
    pub fn may_speak(&self, incident: IncidentId, seat: &SeatId) -> bool {
        let hosts = |incident: &Incident| incident.room.as_ref().is_some_and(|room| room.owner() == seat);
        self.open.get(&incident).is_some_and(|known| known.mode == Mode::Ordinary && hosts(known))
    }

    /// Somebody is let in to see and hear an incident, open or kept. Written once for each person.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn let_in(&self, incident: IncidentId, seat: &SeatId, user: &UserId) -> Decided {
        let missing = || Refused::NotFound { what: "incident", name: incident.to_string() };
        let known = self.incident(incident).ok_or_else(missing)?;
        let event = || Event::PassIssued { incident, user: user.clone(), seat: seat.clone() };
        Ok(if known.seen_by.contains(user) { vec![] } else { vec![event()] })
    }

    /// A seat looks at cameras of a box without a press. Asked again, it begins anew.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Cameras`], [`Refused::Reason`].
    pub fn watch(
        &self,
        name: &BoxId,
        cameras: Vec<CameraId>,
        reason: String,
        (seat, user): (&SeatId, &UserId),
        now: Wall,
    ) -> Decided {
        let enrolled = |entry: &crate::register::Appliance| {
            entry.site.is_some() && matches!(entry.enrolment, Enrolment::Enrolled { .. })
        };
        if !self.boxes.get(name).is_some_and(enrolled) {
            return Err(Refused::NotFound { what: "box", name: name.to_string() });
        }
        if cameras.is_empty() || cameras.len() > CAMERAS_MAX {
            return Err(Refused::Cameras);
        }
        if reason.trim().is_empty() || reason.chars().count() > TEXT_MAX {
            return Err(Refused::Reason);
        }
        let (user, seat) = (user.clone(), seat.clone());
        let until = now + WATCH_LONGEST;
        Ok(vec![Event::WatchBegan { name: name.clone(), cameras, reason, until, user, seat }])
    }

    /// The seat looks no longer.
    pub fn unwatch(&self, name: &BoxId, seat: &SeatId, by: Actor) -> Vec<Event> {
        let ended = |_: &Watching| Event::WatchEnded { name: name.clone(), seat: seat.clone(), by };
        self.watching(name, seat).map(ended).into_iter().collect()
    }

    /// What a seat looks at without a press.
    pub fn watching(&self, name: &BoxId, seat: &SeatId) -> Option<&Watching> {
        self.watches.get(name).and_then(|seats| seats.get(seat))
    }

    /// Who looks at a box without a press.
    pub fn watchers(&self, name: &BoxId) -> impl Iterator<Item = (&SeatId, &Watching)> {
        self.watches.get(name).into_iter().flatten()
    }

    pub(super) fn watched_by(&self, seat: &SeatId) -> Vec<Event> {
        let looks = self.watches.iter().filter(|(_, seats)| seats.contains_key(seat));
        looks.flat_map(|(name, _)| self.unwatch(name, seat, Actor::Desk)).collect()
    }

    /// A clock that has been set back to before the beginning ends a look too.
    pub(super) fn watches_due(&self, now: Wall) -> Vec<Event> {
        let all = self.watches.iter().flat_map(|(name, seats)| seats.iter().map(move |look| (name, look)));
        let over = all.filter(|(_, (_, look))| now >= look.until || now < look.since);
        over.flat_map(|(name, (seat, _))| self.unwatch(name, seat, Actor::Desk)).collect()
    }

    /// Keeps the recordings of an incident, or lets them go when their time is over.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::HoldFull`].
    pub fn hold(&self, incident: IncidentId, held: bool, by: Actor) -> Decided {
        let missing = || Refused::NotFound { what: "incident", name: incident.to_string() };
        let known = self.incident(incident).ok_or_else(missing)?;
        if held && !self.hold_fits(known) {
            return Err(Refused::HoldFull);
        }
        Ok(if known.held == held { vec![] } else { vec![Event::Held { incident, held, by }] })
    }

    /// A seat has kept a still picture of an incident.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Snapshots`].
    pub fn snapshot(&self, incident: IncidentId, picture: Picture, by: Actor) -> Decided {
        let missing = || Refused::NotFound { what: "incident", name: incident.to_string() };
        if self.incident(incident).ok_or_else(missing)?.snapshots >= SNAPSHOTS_MAX {
            return Err(Refused::Snapshots);
        }
        let Picture { sha256, bytes, take, shown } = picture;
        Ok(vec![Event::SnapshotTaken { incident, sha256, bytes, take, shown, by }])
    }

    pub(super) fn looked(&mut self, at: Wall, event: &Event) -> Touched {
        if let Event::WatchBegan { name, cameras, until, user, seat, .. } = event {
            let look = Watching { user: user.clone(), cameras: cameras.clone(), since: at, until: *until };
            self.watches.entry(name.clone()).or_default().insert(seat.clone(), look);
            return Touched::Box(name.clone());
        }
        if let Event::WatchEnded { name, seat, .. } = event {
            if let Some(seats) = self.watches.get_mut(name) {
                seats.remove(seat);
            }
            self.watches.retain(|_, seats| !seats.is_empty());
            return Touched::Box(name.clone());
        }
        if let Event::PassIssued { incident, user, .. } = event {
            return self.note(*incident, |known| known.seen_by.extend([user.clone()]));
        }
        if let Event::Held { incident, held, .. } = event {
            return self.note(*incident, |known| known.held = *held);
        }
        if let Event::SnapshotTaken { incident, .. } = event {
            return self.note(*incident, |known| known.snapshots += 1);
        }
        Touched::Quiet
    }

    pub(super) fn note(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident)) -> Touched {
        if let Some(incident) = self.open.get_mut(&id).or_else(|| self.closed.get_mut(&id)) {
            change(incident);
        }
        Touched::Incident(id)
    }
}
