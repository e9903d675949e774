//! Connections between boxes and rack: in order, with delay, and dead from the moment in which their path or one of
//! their ends fails. Each end notices for itself.

use super::happening::{End, Happening};
use super::world::{Checked, World};
use alarm::path::IDLE_TIMEOUT;
use alarm::{BoxId, Mono, Notice, NoticeId, PathId};
use std::time::Duration;

/// The least that tells messages apart in time.
const AFTER: Duration = Duration::from_micros(1);

#[derive(Debug)]
pub(super) struct Connection {
    site: usize,
    path: usize,
    box_life: u64,
    desk_life: u64,
    pub(super) since: Mono,
    pub(super) dead: bool,
    box_open: bool,
    desk_open: bool,
    /// When the last message arrives, there and here.
    last_up: Mono,
    last_down: Mono,
}

impl World {
    #[allow(clippy::wildcard_enum_match_arm, reason = "`World::happen` sends only these here")]
    pub(super) fn carry(&mut self, happening: Happening) -> Checked {
        match happening {
            Happening::PathCut { site, path } if !self.mended => {
                self.boxes[site].paths[path].cut = true;
                if let Some(connection) = self.boxes[site].paths[path].connection {
                    self.kill(connection);
                }
            }
            Happening::PathMended { site, path } => self.boxes[site].paths[path].cut = false,
            Happening::Connect { site, path } => self.connect(site, path),
            Happening::Noticed { connection, end: End::Box } => self.box_noticed(connection),
            Happening::Noticed { connection, end: End::Desk } => self.desk_noticed(connection),
            Happening::ToDesk { connection, notice } => self.reach_desk(connection, notice)?,
            Happening::ToBox { connection, id } => self.reach_box(connection, id),
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self, site: usize, path: usize) {
        let one = &self.boxes[site];
        if one.school.running.is_none() || one.paths[path].connection.is_some() {
            return;
        }
        if one.paths[path].cut || self.desk.running.is_none() {
            self.later(100, 2_000, Happening::Connect { site, path });
            return;
        }
        let number = self.connections.len();
        let now = self.now;
        let (box_life, desk_life) = (one.school.life, self.desk.life);
        self.connections.push(Connection {
            site,
            path,
            box_life,
            desk_life,
            since: now,
            dead: false,
            box_open: true,
            desk_open: true,
            last_up: now,
            last_down: now,
        });
        let name = self.named(site, path);
        self.looks.down.remove(&(site, path));
        self.desk.path_up(&name, number, now);
        let one = &mut self.boxes[site];
        one.paths[path].connection = Some(number);
        one.school.path_up(&name.1);
        self.send(site);
        self.after_desk();
    }

    pub(super) fn named(&self, site: usize, path: usize) -> (BoxId, PathId) {
        (self.boxes[site].name.clone(), self.boxes[site].paths[path].name.clone())
    }

    fn kill(&mut self, number: usize) {
        let idle = u64::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        if !std::mem::replace(&mut self.connections[number].dead, true) {
            let Connection { site, path, .. } = self.connections[number];
            self.looks.down.insert((site, path), self.now);
            for end in [End::Box, End::Desk] {
                self.later(50, idle, Happening::Noticed { connection: number, end });
            }
        }
    }

    /// The box has died and knows nothing any more.
    pub(super) fn hang_up(&mut self, site: usize) {
        for path in 0..2 {
            if let Some(number) = self.boxes[site].paths[path].connection.take() {
                self.connections[number].box_open = false;
                self.kill(number);
            }
        }
    }

    /// The desk has died.
    pub(super) fn hang_up_all(&mut self) {
        for number in 0..self.connections.len() {
            if std::mem::take(&mut self.connections[number].desk_open) {
                self.kill(number);
            }
        }
    }

    fn box_noticed(&mut self, number: usize) {
        let (site, path) = (self.connections[number].site, self.connections[number].path);
        let same = self.boxes[site].school.life == self.connections[number].box_life;
        if std::mem::take(&mut self.connections[number].box_open) && same {
            let name = self.named(site, path);
            self.boxes[site].school.path_down(&name.1);
            self.boxes[site].paths[path].connection = None;
            self.later(50, 1_000, Happening::Connect { site, path });
            self.send(site);
        }
    }

    fn desk_noticed(&mut self, number: usize) {
        let Connection { site, path, desk_life, .. } = self.connections[number];
        if std::mem::take(&mut self.connections[number].desk_open) && self.desk.life == desk_life {
            let name = self.named(site, path);
            self.desk.path_gone(&name, number, self.now);
            self.after_desk();
        }
    }

    /// Sends what the box has to send.
    pub(super) fn send(&mut self, site: usize) {
        while let Some(send) = self.boxes[site].school.poll(self.now) {
            let path = usize::from(self.boxes[site].paths[1].name == send.path);
            let Some(connection) = self.boxes[site].paths[path].connection else { continue };
            let arrives = self.now + self.delay(site, path);
            let last = &mut self.connections[connection].last_up;
            *last = arrives.max(*last + AFTER);
            let at = *last;
            self.queue.put(at, Happening::ToDesk { connection, notice: send.notice });
        }
        self.set_timer(site);
    }

    /// A lost packet is a late one: QUIC sends it again.
    fn delay(&mut self, site: usize, path: usize) -> Duration {
        let usual = self.boxes[site].paths[path].delay_ms;
        if self.rng.chance(8) { self.rng.ms(200, 3_000) } else { self.rng.ms(usual, usual + usual / 2) }
    }

    fn reach_desk(&mut self, connection: usize, notice: Notice) -> Checked {
        let Connection { site, path, dead, desk_open, .. } = self.connections[connection];
        if dead || !desk_open || self.desk.running.is_none() {
            return Ok(());
        }
        let name = self.named(site, path);
        self.check_nature(site, &name, &notice)?;
        let ack = self.desk.receive(&name, notice, connection, self.now);
        ack.into_iter().for_each(|ack| self.acknowledge(ack));
        self.after_desk();
        Ok(())
    }

    pub(super) fn acknowledge(&mut self, ack: super::desk::Ack) {
        let Connection { site, path, desk_open, .. } = self.connections[ack.connection];
        if !desk_open {
            return;
        }
        self.truth.acked(ack.id);
        let arrives = self.now + self.delay(site, path);
        let last = &mut self.connections[ack.connection].last_down;
        *last = arrives.max(*last + AFTER);
        let at = *last;
        self.queue.put(at, Happening::ToBox { connection: ack.connection, id: ack.id });
    }

    fn reach_box(&mut self, connection: usize, id: NoticeId) {
        let Connection { site, dead, box_open, .. } = self.connections[connection];
        // Now and then an ACK is lost though its connection lives: whoever had to send it has died.
        if !dead && box_open && !self.rng.chance(2) {
            self.boxes[site].school.ack(id, &mut self.rng);
            self.send(site);
        }
    }
}
