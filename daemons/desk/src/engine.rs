//! The one place where the state changes: decide, number, apply, show, and hand to the journal's writer, in one
//! short critical section. Alarms are shown before they are durable; callers that owe an ACK wait for
//! [`Engine::durable`].

use crate::feed::{Feed, Message};
use crate::live::Live;
use crate::{clock, show};
use alarm::centre::{Centre, Receipt, Refused, Touched};
use alarm::chain::{Head, Line};
use alarm::event::{About, Event};
use alarm::panel::Signals;
use alarm::{BoxId, Fault, IncidentId, Notice, PathId, Wall};
use journal::{Progress, Secret, Store, Writer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Lines after which a snapshot is made: a start then replays at most this many, some tens of milliseconds.
const SNAPSHOT_EVERY: u64 = 5_000;
/// How long a person's request waits for the disk before it is answered with "taken, not yet on the disk".
const DURABLE_LIMIT: Duration = Duration::from_secs(2);
/// Lines of one incident's history that a console is shown.
const HISTORY_MAX: usize = 2_000;

/// The state of the centre and the way to its journal.
pub struct Engine {
    inner: Mutex<Inner>,
    writer: Writer,
    durable: watch::Receiver<u64>,
    signals: watch::Sender<Signals>,
    /// The last line that was taken: whoever folds the state for itself looks again.
    taken: watch::Sender<u64>,
    /// The last line of a roll-out: who is to fetch what may be another.
    rolled: watch::Sender<u64>,
    feed: Feed,
}

struct Inner {
    centre: Centre,
    head: Head,
    live: Live,
    /// Incidents shown before their newest line was durable.
    unwritten: BTreeMap<u64, IncidentId>,
    snapshot_at: u64,
}

/// Whether a change is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is.
    Durable,
    /// It is in memory and will be written as soon as the disk lets it.
    NotYet,
}

impl Engine {
    /// Replays the store and starts its writer. The receiver hears what the writer has to say; give it to
    /// [`Engine::follow`].
    ///
    /// # Errors
    /// When the store cannot be read, or makes no sense.
    pub fn open(
        mut store: Box<dyn Store>,
        centre_name: &str,
    ) -> anyhow::Result<(Arc<Self>, mpsc::UnboundedReceiver<Progress>)> {
        let (centre, head) = replay(store.as_mut())?;
        let (told, progress) = mpsc::unbounded_channel();
        let (mark, durable) = watch::channel(head.seq);
        let writer = Writer::start(store, head, move |word| {
            if let Progress::Durable(seq) | Progress::Reserve(seq) = word {
                mark.send_replace(seq);
            }
            drop(told.send(word));
        })?;
        let signals = watch::Sender::new(centre.signals());
        let inner =
            Inner { head, live: Live::default(), unwritten: BTreeMap::new(), snapshot_at: head.seq, centre };
        let taken = watch::Sender::new(head.seq);
        let (inner, rolled, feed) = (Mutex::new(inner), watch::Sender::new(head.seq), Feed::new());
        let engine = Self { inner, writer, durable, signals, taken, rolled, feed };
        engine.begin(centre_name);
        Ok((Arc::new(engine), progress))
    }

    fn begin(&self, name: &str) {
        self.write(|centre, _| {
            let opened = (centre.name() != name).then(|| Event::Opened { centre: name.to_owned() });
            let started = Event::Started { software: env!("CARGO_PKG_VERSION").to_owned() };
            opened.into_iter().chain([started]).collect()
        });
        self.with(|centre, live| {
            for appliance in centre.boxes() {
                for path in &appliance.paths {
                    let about = About::path(appliance.name.clone(), path.clone());
                    live.expect(&appliance.name, path, centre.is_faulty(&about, &Fault::PathLost));
                }
            }
            centre.seats().for_each(|(seat, _)| live.expect_seat(seat));
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic ends the process, so a poisoned lock is never seen.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&Centre) -> T) -> T {
        look(&self.lock().centre)
    }

    /// Looks at the state and changes what is only live.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Centre, &mut Live) -> T) -> T {
        let inner = &mut *self.lock();
        work(&inner.centre, &mut inner.live)
    }

    /// Decides and writes. The journal number to wait for.
    ///
    /// # Errors
    /// What `decide` refused.
    pub fn commit<E>(&self, decide: impl FnOnce(&Centre, Wall) -> Result<Vec<Event>, E>) -> Result<u64, E> {
        let mut inner = self.lock();
        let now = clock::wall();
        let events = decide(&inner.centre, now)?;
        Ok(self.take(&mut inner, now, events))
    }

    /// As [`Engine::commit`] for what cannot be refused.
    pub fn write(&self, decide: impl FnOnce(&Centre, Wall) -> Vec<Event>) -> u64 {
        let outcome: Result<u64, std::convert::Infallible> =
            self.commit(|centre, now| Ok(decide(centre, now)));
        match outcome {
            Ok(seq) => seq,
        }
    }

    /// Receives a notice. The journal number after which it may be ACKed.
    pub fn receive(&self, from: &BoxId, path: &PathId, notice: Notice) -> u64 {
        self.write(|centre, now| match centre.receive(from, path, notice, now) {
            Receipt::New(event) => vec![*event],
            Receipt::Known => vec![],
        })
    }

    /// Raises a fault, once.
    pub fn raise(&self, about: About, fault: Fault) {
        self.write(|centre, _| centre.raise(about, fault).into_iter().collect());
    }

    /// Clears a fault, if it stands.
    pub fn clear(&self, about: About, fault: Fault) {
        self.write(|centre, _| centre.clear(about, fault).into_iter().collect());
    }

    fn take(&self, inner: &mut Inner, now: Wall, events: Vec<Event>) -> u64 {
        let mut lines = Vec::with_capacity(events.len());
        for event in events {
            let Some(line) = numbered(inner.head, now, &event) else { continue };
            inner.head = Head::after(&line);
            lines.push(line);
            let touched = inner.centre.apply(now, &event);
            self.show(inner, touched);
        }
        if !lines.is_empty() {
            self.writer.append(lines);
            let wanted = inner.centre.signals();
            self.signals.send_if_modified(|shown| std::mem::replace(shown, wanted) != wanted);
            self.taken.send_replace(inner.head.seq);
            self.snapshot_when_due(inner);
        }
        inner.head.seq
    }

    fn show(&self, inner: &mut Inner, touched: Touched) {
        let seq = inner.head.seq;
        match touched {
            Touched::Incident(id) => {
                inner.unwritten.insert(seq, id);
                self.show_incident(inner, id, false);
            }
            Touched::Box(name) => self.show_box(inner, &name),
            Touched::Site(site) => {
                if let Some(site) = inner.centre.site(&site) {
                    self.feed.tell("site", seq, &show::site(&inner.centre, site));
                }
            }
            Touched::Seats => self.feed.tell("seats", seq, &show::seats(&inner.centre)),
            Touched::Desk => self.feed.tell("faults", seq, &show::faults(&inner.centre, None)),
            Touched::Announcements => {
                self.feed.tell("announcements", seq, &show::announcements(&inner.centre));
            }
            Touched::Rollout => self.show_rollout(inner),
            Touched::Software(name) => {
                self.show_box(inner, &name);
                self.show_rollout(inner);
            }
            Touched::Film(ids) => {
                let durable = self.durable_now();
                for id in ids {
                    let written = inner.centre.incident(id).is_some_and(|known| known.newest <= durable);
                    self.show_incident(inner, id, written);
                }
            }
            Touched::Quiet => {}
        }
    }

    fn show_incident(&self, inner: &Inner, id: IncidentId, durable: bool) {
        if let Some(incident) = inner.centre.incident(id) {
            self.feed.tell("incident", inner.head.seq, &show::incident(&inner.centre, incident, durable));
        }
    }

    fn show_box(&self, inner: &Inner, name: &BoxId) {
        if let Some(view) = show::appliance(&inner.centre, &inner.live, name) {
            self.feed.tell("box", inner.head.seq, &view);
        }
    }

    fn show_rollout(&self, inner: &Inner) {
        let seq = inner.head.seq;
        self.feed.tell("bundles", seq, &show::bundles(&inner.centre));
        self.feed.tell("rollout", seq, &show::rollout(&inner.centre, &inner.live));
        self.rolled.send_replace(seq);
    }

    /// Shows how far boxes are with what they fetch.
    pub(crate) fn tell_rollout(&self) {
        let inner = self.lock();
        self.feed.tell("rollout", inner.head.seq, &show::rollout(&inner.centre, &inner.live));
    }

    /// Who is to fetch what, now and on every change.
    pub(crate) fn rolled(&self) -> watch::Receiver<u64> {
        self.rolled.subscribe()
    }

    /// Shows an appliance whose live part has changed.
    pub(crate) fn refresh_box(&self, name: &BoxId) {
        let inner = self.lock();
        self.show_box(&inner, name);
    }

    fn snapshot_when_due(&self, inner: &mut Inner) {
        if inner.head.seq < inner.snapshot_at + SNAPSHOT_EVERY {
            return;
        }
        inner.snapshot_at = inner.head.seq;
        if let Ok(text) = serde_json::to_string(&inner.centre) {
            self.writer.snapshot(inner.head.seq, text);
        }
    }

    /// Waits until everything up to line `seq` is on the disk, however long that takes.
    pub async fn durable(&self, seq: u64) {
        // The sender lives in the writer's thread, which ends with the engine.
        let _ = self.durable.clone().wait_for(|done| *done >= seq).await;
    }

    /// As [`Engine::durable`], for a person who waits: not for ever.
    pub async fn durable_soon(&self, seq: u64) -> Taken {
        match tokio::time::timeout(DURABLE_LIMIT, self.durable(seq)).await {
            Ok(()) => Taken::Durable,
            Err(_) => Taken::NotYet,
        }
    }

    /// Last line that is on the disk.
    pub fn durable_now(&self) -> u64 {
        *self.durable.borrow()
    }

    /// What the walls are to show, now and on every change.
    pub fn signals(&self) -> watch::Receiver<Signals> {
        self.signals.subscribe()
    }

    /// The last line that is on the disk, now and on every commit.
    pub fn marks(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// The last line that was taken, now and on every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.taken.subscribe()
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Message> {
        self.feed.listen()
    }

    /// The whole state for a console.
    pub fn state(&self) -> crate::view::State {
        let durable = self.durable_now();
        self.with(|centre, live| show::state(centre, live, durable, clock::wall()))
    }

    pub(crate) fn tell_tick(&self) {
        let inner = self.lock();
        let seq = inner.head.seq;
        self.feed.tell("tick", seq, &serde_json::json!({ "seq": seq, "now": clock::wall() }));
    }

    pub(crate) fn tell_figures(&self) {
        let inner = self.lock();
        self.feed.tell("figures", inner.head.seq, &show::figures(&inner.centre, clock::wall()));
    }

    /// Hears what the writer says until it says something fatal.
    ///
    /// # Errors
    /// When this desk must end: another one writes the journal, or the writer has gone.
    pub async fn follow(
        self: Arc<Self>,
        mut progress: mpsc::UnboundedReceiver<Progress>,
    ) -> anyhow::Result<()> {
        while let Some(word) = progress.recv().await {
            match word {
                Progress::Durable(seq) => {
                    self.clear(About::desk(), Fault::JournalUnwritable);
                    self.clear(About::desk(), Fault::DiskFull);
                    self.show_durable(seq);
                }
                Progress::Reserve(seq) => {
                    self.clear(About::desk(), Fault::JournalUnwritable);
                    self.raise(About::desk(), Fault::DiskFull);
                    self.show_durable(seq);
                }
                Progress::Failing(reason) => self.failing(&reason),
                Progress::Fatal(reason) => anyhow::bail!("{reason}"),
            }
        }
        anyhow::bail!("the journal's writer has gone")
    }

    fn failing(&self, reason: &str) {
        if !self.read(|centre| centre.is_faulty(&About::desk(), &Fault::JournalUnwritable)) {
            tracing::warn!(reason, "the journal cannot be written; alarms are shown and held in memory");
            self.raise(About::desk(), Fault::JournalUnwritable);
        }
    }

    fn show_durable(&self, seq: u64) {
        let mut inner = self.lock();
        let later = inner.unwritten.split_off(&(seq + 1));
        let written = std::mem::replace(&mut inner.unwritten, later);
        let mut incidents: Vec<_> = written.into_values().collect();
        incidents.sort_unstable();
        incidents.dedup();
        let pending: Vec<_> = inner.unwritten.values().copied().collect();
        for id in incidents.into_iter().filter(|id| !pending.contains(id)) {
            self.show_incident(&inner, id, true);
        }
    }

    /// The journal's lines about one incident.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, incident: IncidentId) -> anyhow::Result<Vec<Line>> {
        let (answer, wait) = oneshot::channel();
        self.writer.about_incident(incident.0, HISTORY_MAX, |lines| drop(answer.send(lines)));
        Ok(wait.await??)
    }

    pub(crate) async fn keep_secret(&self, kind: Secret, name: &str, value: &[u8]) -> anyhow::Result<()> {
        let (answer, wait) = oneshot::channel();
        self.writer.keep_secret(kind, name, value, |done| drop(answer.send(done)));
        Ok(wait.await??)
    }

    pub(crate) async fn secret(&self, kind: Secret, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let (answer, wait) = oneshot::channel();
        self.writer.secret(kind, name, |done| drop(answer.send(done)));
        Ok(wait.await??)
    }

    pub(crate) async fn forget_secret(&self, kind: Secret, name: &str) -> anyhow::Result<()> {
        let (answer, wait) = oneshot::channel();
        self.writer.forget_secret(kind, name, |done| drop(answer.send(done)));
        Ok(wait.await??)
    }

    /// Puts an appliance out of service, now.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn revoke(&self, name: &BoxId, by: alarm::event::Actor) -> Result<u64, Refused> {
        let seq = self.commit(|centre, _| centre.revoke(name, by))?;
        self.with(|_, live| live.drop_box(name, link::Reason::NotRegistered));
        Ok(seq)
    }
}

fn numbered(head: Head, now: Wall, event: &Event) -> Option<Line> {
    match serde_json::to_string(event) {
        Ok(text) => Some(head.next(now, text)),
        Err(error) => {
            tracing::error!(%error, ?event, "an event cannot be written as JSON");
            None
        }
    }
}

fn replay(store: &mut dyn Store) -> anyhow::Result<(Centre, Head)> {
    let loaded = store.load(journal::From::Snapshot)?;
    let whole = match loaded.snapshot.as_ref().map(|(_, text)| serde_json::from_str::<Centre>(text)) {
        Some(Ok(centre)) => (centre, loaded),
        None => (Centre::default(), loaded),
        Some(Err(error)) => {
            tracing::info!(%error, "the snapshot is of another version: the whole journal is replayed");
            (Centre::default(), store.load(journal::From::Start)?)
        }
    };
    let (mut centre, loaded) = whole;
    for line in &loaded.lines {
        let event: Event = serde_json::from_str(&line.text)
            .map_err(|error| anyhow::anyhow!("journal line {} cannot be read: {error}", line.seq))?;
        centre.apply(line.at, &event);
    }
    Ok((centre, loaded.head))
}
