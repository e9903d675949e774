//! The fold itself. Applying never fails: the events were decided upon, and a journal that makes no sense is found
//! by its hash chain, not here.

use super::{CLOSED_KEPT, Centre, SEEN_KEPT, Seated, Touched, Window};
use crate::event::{About, Event};
use crate::incident::{Alarm, Incident, Kind, Mark, Step, priority};
use crate::register::{Appliance, Enrolment, Ticket};
use crate::room::Room;
use crate::{BoxId, Fault, IncidentId, Mode, Nature, Notice, NoticeId, PathId, SeatId, Wall, What};
use std::collections::BTreeSet;

/// A received notice with all that was said about it.
struct Arrival<'a> {
    seq: u64,
    at: Wall,
    notice: &'a Notice,
    from: &'a BoxId,
    path: &'a PathId,
    nature: Nature,
}

impl Centre {
    /// Takes the next event, which was written at `at`.
    pub fn apply(&mut self, at: Wall, event: &Event) -> Touched {
        self.seq += 1;
        if let Some(void) = self.voided_by(event) {
            self.void(void);
        }
        match event {
            Event::Opened { centre } => {
                self.name.clone_from(centre);
                Touched::Desk
            }
            Event::Received { notice, from, path, nature, incident } => {
                let arrival = Arrival { seq: self.seq, at, notice, from, path, nature: *nature };
                self.arrived(&arrival, *incident)
            }
            Event::Started { .. } => self.started(at),
            Event::PasswordChanged { .. } | Event::SelfTestAsked { .. } => Touched::Quiet,
            Event::FaultRaised { about, fault } => self.fault(about.clone(), fault, Some(at)),
            Event::FaultCleared { about, fault } => self.fault(about.clone(), fault, None),
            Event::Acknowledged { incident, .. }
            | Event::Answered { incident, .. }
            | Event::Offered { incident, .. }
            | Event::Transferred { incident, .. }
            | Event::Withdrawn { incident, .. }
            | Event::Progressed { incident, .. }
            | Event::Closed { incident, .. }
            | Event::Escalated { incident }
            | Event::Requeued { incident, .. } => self.worked(*incident, at, event),
            Event::SeatOpened { .. } | Event::SeatClosed { .. } => self.seated(at, event),
            Event::WindowOpened { .. } | Event::WindowClosed { .. } | Event::SiteWritten { .. } => {
                self.site_written(at, event)
            }
            Event::BoxRegistered { .. }
            | Event::TicketIssued { .. }
            | Event::BoxEnrolled { .. }
            | Event::PathsDeclared { .. }
            | Event::CertificateRenewed { .. }
            | Event::RenewalConfirmed { .. }
            | Event::BoxRevoked { .. } => self.registered(at, event),
            Event::Commissioned { name, by, .. } => self.commissioned(name, at, by),
            Event::AccountMade { account, .. } => {
                self.accounts.insert(account.user.clone(), account.clone());
                Touched::Quiet
            }
            Event::AccountRemoved { user, .. } => {
                self.accounts.remove(user);
                Touched::Quiet
            }
            Event::Recorded { relay, number, what, .. } => self.recorded_now(at, relay, *number, what),
            Event::PassIssued { .. }
            | Event::WatchBegan { .. }
            | Event::WatchEnded { .. }
            | Event::Held { .. }
            | Event::SnapshotTaken { .. } => self.looked(at, event),
            Event::AnnouncementAdded { .. }
            | Event::AnnouncementRenamed { .. }
            | Event::AnnouncementRemoved { .. }
            | Event::LoopBegan { .. }
            | Event::LoopEnded { .. } => self.announced_now(at, event),
            Event::BundleAdded { .. }
            | Event::BundleRemoved { .. }
            | Event::SoftwareTold { .. }
            | Event::RolloutBegan { .. }
            | Event::UpdateBegan { .. }
            | Event::UpdateFailed { .. }
            | Event::RolloutHalted { .. }
            | Event::RolloutPaused { .. }
            | Event::RolloutResumed { .. }
            | Event::RolloutEnded { .. } => self.updated(at, event),
        }
    }

    /// The time tells this life from the others. A count would not: the start itself may have been lost with the
    /// end of the journal.
    fn started(&mut self, at: Wall) -> Touched {
        self.life = u64::try_from(at.millis()).unwrap_or(0) & u64::from(u32::MAX);
        Touched::Quiet
    }

    fn arrived(&mut self, arrival: &Arrival<'_>, incident: Option<IncidentId>) -> Touched {
        self.remember(arrival.from, arrival.notice.id);
        let notice = arrival.notice;
        let about =
            About { name: Some(arrival.from.clone()), point: notice.point.clone(), ..About::default() };
        match &notice.what {
            What::Alarm { mode, at_start, .. } => {
                self.alarm(arrival, incident, Kind::HoldUp, *mode, *at_start)
            }
            What::Tampered => {
                self.fault(about, &Fault::Tampered, Some(arrival.at));
                self.alarm(arrival, incident, Kind::Tamper, Mode::Silent, false)
            }
            What::Repeat { of, count } => self.repeated(arrival, incident, *of, *count),
            What::Restored { of } => self.restored(arrival, incident, *of),
            What::TamperRestored => self.fault(about, &Fault::Tampered, None),
            What::Fault { fault } => self.fault(about, fault, Some(arrival.at)),
            What::Cleared { fault } => self.fault(about, fault, None),
            What::SelfTest(report) => self.selftested(arrival.from, notice, report, arrival.at),
        }
    }

    fn remember(&mut self, from: &BoxId, id: NoticeId) {
        let seen = self.seen.entry(from.clone()).or_default();
        seen.push_back(id);
        if seen.len() > SEEN_KEPT {
            seen.pop_front();
        }
    }

    fn alarm(
        &mut self,
        arrival: &Arrival<'_>,
        id: Option<IncidentId>,
        kind: Kind,
        mode: Mode,
        at_start: bool,
    ) -> Touched {
        let Some(id) = id else { return Touched::Quiet };
        let alarm = Alarm {
            id: arrival.notice.id,
            from: arrival.from.clone(),
            point: arrival.notice.point.clone(),
            at: arrival.notice.at,
            received: arrival.at,
            path: arrival.path.clone(),
            clock_sure: arrival.notice.clock_sure,
            at_start,
            count: 1,
            restored: None,
        };
        let incident = self.incident_for(arrival, id, kind, mode);
        incident.alarms.push(alarm);
        freshen(incident, arrival, mode);
        Touched::Incident(id)
    }

    fn incident_for(
        &mut self,
        arrival: &Arrival<'_>,
        id: IncidentId,
        kind: Kind,
        mode: Mode,
    ) -> &mut Incident {
        self.last_incident = self.last_incident.max(id.0);
        let site = self.boxes.get(arrival.from).and_then(|appliance| appliance.site.clone());
        let running = self.running_takes(arrival.from);
        self.open.entry(id).or_insert_with(|| Incident {
            id,
            kind,
            mode,
            nature: arrival.nature,
            priority: priority(kind, arrival.nature),
            step: Step::Ringing,
            site,
            from: arrival.from.clone(),
            alarms: Vec::new(),
            newest: arrival.seq,
            newest_at: arrival.at,
            received: arrival.at,
            acknowledged: None,
            answered: None,
            room: None,
            escalated: false,
            requeued: false,
            outcome: None,
            note: String::new(),
            closed: None,
            takes: running,
            held: false,
            seen_by: BTreeSet::new(),
            snapshots: 0,
            playing: None,
        })
    }

    fn repeated(
        &mut self,
        arrival: &Arrival<'_>,
        id: Option<IncidentId>,
        of: NoticeId,
        count: u32,
    ) -> Touched {
        let Some(id) = id else { return Touched::Quiet };
        let known =
            self.open.get_mut(&id).filter(|incident| incident.alarms.iter().any(|alarm| alarm.id == of));
        let Some(incident) = known else {
            // The repeat came before its alarm, or long after: it stands for itself.
            return self.alarm(arrival, Some(id), Kind::HoldUp, Mode::Silent, false);
        };
        for alarm in incident.alarms.iter_mut().filter(|alarm| alarm.id == of) {
            alarm.count = alarm.count.max(count);
        }
        let mode = incident.mode;
        freshen(incident, arrival, mode);
        Touched::Incident(id)
    }

    fn restored(&mut self, arrival: &Arrival<'_>, id: Option<IncidentId>, of: Option<NoticeId>) -> Touched {
        let Some(incident) = id.and_then(|id| self.open.get_mut(&id)) else {
            return Touched::Box(arrival.from.clone());
        };
        for alarm in incident.alarms.iter_mut().filter(|alarm| Some(alarm.id) == of) {
            alarm.restored = Some(arrival.at);
        }
        Touched::Incident(incident.id)
    }

    fn fault(&mut self, about: About, fault: &Fault, since: Option<Wall>) -> Touched {
        let touched = about.name.clone().map_or(Touched::Desk, Touched::Box);
        match since {
            Some(at) => {
                self.faults.entry((about, fault.clone())).or_insert(at);
            }
            None => {
                self.faults.remove(&(about, fault.clone()));
            }
        }
        touched
    }

    fn worked(&mut self, id: IncidentId, at: Wall, event: &Event) -> Touched {
        let seq = self.seq;
        if let Some(incident) = self.open.get_mut(&id) {
            work(incident, seq, at, event);
            if incident.step == Step::Closed {
                self.shelve(id);
            }
        }
        Touched::Incident(id)
    }

    fn shelve(&mut self, id: IncidentId) {
        if let Some(incident) = self.open.remove(&id) {
            self.closed.insert(id, incident);
        }
        if self.closed.len() > CLOSED_KEPT {
            self.closed.pop_first();
        }
    }

    fn seated(&mut self, at: Wall, event: &Event) -> Touched {
        if let Event::SeatOpened { seat, user } = event {
            self.seats.insert(seat.clone(), Seated { user: user.clone(), since: at });
        }
        if let Event::SeatClosed { seat, .. } = event {
            self.seats.remove(seat);
        }
        Touched::Seats
    }

    fn site_written(&mut self, at: Wall, event: &Event) -> Touched {
        if let Event::SiteWritten { site, .. } = event {
            self.sites.insert(site.id.clone(), site.clone());
            return Touched::Site(site.id.clone());
        }
        if let Event::WindowOpened { site, until, .. } = event {
            self.windows.insert(site.clone(), Window { from: at, until: *until });
            return Touched::Site(site.clone());
        }
        if let Event::WindowClosed { site, .. } = event {
            self.windows.remove(site);
            return Touched::Site(site.clone());
        }
        Touched::Quiet
    }

    fn registered(&mut self, at: Wall, event: &Event) -> Touched {
        if let Event::BoxRegistered { name, site, .. } = event {
            let appliance = Appliance {
                name: name.clone(),
                site: site.clone(),
                enrolment: Enrolment::Waiting,
                paths: vec![],
                commissioned: None,
            };
            self.boxes.insert(name.clone(), appliance);
            return Touched::Box(name.clone());
        }
        if let Event::TicketIssued { number, name, expires, .. } = event {
            let ticket = Ticket { name: name.clone(), expires: *expires, used_by: None };
            self.tickets.insert(number.clone(), ticket);
            return Touched::Box(name.clone());
        }
        if let Event::BoxEnrolled { name, ticket, key, until } = event {
            if let Some(ticket) = self.tickets.get_mut(ticket) {
                ticket.used_by = Some(key.clone());
            }
            // A relay that begins anew counts anew.
            self.relays.remove(name);
            self.expect_selftest(name, at);
            if let Some(entry) = self.boxes.get_mut(name) {
                entry.commissioned = None;
            }
            return self.keyed(name, key, *until, false);
        }
        if let Event::CertificateRenewed { name, key, until } = event {
            return self.keyed(name, key, *until, true);
        }
        if let Event::RenewalConfirmed { name } = event {
            return self.confirmed(name);
        }
        if let Event::BoxRevoked { name, .. } = event {
            return self.revoked(name);
        }
        if let Event::PathsDeclared { name, paths } = event {
            return self.declared(name, paths);
        }
        Touched::Quiet
    }

    fn keyed(&mut self, name: &BoxId, new: &str, until: Wall, renewed: bool) -> Touched {
        if let Some(appliance) = self.boxes.get_mut(name) {
            let previous = match &appliance.enrolment {
                Enrolment::Enrolled { key, .. } if renewed => Some(key.clone()),
                Enrolment::Enrolled { .. } | Enrolment::Waiting | Enrolment::Revoked => None,
            };
            appliance.enrolment = Enrolment::Enrolled { key: new.to_owned(), previous, until };
        }
        Touched::Box(name.clone())
    }

    fn confirmed(&mut self, name: &BoxId) -> Touched {
        if let Some(Enrolment::Enrolled { previous, .. }) =
            self.boxes.get_mut(name).map(|known| &mut known.enrolment)
        {
            *previous = None;
        }
        Touched::Box(name.clone())
    }

    fn declared(&mut self, name: &BoxId, paths: &[PathId]) -> Touched {
        if let Some(appliance) = self.boxes.get_mut(name) {
            appliance.paths = paths.to_vec();
        }
        let gone = |about: &About| about.path.as_ref().is_some_and(|path| !paths.contains(path));
        self.faults.retain(|(about, _), _| about.name.as_ref() != Some(name) || !gone(about));
        Touched::Box(name.clone())
    }

    fn revoked(&mut self, name: &BoxId) -> Touched {
        if let Some(appliance) = self.boxes.get_mut(name) {
            appliance.enrolment = Enrolment::Revoked;
        }
        self.faults.retain(|(about, _), _| about.name.as_ref() != Some(name));
        self.tickets.retain(|_, ticket| ticket.name != *name);
        self.watches.remove(name);
        self.selftests.remove(name);
        self.updates.forget(name);
        Touched::Box(name.clone())
    }
}

/// A new press in an incident: it is counted, and rings again where nobody has answered yet.
fn freshen(incident: &mut Incident, arrival: &Arrival<'_>, mode: Mode) {
    incident.newest = arrival.seq;
    incident.newest_at = arrival.at;
    if mode == Mode::Silent {
        incident.mode = Mode::Silent;
    }
    if incident.step == Step::Ringing {
        incident.acknowledged = None;
    }
}

fn work(incident: &mut Incident, seq: u64, at: Wall, event: &Event) {
    if let Event::Acknowledged { by, .. } = event {
        incident.acknowledged = Some(Mark { at, by: by.clone() });
    }
    if let Event::Answered { seat, user, .. } = event {
        let by = crate::event::Actor::Seat { user: user.clone(), seat: seat.clone() };
        incident.acknowledged.get_or_insert(Mark { at, by });
        incident.answered.get_or_insert(at);
        incident.step = Step::Answered;
        incident.room = Some(Room::open(incident.id, seat.clone()));
    }
    if let Event::Progressed { step, .. } = event {
        incident.step = *step;
    }
    if let Event::Escalated { .. } = event {
        incident.escalated = true;
    }
    if let Event::Requeued { .. } = event {
        incident.step = Step::Ringing;
        incident.acknowledged = None;
        incident.room = None;
        incident.requeued = true;
        incident.newest = seq;
    }
    if let Event::Closed { outcome, note, .. } = event {
        incident.step = Step::Closed;
        incident.outcome = Some(*outcome);
        incident.note.clone_from(note);
        incident.closed = Some(at);
    }
    if let Some(room) = &mut incident.room {
        host(room, event);
    }
}

fn host(room: &mut Room, event: &Event) {
    let owner: SeatId = room.owner().clone();
    // Refusals were decided upon before the event was written; replaying one changes nothing.
    let _ = if let Event::Offered { to, .. } = event {
        room.offer(&owner, to.clone())
    } else if let Event::Transferred { seat, .. } = event {
        room.accept(seat)
    } else if let Event::Withdrawn { .. } = event {
        room.withdraw()
    } else {
        Ok(())
    };
}
