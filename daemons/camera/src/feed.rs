//! Joins one source with its ring and its takes: what the camera publishes, and since when.
//!
//! ```text
//!   frame ──▶ ring ──────(press)──▶ take: the ring at once
//!        └──────────────(open)────▶ take: live
//! ```

use crate::daemon::Board;
use crate::opening::Openness;
use crate::ring::Ring;
use crate::show::Stills;
use crate::source::{Heard, Stamp, Trouble};
use crate::takes::Takes;
use alarm::{BoxId, Fault};
use media::take::Content;
use media::{Frame, Kind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::interval;

/// How often it looks at what has ended, and tells how long the ring is.
const TICK: Duration = Duration::from_secs(1);

/// What a feed hears from the rest of the daemon.
#[derive(Clone)]
pub(crate) struct Ears {
    /// How far the camera is open.
    pub(crate) openness: watch::Receiver<Openness>,
    /// The relay is there.
    pub(crate) connected: watch::Receiver<bool>,
    /// The box's name, once it is enrolled.
    pub(crate) name: watch::Receiver<Option<BoxId>>,
}

/// One camera.
pub(crate) struct Feed {
    pub(crate) place: usize,
    pub(crate) ring: Ring,
    pub(crate) takes: Takes,
    pub(crate) stills: Stills,
    pub(crate) ears: Ears,
    pub(crate) board: Board,
    /// The segment under way.
    pub(crate) segment: Option<Segment>,
    pub(crate) open: Openness,
    /// What the source says is wrong.
    pub(crate) trouble: Option<Trouble>,
}

/// A segment of the source.
pub(crate) struct Segment {
    number: u64,
    content: Arc<Content>,
}

impl Feed {
    /// Until the source has gone.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub(crate) async fn run(mut self, mut heard: mpsc::Receiver<Heard>) -> anyhow::Result<()> {
        let mut tick = interval(TICK);
        if !self.ring.is_locked() {
            tracing::warn!(
                "memory cannot be locked: what is before a press may reach a disk; raise LimitMEMLOCK="
            );
        }
        loop {
            tokio::select! {
                said = heard.recv() => match said {
                    Some(said) => self.hear(said),
                    None => return Ok(()),
                },
                Ok(()) = self.ears.openness.changed() => self.turn(),
                // A press from before the box knew its name.
                Ok(()) = self.ears.name.changed() => self.turn(),
                _ = tick.tick() => self.tick(),
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Begin(content) => {
                self.takes.end();
                let number = self.ring.begin(Arc::clone(&content));
                self.segment = Some(Segment { number, content });
            }
            Heard::Frame(frame, at) => self.frame(&frame, at),
            Heard::End => {
                self.segment = None;
                self.takes.end();
                self.show();
            }
            Heard::Trouble(trouble) => self.trouble(trouble),
        }
    }

    fn trouble(&mut self, trouble: Option<Trouble>) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(Trouble { fault, reason }) => {
                tracing::warn!(camera = %self.camera(), %fault, %reason, "camera")
            }
            None => tracing::info!(camera = %self.camera(), "camera is in order"),
        }
        self.trouble = trouble;
        self.show();
    }

    fn frame(&mut self, frame: &Frame, at: Stamp) {
        self.ring.push(frame, at);
        let Some(segment) = &self.segment else { return };
        let content = Arc::clone(&segment.content);
        let name = self.ears.name.borrow().clone();
        if let Some(name) = name {
            self.stills.take(&name, &content, frame, at);
            let begins = frame.key && (frame.kind == Kind::Video) == content.video.is_some();
            if self.open != Openness::Closed && !self.takes.is_live() && begins {
                self.begin(&name, &content, at, frame.time);
            }
        }
        if let Err(error) = self.takes.write(frame) {
            tracing::warn!(camera = %self.camera(), %error, "a frame does not follow; a new take begins");
        }
    }

    fn begin(&mut self, name: &BoxId, content: &Content, at: Stamp, base: Duration) {
        let keep = self.open == Openness::Open;
        if let Err(error) = self.takes.begin(name, content, at, base, keep) {
            let reason = format!("its stream cannot be published: {error}");
            self.trouble(Some(Trouble::unreadable(reason)));
        }
        self.show();
    }

    /// Something that decides who may see it has changed.
    fn turn(&mut self) {
        let wanted = *self.ears.openness.borrow_and_update();
        let Some(name) = self.ears.name.borrow_and_update().clone() else { return };
        let before = std::mem::replace(&mut self.open, wanted);
        match (before, wanted) {
            (Openness::Open, Openness::Open)
            | (Openness::Closed, Openness::Closed | Openness::OnDemand)
            | (Openness::OnDemand, Openness::OnDemand) => {}
            (Openness::OnDemand | Openness::Open, Openness::Closed)
            | (Openness::Open, Openness::OnDemand) => self.takes.end(),
            (Openness::Closed | Openness::OnDemand, Openness::Open) => self.send_ring(&name),
        }
        self.show();
    }

    /// What was before the press goes out at once; the last of it goes on live.
    fn send_ring(&mut self, name: &BoxId) {
        self.takes.end();
        let live = self.segment.as_ref().map(|segment| segment.number);
        for run in self.ring.runs() {
            let Some(first) = run.frames.first() else { continue };
            self.begin(name, &run.content, run.began, first.time);
            for frame in &run.frames {
                if let Err(error) = self.takes.write(frame) {
                    tracing::warn!(camera = %self.camera(), %error, "a frame of the ring does not follow");
                }
            }
            if live != Some(run.segment) {
                self.takes.end();
            }
        }
    }

    fn tick(&mut self) {
        if self.takes.has_ended() {
            let connected = *self.ears.connected.borrow();
            self.takes.sweep(Instant::now(), connected);
        }
        self.show();
    }

    fn camera(&self) -> String {
        self.board.borrow()[self.place].camera.to_string()
    }

    fn show(&self) {
        let unlocked = (!self.ring.is_locked()).then_some(Fault::RingUnlocked);
        let fault = self.trouble.as_ref().map(|trouble| trouble.fault.clone()).or(unlocked);
        let short = self.ring.is_short().then(|| "the ring is too short: raise ring-mib".to_owned());
        let reason = self.trouble.as_ref().map(|trouble| trouble.reason.clone()).or(short);
        let (live, ring_s) = (self.takes.is_live(), self.ring.held().as_secs());
        self.board.send_if_modified(|board| {
            let shown = &mut board[self.place];
            let known = (shown.live, &shown.fault, &shown.reason, shown.ring_s);
            let changed = known != (live, &fault, &reason, ring_s);
            (shown.live, shown.fault, shown.reason, shown.ring_s) = (live, fault, reason, ring_s);
            changed
        });
    }
}
