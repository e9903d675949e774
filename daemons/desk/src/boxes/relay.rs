//! The relay stream: what the centre is goes out whole at first and then by its changes; what a relay recorded
//! comes back and is answered when it is on the disk.

use super::Hall;
use super::status::agree;
use alarm::BoxId;
use alarm::centre::Plane;
use alarm::event::{About, Event};
use alarm::media::Report;
use alarm::wire::{Refusal, ToBox, ToRack};
use link::StreamError;
use link::rack::{Peer, Receiver, Sender, Stream};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Records that wait for the disk on one stream; beyond it the relay is not read.
const WAITING_MAX: usize = 256;
/// Changes are told at most this often: a storm of presses is told in few words.
const TELL_EVERY: Duration = Duration::from_millis(20);

/// A record of the relay: the line it stands in, and its number.
type Owed = (u64, u64);

pub(super) async fn serve(hall: Hall, peer: Peer, stream: Stream) {
    let name = peer.name.clone();
    if peer.site.is_some() || !link::media::is_relay(&name) {
        tracing::warn!(%name, "an appliance that is not a relay asked for a relay's stream: register it without a site, as relay or relay-...");
        stream.refuse(Refusal::NotRegistered).await;
        return;
    }
    let (_, sender, receiver) = stream.split();
    let (owed, waiting) = mpsc::channel(WAITING_MAX);
    let number = hall.engine.with(|_, live| live.next_number());
    let ended = tokio::select! {
        told = tell(&hall, &name, sender, waiting) => told,
        heard = hear(&hall, (&name, number), receiver, owed) => heard,
    };
    if let Err(StreamError::BadFrame(error)) = ended {
        tracing::warn!(%name, %error, "a frame of a relay could not be read");
    }
    forget(&hall, &name, number);
}

async fn tell(
    hall: &Hall,
    name: &BoxId,
    mut sender: Sender,
    mut waiting: mpsc::Receiver<Owed>,
) -> Result<(), StreamError> {
    let (mut changes, mut marks) = (hall.engine.changes(), hall.engine.marks());
    let mut known = tell_all(hall, name, &mut sender).await?;
    let mut owed: VecDeque<Owed> = VecDeque::new();
    let (mut due, mut next) = (false, Instant::now());
    loop {
        tokio::select! {
            changed = changes.changed(), if !due => if changed.is_err() { return Ok(()) } else { due = true },
            () = tokio::time::sleep_until(next), if due => {
                (due, next) = (false, Instant::now() + TELL_EVERY);
                let now = hall.engine.read(alarm::centre::Centre::plane);
                send(&mut sender, known.changes(&now)).await?;
                known = now;
            }
            more = waiting.recv(), if owed.len() < WAITING_MAX => match more {
                Some(more) => owed.push_back(more),
                None => return Ok(()),
            },
            moved = marks.changed(), if !owed.is_empty() => if moved.is_err() { return Ok(()) },
        }
        let durable = *marks.borrow_and_update();
        if let Some(number) = written(&mut owed, durable) {
            sender.send(&ToBox::Written { number }).await?;
        }
    }
}

async fn tell_all(hall: &Hall, name: &BoxId, sender: &mut Sender) -> Result<Plane, StreamError> {
    sender.send(&ToBox::PassKey { key: hall.passes.public().to_text() }).await?;
    let (seq, number) = hall.engine.read(|centre| (centre.seq(), centre.last_recorded(name)));
    let plane = hall.engine.read(alarm::centre::Centre::plane);
    send(sender, Plane::default().changes(&plane)).await?;
    sender.send(&ToBox::Told).await?;
    if hall.engine.durable_now() >= seq {
        sender.send(&ToBox::Written { number }).await?;
    }
    Ok(plane)
}

async fn send(sender: &mut Sender, words: Vec<ToBox>) -> Result<(), StreamError> {
    for word in words {
        sender.send(&word).await?;
    }
    Ok(())
}

/// The last number whose line is on the disk.
fn written(owed: &mut VecDeque<Owed>, durable: u64) -> Option<u64> {
    let mut last = None;
    while let Some((_, number)) = owed.pop_front_if(|(seq, _)| *seq <= durable) {
        last = Some(number);
    }
    last
}

async fn hear(
    hall: &Hall,
    (name, stream): (&BoxId, u64),
    mut receiver: Receiver,
    owed: mpsc::Sender<Owed>,
) -> Result<(), StreamError> {
    while let Some(message) = receiver.recv().await? {
        if let ToRack::Recorded { number, what } = message {
            let seq =
                hall.engine.write(|centre, _| centre.recorded(name, number, what).into_iter().collect());
            if owed.send((seq, number)).await.is_err() {
                return Ok(());
            }
        } else if let ToRack::Relay(report) = message {
            take(hall, name, stream, report);
        }
    }
    Ok(())
}

fn take(hall: &Hall, name: &BoxId, stream: u64, report: Report) {
    agree(hall, name, &report.faults);
    let boxes: BTreeSet<BoxId> = hall.engine.with(|_, live| {
        let known = live.boxes.entry(name.clone()).or_default();
        let before = known.relay.replace((stream, report.clone())).map(|(_, before)| before);
        let same = before.as_ref() == Some(&report);
        let cameras = before.into_iter().flat_map(|before| before.cameras).chain(report.cameras);
        let boxes = cameras.map(|camera| camera.from).chain([name.clone()]);
        if same { BTreeSet::new() } else { boxes.collect() }
    });
    boxes.iter().for_each(|name| agree_cameras(hall, name));
    boxes.iter().for_each(|name| hall.engine.refresh_box(name));
}

/// Faults of a box's cameras stand exactly while a linked relay says so.
fn agree_cameras(hall: &Hall, name: &BoxId) {
    let said: BTreeSet<(About, alarm::Fault)> = hall.engine.with(|centre, live| {
        let known = centre.appliance(name).is_some();
        let here = live.cameras().filter(|camera| known && camera.from == *name);
        let faults = here.filter_map(|camera| {
            Some((About::camera(name.clone(), camera.camera.clone()), camera.fault.clone()?))
        });
        faults.collect()
    });
    hall.engine.write(|centre, _| {
        let gone = centre
            .faults_of(Some(name))
            .filter(|standing| standing.about.camera.is_some())
            .map(|standing| (standing.about.clone(), standing.fault.clone()))
            .filter(|standing| !said.contains(standing))
            .map(|(about, fault)| Event::FaultCleared { about, fault });
        let new = said.iter().filter_map(|(about, fault)| centre.raise(about.clone(), fault.clone()));
        gone.chain(new).collect()
    });
}

/// A relay that is not linked is nowhere for consoles; what it said of cameras stands until another word comes.
fn forget(hall: &Hall, name: &BoxId, stream: u64) {
    let gone = hall.engine.with(|_, live| {
        let live = live.boxes.get_mut(name)?;
        live.relay.take_if(|(said_on, _)| *said_on == stream)
    });
    let boxes = gone.into_iter().flat_map(|(_, report)| report.cameras).map(|camera| camera.from);
    let boxes: BTreeSet<BoxId> = boxes.chain([name.clone()]).collect();
    boxes.iter().for_each(|name| hall.engine.refresh_box(name));
}
