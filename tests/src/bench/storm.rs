//! A storm: every school presses, again and again, within one second.

use super::boxes::{self, Client};
use super::centre::{Centre, Wall};
use super::floor::Disk;
use super::numbers::Times;
use alarm::ticket::Ticket;
use alarm::wire::{Purpose, ToBox, ToRack};
use anyhow::Context;
use link::client::Session;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub(crate) const BOXES: usize = 200;
const PER_BOX: usize = 10;
/// All of them.
pub(crate) const PRESSES: usize = BOXES * PER_BOX;
/// In which all presses fall.
const SPAN: Duration = Duration::from_secs(1);

/// What one storm came to. Times count from the last press, except `acked`.
pub(crate) struct Storm {
    /// From each press to its ACK.
    pub(crate) acked: Times,
    pub(crate) siren: Duration,
    pub(crate) all_acked: Duration,
    pub(crate) all_seen: Duration,
    pub(crate) all_seen_durable: Duration,
    pub(crate) wall_told: Duration,
    /// From each record to its fsync, when a bare thread commits as many in groups.
    pub(crate) floor: Times,
    pub(crate) floor_groups: usize,
}

/// The boxes and a second wall, connected.
pub(crate) struct Crowd {
    clients: Vec<Client>,
    /// When the number of the newest alarm last changed on the wall's stream.
    told: Arc<Mutex<Option<Instant>>>,
    _wall: Arc<Session>,
}

impl Crowd {
    /// Connects the first boxes of `dir` and enrols a wall.
    pub(crate) fn gather(runtime: &Runtime, centre: &Centre, dir: &Path) -> anyhow::Result<Self> {
        let ticket = Ticket::from_text(&centre.desk.new_box("wall-2", None)?)?;
        let wall_dir = dir.join("wall-2");
        boxes::with_ticket(runtime, &ticket, &wall_dir)?;
        runtime.block_on(async {
            let mut clients = Vec::with_capacity(BOXES);
            for number in 0..BOXES {
                clients.push(Client::open(&dir.join(boxes::name(number))).await?);
            }
            let told = Arc::new(Mutex::new(None));
            let wall = watch(&wall_dir, Arc::clone(&told)).await?;
            Ok(Self { clients, told, _wall: Arc::new(wall) })
        })
    }

    /// One storm, and then silence.
    pub(crate) fn blow(
        &mut self,
        runtime: &Runtime,
        centre: &Centre,
        wall: &Wall,
        dir: &Path,
    ) -> anyhow::Result<Storm> {
        centre.forget();
        let first = Instant::now();
        let clients = std::mem::take(&mut self.clients);
        let sending = runtime.spawn(send(clients));
        let seen = see(centre)?;
        let (clients, sent) = runtime.block_on(sending)??;
        self.clients = clients;
        let last = sent.iter().map(|(at, _)| *at).max().unwrap_or(first);
        let after = |at: Instant| at.saturating_duration_since(last);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let acked = sent.iter().map(|(at, acked)| acked.duration_since(*at)).collect();
        let siren = wall.board.siren(true)?.saturating_duration_since(first);
        seen.incidents.iter().try_for_each(|id| centre.close(*id))?;
        wall.board.siren(false)?;
        let (floor, floor_groups) = floor(dir)?;
        Ok(Storm {
            acked,
            siren,
            all_acked: after(sent.iter().map(|(_, acked)| *acked).max().unwrap_or(first)),
            all_seen: after(seen.all),
            all_seen_durable: after(seen.durable),
            wall_told: after(told.context("the wall was told nothing")?),
            floor,
            floor_groups,
        })
    }
}

async fn watch(dir: &Path, told: Arc<Mutex<Option<Instant>>>) -> anyhow::Result<Session> {
    let way = boxes::ways()?.into_iter().next().context("a wall has a way")?;
    let session = boxes::connector(dir)?.connect(&way).await?;
    let (sender, mut receiver) = session.open(Purpose::Wall).await?.split();
    tokio::spawn(async move {
        // A wall that says nothing is a wall all the same.
        let _sender = sender;
        let mut newest = 0;
        while let Ok(Some(message)) = receiver.recv().await {
            if let ToBox::Signals(signals) = message
                && signals.newest > newest
            {
                newest = signals.newest;
                told.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
            }
        }
    });
    Ok(session)
}

type Sent = Vec<(Instant, Instant)>;

/// Every box presses [`PER_BOX`] times, evenly spread, and waits for its ACKs.
async fn send(clients: Vec<Client>) -> anyhow::Result<(Vec<Client>, Sent)> {
    let begin = tokio::time::Instant::now();
    let mut tasks = Vec::with_capacity(BOXES);
    for (number, client) in clients.into_iter().enumerate() {
        let begin = begin + SPAN / u32::try_from(PRESSES)? * u32::try_from(number)?;
        tasks.push(tokio::spawn(one(client, begin, number)));
    }
    let (mut clients, mut sent) = (Vec::with_capacity(BOXES), Vec::with_capacity(PRESSES));
    for task in tasks {
        let (client, times) = task.await??;
        clients.push(client);
        sent.extend(times);
    }
    Ok((clients, sent))
}

async fn one(client: Client, begin: tokio::time::Instant, number: usize) -> anyhow::Result<(Client, Sent)> {
    let (mut sender, mut receiver, keep) = client.apart();
    let sending = tokio::spawn(async move {
        let mut sent = Vec::with_capacity(PER_BOX);
        for press in 0..PER_BOX {
            let offset = SPAN / u32::try_from(PER_BOX)? * u32::try_from(press)?;
            tokio::time::sleep_until(begin + offset).await;
            let notice = boxes::press(u64::try_from(number * PER_BOX + press)?)?;
            let id = notice.id;
            let at = Instant::now();
            sender.send(&ToRack::Notice(notice)).await?;
            sent.push((id, at));
        }
        anyhow::Ok((sender, sent))
    });
    let mut acks = BTreeMap::new();
    while acks.len() < PER_BOX {
        if let ToBox::Ack { id } = receiver.recv().await?.context("the rack has ended a stream")? {
            acks.entry(id).or_insert_with(Instant::now);
        }
    }
    let (sender, sent) = sending.await??;
    let pair = |(id, at): &(alarm::NoticeId, Instant)| Some((*at, *acks.get(id)?));
    let times = sent.iter().filter_map(pair).collect();
    Ok((Client::together(sender, receiver, keep), times))
}

struct Seen {
    incidents: Vec<u64>,
    all: Instant,
    durable: Instant,
}

/// Until a seat has been told of every press, and that all are on the disk.
fn see(centre: &Centre) -> anyhow::Result<Seen> {
    let mut presses: BTreeMap<u64, (u64, bool)> = BTreeMap::new();
    let mut all = None;
    loop {
        let (at, incident) = centre.incident()?;
        if incident["step"] != serde_json::json!("ringing") {
            continue;
        }
        let number = |key: &str| incident[key].as_u64().unwrap_or(0);
        presses.insert(number("id"), (number("presses"), incident["durable"] == serde_json::json!(true)));
        let seen: u64 = presses.values().map(|(presses, _)| presses).sum();
        if seen < PRESSES as u64 {
            continue;
        }
        let all = *all.get_or_insert(at);
        if presses.values().all(|(_, durable)| *durable) {
            return Ok(Seen { incidents: presses.into_keys().collect(), all, durable: at });
        }
    }
}

/// As many records, as evenly spread, appended by one thread that syncs what has come since its last fsync.
fn floor(dir: &Path) -> anyhow::Result<(Times, usize)> {
    let mut disk = Disk::open(dir, "storm", boxes::press_bytes()?)?;
    let gap = SPAN / u32::try_from(PRESSES)?;
    let (begun, mut done, mut groups) = (Instant::now(), 0, 0);
    let mut times = Times::default();
    while done < PRESSES {
        let come = usize::try_from(begun.elapsed().as_nanos() / gap.as_nanos() + 1)?.min(PRESSES);
        if come == done {
            onepress::rig::pause(gap);
            continue;
        }
        disk.append(come - done)?;
        groups += 1;
        let now = begun.elapsed();
        for record in done..come {
            times.push(now.saturating_sub(gap * u32::try_from(record)?));
        }
        done = come;
    }
    Ok((times, groups))
}
