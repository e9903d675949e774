//! What a notice from a box means: which incident it belongs to, and whether it was meant.

use super::Centre;
use crate::event::Event;
use crate::incident::Kind;
use crate::{BoxId, IncidentId, Nature, Notice, NoticeId, PathId, Wall, What};

/// What became of a notice.
#[derive(Clone, Debug, PartialEq)]
pub enum Receipt {
    /// It is new: write this down, then ACK.
    New(Box<Event>),
    /// It has been received before: ACK as soon as that is on disk.
    Known,
}

impl Centre {
    /// Receives `notice` from an enrolled box over `path`.
    pub fn receive(&self, from: &BoxId, path: &PathId, notice: Notice, now: Wall) -> Receipt {
        if self.has_seen(from, notice.id) {
            return Receipt::Known;
        }
        let nature = self.nature(from, &notice, now);
        let incident = self.belongs_to(from, &notice, nature);
        Receipt::New(Box::new(Event::Received {
            notice,
            from: from.clone(),
            path: path.clone(),
            nature,
            incident,
        }))
    }

    /// Whether this notice has been received before.
    pub fn has_seen(&self, from: &BoxId, id: NoticeId) -> bool {
        self.seen.get(from).is_some_and(|seen| seen.iter().rev().any(|known| *known == id))
    }

    /// A test window makes a press a test. Nothing makes a test real.
    fn nature(&self, from: &BoxId, notice: &Notice, now: Wall) -> Nature {
        let said = match notice.what {
            What::Alarm { nature, .. } => nature,
            What::Repeat { of, .. } => self.holding(of).map_or(Nature::Real, |id| self.open[&id].nature),
            What::Restored { .. }
            | What::Tampered
            | What::TamperRestored
            | What::Fault { .. }
            | What::Cleared { .. }
            | What::SelfTest(_) => Nature::Real,
        };
        let site = self.boxes.get(from).and_then(|appliance| appliance.site.as_ref());
        let testing = site.and_then(|site| self.windows.get(site)).is_some_and(|window| window.is_open(now));
        if testing && said == Nature::Real { Nature::Test } else { said }
    }

    fn belongs_to(&self, from: &BoxId, notice: &Notice, nature: Nature) -> Option<IncidentId> {
        match &notice.what {
            What::Alarm { .. } => Some(self.joined(from, Kind::HoldUp, nature)),
            What::Tampered => Some(self.joined(from, Kind::Tamper, nature)),
            What::Repeat { of, .. } => {
                Some(self.holding(*of).unwrap_or_else(|| self.joined(from, Kind::HoldUp, nature)))
            }
            What::Restored { of } => of.and_then(|of| self.holding(of)),
            What::TamperRestored | What::Fault { .. } | What::Cleared { .. } | What::SelfTest(_) => None,
        }
    }

    /// The open incident that this alarm was first told in.
    fn holding(&self, alarm: NoticeId) -> Option<IncidentId> {
        let holds = |id: &IncidentId| self.open[id].alarms.iter().any(|known| known.id == alarm);
        self.open.keys().copied().find(holds)
    }

    /// The open incident of the same site, kind and nature, or the next new one.
    fn joined(&self, from: &BoxId, kind: Kind, nature: Nature) -> IncidentId {
        let site = self.boxes.get(from).and_then(|appliance| appliance.site.as_ref());
        let same = self.open.values().find(|incident| {
            let place = if site.is_some() { incident.site.as_ref() == site } else { incident.from == *from };
            place && incident.kind == kind && incident.nature == nature
        });
        same.map_or(IncidentId(self.last_incident + 1), |incident| incident.id)
    }
}
