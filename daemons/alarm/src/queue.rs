//! The order in which incidents wait for a seat: what is real before what is practised, then priority, then time.

use crate::incident::{Incident, Step};
use crate::{IncidentId, Nature, Wall};

/// Where an incident stands; the smallest is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    practised: bool,
    priority: u8,
    received: Wall,
    id: IncidentId,
}

impl Place {
    /// The place of one incident.
    pub fn of(incident: &Incident) -> Self {
        Self {
            practised: incident.nature != Nature::Real,
            priority: incident.priority,
            received: incident.received,
            id: incident.id,
        }
    }
}

/// Incidents that wait for a seat, first to be answered first.
pub fn waiting<'a>(incidents: impl Iterator<Item = &'a Incident>) -> Vec<&'a Incident> {
    let mut waiting: Vec<_> = incidents.filter(|incident| incident.step == Step::Ringing).collect();
    waiting.sort_by_key(|incident| Place::of(incident));
    waiting
}
