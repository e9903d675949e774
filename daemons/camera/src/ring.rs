//! The last half minute of one camera.
//!
//! ```text
//!   segment 1        segment 2 (the camera was away in between)
//!   K..K..K..K..     K..K..K..K..K.            K = a key frame: a group begins
//!   ▲ gives way      ▲                ▲ newest
//! ```
//!
//! Whole groups only: what comes out begins with a key frame. A group goes when the next one is old enough to
//! stand in for it, or when memory is needed.

use crate::arena::{Arena, Place};
use crate::source::Stamp;
use media::take::Content;
use media::{Bytes, Frame, Kind};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One camera's ring.
pub(crate) struct Ring {
    arena: Arena,
    keep: Duration,
    segments: VecDeque<Segment>,
    frames: VecDeque<Slot>,
    newest: u64,
    dropped_early: bool,
}

/// An uninterrupted run of the camera.
struct Segment {
    number: u64,
    content: Arc<Content>,
}

struct Slot {
    segment: u64,
    kind: Kind,
    time: Duration,
    key: bool,
    at: Stamp,
    place: Place,
}

/// A run as it comes out.
pub(crate) struct Run {
    /// Which segment.
    pub(crate) segment: u64,
    /// What it consists of.
    pub(crate) content: Arc<Content>,
    /// When its first frame came.
    pub(crate) began: Stamp,
    /// Its frames, by the segment's own time. The first one begins a group.
    pub(crate) frames: Vec<Frame>,
}

impl Ring {
    /// Keeps at least so much, as far as `bytes` suffice.
    pub(crate) fn new(bytes: usize, keep: Duration) -> Self {
        Self {
            arena: Arena::new(bytes),
            keep,
            segments: VecDeque::new(),
            frames: VecDeque::new(),
            newest: 0,
            dropped_early: false,
        }
    }

    /// It cannot be swapped out.
    pub(crate) fn is_locked(&self) -> bool {
        self.arena.is_locked()
    }

    /// Memory was too short for the time that is to be kept.
    pub(crate) fn is_short(&self) -> bool {
        self.dropped_early
    }

    /// What it holds, from the oldest frame to the newest.
    pub(crate) fn held(&self) -> Duration {
        match (self.frames.front(), self.frames.back()) {
            (Some(first), Some(last)) => last.at.mono.saturating_duration_since(first.at.mono),
            _ => Duration::ZERO,
        }
    }

    /// A new segment begins; its number.
    pub(crate) fn begin(&mut self, content: Arc<Content>) -> u64 {
        self.newest += 1;
        self.segments.push_back(Segment { number: self.newest, content });
        self.newest
    }

    /// Takes a frame of the newest segment. A frame that is longer than all memory is not kept.
    pub(crate) fn push(&mut self, frame: &Frame, at: Stamp) {
        self.forget_old(at);
        let place = loop {
            if let Some(place) = self.arena.put(&frame.data) {
                break place;
            }
            if self.frames.is_empty() {
                return;
            }
            self.dropped_early = true;
            self.drop_group();
        };
        let Frame { kind, time, key, .. } = *frame;
        self.frames.push_back(Slot { segment: self.newest, kind, time, key, at, place });
        if self.held() >= self.keep {
            self.dropped_early = false;
        }
    }

    /// Everything, by runs. A copy: what is in the ring stays there.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for slot in &self.frames {
            let Some(segment) = self.segments.iter().find(|segment| segment.number == slot.segment) else {
                continue;
            };
            let is_next = runs.last().is_none_or(|run| run.segment != slot.segment);
            if is_next && !self.begins_group(slot) {
                continue;
            }
            if is_next {
                let content = Arc::clone(&segment.content);
                runs.push(Run { segment: slot.segment, content, began: slot.at, frames: Vec::new() });
            }
            let data = Bytes::copy_from_slice(self.arena.get(slot.place));
            let frame = Frame { kind: slot.kind, time: slot.time, key: slot.key, data };
            if let Some(run) = runs.last_mut() {
                run.frames.push(frame);
            }
        }
        runs
    }

    fn begins_group(&self, slot: &Slot) -> bool {
        let content = self.segments.iter().find(|segment| segment.number == slot.segment);
        let has_picture = content.is_some_and(|segment| segment.content.video.is_some());
        slot.key && (slot.kind == Kind::Video) == has_picture
    }

    /// Drops groups as long as what follows them is old enough.
    fn forget_old(&mut self, now: Stamp) {
        loop {
            let mut groups = self.frames.iter().filter(|slot| self.begins_group(slot));
            let (Some(_), Some(next)) = (groups.next(), groups.next()) else { return };
            if now.mono.saturating_duration_since(next.at.mono) < self.keep {
                return;
            }
            self.drop_group();
        }
    }

    /// Drops the oldest group with everything that came before the next.
    fn drop_group(&mut self) {
        self.drop_frame();
        while self.frames.front().is_some_and(|slot| !self.begins_group(slot)) {
            self.drop_frame();
        }
    }

    fn drop_frame(&mut self) {
        self.frames.pop_front();
        self.arena.give_back();
        let first = self.frames.front().map_or(self.newest, |slot| slot.segment);
        while self.segments.front().is_some_and(|segment| segment.number < first) {
            self.segments.pop_front();
        }
    }
}
