//! One group on its way to all who watch it: its frames are read and encoded once, and the same bytes are written to
//! every stream, within one lock and without a task for each of them.
//!
//! ```text
//!  origin ─▶ read ─▶ encode ─▶ pieces ─┬─▶ stream   seated: has all pieces so far, is written to at once
//!                                      ├─▶ stream
//!                                      └─x stream   full: its seat has it back and catches up by itself
//! ```

use super::seat::Seated;
use super::wire;
use bytes::{Bytes, BytesMut};
use moq_net::{broadcast, frame, group, kio};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long the rest of a frame is waited for before the first part of it goes out: one writing to every watcher is
/// worth this little delay, a key frame that takes long to come in is not.
const COALESCE: Duration = Duration::from_millis(2);

/// Every track that is watched, by the names of broadcast and track.
#[derive(Default)]
pub(super) struct Hub(Mutex<HashMap<Names, Vec<Weak<Feed>>>>);

type Names = (String, String);

impl Hub {
    /// The track of this very broadcast. A broadcast that came back under the same name is another one.
    pub(super) fn feed(&self, name: String, track: &str, broadcast: &broadcast::Consumer) -> Arc<Feed> {
        let mut feeds = lock(&self.0);
        feeds.retain(|_, feeds| feeds.iter().any(|feed| feed.strong_count() > 0));
        let feeds = feeds.entry((name, track.to_owned())).or_default();
        feeds.retain(|feed| feed.strong_count() > 0);
        let known = feeds.iter().filter_map(Weak::upgrade).find(|feed| feed.broadcast.is_clone(broadcast));
        known.unwrap_or_else(|| {
            let feed = Arc::new(Feed { broadcast: broadcast.clone(), groups: Mutex::default() });
            feeds.push(Arc::downgrade(&feed));
            feed
        })
    }
}

/// One track.
pub(super) struct Feed {
    broadcast: broadcast::Consumer,
    /// By number and by the greatest age that its watchers accept: who accepts less gives up a stalled group sooner.
    groups: Mutex<HashMap<(u64, Duration), Weak<Group>>>,
}

impl Feed {
    /// The group that `cursor` stands at the beginning of.
    pub(super) fn group(&self, cursor: &group::Consumer, max_age: Duration) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        let key = (cursor.sequence, max_age);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        groups.retain(|_, group| group.strong_count() > 0);
        let group = Arc::new(Group::default());
        groups.insert(key, Arc::downgrade(&group));
        let encoder = Encoder { cursor: cursor.clone(), frame: None, before: 0 };
        tokio::spawn(read(group.clone(), encoder));
        group
    }
}

/// What has been read of one group, and who is written to.
#[derive(Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    pieces: Vec<Bytes>,
    end: Option<End>,
    seated: Vec<Seated>,
}

/// How a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All frames are there.
    Whole,
    /// It broke off, with this code for the stream.
    Broken(u32),
}

/// Where a stream stands that has been written so many pieces.
pub(super) enum Standing {
    /// This piece is next.
    Behind(Seated, Bytes),
    /// It has everything there will be.
    Over(Seated, End),
    /// It has everything there is, and is written to from now on.
    Seated,
}

impl Group {
    /// Goes on with a stream that has the first `place` pieces.
    pub(super) fn sit(&self, seated: Seated, place: usize) -> Standing {
        let mut state = lock(&self.0);
        match (state.pieces.get(place), state.end) {
            (Some(piece), _) => Standing::Behind(seated, piece.clone()),
            (None, Some(end)) => Standing::Over(seated, end),
            (None, None) => {
                state.seated.push(seated);
                Standing::Seated
            }
        }
    }

    fn push(&self, piece: &Bytes) {
        let mut state = lock(&self.0);
        state.pieces.push(piece.clone());
        let places = state.pieces.len();
        let mut at = 0;
        while let Some(seated) = state.seated.get_mut(at) {
            match seated.write(piece) {
                Ok(()) => at += 1,
                Err(rest) => state.seated.swap_remove(at).give_back(places, rest),
            }
        }
    }

    fn end(&self, end: End) {
        let mut state = lock(&self.0);
        state.end = Some(end);
        let places = state.pieces.len();
        state.seated.drain(..).for_each(|seated| seated.give_back(places, Bytes::new()));
    }
}

async fn read(group: Arc<Group>, mut encoder: Encoder) {
    loop {
        match encoder.next().await {
            Ok(Some(piece)) => group.push(&piece),
            Ok(None) => return group.end(End::Whole),
            Err(error) => return group.end(End::Broken(moq_net::StreamError::from(&error).to_code())),
        }
    }
}

/// Reads a group's frames as the wire has them.
struct Encoder {
    cursor: group::Consumer,
    frame: Option<frame::Consumer>,
    before: u64,
}

impl Encoder {
    /// The next bytes, as a rule one whole frame; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, moq_net::Error> {
        let mut out = BytesMut::new();
        if self.frame.is_none() {
            let Some(frame) = kio::wait(|waiter| self.cursor.poll_next_frame(waiter)).await? else {
                return Ok(None);
            };
            let (time, size) = (frame.timestamp.value(), frame.size);
            out.reserve(usize::try_from(size).unwrap_or_default().min(1 << 20) + 16);
            wire::frame(&mut out, time, self.before, size)?;
            (self.frame, self.before) = (Some(frame), time);
        }
        let mut coalesce = pin!(tokio::time::sleep(COALESCE));
        while let Some(frame) = &mut self.frame {
            tokio::select! {
                biased;
                chunk = kio::wait(|waiter| frame.poll_read_chunk(waiter)) => match chunk? {
                    Some(chunk) => {
                        if out.is_empty() {
                            coalesce.as_mut().reset(Instant::now() + COALESCE);
                        }
                        out.extend_from_slice(&chunk);
                    }
                    None => self.frame = None,
                },
                () = &mut coalesce, if !out.is_empty() => break,
            }
        }
        Ok(Some(out.freeze()))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
