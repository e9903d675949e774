//! Announcements, and playing them into a site. Only [`Centre::may_speak`] says who may: in a silent incident nobody.

use super::decide::Decided;
use super::{Centre, Refused, Touched};
use crate::announcement::{ANNOUNCEMENTS_MAX, Announcement, LOOP_LONGEST, LoopEnd, NAME_MAX, Playing};
use crate::event::{Actor, Event};
use crate::incident::Incident;
use crate::{IncidentId, Mode, SeatId, UserId, Wall};

impl Centre {
    /// The announcements, oldest first.
    pub fn announcements(&self) -> impl Iterator<Item = &Announcement> {
        self.announcements.iter()
    }

    /// One announcement.
    pub fn announcement(&self, sha256: &str) -> Option<&Announcement> {
        self.announcements.iter().find(|known| known.sha256 == sha256)
    }

    /// Whether there has ever been an announcement: what comes with the software is offered once only.
    pub fn has_announced(&self) -> bool {
        self.announced
    }

    /// A message was recorded: a sound file of so many bytes that lasts so many milliseconds.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::AnnouncementName`], [`Refused::Announcements`].
    pub fn add_announcement(
        &self,
        sha256: String,
        name: &str,
        (bytes, length): (u64, u64),
        by: Actor,
    ) -> Decided {
        let name = usable(name)?;
        if let Some(known) = self.announcement(&sha256) {
            return Err(Refused::Exists { what: "announcement", name: known.name.clone() });
        }
        if self.announcements.len() >= ANNOUNCEMENTS_MAX {
            return Err(Refused::Announcements);
        }
        Ok(vec![Event::AnnouncementAdded { sha256, name, bytes, length, by }])
    }

    /// It gets another name.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::AnnouncementName`].
    pub fn rename_announcement(&self, sha256: &str, name: &str, by: Actor) -> Decided {
        let (known, name) = (self.known(sha256)?, usable(name)?);
        let event = || Event::AnnouncementRenamed { sha256: sha256.to_owned(), name: name.clone(), by };
        Ok(if known.name == name { vec![] } else { vec![event()] })
    }

    /// It is removed. Where it is being played it is played on.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn remove_announcement(&self, sha256: &str, by: Actor) -> Decided {
        let name = self.known(sha256)?.name.clone();
        Ok(vec![Event::AnnouncementRemoved { sha256: sha256.to_owned(), name, by }])
    }

    /// The host plays an announcement into the site, again and again. Another one that is being played is stopped.
    ///
    /// # Errors
    /// [`Refused::Closed`], [`Refused::NotFound`], [`Refused::MayNotSpeak`].
    pub fn begin_loop(
        &self,
        incident: IncidentId,
        sha256: &str,
        (seat, user): (&SeatId, &UserId),
        now: Wall,
    ) -> Decided {
        let known = self.find(incident)?;
        if !self.may_speak(incident, seat) {
            return Err(Refused::MayNotSpeak(incident));
        }
        let announcement = self.known(sha256)?;
        let by = Actor::Seat { user: user.clone(), seat: seat.clone() };
        let began = Event::LoopBegan {
            incident,
            sha256: sha256.to_owned(),
            announcement: announcement.name.clone(),
            until: now + LOOP_LONGEST,
            user: user.clone(),
            seat: seat.clone(),
        };
        Ok(ended(known, LoopEnd::Stopped, by).into_iter().chain([began]).collect())
    }

    /// The site hears it no longer. Twice is no error.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Closed`], [`Refused::MayNotSpeak`] for somebody else's.
    pub fn end_loop(&self, incident: IncidentId, seat: &SeatId, why: LoopEnd, by: Actor) -> Decided {
        let known = self.find(incident)?;
        match &known.playing {
            Some(playing) if playing.seat != *seat => Err(Refused::MayNotSpeak(incident)),
            Some(_) | None => Ok(ended(known, why, by).into_iter().collect()),
        }
    }

    /// Loops that may not go on. What the site hears has ended before: this is for the history.
    pub(super) fn loops_due(&self, now: Wall) -> Vec<Event> {
        let over = |known: &Incident| ended(known, why_over(known, now)?, Actor::Desk);
        self.open.values().filter_map(over).collect()
    }

    fn known(&self, sha256: &str) -> Result<&Announcement, Refused> {
        let missing = || Refused::NotFound { what: "announcement", name: sha256.to_owned() };
        self.announcement(sha256).ok_or_else(missing)
    }

    pub(super) fn announced_now(&mut self, at: Wall, event: &Event) -> Touched {
        if let Event::AnnouncementAdded { sha256, name, bytes, length, by } = event {
            self.announced = true;
            self.announcements.push(Announcement {
                sha256: sha256.clone(),
                name: name.clone(),
                bytes: *bytes,
                length: *length,
                added: at,
                by: by.clone(),
            });
        }
        if let Event::AnnouncementRenamed { sha256, name, .. } = event {
            let known = self.announcements.iter_mut().filter(|known| known.sha256 == *sha256);
            known.for_each(|known| known.name.clone_from(name));
        }
        if let Event::AnnouncementRemoved { sha256, .. } = event {
            self.announcements.retain(|known| known.sha256 != *sha256);
        }
        if let Event::LoopBegan { incident, sha256, announcement, until, user, seat } = event {
            let playing = Playing {
                sha256: sha256.clone(),
                name: announcement.clone(),
                user: user.clone(),
                seat: seat.clone(),
                since: at,
                until: *until,
            };
            return self.note(*incident, |known| known.playing = Some(playing));
        }
        if let Event::LoopEnded { incident, .. } = event {
            return self.note(*incident, |known| known.playing = None);
        }
        Touched::Announcements
    }
}

/// The line that ends what is being played in an incident.
pub(super) fn ended(known: &Incident, why: LoopEnd, by: Actor) -> Option<Event> {
    let announcement = known.playing.as_ref()?.name.clone();
    Some(Event::LoopEnded { incident: known.id, announcement, why, by })
}

/// A clock that has been set back to before the beginning ends it too.
fn why_over(known: &Incident, now: Wall) -> Option<LoopEnd> {
    let playing = known.playing.as_ref()?;
    let hosts = known.room.as_ref().is_some_and(|room| *room.owner() == playing.seat);
    match known.mode {
        Mode::Silent => Some(LoopEnd::Silent),
        Mode::Ordinary if !hosts => Some(LoopEnd::Left),
        Mode::Ordinary => (now >= playing.until || now < playing.since).then_some(LoopEnd::Limit),
    }
}

fn usable(name: &str) -> Result<String, Refused> {
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned()).ok_or(Refused::AnnouncementName)
}
