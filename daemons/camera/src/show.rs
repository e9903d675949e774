//! Proof of life: a still of each camera every few minutes, and how the cameras are.

use crate::control::CameraStatus;
use crate::source::Stamp;
use alarm::media::{CameraState, STATE_TRACK, STILL_TRACK, Still, state_broadcast, still_broadcast};
use alarm::{BoxId, CameraId, Wall};
use media::note::Note;
use media::take::Content;
use media::{Frame, Kind, Origin, mp4};
use std::time::{Duration, Instant, UNIX_EPOCH};
use tokio::sync::watch;

/// A camera's stills.
pub(crate) struct Stills {
    origin: Origin,
    camera: CameraId,
    every: Duration,
    due: Option<Instant>,
    note: Option<Note>,
}

impl Stills {
    pub(crate) fn new(origin: Origin, camera: CameraId, every: Duration) -> Self {
        Self { origin, camera, every, due: None, note: None }
    }

    /// Publishes the frame when it is time and a decoder can begin with it.
    pub(crate) fn take(&mut self, name: &BoxId, content: &Content, frame: &Frame, at: Stamp) {
        let due = self.due.is_none_or(|due| at.mono >= due);
        if !due || !frame.key || frame.kind != Kind::Video {
            return;
        }
        self.due = Some(at.mono + self.every);
        if let Err(error) = self.publish(name, content, frame, at) {
            tracing::warn!(camera = %self.camera, %error, "no still");
        }
    }

    fn publish(
        &mut self,
        name: &BoxId,
        content: &Content,
        frame: &Frame,
        at: Stamp,
    ) -> Result<(), media::Error> {
        let Some(video) = &content.video else { return Ok(()) };
        let (codec, file) = mp4::still(video, frame.data.clone())?;
        let still =
            Still { at: Wall::default() + at.wall.duration_since(UNIX_EPOCH).unwrap_or_default(), codec };
        let mut text = serde_json::to_vec(&still).unwrap_or_default();
        text.push(b'\n');
        text.extend_from_slice(&file);
        match &mut self.note {
            Some(note) => note.write(&text),
            None => {
                let broadcast = still_broadcast(name, &self.camera);
                self.note = Some(Note::publish(&self.origin, &broadcast, STILL_TRACK, &text)?);
                Ok(())
            }
        }
    }
}

/// Tells the relay how the cameras are, whenever that changes.
///
/// # Errors
/// When the origin has gone.
pub(crate) async fn states(
    origin: Origin,
    mut name: watch::Receiver<Option<BoxId>>,
    mut board: watch::Receiver<Vec<CameraStatus>>,
) -> anyhow::Result<()> {
    let name = name.wait_for(Option::is_some).await?.clone();
    let Some(name) = name else { return Ok(()) };
    let mut told = of(&board.borrow_and_update());
    let text = |states: &[CameraState]| serde_json::to_vec(states).unwrap_or_default();
    let mut note = Note::publish(&origin, &state_broadcast(&name), STATE_TRACK, &text(&told))?;
    loop {
        board.changed().await?;
        let states = of(&board.borrow_and_update());
        if states != told {
            note.write(&text(&states))?;
            told = states;
        }
    }
}

fn of(board: &[CameraStatus]) -> Vec<CameraState> {
    let state = |shown: &CameraStatus| CameraState {
        camera: shown.camera.clone(),
        live: shown.live,
        fault: shown.fault.clone(),
    };
    board.iter().map(state).collect()
}
