//! What people, walls and time may do to incidents, seats and test windows.

use super::Centre;
use crate::announcement::LoopEnd;
use crate::event::{About, Actor, Event};
use crate::incident::{ESCALATE_AFTER, Incident, NOTE_MAX, Outcome, Step};
use crate::media::CAMERAS_MAX;
use crate::panel::covers;
use crate::rollout::Version;
use crate::room;
use crate::{BoxId, Fault, IncidentId, SeatId, SiteId, UserId, Wall};
use std::time::Duration;

/// Longest test window: nobody forgets it for longer than a lesson.
pub const WINDOW_LONGEST: Duration = Duration::from_secs(30 * 60);
/// Open seats at the most: three times the largest centre known (300 call-takers).
pub const SEATS_MAX: usize = 1_000;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such thing.
    #[error("there is no {what} {name}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is one already.
    #[error("there is a {what} {name} already")]
    Exists {
        /// What was to be made.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Another seat was faster.
    #[error("seat {0} has answered it")]
    Answered(SeatId),
    /// It is over.
    #[error("incident {0} is closed")]
    Closed(IncidentId),
    /// The step does not follow.
    #[error("the incident is {from:?} and cannot become {to:?}")]
    Step {
        /// How far it is.
        from: Step,
        /// What was asked.
        to: Step,
    },
    /// Nobody owns it yet.
    #[error("nobody has answered incident {0} yet")]
    NotAnswered(IncidentId),
    /// The room says no.
    #[error(transparent)]
    Room(#[from] room::Refused),
    /// A real alarm is not written off as a test, nor a test as anything else.
    #[error("an incident that is {0:?} cannot be closed with this outcome")]
    Outcome(crate::Nature),
    /// Too long.
    #[error("the note is longer than {NOTE_MAX} bytes")]
    Note,
    /// Somebody else sits there.
    #[error("{0} sits at this seat")]
    SeatTaken(UserId),
    /// The seat still owns incidents.
    #[error("the seat owns {0} open incidents: transfer or close them first")]
    SeatBusy(usize),
    /// No such seat is logged on.
    #[error("nobody is logged on at seat {0}")]
    SeatEmpty(SeatId),
    /// [`SEATS_MAX`] reached.
    #[error("{SEATS_MAX} seats are logged on: no more")]
    SeatsFull,
    /// Not 1 to 30 minutes.
    #[error("a test window lasts from 1 to 30 minutes")]
    Window,
    /// The entry is not usable.
    #[error(transparent)]
    Entry(#[from] crate::register::BadEntry),
    /// The appliance was revoked; its name is not used again.
    #[error("box {0} is revoked: register a new name")]
    Revoked(BoxId),
    /// There is no box at a site behind this name yet.
    #[error("{0} is no enrolled box at a site")]
    NotEnrolled(BoxId),
    /// The last account that may keep accounts.
    #[error("{0} is the last administrator")]
    LastAdministrator(UserId),
    /// No camera was named, or too many.
    #[error("name 1 to {CAMERAS_MAX} cameras")]
    Cameras,
    /// Nobody looks at a school without saying why.
    #[error("a reason is needed, of at most {} characters", crate::register::TEXT_MAX)]
    Reason,
    /// The seat does not look at this box.
    #[error("this seat does not look at box {0}: begin with a reason")]
    NotWatching(BoxId),
    /// What is held no longer fits what a relay is told.
    #[error("too many recordings are held: release those of another incident first")]
    HoldFull,
    /// Too many still pictures.
    #[error("an incident has at most {} snapshots", super::SNAPSHOTS_MAX)]
    Snapshots,
    /// Only the host speaks into a site, and into a silent one nobody.
    #[error(
        "only the host of an ordinary incident may be heard at the site: incident {0} is another seat's, or silent"
    )]
    MayNotSpeak(IncidentId),
    /// Empty, too long, or with something that is no letter.
    #[error("an announcement has a name of 1 to {} characters", crate::announcement::NAME_MAX)]
    AnnouncementName,
    /// The list is full.
    #[error("there are {} announcements: remove one first", crate::announcement::ANNOUNCEMENTS_MAX)]
    Announcements,
    /// The store is full.
    #[error("there are {} bundles: remove one first", crate::rollout::BUNDLES_MAX)]
    Bundles,
    /// A roll-out needs it.
    #[error("version {0} is being rolled out: end the roll-out first")]
    BundleInUse(Version),
    /// Nothing to roll out.
    #[error("there is no bundle of version {0} for any of these boxes: add it first")]
    NoBundle(Version),
    /// It has never said that it runs an image of ours.
    #[error(
        "{0} has not said which version it runs: only a box that runs an appliance image and was linked can be updated"
    )]
    NoAppliance(BoxId),
    /// One at a time.
    #[error("version {0} is being rolled out: end that first")]
    RollingOut(Version),
    /// There is none.
    #[error("no roll-out is going on")]
    NoRollout,
    /// The rules of roll-outs say no.
    #[error(transparent)]
    Rollout(#[from] crate::rollout::Refused),
}

pub(super) type Decided = Result<Vec<Event>, Refused>;

impl Centre {
    /// Somebody at a seat has seen it. Doing it twice is no error and no event.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Closed`].
    pub fn acknowledge(&self, incident: IncidentId, by: Actor) -> Decided {
        let known = self.find(incident)?;
        Ok(if known.acknowledged.is_some() { vec![] } else { vec![Event::Acknowledged { incident, by }] })
    }

    /// The button at a wall: everything that sounded up to the mark `newest` has been seen.
    pub fn acknowledge_all(&self, newest: u64, wall: &BoxId) -> Vec<Event> {
        self.sounding()
            .filter(|incident| covers(newest, self.mark(incident)))
            .map(|incident| Event::Acknowledged { incident: incident.id, by: Actor::Wall(wall.clone()) })
            .collect()
    }

    /// A seat takes ownership.
    ///
    /// # Errors
    /// [`Refused::Answered`] when another seat was faster; answering one's own incident again is no error.
    pub fn answer(&self, incident: IncidentId, seat: &SeatId, user: &UserId) -> Decided {
        let known = self.find(incident)?;
        match &known.room {
            Some(room) if room.owner() == seat => Ok(vec![]),
            Some(room) => Err(Refused::Answered(room.owner().clone())),
            None => Ok(vec![Event::Answered { incident, seat: seat.clone(), user: user.clone() }]),
        }
    }

    /// The host offers it to another logged-on seat.
    ///
    /// # Errors
    /// [`Refused::SeatEmpty`], [`Refused::Room`].
    pub fn offer(&self, incident: IncidentId, to: &SeatId, seat: &SeatId, user: &UserId) -> Decided {
        let mut room = self.room(incident)?;
        if !self.seats.contains_key(to) {
            return Err(Refused::SeatEmpty(to.clone()));
        }
        room.offer(seat, to.clone())?;
        Ok(vec![Event::Offered { incident, to: to.clone(), by: person(user, seat) }])
    }

    /// The other seat takes it over.
    ///
    /// # Errors
    /// [`Refused::Room`].
    pub fn accept(&self, incident: IncidentId, seat: &SeatId, user: &UserId) -> Decided {
        self.room(incident)?.accept(seat)?;
        Ok(vec![Event::Transferred { incident, seat: seat.clone(), user: user.clone() }])
    }

    /// The host takes its offer back, or the other seat declines.
    ///
    /// # Errors
    /// [`Refused::Room`].
    pub fn withdraw(&self, incident: IncidentId, seat: &SeatId, user: &UserId) -> Decided {
        let mut room = self.room(incident)?;
        if room.offered() != Some(seat) {
            room.owned_by(seat)?;
        }
        room.withdraw()?;
        Ok(vec![Event::Withdrawn { incident, by: person(user, seat) }])
    }

    /// The host moves it on.
    ///
    /// # Errors
    /// [`Refused::Step`], [`Refused::Room`].
    pub fn progress(&self, incident: IncidentId, step: Step, seat: &SeatId, user: &UserId) -> Decided {
        self.room(incident)?.owned_by(seat)?;
        let from = self.find(incident)?.step;
        if !from.may_progress(step) {
            return Err(Refused::Step { from, to: step });
        }
        Ok(vec![Event::Progressed { incident, step, by: person(user, seat) }])
    }

    /// The host closes it.
    ///
    /// # Errors
    /// [`Refused::Outcome`], [`Refused::Note`], [`Refused::Room`].
    pub fn close(
        &self,
        incident: IncidentId,
        outcome: Outcome,
        note: String,
        seat: &SeatId,
        user: &UserId,
    ) -> Decided {
        self.room(incident)?.owned_by(seat)?;
        let known = self.find(incident)?;
        if !outcome.fits(known.nature) {
            return Err(Refused::Outcome(known.nature));
        }
        if note.len() > NOTE_MAX {
            return Err(Refused::Note);
        }
        let by = person(user, seat);
        let quiet = super::announce::ended(known, LoopEnd::Closed, by.clone());
        Ok(quiet.into_iter().chain([Event::Closed { incident, outcome, note, by }]).collect())
    }

    /// Somebody logs on. The same person may come back to the same seat.
    ///
    /// # Errors
    /// [`Refused::SeatTaken`], [`Refused::SeatsFull`].
    pub fn open_seat(&self, seat: &SeatId, user: &UserId) -> Decided {
        match self.seats.get(seat) {
            Some(there) if there.user == *user => Ok(vec![]),
            Some(there) => Err(Refused::SeatTaken(there.user.clone())),
            None if self.seats.len() >= SEATS_MAX => Err(Refused::SeatsFull),
            None => Ok(vec![Event::SeatOpened { seat: seat.clone(), user: user.clone() }]),
        }
    }

    /// Somebody signs out. Not while the seat is host.
    ///
    /// # Errors
    /// [`Refused::SeatBusy`].
    pub fn close_seat(&self, seat: &SeatId) -> Decided {
        let owned = self.owned_by(seat).count();
        if owned > 0 {
            return Err(Refused::SeatBusy(owned));
        }
        Ok(self.vacate(seat, false))
    }

    /// The console of a seat has gone away: what it owned rings again, at once and everywhere.
    pub fn lose_seat(&self, seat: &SeatId) -> Vec<Event> {
        self.vacate(seat, true)
    }

    pub(super) fn vacate(&self, seat: &SeatId, lost: bool) -> Vec<Event> {
        if !self.seats.contains_key(seat) {
            return vec![];
        }
        let offered =
            |incident: &&Incident| incident.room.as_ref().and_then(|room| room.offered()) == Some(seat);
        let declined =
            self.open.values().filter(offered).map(|i| Event::Withdrawn { incident: i.id, by: Actor::Desk });
        let requeued = self.owned_by(seat).map(|i| Event::Requeued { incident: i.id, seat: seat.clone() });
        let unwatched = self.watched_by(seat);
        let closed = Event::SeatClosed { seat: seat.clone(), lost };
        declined.chain(requeued).chain(unwatched).chain(std::iter::once(closed)).collect()
    }

    /// Opens a test window, or moves the end of the open one.
    ///
    /// # Errors
    /// [`Refused::Window`] outside 1 to 30 minutes.
    pub fn open_window(&self, site: &SiteId, minutes: u32, by: Actor, now: Wall) -> Decided {
        self.site_known(site)?;
        let length = Duration::from_secs(u64::from(minutes) * 60);
        if length.is_zero() || length > WINDOW_LONGEST {
            return Err(Refused::Window);
        }
        Ok(vec![Event::WindowOpened { site: site.clone(), until: now + length, by }])
    }

    /// Closes a test window before its time.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn close_window(&self, site: &SiteId, by: Actor) -> Decided {
        self.site_known(site)?;
        let open = self.windows.contains_key(site);
        Ok(if open { vec![Event::WindowClosed { site: site.clone(), by }] } else { vec![] })
    }

    /// The desk has found a fault. `None` when it stands already.
    pub fn raise(&self, about: About, fault: Fault) -> Option<Event> {
        (!self.is_faulty(&about, &fault)).then_some(Event::FaultRaised { about, fault })
    }

    /// A fault that the desk had found is over. `None` when it does not stand.
    pub fn clear(&self, about: About, fault: Fault) -> Option<Event> {
        self.is_faulty(&about, &fault).then_some(Event::FaultCleared { about, fault })
    }

    /// What is due at `now`: windows, watches and loops that end themselves, incidents that nobody answers.
    pub fn due(&self, now: Wall) -> Vec<Event> {
        let ended = self.windows.iter().filter(|(_, window)| !window.is_open(now));
        let closed = ended.map(|(site, _)| Event::WindowClosed { site: site.clone(), by: Actor::Desk });
        let late = |i: &&Incident| {
            i.step == Step::Ringing
                && !i.escalated
                && i.is_real_hold_up()
                // A clock that has been set back puts it off by twice that, not by the whole step.
                && now.since(i.received).max(i.received.since(now)) >= ESCALATE_AFTER
        };
        let escalated = self.open.values().filter(late).map(|i| Event::Escalated { incident: i.id });
        closed
            .chain(escalated)
            .chain(self.watches_due(now))
            .chain(self.loops_due(now))
            .chain(self.unproved(now))
            .collect()
    }

    pub(super) fn find(&self, id: IncidentId) -> Result<&Incident, Refused> {
        match self.incident(id) {
            Some(incident) if incident.step == Step::Closed => Err(Refused::Closed(id)),
            Some(incident) => Ok(incident),
            None => Err(Refused::NotFound { what: "incident", name: id.to_string() }),
        }
    }

    fn room(&self, id: IncidentId) -> Result<room::Room, Refused> {
        self.find(id)?.room.clone().ok_or(Refused::NotAnswered(id))
    }

    fn owned_by(&self, seat: &SeatId) -> impl Iterator<Item = &Incident> {
        self.open
            .values()
            .filter(move |incident| incident.room.as_ref().is_some_and(|room| room.owner() == seat))
    }

    pub(super) fn site_known(&self, site: &SiteId) -> Result<(), Refused> {
        let missing = || Refused::NotFound { what: "site", name: site.to_string() };
        self.sites.contains_key(site).then_some(()).ok_or_else(missing)
    }
}

fn person(user: &UserId, seat: &SeatId) -> Actor {
    Actor::Seat { user: user.clone(), seat: seat.clone() }
}
