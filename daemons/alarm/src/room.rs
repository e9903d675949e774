//! The room of an incident. The seat is host: exactly one owning seat at any time, everybody else is a guest, and
//! nobody who calls ever displaces a seat.
//!
//! ```text
//!            offer(to)                 accept(by = to)
//!   Owned ─────────────▶ Offered ───────────────────────▶ Owned (by the other seat)
//!     ▲                     │
//!     └──── withdraw ───────┘   the owner stays host until the other seat has accepted
//! ```

use crate::{BoxId, IncidentId, SeatId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most guests of one room: a site's boxes, officers and specialists of one incident.
pub const GUESTS_MAX: usize = 32;

/// Somebody in a room who is not its host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guest {
    /// A site's box, with the incident that it is there for.
    Caller {
        /// Which box.
        from: BoxId,
        /// Its incident.
        incident: IncidentId,
    },
    /// Another seat, listening or helping.
    Seat(SeatId),
}

/// Why something does not happen in a room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Only the owning seat may do this.
    #[error("seat {0} owns this incident")]
    NotOwner(SeatId),
    /// The transfer was not offered to this seat.
    #[error("the incident is not offered to this seat")]
    NotOffered,
    /// An incident cannot be offered to the seat that owns it.
    #[error("the seat owns the incident already")]
    OwnSeat,
    /// A caller of another incident.
    #[error("the caller belongs to incident {0}: callers of different incidents never meet")]
    OtherIncident(IncidentId),
    /// [`GUESTS_MAX`] reached.
    #[error("the room is full: {GUESTS_MAX} guests")]
    Full,
}

/// One room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Room {
    incident: IncidentId,
    owner: SeatId,
    offered: Option<SeatId>,
    guests: BTreeSet<Guest>,
}

impl Room {
    /// Opens the room of `incident` with `owner` as host.
    pub fn open(incident: IncidentId, owner: SeatId) -> Self {
        Self { incident, owner, offered: None, guests: BTreeSet::new() }
    }

    /// The host.
    pub fn owner(&self) -> &SeatId {
        &self.owner
    }

    /// The seat that a transfer is offered to.
    pub fn offered(&self) -> Option<&SeatId> {
        self.offered.as_ref()
    }

    /// The guests.
    pub fn guests(&self) -> impl Iterator<Item = &Guest> {
        self.guests.iter()
    }

    /// Errs unless `seat` is the host.
    ///
    /// # Errors
    /// [`Refused::NotOwner`].
    pub fn owned_by(&self, seat: &SeatId) -> Result<(), Refused> {
        if self.owner == *seat { Ok(()) } else { Err(Refused::NotOwner(self.owner.clone())) }
    }

    /// The host offers the incident to another seat and stays host.
    ///
    /// # Errors
    /// [`Refused::NotOwner`], [`Refused::OwnSeat`].
    pub fn offer(&mut self, by: &SeatId, to: SeatId) -> Result<(), Refused> {
        self.owned_by(by)?;
        if to == self.owner {
            return Err(Refused::OwnSeat);
        }
        self.offered = Some(to);
        Ok(())
    }

    /// The other seat takes it: it is the host from here on.
    ///
    /// # Errors
    /// [`Refused::NotOffered`].
    pub fn accept(&mut self, by: &SeatId) -> Result<(), Refused> {
        if self.offered.as_ref() != Some(by) {
            return Err(Refused::NotOffered);
        }
        self.offered = None;
        self.guests.remove(&Guest::Seat(by.clone()));
        self.owner = by.clone();
        Ok(())
    }

    /// The offer ends without a transfer: by the host, by the seat it was made to, or because that seat has gone.
    ///
    /// # Errors
    /// [`Refused::NotOffered`].
    pub fn withdraw(&mut self) -> Result<(), Refused> {
        self.offered.take().map(|_| ()).ok_or(Refused::NotOffered)
    }

    /// Lets a guest in.
    ///
    /// # Errors
    /// [`Refused::OtherIncident`], [`Refused::OwnSeat`], [`Refused::Full`].
    pub fn admit(&mut self, guest: Guest) -> Result<(), Refused> {
        match &guest {
            Guest::Caller { incident, .. } if *incident != self.incident => {
                return Err(Refused::OtherIncident(*incident));
            }
            Guest::Seat(seat) if *seat == self.owner => return Err(Refused::OwnSeat),
            Guest::Caller { .. } | Guest::Seat(_) => {}
        }
        if self.guests.len() >= GUESTS_MAX && !self.guests.contains(&guest) {
            return Err(Refused::Full);
        }
        self.guests.insert(guest);
        Ok(())
    }

    /// A guest leaves.
    pub fn leave(&mut self, guest: &Guest) {
        self.guests.remove(guest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seat(n: u8) -> SeatId {
        SeatId::new(format!("seat-{n}")).unwrap()
    }

    fn caller(n: u8, incident: u64) -> Guest {
        Guest::Caller { from: BoxId::new(format!("box-{n}")).unwrap(), incident: IncidentId(incident) }
    }

    #[test]
    fn a_transfer_leaves_the_host_until_it_is_accepted() {
        let mut room = Room::open(IncidentId(1), seat(1));
        assert_eq!(room.offer(&seat(2), seat(3)), Err(Refused::NotOwner(seat(1))));
        assert_eq!(room.offer(&seat(1), seat(1)), Err(Refused::OwnSeat));
        assert_eq!(room.accept(&seat(2)), Err(Refused::NotOffered));
        assert_eq!(room.withdraw(), Err(Refused::NotOffered));
        assert_eq!(room.offer(&seat(1), seat(2)), Ok(()));
        assert_eq!(room.owner(), &seat(1));
        assert_eq!(room.accept(&seat(3)), Err(Refused::NotOffered));
        assert_eq!(room.accept(&seat(2)), Ok(()));
        assert_eq!((room.owner(), room.offered()), (&seat(2), None));
    }

    #[test]
    fn callers_of_different_incidents_never_meet() {
        let mut room = Room::open(IncidentId(1), seat(1));
        assert_eq!(room.admit(caller(1, 1)), Ok(()));
        assert_eq!(room.admit(caller(2, 2)), Err(Refused::OtherIncident(IncidentId(2))));
        (2..=32).for_each(|n| assert_eq!(room.admit(caller(n, 1)), Ok(())));
        assert_eq!(room.admit(caller(99, 1)), Err(Refused::Full));
        assert_eq!(room.admit(caller(1, 1)), Ok(()));
    }

    proptest! {
        /// Whatever is tried: one host, never among its own guests, displaced only by a seat that it was offered to.
        #[test]
        fn the_seat_is_host(steps in proptest::collection::vec((0u8..6, 0u8..4, 0u8..4), 0..100)) {
            let mut room = Room::open(IncidentId(1), seat(0));
            for (step, a, b) in steps {
                let (before, offered) = (room.owner().clone(), room.offered().cloned());
                let _ = match step {
                    0 => room.offer(&seat(a), seat(b)),
                    1 => room.accept(&seat(a)),
                    2 => room.withdraw(),
                    3 => room.admit(Guest::Seat(seat(a))),
                    4 => room.admit(caller(a, u64::from(b))),
                    _ => { room.leave(&Guest::Seat(seat(a))); Ok(()) }
                };
                if *room.owner() != before {
                    prop_assert!(step == 1 && offered.as_ref() == Some(room.owner()));
                }
                let host = Guest::Seat(room.owner().clone());
                prop_assert!(room.guests().all(|guest| *guest != host));
                let stranger = |guest: &Guest| matches!(guest, Guest::Caller { incident, .. } if incident.0 != 1);
                prop_assert!(!room.guests().any(stranger));
            }
        }
    }
}
