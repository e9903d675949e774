//! Delivery from a box: every waiting notice goes out on every live path at once, and again until one ACK comes.
//! At-least-once with one id; the desk takes each id once.
//!
//! ```text
//!            path up / new notice           RESEND_AFTER without an ACK
//!   Waiting ───────────────────────▶ Sent ──────────────────────────────┐
//!      ▲                              │ ▲                               │
//!      └────────── path down ─────────┘ └───────────────────────────────┘
//!                                     │ ACK on any path
//!                                     ▼
//!                                   (gone)
//! ```

use crate::notice::Urgency;
use crate::{Mono, Notice, NoticeId, PathId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A notice that was sent and not ACKed on a live path is sent again after this: the desk may be waiting for its
/// disk.
pub const RESEND_AFTER: Duration = Duration::from_secs(5);
/// Most notices in flight on one path: bounds what a desk must remember to know a repeat.
pub const WINDOW: usize = 64;

/// One thing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Over which path.
    pub path: PathId,
    /// What.
    pub notice: Notice,
}

type Place = (Urgency, u64);

#[derive(Clone, Debug)]
struct Item {
    notice: Notice,
    sent: BTreeMap<PathId, Mono>,
}

/// The notices that wait for their ACK, and the paths that are up.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    items: BTreeMap<Place, Item>,
    places: BTreeMap<NoticeId, Place>,
    paths: BTreeSet<PathId>,
    next: u64,
}

impl Outbox {
    /// Takes a notice that is safe in the spool.
    pub fn handle_notice(&mut self, notice: Notice) {
        if self.places.contains_key(&notice.id) {
            return;
        }
        let place = (notice.what.urgency(), self.next);
        self.next += 1;
        self.places.insert(notice.id, place);
        self.items.insert(place, Item { notice, sent: BTreeMap::new() });
    }

    /// A path has come up: everything that waits goes out on it.
    pub fn handle_path_up(&mut self, path: PathId) {
        self.handle_path_down(&path);
        self.paths.insert(path);
    }

    /// A path has gone: what was in flight on it was perhaps not heard.
    pub fn handle_path_down(&mut self, path: &PathId) {
        self.paths.remove(path);
        for item in self.items.values_mut() {
            item.sent.remove(path);
        }
    }

    /// The desk has written it down. The notice, when it was waiting.
    pub fn handle_ack(&mut self, id: NoticeId) -> Option<Notice> {
        let place = self.places.remove(&id)?;
        self.items.remove(&place).map(|item| item.notice)
    }

    /// The next thing to send at `now`. Call until `None`.
    pub fn poll(&mut self, now: Mono) -> Option<Send> {
        for path in &self.paths {
            let due = |item: &&mut Item| item.sent.get(path).is_none_or(|at| now.since(*at) >= RESEND_AFTER);
            if let Some(item) = self.items.values_mut().take(WINDOW).find(due) {
                item.sent.insert(path.clone(), now);
                return Some(Send { path: path.clone(), notice: item.notice.clone() });
            }
        }
        None
    }

    /// When [`Outbox::poll`] has something to send by itself.
    pub fn deadline(&self) -> Option<Mono> {
        let live = |path: &PathId| self.paths.contains(path);
        let sent = self.items.values().take(WINDOW).flat_map(|item| item.sent.iter());
        sent.filter(|(path, _)| live(path)).map(|(_, at)| *at + RESEND_AFTER).min()
    }

    /// How many notices wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether any path is up.
    pub fn has_path(&self) -> bool {
        !self.paths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Nature, Wall, What};
    use proptest::prelude::*;

    fn notice(n: u8, what: What) -> Notice {
        Notice {
            id: NoticeId::new(i64::from(n), [n; 10]),
            point: None,
            at: Wall::default(),
            clock_sure: true,
            what,
        }
    }

    fn alarm(n: u8) -> Notice {
        notice(n, What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false })
    }

    fn path(name: &str) -> PathId {
        PathId::new(name).unwrap()
    }

    fn at(s: u64) -> Mono {
        Mono::from_micros(s * 1_000_000)
    }

    fn drain(outbox: &mut Outbox, now: Mono) -> Vec<(String, NoticeId)> {
        std::iter::from_fn(|| outbox.poll(now)).map(|send| (send.path.to_string(), send.notice.id)).collect()
    }

    #[test]
    fn a_notice_goes_out_on_every_path_at_once() {
        let mut outbox = Outbox::default();
        outbox.handle_path_up(path("wired"));
        outbox.handle_path_up(path("cellular"));
        outbox.handle_notice(alarm(1));
        outbox.handle_notice(alarm(1));
        let id = alarm(1).id;
        assert_eq!(drain(&mut outbox, at(0)), [("cellular".into(), id), ("wired".into(), id)]);
        assert_eq!(outbox.handle_ack(id), Some(alarm(1)));
        assert_eq!(outbox.handle_ack(id), None);
        assert_eq!((drain(&mut outbox, at(60)), outbox.deadline()), (vec![], None));
    }

    #[test]
    fn without_an_ack_it_goes_again() {
        let mut outbox = Outbox::default();
        outbox.handle_path_up(path("wired"));
        outbox.handle_notice(alarm(1));
        assert_eq!(drain(&mut outbox, at(0)).len(), 1);
        assert_eq!(drain(&mut outbox, at(4)).len(), 0);
        assert_eq!(outbox.deadline(), Some(at(5)));
        assert_eq!(drain(&mut outbox, at(5)).len(), 1);
    }

    #[test]
    fn a_path_that_comes_back_gets_everything_again() {
        let mut outbox = Outbox::default();
        outbox.handle_notice(alarm(1));
        assert_eq!(drain(&mut outbox, at(0)), []);
        outbox.handle_path_up(path("wired"));
        assert_eq!(drain(&mut outbox, at(0)).len(), 1);
        outbox.handle_path_down(&path("wired"));
        assert_eq!(drain(&mut outbox, at(1)), []);
        outbox.handle_path_up(path("wired"));
        assert_eq!(drain(&mut outbox, at(1)).len(), 1);
    }

    #[test]
    fn alarms_overtake_the_rest() {
        let mut outbox = Outbox::default();
        outbox.handle_notice(notice(1, What::Restored { of: None }));
        outbox.handle_notice(notice(2, What::Tampered));
        outbox.handle_notice(alarm(3));
        outbox.handle_path_up(path("wired"));
        let order: Vec<_> = drain(&mut outbox, at(0)).into_iter().map(|(_, id)| id).collect();
        assert_eq!(order, [alarm(3).id, alarm(2).id, alarm(1).id]);
    }

    #[test]
    fn the_window_bounds_what_is_in_flight() {
        let mut outbox = Outbox::default();
        (0..200).for_each(|n| outbox.handle_notice(alarm(n)));
        outbox.handle_path_up(path("wired"));
        let sent = drain(&mut outbox, at(0));
        assert_eq!(sent.len(), WINDOW);
        sent.iter().for_each(|(_, id)| assert!(outbox.handle_ack(*id).is_some()));
        assert_eq!(drain(&mut outbox, at(0)).len(), WINDOW);
    }

    proptest! {
        /// Whatever paths do, nothing is forgotten without an ACK, and a steady path drains the outbox.
        #[test]
        fn nothing_is_lost(steps in proptest::collection::vec((0u8..6, 0u8..30), 0..200)) {
            let mut outbox = Outbox::default();
            let mut open = BTreeSet::new();
            let mut now = 0;
            for (step, n) in steps {
                now += 1;
                match step {
                    0 => { outbox.handle_notice(alarm(n)); open.insert(alarm(n).id); }
                    1 => outbox.handle_path_up(path("wired")),
                    2 => outbox.handle_path_down(&path("wired")),
                    3 => outbox.handle_path_up(path("cellular")),
                    4 => outbox.handle_path_down(&path("cellular")),
                    _ => if let Some(send) = outbox.poll(at(now)) && n % 2 == 0 {
                        outbox.handle_ack(send.notice.id);
                        open.remove(&send.notice.id);
                    },
                }
                prop_assert_eq!(outbox.len(), open.len());
            }
            outbox.handle_path_up(path("wired"));
            while let Some(send) = outbox.poll(at(now + 100)) {
                outbox.handle_ack(send.notice.id);
                open.remove(&send.notice.id);
            }
            prop_assert!(open.is_empty() && outbox.is_empty());
        }
    }
}
