//! What boxes tell of their cameras: their state notes and their stills.

use alarm::media::{Camera, CameraState, STATE_TRACK, STILL_TRACK};
use alarm::{BoxId, CameraId, Wall};
use link::Clock;
use media::Origin;
use media::note::Reader;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

/// News that wait: one for each camera of a large centre.
const QUEUE: usize = 1024;

/// What a box has told.
#[derive(Clone, Debug, PartialEq)]
enum News {
    State(BoxId, Vec<CameraState>),
    StateGone(BoxId),
    Still(BoxId, CameraId),
}

/// Everything known of cameras. Pure.
#[derive(Clone, Debug, Default)]
struct Known(BTreeMap<(BoxId, CameraId), Camera>);

impl Known {
    fn entry(&mut self, from: BoxId, camera: CameraId) -> &mut Camera {
        let fresh =
            Camera { from: from.clone(), camera: camera.clone(), still: None, live: false, fault: None };
        self.0.entry((from, camera)).or_insert(fresh)
    }

    fn apply(&mut self, news: News, now: Wall) {
        match news {
            News::State(from, states) => {
                // A camera that its box no longer names has been taken down.
                let named = |camera: &CameraId| states.iter().any(|state| state.camera == *camera);
                self.0.retain(|(of, camera), _| *of != from || named(camera));
                for state in states {
                    let camera = self.entry(from.clone(), state.camera);
                    (camera.live, camera.fault) = (state.live, state.fault);
                }
            }
            News::StateGone(from) => {
                self.0
                    .values_mut()
                    .filter(|camera| camera.from == from)
                    .for_each(|camera| camera.live = false);
            }
            News::Still(from, camera) => self.entry(from, camera).still = Some(now),
        }
    }
}

enum Broadcast {
    State(BoxId),
    Still(BoxId, CameraId),
}

fn read_name(name: &str) -> Option<Broadcast> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        ["box", from, "state"] => Some(Broadcast::State(BoxId::new(from).ok()?)),
        ["box", from, "still", camera] => {
            Some(Broadcast::Still(BoxId::new(from).ok()?, CameraId::new(camera).ok()?))
        }
        _ => None,
    }
}

/// Watches until the origin has gone.
///
/// # Errors
/// When the origin has gone.
pub(crate) async fn watch(
    origin: Origin,
    clock: Clock,
    cameras: watch::Sender<Arc<Vec<Camera>>>,
) -> anyhow::Result<()> {
    let (tell, mut news) = mpsc::channel(QUEUE);
    let mut listening = origin.listen("box")?;
    let mut readers = JoinSet::new();
    let mut running: BTreeMap<String, AbortHandle> = BTreeMap::new();
    let mut known = Known::default();
    loop {
        tokio::select! {
            heard = listening.next() => {
                let heard = heard.ok_or_else(|| anyhow::anyhow!("the origin has gone"))?;
                let Some(what) = read_name(&heard.name) else { continue };
                if let Some(before) = running.remove(&heard.name) {
                    before.abort();
                }
                match (heard.there, what) {
                    (true, what) => {
                        let reader = read(origin.clone(), heard.name.clone(), what, tell.clone());
                        running.insert(heard.name, readers.spawn(reader));
                    }
                    (false, Broadcast::State(from)) => known.apply(News::StateGone(from), clock.now()),
                    (false, Broadcast::Still(..)) => {}
                }
            }
            Some(news) = news.recv() => known.apply(news, clock.now()),
            Some(_) = readers.join_next() => continue,
        }
        cameras.send_if_modified(|shown| {
            let now: Vec<Camera> = known.0.values().cloned().collect();
            let changed = **shown != now;
            if changed {
                *shown = Arc::new(now);
            }
            changed
        });
    }
}

async fn read(origin: Origin, name: String, what: Broadcast, tell: mpsc::Sender<News>) {
    let outcome = match what {
        Broadcast::State(from) => states(&origin, &name, from, &tell).await,
        Broadcast::Still(from, camera) => stills(&origin, &name, (from, camera), &tell).await,
    };
    if let Err(error) = outcome {
        tracing::debug!(name, %error, "no more of this");
    }
}

async fn states(
    origin: &Origin,
    name: &str,
    from: BoxId,
    tell: &mpsc::Sender<News>,
) -> Result<(), media::Error> {
    let mut reader = Reader::begin(origin, name, STATE_TRACK).await?;
    while let Some(text) = reader.next().await? {
        match serde_json::from_slice(&text) {
            // The watcher ends with the daemon.
            Ok(states) => drop(tell.send(News::State(from.clone(), states)).await),
            Err(error) => tracing::warn!(%from, %error, "the box tells of its cameras what cannot be read"),
        }
    }
    Ok(())
}

async fn stills(
    origin: &Origin,
    name: &str,
    (from, camera): (BoxId, CameraId),
    tell: &mpsc::Sender<News>,
) -> Result<(), media::Error> {
    let mut reader = Reader::begin(origin, name, STILL_TRACK).await?;
    while reader.next().await?.is_some() {
        drop(tell.send(News::Still(from.clone(), camera.clone())).await);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::Fault;

    #[test]
    fn a_camera_is_what_its_box_said_last() {
        let (from, gate) = (BoxId::new("school-1").unwrap(), CameraId::new("gate").unwrap());
        let yard = CameraId::new("yard").unwrap();
        let state = |camera: &CameraId, fault| CameraState { camera: camera.clone(), live: true, fault };
        let mut known = Known::default();
        let now = Wall::from_millis(7);
        let both = vec![state(&gate, None), state(&yard, Some(Fault::CameraLost))];
        known.apply(News::State(from.clone(), both), now);
        known.apply(News::Still(from.clone(), gate.clone()), now);
        known.apply(News::State(from.clone(), vec![state(&gate, None)]), now);
        let cameras: Vec<_> = known.0.values().cloned().collect();
        let expected = Camera { from: from.clone(), camera: gate, still: Some(now), live: true, fault: None };
        assert_eq!(cameras, [expected]);
        known.apply(News::StateGone(from), now);
        assert!(known.0.values().all(|camera| !camera.live));
    }
}
