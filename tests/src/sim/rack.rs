//! What happens at the rack and at the wall.

use super::happening::Happening;
use super::wall::{Sounding, Wall};
use super::world::{Checked, World};
use alarm::centre::Refused;
use alarm::event::{Actor, Event};
use alarm::panel::Signals;
use alarm::register::Site;
use alarm::{BoxId, PathId};
use std::collections::BTreeMap;

/// From the desk to the wall and back, in ms: one network.
const WALL_DELAY_MS: u64 = 5;
/// Longest commit of the journal.
const COMMIT_LONGEST_MS: u64 = 40;

impl World {
    #[allow(clippy::wildcard_enum_match_arm, reason = "`World::happen` sends only these here")]
    pub(super) fn rack(&mut self, happening: Happening) -> Checked {
        use Happening as H;
        match happening {
            H::DeskCrash if !self.mended => self.desk_crash()?,
            H::DeskStart if self.desk.running.is_none() => self.desk_start()?,
            H::DiskFull if !self.mended => self.desk.disk_full = true,
            H::DiskFreed => self.desk.disk_full = false,
            H::RackClock { by } => self.rack_clock(by),
            H::Committed { life } if self.desk.life == life => self.committed(),
            H::ConsolesBack { life } if self.desk.life == life => self.consoles_back(),
            H::Tick => self.tick(),
            H::Seat { seat } => self.sit(seat),
            H::Window { site, minutes } => self.window(site, minutes),
            H::WallCrash if self.wall.take().is_some() => {
                self.figures.crashes += 1;
                self.wall_linked = None;
            }
            H::WallStart if self.wall.is_none() => {
                self.wall = Some(Wall::new(self.siren_limit));
                self.later(10, 500, H::WallConnect);
            }
            H::WallCut => (self.wall_cut, self.wall_linked) = (true, None),
            H::WallMended => {
                self.wall_cut = false;
                self.later(10, 1_000, H::WallConnect);
            }
            H::WallConnect => self.wall_connect(),
            H::WallButton => {
                let now = self.now;
                let newest = self.wall.as_mut().and_then(|wall| wall.press(now));
                newest.into_iter().for_each(|newest| self.leave_wall(newest));
            }
            H::ToWall { link, signals, sounding } => self.reach_wall(link, signals, sounding),
            H::FromWall { link, newest } => self.acknowledged(link, newest)?,
            _ => {}
        }
        Ok(())
    }

    fn desk_crash(&mut self) -> Checked {
        if self.desk.running.is_some() {
            self.figures.crashes += 1;
            self.desk.crash(&mut self.rng)?;
            self.wall_linked = None;
            self.hang_up_all();
            self.truth.check_acked(&self.desk.ledger.notices())?;
            self.later(300, 2_000, Happening::WallConnect);
        }
        Ok(())
    }

    pub(super) fn desk_start(&mut self) -> Checked {
        let paths: Vec<(BoxId, PathId)> =
            (0..self.boxes.len()).flat_map(|site| [self.named(site, 0), self.named(site, 1)]).collect();
        self.desk.start(&paths, self.now)?;
        let life = self.desk.life;
        self.later(5_000, 5_000, Happening::ConsolesBack { life });
        self.after_desk();
        Ok(())
    }

    /// The register of a new centre.
    pub(super) fn register(&mut self) {
        self.desk.add(vec![Event::Opened { centre: "Simulated".into() }], self.now);
        for site in 0..self.boxes.len() {
            let (id, name) = (self.boxes[site].site.clone(), self.boxes[site].name.clone());
            let entry = Site {
                name: id.to_string(),
                id: id.clone(),
                address: String::new(),
                position: None,
                contacts: vec![],
                places: BTreeMap::new(),
            };
            self.ask(|centre| centre.register_site(entry, Actor::Desk));
            self.ask(|centre| centre.register_box(name, Some(id), Actor::Desk));
        }
        self.after_desk();
    }

    /// Asks the centre, and does what it decides.
    pub(super) fn ask(
        &mut self,
        what: impl FnOnce(&alarm::centre::Centre) -> Result<Vec<Event>, Refused>,
    ) -> bool {
        let decided = self.desk.centre().map(what);
        let done = matches!(&decided, Some(Ok(events)) if !events.is_empty());
        decided.into_iter().for_each(|decided| self.desk.decide(decided, self.now));
        done
    }

    fn rack_clock(&mut self, by: i64) {
        self.desk.clock += by;
        self.looks.clock_jumped = true;
    }

    /// What the desk does after every change: writes it down, and tells the wall.
    pub(super) fn after_desk(&mut self) {
        if self.desk.running.is_some() && self.desk.ledger.begin() {
            let life = self.desk.life;
            let slowest = if self.desk.disk_full { 1_000 } else { COMMIT_LONGEST_MS };
            self.later(1, slowest, Happening::Committed { life });
        }
        if let Some(centre) = self.desk.centre()
            && self.looks.signals != Some(centre.signals())
        {
            self.looks.signals = Some(centre.signals());
            self.looks.signals_since = self.now;
            self.signal();
        }
    }

    fn signal(&mut self) {
        let Some(running) = self.desk.running.as_mut().filter(|_| self.wall_linked.is_some()) else { return };
        let (signals, sounding) = (running.centre.signals(), running.second.alarms());
        let link = self.wall_link;
        self.later(WALL_DELAY_MS, WALL_DELAY_MS, Happening::ToWall { link, signals, sounding });
    }

    fn committed(&mut self) {
        let acks = self.desk.committed(self.now);
        acks.into_iter().for_each(|ack| self.acknowledge(ack));
        if self.rng.chance(2)
            && let Some(running) = &self.desk.running
        {
            self.desk.ledger.keep_snapshot(&running.centre);
        }
        self.after_desk();
    }

    fn tick(&mut self) {
        self.desk.tick(self.now);
        self.signal();
        self.after_desk();
        self.later(1_000, 1_000, Happening::Tick);
    }

    fn window(&mut self, site: usize, minutes: u64) {
        let (id, now) = (self.boxes.iter().map(|one| one.site.clone()).nth(site), self.desk.wall(self.now));
        let Some(id) = id else { return };
        let length = u32::try_from(minutes).unwrap_or(1);
        let of = id.clone();
        if self.ask(|centre| centre.open_window(&of, length, Actor::Desk, now)) {
            self.looks.windows.push((id, self.now, minutes));
            self.looks.clock_jumped = false;
        }
        self.after_desk();
    }

    fn wall_connect(&mut self) {
        if self.wall.is_none() || self.wall_linked.is_some() {
            return;
        }
        if self.wall_cut || self.desk.running.is_none() {
            self.later(250, 2_000, Happening::WallConnect);
            return;
        }
        self.wall_link += 1;
        self.wall_linked = Some(self.now);
        self.signal();
    }

    fn reach_wall(&mut self, link: u64, signals: Signals, sounding: Sounding) {
        let now = self.now;
        let Some(wall) = self.wall.as_mut().filter(|_| self.wall_linked.is_some() && link == self.wall_link)
        else {
            return;
        };
        let missed = wall.hear(signals, sounding, now);
        missed.into_iter().for_each(|newest| self.leave_wall(newest));
    }

    fn leave_wall(&mut self, newest: u64) {
        if self.wall_linked.is_some() {
            let link = self.wall_link;
            self.later(WALL_DELAY_MS, WALL_DELAY_MS, Happening::FromWall { link, newest });
        }
    }

    /// The wall's button has silenced what its people had heard, and nothing else.
    fn acknowledged(&mut self, link: u64, newest: u64) -> Checked {
        let Some(running) = self.desk.running.as_ref().filter(|_| link == self.wall_link) else {
            return Ok(());
        };
        let name = BoxId::new("wall-1").expect("a well-formed name");
        let events = running.centre.acknowledge_all(newest, &name);
        let seen = self.wall.as_ref().map(|wall| &wall.seen);
        for event in &events {
            let Event::Acknowledged { incident, .. } = event else { continue };
            let alarms = running.second.sounding.get(incident);
            if let Some(unseen) =
                alarms.into_iter().flatten().find(|id| seen.is_none_or(|seen| !seen.contains(id)))
            {
                return Err(format!(
                    "the wall's button acknowledged alarm {unseen}, which nobody there had heard"
                ));
            }
        }
        self.desk.add(events, self.now);
        self.after_desk();
        Ok(())
    }
}
