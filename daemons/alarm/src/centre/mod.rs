//! The state of a centre: a fold over the journal. Methods that begin with a verb decide what may happen next and
//! give the events that say so; only [`Centre::apply`] changes anything.
//!
//! ```text
//!   notice, click, time ──▶ decide (&self) ──▶ events ──▶ journal
//!                                                └──────▶ apply (&mut self) ──▶ screens, walls
//! ```

mod announce;
mod apply;
mod decide;
mod film;
mod look;
mod plane;
mod prove;
mod receive;
mod register;
#[cfg(test)]
mod tests;
mod updates;
mod voids;

use crate::announcement::Announcement;
use crate::event::About;
use crate::incident::{Incident, Step};
use crate::media::Void;
use crate::panel::Signals;
use crate::queue::Place;
use crate::register::{Account, Appliance, Site, Ticket};
use crate::{BoxId, Fault, IncidentId, Nature, NoticeId, SeatId, SiteId, UserId, Wall};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use decide::{Refused, SEATS_MAX, WINDOW_LONGEST};
pub use look::{Picture, SNAPSHOTS_MAX, WATCH_LONGEST, Watching};
pub use plane::{HOLD_BYTES, Plane};
pub use receive::Receipt;

/// Closed incidents kept in memory, for lists and figures: some weeks of a large centre. Older ones are in the
/// journal.
pub const CLOSED_KEPT: usize = 5_000;
/// Notice ids remembered for each box: far more than it may have in flight ([`crate::delivery::WINDOW`] a path).
pub const SEEN_KEPT: usize = 8_192;

/// Somebody at a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seated {
    /// Who.
    pub user: UserId,
    /// Since when.
    pub since: Wall,
}

/// A fault that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// What it concerns.
    pub about: &'a About,
    /// Which.
    pub fault: &'a Fault,
    /// Since when.
    pub since: Wall,
}

/// A test window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    from: Wall,
    until: Wall,
}

impl Window {
    /// A clock that has been set back to before the beginning ends it: at most it lasts twice its length.
    fn is_open(&self, now: Wall) -> bool {
        self.from <= now && now < self.until
    }
}

/// What an event touches, for screens that show one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// An incident.
    Incident(IncidentId),
    /// An appliance, its faults included.
    Box(BoxId),
    /// A site or its test window.
    Site(SiteId),
    /// Who sits where.
    Seats,
    /// The desk's own faults.
    Desk,
    /// What was recorded of these incidents.
    Film(Vec<IncidentId>),
    /// The list of announcements.
    Announcements,
    /// Bundles, or a roll-out.
    Rollout,
    /// What an appliance runs, and with it perhaps a roll-out.
    Software(BoxId),
    /// Accounts, or nothing that a screen shows live.
    Quiet,
}

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Centre {
    seq: u64,
    name: String,
    open: BTreeMap<IncidentId, Incident>,
    closed: BTreeMap<IncidentId, Incident>,
    last_incident: u64,
    sites: BTreeMap<SiteId, Site>,
    boxes: BTreeMap<BoxId, Appliance>,
    tickets: BTreeMap<String, Ticket>,
    accounts: BTreeMap<UserId, Account>,
    seats: BTreeMap<SeatId, Seated>,
    windows: BTreeMap<SiteId, Window>,
    /// Tells the present life of the desk from the others: the upper half of marks.
    #[serde(default)]
    life: u64,
    #[serde(with = "pairs")]
    faults: BTreeMap<(About, Fault), Wall>,
    seen: BTreeMap<BoxId, VecDeque<NoticeId>>,
    /// The last number that each relay has told.
    #[serde(default)]
    relays: BTreeMap<BoxId, u64>,
    /// Cameras that seats look at without a press.
    #[serde(default)]
    watches: BTreeMap<BoxId, BTreeMap<SeatId, Watching>>,
    #[serde(default)]
    announcements: Vec<Announcement>,
    /// There has been one.
    #[serde(default)]
    announced: bool,
    /// Passes that open nothing any more, newest last.
    #[serde(default)]
    voids: Vec<Void>,
    /// What boxes told of their self-tests.
    #[serde(default)]
    selftests: BTreeMap<BoxId, crate::selftest::Record>,
    /// Bundles, what boxes run, and the roll-out.
    #[serde(default)]
    updates: updates::Updates,
}

impl Centre {
    /// Number of the last event applied; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An incident, open or kept.
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.open.get(&id).or_else(|| self.closed.get(&id))
    }

    /// Open incidents in queue order.
    pub fn open(&self) -> Vec<&Incident> {
        let mut open: Vec<_> = self.open.values().collect();
        open.sort_by_key(|incident| Place::of(incident));
        open
    }

    /// Kept closed incidents, newest first, those below `before` if given.
    pub fn closed(&self, before: Option<IncidentId>) -> impl Iterator<Item = &Incident> {
        let end = before.unwrap_or(IncidentId(u64::MAX));
        self.closed.range(..end).rev().map(|(_, incident)| incident)
    }

    /// The register of sites.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    /// One site.
    pub fn site(&self, id: &SiteId) -> Option<&Site> {
        self.sites.get(id)
    }

    /// The register of appliances.
    pub fn boxes(&self) -> impl Iterator<Item = &Appliance> {
        self.boxes.values()
    }

    /// One appliance.
    pub fn appliance(&self, name: &BoxId) -> Option<&Appliance> {
        self.boxes.get(name)
    }

    /// A ticket by its public number.
    pub fn ticket(&self, number: &str) -> Option<&Ticket> {
        self.tickets.get(number)
    }

    /// The accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// One account.
    pub fn account(&self, user: &UserId) -> Option<&Account> {
        self.accounts.get(user)
    }

    /// Who sits where.
    pub fn seats(&self) -> impl Iterator<Item = (&SeatId, &Seated)> {
        self.seats.iter()
    }

    /// Who sits at one seat.
    pub fn seat(&self, seat: &SeatId) -> Option<&Seated> {
        self.seats.get(seat)
    }

    /// End of a site's open test window.
    pub fn window(&self, site: &SiteId) -> Option<Wall> {
        self.windows.get(site).map(|window| window.until)
    }

    /// Standing faults of one appliance (`Some`) or of the desk itself (`None`).
    pub fn faults_of(&self, name: Option<&BoxId>) -> impl Iterator<Item = Standing<'_>> {
        let from = About { name: name.cloned(), ..About::default() };
        let name = name.cloned();
        let all = self.faults.range((from, Fault::Tampered)..);
        all.take_while(move |((about, _), _)| about.name == name).map(|((about, fault), since)| Standing {
            about,
            fault,
            since: *since,
        })
    }

    /// Whether this fault stands.
    pub fn is_faulty(&self, about: &About, fault: &Fault) -> bool {
        self.faults.contains_key(&(about.clone(), fault.clone()))
    }

    /// What the walls are to show.
    pub fn signals(&self) -> Signals {
        let mut signals = Signals { faults: count(self.faults.len()), ..Signals::default() };
        for incident in self.open.values() {
            if incident.sounds() {
                signals.unacknowledged += 1;
                signals.newest = signals.newest.max(self.mark(incident));
            } else if incident.is_real_hold_up() {
                signals.open += 1;
            } else if incident.nature != Nature::Real {
                signals.tests += 1;
            }
        }
        signals
    }

    /// Answering figures of real incidents received since `from`.
    pub fn figures(&self, from: Wall) -> Figures {
        let recent = self.closed.values().rev().take_while(|i| i.received >= from).chain(self.open.values());
        let mut figures = Figures::default();
        for incident in recent.filter(|i| i.received >= from && i.nature == Nature::Real) {
            figures.received += 1;
            if let Some(answered) = incident.answered {
                figures.waits.push(answered.since(incident.received));
            }
        }
        figures.waits.sort_unstable();
        figures
    }

    /// What walls know the newest alarm of an incident by. It changes with every start of the desk: what walls have
    /// seen may have been lost with the end of the journal, so no acknowledgement outlives the desk that it was
    /// meant for, and what is unacknowledged in the journal sounds again.
    fn mark(&self, incident: &Incident) -> u64 {
        self.life << 32 | incident.newest
    }

    fn sounding(&self) -> impl Iterator<Item = &Incident> {
        self.open
            .values()
            .filter(|incident| incident.step == Step::Ringing && incident.acknowledged.is_none())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// How fast alarms were answered (NENA-STA-020: 90 % within 15 s, 95 % within 20 s).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Real incidents received.
    pub received: u32,
    /// Time to answer of each that was answered, shortest first.
    pub waits: Vec<Duration>,
}

impl Figures {
    /// Per cent of the received that were answered within `limit`; `None` when there were none.
    pub fn within(&self, limit: Duration) -> Option<u8> {
        let in_time = self.waits.iter().filter(|wait| **wait <= limit).count();
        let received = usize::try_from(self.received).ok().filter(|n| *n > 0)?;
        u8::try_from(in_time * 100 / received).ok()
    }

    /// Median time to answer.
    pub fn median(&self) -> Option<Duration> {
        self.waits.get(self.waits.len() / 2).copied()
    }
}

/// JSON has no maps with structured keys.
mod pairs {
    use super::{About, BTreeMap, Fault, Wall};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Faults = BTreeMap<(About, Fault), Wall>;

    pub(super) fn serialize<S: Serializer>(faults: &Faults, to: S) -> Result<S::Ok, S::Error> {
        faults.iter().map(|((about, fault), since)| (about, fault, since)).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Faults, D::Error> {
        let list = Vec::<(About, Fault, Wall)>::deserialize(from)?;
        Ok(list.into_iter().map(|(about, fault, since)| ((about, fault), since)).collect())
    }
}
