//! Signed-in consoles. The browser holds a random token in a cookie; the desk keeps its hash, so that a desk that
//! restarts in the middle of an incident asks nobody to sign in again.

use crate::{Engine, clock, random};
use alarm::{SeatId, UserId, Wall};
use journal::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest session: a shift of 12 hours, and the hand-over.
pub(crate) const LONGEST: Duration = Duration::from_secs(14 * 3600);
/// Sessions at once: three pages for every seat.
const SESSIONS_MAX: usize = 3 * alarm::centre::SEATS_MAX;

/// Who is signed in, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    pub(crate) seat: SeatId,
    pub(crate) until: Wall,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<String, Session>>);

impl Sessions {
    /// The sessions that were open when the desk was last up.
    pub(crate) fn restore(kept: Vec<(String, Vec<u8>)>) -> Self {
        let read = |(name, value): (String, Vec<u8>)| Some((name, serde_json::from_slice(&value).ok()?));
        Self(Mutex::new(kept.into_iter().filter_map(read).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; the token for the cookie.
    pub(crate) async fn open(&self, engine: &Engine, user: UserId, seat: SeatId) -> anyhow::Result<String> {
        let token = random::text::<32>();
        let session = Session { user, seat, until: clock::wall() + LONGEST };
        engine.keep_secret(Secret::Session, &hashed(&token), &serde_json::to_vec(&session)?).await?;
        let ended = {
            let mut open = self.lock();
            open.insert(hashed(&token), session);
            surplus(&mut open, clock::wall())
        };
        for name in ended {
            engine.forget_secret(Secret::Session, &name).await?;
        }
        Ok(token)
    }

    /// The session of a token, while it lasts.
    pub(crate) fn find(&self, token: &str) -> Option<Session> {
        let session = self.lock().get(&hashed(token)).cloned()?;
        (clock::wall() < session.until).then_some(session)
    }

    /// Ends one session.
    pub(crate) async fn end(&self, engine: &Engine, token: &str) -> anyhow::Result<()> {
        let name = hashed(token);
        self.lock().remove(&name);
        engine.forget_secret(Secret::Session, &name).await
    }

    /// Ends all sessions of a user, as after a new password.
    pub(crate) async fn end_all(&self, engine: &Engine, user: &UserId) -> anyhow::Result<()> {
        let of_user = |(_, session): &(&String, &Session)| session.user == *user;
        let names: Vec<_> = self.lock().iter().filter(of_user).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.lock().remove(&name);
            engine.forget_secret(Secret::Session, &name).await?;
        }
        Ok(())
    }
}

fn hashed(token: &str) -> String {
    alarm::ticket::encode(&Sha256::digest(token.as_bytes()))
}

/// Takes out what has ended and, above the limit, what ends first.
fn surplus(open: &mut BTreeMap<String, Session>, now: Wall) -> Vec<String> {
    let mut by_end: Vec<_> = open.iter().map(|(name, session)| (session.until, name.clone())).collect();
    by_end.sort();
    let over = by_end.len().saturating_sub(SESSIONS_MAX);
    let gone = by_end.into_iter().enumerate().filter(|(place, (until, _))| *place < over || now >= *until);
    let names: Vec<_> = gone.map(|(_, (_, name))| name).collect();
    names.iter().for_each(|name| drop(open.remove(name)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_sessions_and_those_above_the_limit_go() {
        let session = |until| Session {
            user: UserId::new("li").unwrap(),
            seat: SeatId::new("seat-1").unwrap(),
            until: Wall::from_millis(until),
        };
        let mut open: BTreeMap<_, _> = (0..10).map(|n| (n.to_string(), session(n))).collect();
        assert_eq!(surplus(&mut open, Wall::from_millis(4)), ["0", "1", "2", "3", "4"]);
        open.extend((0..3000).map(|n| (format!("x{n}"), session(100 + n))));
        assert_eq!(surplus(&mut open, Wall::from_millis(4)).len(), 5);
        assert_eq!(open.len(), SESSIONS_MAX);
    }

    #[test]
    fn kept_sessions_come_back_and_damaged_ones_do_not() {
        let session = Session {
            user: UserId::new("li").unwrap(),
            seat: SeatId::new("seat-1").unwrap(),
            until: clock::wall() + LONGEST,
        };
        let kept =
            vec![(hashed("token"), serde_json::to_vec(&session).unwrap()), ("x".into(), b"{".to_vec())];
        let sessions = Sessions::restore(kept);
        assert_eq!(sessions.find("token"), Some(session));
        assert_eq!(sessions.find("other"), None);
    }
}
