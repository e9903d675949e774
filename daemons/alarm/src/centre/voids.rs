//! Passes that open nothing any more before their time is over: of who has signed out, has been transferred away, or
//! may not be here any longer.

use super::Centre;
use crate::event::{Actor, Event};
use crate::media::{VOIDS_MAX, Void};

impl Centre {
    /// What is void from this event on. Before it is applied: afterwards nobody knows who the host was.
    pub(super) fn voided_by(&self, event: &Event) -> Option<Void> {
        let nobody = Void { seat: None, user: None, incident: None, line: self.seq };
        if let Event::SeatClosed { seat, .. } = event {
            return Some(Void { seat: Some(seat.clone()), ..nobody });
        }
        if let Event::Transferred { incident, .. } = event {
            let host = self.open.get(incident)?.room.as_ref()?.owner().clone();
            return Some(Void { seat: Some(host), incident: Some(*incident), ..nobody });
        }
        if let Event::AccountRemoved { user, .. } = event {
            return Some(Void { user: Some(user.clone()), ..nobody });
        }
        if let Event::PasswordChanged { user, by: Actor::Seat { user: by, .. } } = event {
            return (user != by).then(|| Void { user: Some(user.clone()), ..nobody });
        }
        None
    }

    /// The newest stands last, and a new one stands for an older one of the same people and room.
    pub(super) fn void(&mut self, new: Void) {
        let same = |old: &Void| Void { line: new.line, ..old.clone() } == new;
        self.voids.retain(|old| !same(old));
        if self.voids.len() >= VOIDS_MAX {
            self.voids.remove(0);
        }
        self.voids.push(new);
    }

    /// Passes that open nothing, in the order of the journal.
    pub fn voids(&self) -> &[Void] {
        &self.voids
    }
}
