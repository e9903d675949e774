//! What really happened, kept apart from everything that the rules say of it.

use alarm::event::Event;
use alarm::incident::Kind;
use alarm::point::{DEBOUNCE, Reading, Wiring};
use alarm::{IncidentId, Mono, Nature, Notice, NoticeId, What};
use std::collections::{BTreeMap, BTreeSet};

use super::wall::Sounding;

/// A finger on a button, a box that is opened, or a cut wire that cannot be told from it.
#[derive(Clone, Debug)]
pub(super) struct Press {
    pub(super) site: usize,
    pub(super) point: usize,
    /// Its point had been at rest for long enough that nothing excuses the box.
    pub(super) calm: bool,
    /// When its wire was cut, touched or mended meanwhile.
    pub(super) disturbed: Vec<Mono>,
    /// The first contact moves.
    pub(super) begun: Mono,
    /// It has stopped bouncing.
    pub(super) firm: Option<Mono>,
    /// The finger lets go.
    pub(super) let_go: Option<Mono>,
    /// The contacts are at rest.
    pub(super) rest: Option<Mono>,
}

/// The contacts and wires of one point.
#[derive(Clone, Debug)]
pub(super) struct Contacts {
    pub(super) wiring: Wiring,
    pub(super) pressed: Level,
    pub(super) wire: Wire,
    pub(super) wire_since: Mono,
    /// At rest with a whole wire since then.
    pub(super) calm_since: Option<Mono>,
    pub(super) press: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Rest,
    /// Both contacts of a pair open, for a moment.
    Between,
    Active,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Whole,
    Cut,
    Short,
}

impl Contacts {
    pub(super) fn new(wiring: Wiring) -> Self {
        let now = Mono::default();
        let (pressed, wire) = (Level::Rest, Wire::Whole);
        Self { wiring, pressed, wire, wire_since: now, calm_since: Some(now), press: None }
    }

    /// What an input device shows.
    pub(super) fn reading(&self) -> Reading {
        let active = self.pressed == Level::Active;
        match (self.wiring, self.wire) {
            (Wiring::Antivalent, Wire::Whole) => {
                Reading::Pair { open: active, closed: self.pressed == Level::Rest }
            }
            (Wiring::Antivalent, Wire::Cut) => Reading::Pair { open: false, closed: false },
            (Wiring::Antivalent, Wire::Short) => Reading::Pair { open: true, closed: true },
            (Wiring::NormallyOpen, wire) => Reading::Single(active && wire == Wire::Whole),
            (Wiring::NormallyClosed, wire) => Reading::Single(!active && wire == Wire::Whole),
        }
    }

    /// Notes since when nothing has moved.
    pub(super) fn settle(&mut self, now: Mono) {
        if self.pressed == Level::Rest && self.wire == Wire::Whole {
            self.calm_since.get_or_insert(now);
        } else {
            self.calm_since = None;
        }
    }
}

/// Everything that must be so in the end.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) presses: Vec<Press>,
    /// Which press each notice is about.
    made: BTreeMap<NoticeId, usize>,
    /// Presses that nothing can have hidden.
    pub(super) obliged: BTreeSet<usize>,
    acked: BTreeSet<NoticeId>,
}

impl Truth {
    /// A box has made a notice.
    pub(super) fn made(
        &mut self,
        site: usize,
        point: usize,
        notice: &Notice,
        now: Mono,
    ) -> Result<(), String> {
        match &notice.what {
            What::Alarm { .. } | What::Repeat { .. } | What::Tampered => {
                let press = self.press_at(site, point, now);
                let press = press
                    .ok_or_else(|| format!("box {site} point {point}: nobody pressed for {notice:?}"))?;
                self.made.insert(notice.id, press);
            }
            What::Fault { .. }
            | What::Cleared { .. }
            | What::Restored { .. }
            | What::TamperRestored
            | What::SelfTest(_) => {}
        }
        Ok(())
    }

    /// The press that had lasted for the debounce time at `now`.
    fn press_at(&self, site: usize, point: usize, now: Mono) -> Option<usize> {
        let lasted = |press: &Press| {
            press.begun + DEBOUNCE <= now && press.rest.is_none_or(|rest| rest + DEBOUNCE >= now)
        };
        let here = |(_, press): &(usize, &Press)| press.site == site && press.point == point && lasted(press);
        self.presses.iter().enumerate().filter(here).map(|(number, _)| number).next_back()
    }

    pub(super) fn acked(&mut self, id: NoticeId) {
        self.acked.insert(id);
    }

    /// What a box was told to forget is on the disk.
    pub(super) fn check_acked(&self, journal: &BTreeSet<NoticeId>) -> Result<(), String> {
        match self.acked.difference(journal).next() {
            Some(id) => Err(format!("notice {id} was ACKed and is not in the durable journal")),
            None => Ok(()),
        }
    }

    /// The journal in the end: each press once, nothing that nobody pressed, no id twice.
    pub(super) fn check(&self, events: &[&Event]) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        let mut told: BTreeMap<usize, Vec<NoticeId>> = BTreeMap::new();
        for notice in events.iter().copied().filter_map(received) {
            if !seen.insert(notice.id) {
                return Err(format!("notice {} is in the journal twice", notice.id));
            }
            match (self.made.get(&notice.id), &notice.what) {
                (Some(press), _) => told.entry(*press).or_default().push(notice.id),
                (None, What::Alarm { .. } | What::Repeat { .. } | What::Tampered) => {
                    return Err(format!("nobody pressed for {notice:?}"));
                }
                (None, _) => {}
            }
        }
        for (number, press) in self.presses.iter().enumerate() {
            let times = told.get(&number).map_or(0, Vec::len);
            if times > 1 {
                return Err(format!("{press:?} is in the journal {times} times: {:?}", told[&number]));
            }
            if times == 0 && self.obliged.contains(&number) {
                return Err(format!("{press:?} is not in the journal"));
            }
        }
        Ok(())
    }
}

pub(super) fn received(event: &Event) -> Option<&Notice> {
    if let Event::Received { notice, .. } = event { Some(notice) } else { None }
}

/// A second, much simpler reading of the journal: which incidents wait, and which of them nobody has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) waiting: BTreeSet<IncidentId>,
    /// Real hold-ups that nobody has seen, with their alarms.
    pub(super) sounding: BTreeMap<IncidentId, BTreeSet<NoticeId>>,
    known: BTreeMap<IncidentId, (bool, BTreeSet<NoticeId>)>,
    alarms: Option<Sounding>,
}

impl Second {
    pub(super) fn take(&mut self, event: &Event) {
        self.alarms = None;
        if let Event::Received { notice, nature, incident: Some(id), .. } = event {
            match notice.what {
                What::Alarm { .. } | What::Repeat { .. } => self.rings(*id, notice.id, *nature, Kind::HoldUp),
                What::Tampered => self.rings(*id, notice.id, *nature, Kind::Tamper),
                What::Restored { .. }
                | What::TamperRestored
                | What::Fault { .. }
                | What::Cleared { .. }
                | What::SelfTest(_) => {}
            }
        }
        if let Event::Acknowledged { incident, .. } = event {
            self.sounding.remove(incident);
        }
        if let Event::Answered { incident, .. } = event {
            self.sounding.remove(incident);
            self.waiting.remove(incident);
        }
        if let Event::Closed { incident, .. } = event {
            self.waiting.remove(incident);
            self.sounding.remove(incident);
        }
        if let Event::Requeued { incident, .. } = event {
            self.waiting.insert(*incident);
            self.sound(*incident);
        }
    }

    fn rings(&mut self, id: IncidentId, alarm: NoticeId, nature: Nature, kind: Kind) {
        let new = !self.known.contains_key(&id);
        let sounds = nature == Nature::Real && kind == Kind::HoldUp;
        self.known.entry(id).or_insert_with(|| (sounds, BTreeSet::new())).1.insert(alarm);
        if new {
            self.waiting.insert(id);
        }
        if self.waiting.contains(&id) {
            self.sound(id);
        }
    }

    fn sound(&mut self, id: IncidentId) {
        if let Some((true, alarms)) = self.known.get(&id) {
            self.sounding.insert(id, alarms.clone());
        }
    }

    /// Every alarm that sounds.
    pub(super) fn alarms(&mut self) -> Sounding {
        let all = || Sounding::new(self.sounding.values().flatten().copied().collect());
        self.alarms.get_or_insert_with(all).clone()
    }
}
