//! One take, from its announcement to its end: a task for each track, and another try when the box comes back.

use super::Recorder;
use super::folder::{Folder, millis};
use super::track::Recording;
use crate::house::House;
use crate::sessions::Sessions;
use alarm::BoxId;
use alarm::media::Recorded;
use media::follow::{Fetcher, Follow, Group, Reader, Track};
use media::{Error, Kind, Origin};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// How long a box that is there may take to show a take again.
const SHOWN_LIMIT: Duration = Duration::from_secs(3);
/// Tracks of one take at most: picture and sound, each once more.
const TRACKS_MAX: usize = 8;
/// Pause between two tries, so that a broadcast that dies at once is no busy loop.
const AGAIN: Duration = Duration::from_millis(200);
/// How often time is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How long one request for a missing group may take.
const FETCH_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a missing group was not to be had.
const FETCH_AGAIN: Duration = Duration::from_secs(3);
/// How long a take that has ended is still asked for what is missing of it.
const FILL_LIMIT: Duration = Duration::from_secs(60);

/// What is to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The broadcast.
    pub(crate) broadcast: String,
    /// As it is reported, and its folder.
    pub(crate) take: String,
    /// It is expected from its first group on.
    pub(crate) whole: bool,
    /// The box that publishes it; none for a guest of a room.
    pub(crate) from: Option<BoxId>,
    /// How long it may be away before it counts as ended.
    pub(crate) resume: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Broken,
}

type Shared = Arc<Mutex<Recording>>;

/// What makes a track what it is: its name and its codec's parameters, as an init segment.
type Key = (String, media::Bytes);

fn key(track: &Track) -> anyhow::Result<Key> {
    Ok((track.name.clone(), media::mp4::Writer::new(track, 1)?.init()?))
}

fn lock(recording: &Shared) -> MutexGuard<'_, Recording> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records a take until it has ended or `wanted` becomes false.
pub(crate) async fn record(
    recorder: Recorder,
    House { origin, sessions, .. }: House,
    what: Wanted,
    mut wanted: watch::Receiver<bool>,
) {
    let opened = {
        let (root, take, outbox) = (recorder.root.clone(), what.take.clone(), recorder.outbox.clone());
        tokio::task::spawn_blocking(move || Folder::open(&root, &take, &outbox)).await
    };
    let folder = match opened {
        Ok(Ok(folder)) => folder,
        Ok(Err(error)) => {
            recorder.trouble.say(true);
            return tracing::error!(take = what.take, %error, "nothing is recorded of this take");
        }
        Err(_) => return,
    };
    tracing::info!(take = what.take, "recording");
    let mut job = Job { recorder, origin, what, folder, tracks: BTreeMap::new() };
    loop {
        let begun = tokio::select! {
            begun = job.come_back(&sessions) => begun,
            () = unwanted(&mut wanted) => break,
        };
        let Some(follow) = begun else { break };
        let end = tokio::select! {
            end = job.follow(follow) => end,
            () = unwanted(&mut wanted) => break,
        };
        job.finish(false).await;
        if end == End::Clean {
            break;
        }
        sleep(AGAIN).await;
    }
    job.finish(true).await;
    job.end().await;
}

async fn unwanted(wanted: &mut watch::Receiver<bool>) {
    // Its other end going away is an end too.
    let _ = wanted.wait_for(|wanted| !*wanted).await;
}

struct Job {
    recorder: Recorder,
    origin: Origin,
    what: Wanted,
    folder: Folder,
    tracks: BTreeMap<Key, (Kind, Shared)>,
}

impl Job {
    /// Waits for the broadcast. A box that is there and does not show the take again has ended it; one that is away
    /// may come back with it.
    async fn come_back(&self, sessions: &Sessions) -> Option<Follow> {
        let until = Instant::now() + self.what.resume;
        while Instant::now() < until {
            match timeout(SHOWN_LIMIT, Follow::begin(&self.origin, &self.what.broadcast)).await {
                Ok(follow) => return follow.ok(),
                Err(_) if self.what.from.as_ref().is_some_and(|name| sessions.has_box(name)) => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Reads until every track has ended.
    async fn follow(&mut self, mut follow: Follow) -> End {
        let mut readers = JoinSet::new();
        let mut running: Vec<Key> = Vec::new();
        let (mut catalog, mut end) = (true, End::Clean);
        loop {
            tokio::select! {
                tracks = follow.tracks(), if catalog => match tracks {
                    Ok(Some(tracks)) => {
                        for track in tracks {
                            let Some(recording) = self.begin(&track, &mut running).await else { continue };
                            let from = lock(&recording).next().unwrap_or(0);
                            readers.spawn(read(follow.read(&track, from), recording));
                        }
                    }
                    Ok(None) => catalog = false,
                    // A take's catalog goes with its publisher; how it ended, its tracks tell.
                    Err(error) => {
                        tracing::debug!(take = self.what.take, %error, "no more of the catalog");
                        catalog = false;
                        if running.is_empty() {
                            end = End::Broken;
                        }
                    }
                },
                Some(ended) = readers.join_next() => {
                    if !matches!(ended, Ok(End::Clean)) {
                        end = End::Broken;
                    }
                }
                else => return end,
            }
            // Every track has ended, and the catalog of a take never changes: it may be open for requests still.
            if readers.is_empty() && !running.is_empty() && end == End::Clean && self.what.whole {
                return End::Clean;
            }
        }
    }

    /// The recording of a track that is not being read yet. A catalog is said again for every figure in it: only
    /// other parameters make another track.
    async fn begin(&mut self, track: &Track, running: &mut Vec<Key>) -> Option<Shared> {
        let warn = |error: &anyhow::Error| {
            tracing::warn!(take = self.what.take, track = track.name, %error, "a track is not recorded");
        };
        let key = key(track).inspect_err(warn).ok()?;
        if running.contains(&key) {
            return None;
        }
        running.push(key.clone());
        if let Some((_, known)) = self.tracks.get(&key) {
            return Some(Arc::clone(known));
        }
        let recording = self.open(track).await.inspect_err(warn).ok()?;
        self.tracks.insert(key, (track.kind(), Arc::clone(&recording)));
        Some(recording)
    }

    async fn open(&self, track: &Track) -> anyhow::Result<Shared> {
        anyhow::ensure!(self.tracks.len() < TRACKS_MAX, "{TRACKS_MAX} tracks are recorded already");
        let (folder, trouble, whole) = (self.folder.clone(), self.recorder.trouble.clone(), self.what.whole);
        // Picture before sound, as players like it, and every number once.
        let same = self.tracks.values().filter(|(kind, _)| *kind == track.kind()).count();
        let number = match track.kind() {
            Kind::Video => 1,
            Kind::Audio => 2,
        } + 2 * u32::try_from(same).unwrap_or(0);
        let track = track.clone();
        let begun =
            tokio::task::spawn_blocking(move || Recording::begin(&folder, &track, number, whole, trouble));
        Ok(Arc::new(Mutex::new(begun.await??)))
    }

    async fn finish(&self, over: bool) {
        for (_, recording) in self.tracks.values() {
            blocking(recording, move |recording| recording.handle_end(over, Instant::now())).await;
        }
    }

    async fn end(self) {
        let length = self.tracks.values().map(|(_, recording)| lock(recording).length()).max();
        let length = millis(length.unwrap_or_default());
        let (folder, take) = (self.folder, self.what.take);
        tracing::info!(take, length, "recorded");
        let told = tokio::task::spawn_blocking(move || folder.tell(Recorded::Ended { take, length })).await;
        if !matches!(told, Ok(Ok(()))) {
            self.recorder.trouble.say(true);
        }
    }
}

async fn read(reader: impl Future<Output = Result<Reader, Error>>, recording: Shared) -> End {
    match reader.await {
        Ok(reader) => Reading::new(reader, recording).run().await,
        Err(error) => broken(&error),
    }
}

async fn blocking<T: Send + 'static>(
    recording: &Shared,
    work: impl FnOnce(&mut Recording) -> T + Send + 'static,
) -> Option<T> {
    let recording = Arc::clone(recording);
    tokio::task::spawn_blocking(move || work(&mut lock(&recording))).await.ok()
}

type Fetching = Pin<Box<dyn Future<Output = (u64, Option<Group>)> + Send>>;

/// One track that is being read.
struct Reading {
    reader: Reader,
    fetcher: Fetcher,
    recording: Shared,
    fetching: Option<Fetching>,
    asked: Option<u64>,
    ask_at: Instant,
}

impl Reading {
    fn new(reader: Reader, recording: Shared) -> Self {
        let fetcher = reader.fetcher();
        Self { reader, fetcher, recording, fetching: None, asked: None, ask_at: Instant::now() }
    }

    async fn run(mut self) -> End {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended: Option<Instant> = None;
        loop {
            self.ask();
            let reading = ended.is_none();
            tokio::select! {
                group = self.reader.next(), if reading => match group {
                    Ok(Some(group)) => self.take(group).await,
                    Ok(None) => {
                        blocking(&self.recording, |one| one.handle_end(false, Instant::now())).await;
                        ended = Some(Instant::now());
                    }
                    Err(error) => return broken(&error),
                },
                (number, group) = fetched(&mut self.fetching) => self.answered(number, group).await,
                _ = tick.tick() => self.tick().await,
            }
            let nothing_missing = || lock(&self.recording).missing(None).is_none();
            if ended.is_some_and(|since| since.elapsed() > FILL_LIMIT || nothing_missing()) {
                return End::Clean;
            }
        }
    }

    async fn take(&mut self, group: Group) {
        blocking(&self.recording, move |one| one.handle(group, Instant::now())).await;
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        if lock(&self.recording).is_due(now) {
            blocking(&self.recording, move |one| one.handle_time(now)).await;
        }
    }

    /// Asks for the next missing group, one at a time: live comes first.
    fn ask(&mut self) {
        if self.fetching.is_some() || Instant::now() < self.ask_at {
            return;
        }
        let number = lock(&self.recording).missing(self.asked);
        let Some(number) = number else {
            if self.asked.take().is_some() {
                self.ask_at = Instant::now() + FETCH_AGAIN;
            }
            return;
        };
        self.asked = Some(number);
        let fetcher = self.fetcher.clone();
        self.fetching = Some(Box::pin(async move {
            let group = timeout(FETCH_LIMIT, fetcher.fetch(number)).await;
            (number, group.ok().and_then(Result::ok))
        }));
    }

    async fn answered(&mut self, number: u64, group: Option<Group>) {
        self.fetching = None;
        match group.filter(|group| !group.broken) {
            Some(group) => self.take(group).await,
            None => tracing::debug!(number, "a missing group is not to be had now"),
        }
    }
}

fn broken(error: &Error) -> End {
    tracing::debug!(%error, "a track has broken off");
    End::Broken
}

async fn fetched(fetching: &mut Option<Fetching>) -> (u64, Option<Group>) {
    match fetching {
        Some(fetching) => fetching.await,
        None => std::future::pending().await,
    }
}
