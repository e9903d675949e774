//! Who is in now: limits, figures, and the way out.

use crate::admit::{Who, may_stay};
use crate::told::Told;
use alarm::BoxId;
use media::session::Figures;
use media::{Session, Transport};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Sessions in all: every seat of a large centre with all its windows, and every box twice.
pub(crate) const SESSIONS_MAX: usize = 4096;
/// Of one box: its paths, and those that have not been missed yet.
pub(crate) const OF_A_BOX: usize = 8;
/// Of one person: windows and a mosaic, and their retries.
pub(crate) const OF_A_PERSON: usize = 64;

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// [`SESSIONS_MAX`].
    #[error("the relay has {SESSIONS_MAX} sessions: it takes no more")]
    Relay,
    /// [`OF_A_BOX`], [`OF_A_PERSON`].
    #[error("{0} has too many sessions at once")]
    One(String),
}

struct Entry {
    who: Who,
    transport: Transport,
    session: Option<Arc<Session>>,
    end: watch::Sender<bool>,
}

/// The list of sessions. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<(u64, BTreeMap<u64, Entry>)>>);

/// A place in the list, given up when dropped.
pub(crate) struct Place {
    list: Sessions,
    number: u64,
    ended: watch::Receiver<bool>,
}

/// One session as the metrics show it.
pub(crate) struct Seen {
    /// Who.
    pub(crate) who: String,
    /// Its transport.
    pub(crate) transport: Transport,
    /// How it does.
    pub(crate) figures: Figures,
}

impl Sessions {
    /// Takes a place.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn take(&self, who: &Who, transport: Transport) -> Result<Place, Full> {
        let mut list = self.lock();
        if list.1.len() >= SESSIONS_MAX {
            return Err(Full::Relay);
        }
        let most = match who {
            Who::Box { .. } | Who::Relay { .. } => OF_A_BOX,
            Who::Person { .. } => OF_A_PERSON,
        };
        let same = list.1.values().filter(|entry| is_same(&entry.who, who)).count();
        if same >= most {
            return Err(Full::One(who.to_string()));
        }
        list.0 += 1;
        let number = list.0;
        let (end, ended) = watch::channel(false);
        list.1.insert(number, Entry { who: who.clone(), transport, session: None, end });
        drop(list);
        Ok(Place { list: self.clone(), number, ended })
    }

    /// Ends every session that may not stay.
    pub(crate) fn sweep(&self, told: &Told) {
        for entry in self.lock().1.values().filter(|entry| !may_stay(told, &entry.who)) {
            tracing::info!(who = %entry.who, "session ended: the desk says so");
            entry.end.send_replace(true);
        }
    }

    /// Whether a box is here.
    pub(crate) fn has_box(&self, here: &BoxId) -> bool {
        let is = |entry: &Entry| matches!(&entry.who, Who::Box { name, .. } if name == here);
        self.lock().1.values().any(|entry| entry.session.is_some() && is(entry))
    }

    /// Ends every session of a box, which comes back at once.
    pub(crate) fn end_box(&self, gone: &BoxId) {
        for entry in self.lock().1.values() {
            if matches!(&entry.who, Who::Box { name, .. } if name == gone) {
                tracing::info!(who = %entry.who, "session ended: the room is silent now");
                entry.end.send_replace(true);
            }
        }
    }

    /// By transport: raw QUIC, WebTransport, WebSocket.
    pub(crate) fn counts(&self) -> [u32; 3] {
        let mut counts = [0; 3];
        for entry in self.lock().1.values() {
            let place = match entry.transport {
                Transport::Quic => 0,
                Transport::WebTransport => 1,
                Transport::WebSocket => 2,
            };
            counts[place] += 1;
        }
        counts
    }

    /// All of them.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = |entry: &Entry| {
            let session = entry.session.as_ref()?;
            let who = entry.who.to_string();
            Some(Seen { who, transport: entry.transport, figures: session.figures() })
        };
        self.lock().1.values().filter_map(seen).collect()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Entry>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(one: &Who, other: &Who) -> bool {
    match (one, other) {
        (Who::Box { name: a, .. }, Who::Box { name: b, .. })
        | (Who::Relay { name: a, .. }, Who::Relay { name: b, .. }) => a == b,
        (Who::Person { pass: a }, Who::Person { pass: b }) => a.user == b.user,
        (Who::Box { .. } | Who::Relay { .. } | Who::Person { .. }, _) => false,
    }
}

impl Place {
    /// The session stands: it shows up in the figures.
    pub(crate) fn hold(&self, session: &Arc<Session>) {
        if let Some(entry) = self.list.lock().1.get_mut(&self.number) {
            entry.session = Some(Arc::clone(session));
        }
    }

    /// Waits until the session has to end.
    pub(crate) async fn ended(&mut self) {
        // The list keeps the other end as long as there is a place.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.list.lock().1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::media::Pass;
    use alarm::{SeatId, UserId, Wall};

    fn person(user: &str) -> Who {
        let pass = Pass {
            until: Wall::default(),
            user: UserId::new(user).unwrap(),
            seat: SeatId::new("a").unwrap(),
            incident: None,
            boxes: vec![],
            publish: false,
            recordings_since: None,
            line: 0,
        };
        Who::Person { pass: Box::new(pass) }
    }

    #[test]
    fn one_person_cannot_take_everybodys_place() {
        let sessions = Sessions::default();
        let take = |who: &Who| sessions.take(who, Transport::WebTransport);
        let mut held: Vec<_> = (0..OF_A_PERSON).map(|_| take(&person("li")).ok().unwrap()).collect();
        assert_eq!(take(&person("li")).err(), Some(Full::One("li at a".into())));
        assert!(take(&person("wang")).is_ok());
        held.pop();
        assert!(take(&person("li")).is_ok());
        assert_eq!(sessions.counts(), [0, u32::try_from(OF_A_PERSON).unwrap() - 1, 0]);
    }

    #[tokio::test]
    async fn a_box_that_is_no_member_any_more_is_sent_away() {
        let sessions = Sessions::default();
        let name = BoxId::new("school-1").unwrap();
        let key = "00".repeat(32).parse().unwrap();
        let mut place = sessions.take(&Who::Box { name, key }, Transport::Quic).ok().unwrap();
        sessions.sweep(&Told::default());
        place.ended().await;
    }
}
