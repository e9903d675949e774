//! What one camera publishes: the take under way, and those that have ended and can still be had.

use crate::buffer::{Buffer, Key};
use crate::source::Stamp;
use alarm::media::{OPEN_ALONE, TakeId};
use alarm::{BoxId, CameraId};
use media::origin::KEEP;
use media::take::{Content, Missing, Take};
use media::{Frame, Kind, Origin};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Takes that have ended and are still announced: a camera that flaps every other second for a minute.
const ENDED_MAX: usize = 32;
/// How long a take stays announced after its end, with the relay there: its recorder has had everything by then.
const LINGER: Duration = KEEP;

/// Where takes go.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) origin: Origin,
    pub(crate) buffer: Buffer,
}

/// One camera's takes.
pub(crate) struct Takes {
    shelf: Shelf,
    camera: CameraId,
    current: Option<Current>,
    ended: VecDeque<Ended>,
    /// Beginnings of the last takes: each has a name of its own.
    begun: VecDeque<i64>,
}

struct Current {
    open: Open,
    /// Time of the segment at which the take has its zero.
    base: Duration,
    has_video: bool,
    begun: bool,
}

struct Ended {
    /// It goes when this is dropped.
    _open: Open,
    at: Instant,
    until: Instant,
}

/// An announced take and those who answer for what has left its memory.
struct Open {
    take: Option<Take>,
    kept: Option<Key>,
    buffer: Buffer,
    _answering: JoinSet<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(take) = self.take.take() {
            take.finish();
        }
        if let Some(key) = self.kept {
            self.buffer.forget(key);
        }
    }
}

impl Takes {
    pub(crate) fn new(shelf: Shelf, camera: CameraId) -> Self {
        Self { shelf, camera, current: None, ended: VecDeque::new(), begun: VecDeque::new() }
    }

    /// A take is under way.
    pub(crate) fn is_live(&self) -> bool {
        self.current.is_some()
    }

    /// Begins a take with the frame that came at `began` and has the segment's time `base`. With `keep` it goes to
    /// the disk as well.
    ///
    /// # Errors
    /// When the parameters cannot be published.
    pub(crate) fn begin(
        &mut self,
        name: &BoxId,
        content: &Content,
        began: Stamp,
        base: Duration,
        keep: bool,
    ) -> Result<(), media::Error> {
        self.end();
        let millis = began.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let began = self.unused(i64::try_from(millis).unwrap_or_default());
        let id = TakeId { from: name.clone(), camera: self.camera.clone(), began };
        let zero = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(began).unwrap_or_default());
        let take = Take::open(&self.shelf.origin, &id.broadcast(), zero, KEEP, content)?;
        let (missing, has_video) = (take.missing(), content.video.is_some());
        take.announce()?;
        let kept = if keep { self.shelf.buffer.begin(&id) } else { None };
        let mut answering = JoinSet::new();
        if let Some(key) = kept {
            for track in missing {
                answering.spawn(answer(self.shelf.buffer.clone(), key, track));
            }
        }
        tracing::info!(take = %id, "take begins");
        let buffer = self.shelf.buffer.clone();
        let open = Open { take: Some(take), kept, buffer, _answering: answering };
        self.current = Some(Current { open, base, has_video, begun: false });
        Ok(())
    }

    /// The first millisecond from `began` on that no other take has: the ring may be sent again, and clocks are put
    /// back.
    fn unused(&mut self, mut began: i64) -> i64 {
        while self.begun.contains(&began) {
            began += 1;
        }
        self.begun.push_back(began);
        while self.begun.len() > 2 * ENDED_MAX {
            self.begun.pop_front();
        }
        began
    }

    /// Writes a frame, by the segment's time.
    ///
    /// # Errors
    /// When it cannot follow those before it; the take has ended then.
    pub(crate) fn write(&mut self, frame: &Frame) -> Result<(), media::Error> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let Some(time) = frame.time.checked_sub(current.base) else { return Ok(()) };
        // Sound that runs ahead of the first picture waits for it.
        current.begun |= (frame.kind == Kind::Video) == current.has_video && frame.key;
        let Some(take) = current.open.take.as_mut().filter(|_| current.begun) else { return Ok(()) };
        let frame = Frame { time, ..frame.clone() };
        match take.write(&frame) {
            Ok(Some(written)) => {
                if let Some(key) = current.open.kept {
                    current.open.buffer.write(key, written, frame);
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                self.end();
                Err(error)
            }
        }
    }

    /// Ends the take under way. It can be had for a while.
    pub(crate) fn end(&mut self) {
        let Some(Current { mut open, .. }) = self.current.take() else { return };
        if let Some(take) = &mut open.take {
            take.end();
        }
        let at = Instant::now();
        self.ended.push_back(Ended { _open: open, at, until: at + LINGER });
        while self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
    }

    /// Lets go of takes whose time is over. While the relay is away it is not.
    pub(crate) fn sweep(&mut self, now: Instant, connected: bool) {
        if !connected {
            self.ended.iter_mut().for_each(|ended| ended.until = (now + LINGER).min(ended.at + OPEN_ALONE));
        }
        self.ended.retain(|ended| now < ended.until);
    }

    /// When [`Takes::sweep`] has something to do.
    pub(crate) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }
}

/// Serves from the disk what readers ask for and memory no longer holds.
async fn answer(buffer: Buffer, key: Key, mut missing: Missing) {
    let kind = missing.kind();
    while let Some(asked) = missing.next().await {
        let group = asked.group();
        match buffer.read(key, kind, group).await {
            Some(frames) => {
                // Somebody else may have been quicker, or nobody waits any more.
                if let Err(error) = asked.answer(&frames) {
                    tracing::debug!(group, %error, "group not wanted any more");
                }
            }
            None => asked.refuse(),
        }
    }
}
