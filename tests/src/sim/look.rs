//! What must be so, at every look and in the end.

use super::happening::Happening;
use super::wall::Sounding;
use super::world::{Checked, World};
use alarm::centre::{Receipt, Standing};
use alarm::event::{About, Event};
use alarm::incident::{ESCALATE_AFTER, Incident, Step};
use alarm::panel::Signals;
use alarm::path::LOST_AFTER;
use alarm::{BoxId, Fault, IncidentId, Mono, Nature, Notice, NoticeId, PathId, SiteId, What, queue};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the world is looked at.
const EVERY_MS: u64 = 500;
/// What a change may take to reach the wall: its delay, and one repetition.
const SHOWN_WITHIN: Duration = Duration::from_millis(1_500);
/// What the loss of a path may take to stand in the state: the figure, and the desk's second.
const LOST_WITHIN: Duration = LOST_AFTER.saturating_add(Duration::from_secs(2));

/// What an escalation may be late, beside a clock that is set back: that makes it three times as long, no more.
const ESCALATED_SLACK: Duration = Duration::from_secs(3);

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pub(super) signals: Option<Signals>,
    pub(super) signals_since: Mono,
    /// Test windows: where, since when, for how many minutes.
    pub(super) windows: Vec<(SiteId, Mono, u64)>,
    /// The rack's clock has jumped since the last window was opened.
    pub(super) clock_jumped: bool,
    /// What had sounded when the siren was cut.
    cut: Sounding,
    /// Since when each real hold-up rings without having been escalated.
    ringing: BTreeMap<IncidentId, Mono>,
    /// Since when each path has had no connection that works.
    pub(super) down: BTreeMap<(usize, usize), Mono>,
}

impl World {
    pub(super) fn look(&mut self) -> Checked {
        self.look_at_queue()?;
        self.look_at_ringing()?;
        (0..self.boxes.len()).try_for_each(|site| self.look_at_faults(site))?;
        self.look_at_wall()?;
        for site in 0..self.boxes.len() {
            (0..2).try_for_each(|path| self.look_at_path(site, path))?;
        }
        self.later(EVERY_MS, EVERY_MS, Happening::Look);
        Ok(())
    }

    /// Every incident waits until it is answered, and every real hold-up sounds until somebody has seen it.
    fn look_at_queue(&self) -> Checked {
        let Some(running) = &self.desk.running else { return Ok(()) };
        let (centre, second) = (&running.centre, &running.second);
        let waiting: BTreeSet<IncidentId> =
            queue::waiting(centre.open().into_iter()).iter().map(|i| i.id).collect();
        if waiting != second.waiting {
            return Err(format!("seats see {waiting:?} waiting, but {:?} wait", second.waiting));
        }
        let gone = |i: &&&Incident| i.room.as_ref().is_some_and(|room| centre.seat(room.owner()).is_none());
        if let Some(lonely) = centre.open().iter().find(gone) {
            return Err(format!("incident {} is owned by a seat where nobody is", lonely.id));
        }
        let sounding = usize::try_from(centre.signals().unacknowledged).unwrap_or(usize::MAX);
        if sounding != second.sounding.len() {
            return Err(format!("{sounding} incidents sound, but {:?} should", second.sounding));
        }
        Ok(())
    }

    /// A real hold-up that nobody answers escalates, whatever the rack's clock does.
    fn look_at_ringing(&mut self) -> Checked {
        let Some(running) = &self.desk.running else { return Ok(()) };
        let (now, up) = (self.now, self.now.since(running.since) >= ESCALATED_SLACK);
        let rings = |i: &&&Incident| i.is_real_hold_up() && i.step == Step::Ringing && !i.escalated;
        let ringing: BTreeSet<IncidentId> =
            running.centre.open().iter().filter(rings).map(|i| i.id).collect();
        self.looks.ringing.retain(|id, _| ringing.contains(id));
        for id in ringing {
            let since = *self.looks.ringing.entry(id).or_insert(now);
            if up && now.since(since) >= ESCALATE_AFTER * 3 + ESCALATED_SLACK {
                return Err(format!("incident {id} has been ringing since {since:?}, and nobody is told"));
            }
        }
        Ok(())
    }

    /// When a box has nothing more to deliver, the desk knows of its points what the box knows.
    fn look_at_faults(&self, site: usize) -> Checked {
        let (one, Some(centre)) = (&self.boxes[site], self.desk.centre()) else { return Ok(()) };
        let Some(told) = one.school.told().filter(|_| one.school.is_idle()) else { return Ok(()) };
        let of_point = |standing: Standing<'_>| Some((standing.about.point.clone()?, standing.fault.clone()));
        let known: BTreeSet<_> = centre.faults_of(Some(&one.name)).filter_map(of_point).collect();
        if known == told {
            Ok(())
        } else {
            Err(format!("{} has told {told:?}, and the desk knows {known:?}", one.name))
        }
    }

    fn look_at_wall(&mut self) -> Checked {
        let now = self.now;
        let Some(wall) = &mut self.wall else { return Ok(()) };
        wall.panel.handle_time(now);
        let siren = wall.panel.outputs(now).siren;
        self.figures.sirens += usize::from(siren);
        if !wall.panel.siren_cut() {
            self.looks.cut = Sounding::default();
        } else if self.looks.cut.is_empty() {
            self.looks.cut = wall.sounding.clone();
        }
        let Some(running) = &mut self.desk.running else { return Ok(()) };
        let steady = |since: Mono| now.since(since) >= SHOWN_WITHIN;
        let linked = self.wall_linked.is_some_and(steady);
        if !linked || !steady(running.since) || !steady(self.looks.signals_since) {
            return Ok(());
        }
        let alarms = running.second.alarms();
        let heard = |known: &BTreeSet<NoticeId>| alarms.is_subset(known);
        match (alarms.is_empty(), siren) {
            (true, true) => Err("the siren sounds, and no hold-up is unacknowledged".into()),
            (false, false) if !heard(&wall.seen) && !heard(&self.looks.cut) => {
                Err(format!("the siren is silent, and nobody has seen {alarms:?}"))
            }
            _ => Ok(()),
        }
    }

    fn look_at_path(&mut self, site: usize, path: usize) -> Checked {
        let number = self.boxes[site].paths[path].connection;
        let live = number.map(|number| &self.connections[number]).filter(|connection| !connection.dead);
        let up = live.map(|connection| connection.since);
        let down = self.looks.down.get(&(site, path)).copied();
        let Some(running) = &self.desk.running else { return Ok(()) };
        let (name, path) = self.named(site, path);
        let about = About::path(name.clone(), path.clone());
        let lost = running.centre.is_faulty(&about, &Fault::PathLost);
        let since = |at: Mono| self.now.since(at.max(running.since));
        match (up, down) {
            (Some(_), _) if lost => Err(format!("path {path} of {name} works and is told as lost")),
            (None, Some(down)) if !lost && since(down) >= LOST_WITHIN => {
                Err(format!("path {path} of {name} is lost, and nobody is told"))
            }
            _ => Ok(()),
        }
    }

    /// A press is a test only while its site is tested, and always then.
    pub(super) fn check_nature(
        &self,
        site: usize,
        (name, path): &(BoxId, PathId),
        notice: &Notice,
    ) -> Checked {
        let Some(centre) = self.desk.centre() else { return Ok(()) };
        let What::Alarm { .. } = notice.what else { return Ok(()) };
        let at = self.desk.wall(self.now);
        let Receipt::New(event) = centre.receive(name, path, notice.clone(), at) else { return Ok(()) };
        let Event::Received { nature, .. } = *event else { return Ok(()) };
        let here = self.looks.windows.iter().filter(|(of, ..)| *of == self.boxes[site].site);
        let length = |minutes: u64| Duration::from_secs(minutes * 60);
        // A clock that jumps back may lengthen a window once, by no more than its length.
        let perhaps =
            |(_, from, minutes): &(SiteId, Mono, u64)| self.now.since(*from) <= length(*minutes) * 2;
        let window = here.clone().any(perhaps);
        match nature {
            Nature::Test if !window => {
                Err(format!("{notice:?} was taken for a test, and nobody tests there"))
            }
            Nature::Test | Nature::Real | Nature::Drill => Ok(()),
        }
    }

    pub(super) fn check_end(&mut self) -> Checked {
        let events: Vec<&Event> = self.desk.ledger.events().collect();
        self.figures.presses = self.truth.presses.len();
        self.figures.obliged = self.truth.obliged.len();
        self.figures.lines = events.len();
        for one in &self.boxes {
            if !one.school.is_idle() {
                return Err(format!("{} still has something to deliver", one.name));
            }
        }
        self.truth.check(&events)?;
        self.truth.check_acked(&self.desk.ledger.notices())?;
        let Some(centre) = self.desk.centre() else { return Err("the desk is down".into()) };
        if self.desk.ledger.replay()? != *centre {
            return Err("the state of the desk is not what its journal makes".into());
        }
        let names = self.boxes.iter().map(|one| Some(&one.name)).chain([None]);
        let standing: Vec<_> = names.flat_map(|name| centre.faults_of(name)).collect();
        if standing.is_empty() { Ok(()) } else { Err(format!("everything is mended, and yet: {standing:?}")) }
    }
}
