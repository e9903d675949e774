//! Tells watchers, such as the camera daemon, of every alarm. Telling never waits: a watcher that is too slow is cut
//! off, and hears what it missed when it comes again.

use super::{Answer, Told};
use alarm::Notice;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{interval_at, timeout};

/// How far back a new watcher hears: a camera daemon that was restarted in the middle of an incident goes on with it.
pub const RECENT: Duration = Duration::from_secs(10 * 60);
/// How often a watcher is told that the box lives.
pub const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Watchers at once: technicians must find a place on the socket beside them.
pub const WATCHERS_MAX: usize = 4;
/// Alarms that are remembered, and may wait for one watcher: more than all buttons of a box in a storm.
const ALARMS_MAX: usize = 64;
/// A watcher that takes no line for so long has stopped.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// The alarms that watchers hear of. Clones are the same.
#[derive(Clone, Debug)]
pub struct Watched {
    recent: Arc<Mutex<VecDeque<(Instant, Told)>>>,
    new: broadcast::Sender<Told>,
    places: Arc<Semaphore>,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            recent: Arc::default(),
            new: broadcast::Sender::new(ALARMS_MAX),
            places: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }
}

impl Watched {
    /// Tells of a notice if it is an alarm. Never waits.
    pub fn tell(&self, notice: &Notice) {
        let Some(told) = Told::of(notice) else { return };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(at, _)| at.elapsed() < RECENT);
        if recent.len() == ALARMS_MAX {
            recent.pop_front();
        }
        recent.push_back((Instant::now(), told.clone()));
        // Under the lock: a new watcher hears of it once. Nobody may be watching.
        let _ = self.new.send(told);
    }

    /// Serves one watcher until it goes or is too slow.
    pub(super) async fn attend(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let Ok(_place) = self.places.try_acquire() else {
            let error = format!("{WATCHERS_MAX} watch already");
            return to.write_all(&Answer::Error { error }.to_line()).await;
        };
        let (before, mut new) = self.begin();
        for told in before {
            say(to, &told).await?;
        }
        say(to, &Told::Watching).await?;
        let mut alive = interval_at(tokio::time::Instant::now() + ALIVE_EVERY, ALIVE_EVERY);
        loop {
            let told = tokio::select! {
                told = new.recv() => told.map_err(io::Error::other)?,
                _ = alive.tick() => Told::Alive,
            };
            say(to, &told).await?;
        }
    }

    fn begin(&self) -> (Vec<Told>, broadcast::Receiver<Told>) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recent.iter().filter(|(at, _)| at.elapsed() < RECENT).map(|(_, told)| told.clone());
        (before.collect(), self.new.subscribe())
    }
}

async fn say(to: &mut (impl AsyncWrite + Unpin), told: &Told) -> io::Result<()> {
    timeout(WRITE_LIMIT, to.write_all(&told.to_line())).await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{Fault, Mode, Nature, NoticeId, PointId, Wall, What};
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, duplex};

    fn alarm(n: u8) -> Notice {
        let what = What::Alarm { mode: Mode::Silent, nature: Nature::Real, at_start: false };
        let at = Wall::from_millis(1_000 + i64::from(n));
        Notice { id: NoticeId::new(1, [n; 10]), point: PointId::new("gate").ok(), at, clock_sure: true, what }
    }

    fn watch(
        watched: &Watched,
        room: usize,
    ) -> (BufReader<DuplexStream>, tokio::task::JoinHandle<io::Result<()>>) {
        let (mut to, from) = duplex(room);
        let watched = watched.clone();
        (BufReader::new(from), tokio::spawn(async move { watched.attend(&mut to).await }))
    }

    async fn line(from: &mut BufReader<DuplexStream>) -> String {
        let mut line = String::new();
        from.read_line(&mut line).await.unwrap();
        line
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_hears_what_was_then_that_it_watches_then_what_is_new() {
        let watched = Watched::default();
        watched.tell(&alarm(1));
        watched.tell(&Notice { what: What::Fault { fault: Fault::MainsLost }, ..alarm(9) });
        let (mut from, _task) = watch(&watched, 4096);
        assert_eq!(
            line(&mut from).await,
            "{\"is\":\"raised\",\"alarm\":\"00000000-0001-7101-8101-010101010101\",\"point\":\"gate\",\
             \"mode\":\"silent\",\"nature\":\"real\",\"at\":1001}\n"
        );
        assert_eq!(line(&mut from).await, "{\"is\":\"watching\"}\n");
        watched.tell(&alarm(2));
        assert!(line(&mut from).await.contains("\"at\":1002"));
        assert_eq!(line(&mut from).await, "{\"is\":\"alive\"}\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_watcher_is_cut_off_and_holds_up_nobody() {
        let watched = Watched::default();
        let (from, task) = watch(&watched, 16);
        for n in 0..200 {
            watched.tell(&alarm(n));
        }
        assert!(task.await.unwrap().is_err());
        drop(from);
        let (mut from, _task) = watch(&watched, 4096);
        for n in 200 - 64..200 {
            assert!(line(&mut from).await.contains(&format!("\"at\":{}", 1000 + n)));
        }
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_watchers() {
        let watched = Watched::default();
        let mut held = Vec::new();
        for _ in 0..WATCHERS_MAX {
            let (mut from, task) = watch(&watched, 4096);
            assert_eq!(line(&mut from).await, "{\"is\":\"watching\"}\n");
            held.push((from, task));
        }
        let (mut from, _task) = watch(&watched, 4096);
        assert!(line(&mut from).await.contains("4 watch already"));
    }
}
