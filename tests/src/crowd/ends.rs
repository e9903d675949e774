//! Boxes and seats of one process, against the real desk and the real relay.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alarm::media::{box_prefix, room_prefix, talk_prefix, wish_broadcast};
use alarm::wire::ToRack;
use alarm::{BoxId, IncidentId, Mode, Nature, What};
use anyhow::Context;
use link::Clock;
use link::identity::Identity;
use media::follow::Follow;
use media::session::{Grant, alpns, transport_config};
use media::take::{Audio, Content, Take, Video};
use media::{Bytes, Frame, Kind, Origin, Scope, Session};
use onepress::api::Desk;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::{Heard, Outcome, PICTURE, Plan};
use crate::bench::boxes::{self, Client};
use crate::centre::list;

/// Bytes of a packet of sound.
const SOUND: usize = 80;
/// Seconds from one key frame to the next.
const GOP_S: u64 = 2;
/// Longest that a connection, an answer or a first frame may take while everybody comes at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// Memory of one end.
const MEMORY: u64 = 4 << 20;
/// How an AVC stream of 320 by 240 introduces itself.
const AVC: &[u8] = include_bytes!("../../../daemons/media/tests/avcc.bin");

/// Enrols, presses, answers, talks, and stops. Incidents stay open.
///
/// # Errors
/// What did not come up.
pub(super) async fn run(plan: Plan, seats: &[Seat], relay: u16, dir: &Path) -> anyhow::Result<Outcome> {
    let mut pressed = JoinSet::new();
    for number in 0..plan.incidents {
        let dir = dir.join(boxes::name(number));
        pressed.spawn(async move { press(&dir, number as u64).await });
    }
    let acked = all(pressed).await?;
    let incidents = answer_all(seats, plan.incidents)?;
    let (mut sending, mut seeing, mut hearing) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    for (seat, name, incident, pass) in incidents {
        let at = Ends { relay, name: BoxId::new(&name)?, incident, seat, plan };
        let dir = dir.join(&name);
        let (origin, other) = (Origin::keeping(PATIENCE, MEMORY), Origin::keeping(PATIENCE, MEMORY));
        sending.spawn(box_sends(at.clone(), dir.clone(), origin.clone()));
        hearing.spawn(hear(origin, talk_prefix(&at.name), Kind::Audio, plan.span));
        sending.spawn(seat_sends(at.clone(), pass, other.clone()));
        seeing.spawn(hear(other, box_prefix(&at.name), Kind::Video, plan.span));
    }
    sleep(plan.span / 2).await;
    let mut again = JoinSet::new();
    for number in 0..plan.incidents {
        let dir = dir.join(boxes::name(number));
        again.spawn(async move { press(&dir, (plan.incidents + number) as u64).await });
    }
    let acked_under_load = all(again).await?;
    let pictures = all(seeing).await?;
    let voices = all(hearing).await?;
    all(sending).await?;
    Ok(Outcome { acked, acked_under_load, pictures, voices, takes: 0 })
}

async fn all<T: 'static>(mut tasks: JoinSet<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        done.push(ended.context("a task has died")??);
    }
    Ok(done)
}

/// One press in ordinary mode; how long its ACK took.
async fn press(dir: &Path, number: u64) -> anyhow::Result<Duration> {
    let mut client = timeout(PATIENCE, Client::open(dir)).await??;
    let mut notice = boxes::press(number)?;
    notice.what = What::Alarm { mode: Mode::Ordinary, nature: Nature::Real, at_start: false };
    let (begun, id) = (Instant::now(), notice.id);
    client.sender.send(&ToRack::Notice(notice)).await?;
    timeout(PATIENCE, client.acked(id)).await??;
    Ok(begun.elapsed())
}

/// A call-taker, signed in.
pub(super) struct Seat {
    /// Name of the seat.
    name: String,
    /// Who sits there.
    desk: Desk,
}

/// Incidents of one seat: a person may have so many pictures open at once.
const OF_A_SEAT: usize = 40;

/// Signs so many call-takers in as so many incidents need.
///
/// # Errors
/// What the desk refused.
pub(super) fn seats(desk: &Desk, incidents: usize) -> anyhow::Result<Vec<Seat>> {
    const PASSWORD: &str = "correct-horse-110";
    let one = |number: usize| {
        let (user, name) = (format!("user-{number}"), format!("seat-{number}"));
        let account = json!({ "user": user, "name": user, "role": "regular", "password": PASSWORD });
        desk.post("/api/accounts", &account)?;
        let mut desk = Desk::at(desk.url());
        desk.sign_in(&user, PASSWORD, &name)?;
        // A seat without a console is lost after a while, and with it what it sees.
        let told = desk.events()?;
        std::thread::spawn(move || told.for_each(drop));
        Ok(Seat { name, desk })
    };
    (0..incidents.div_ceil(OF_A_SEAT)).map(one).collect()
}

/// The seats take every incident: seat, box, number and pass of each.
fn answer_all(seats: &[Seat], expected: usize) -> anyhow::Result<Vec<(String, String, u64, Value)>> {
    let state = seats.first().context("a seat")?.desk.state()?;
    let incidents: Vec<_> = list(&state["incidents"]).cloned().collect();
    anyhow::ensure!(incidents.len() == expected, "{} incidents of {expected}", incidents.len());
    let one = |(number, incident): (usize, &Value)| {
        let Seat { name, desk } = &seats[number / OF_A_SEAT];
        let id = incident["id"].as_u64().context("an incident has a number")?;
        desk.post(&format!("/api/incidents/{id}/answer"), &json!({}))?;
        let pass = desk.post(&format!("/api/incidents/{id}/pass"), &json!({}))?;
        let from = incident["box"].as_str().context("an incident has a box")?;
        Ok((name.clone(), from.to_owned(), id, pass))
    };
    incidents.iter().enumerate().map(one).collect()
}

#[derive(Clone)]
struct Ends {
    relay: u16,
    name: BoxId,
    incident: u64,
    seat: String,
    plan: Plan,
}

fn content(video: bool) -> Content {
    let video = video.then(|| Video::H264(Bytes::from_static(AVC)));
    Content { video, audio: Some(Audio::Opus { channels: 1 }) }
}

async fn box_sends(ends: Ends, dir: std::path::PathBuf, origin: Origin) -> anyhow::Result<()> {
    let identity = Identity::load(&dir)?.context("an enrolled box")?;
    let tls = link::media::to_relay(&identity, &Clock::system(), alpns())?;
    let connection = connect(Arc::new(tls), ends.relay).await?;
    let grant = Grant {
        see: Scope::below([box_prefix(&ends.name)])?,
        publish: Scope::below([talk_prefix(&ends.name), wish_broadcast(&ends.name)])?,
    };
    let session = Session::connect(connection, &origin, &grant).await?;
    let began = SystemTime::now();
    let name = format!("{}/cam/gate/{}", box_prefix(&ends.name), millis(began));
    send(&origin, &name, began, true, ends.plan).await?;
    drop(session);
    Ok(())
}

/// A connection to a relay on loopback.
pub(crate) async fn connect(
    tls: Arc<dyn quinn::crypto::ClientConfig>,
    port: u16,
) -> anyhow::Result<quinn::Connection> {
    let mut quic = quinn::ClientConfig::new(tls);
    quic.transport_config(Arc::new(transport_config(Duration::from_secs(2), Duration::from_secs(30))));
    let endpoint = quinn::Endpoint::client((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
    let relay = (std::net::Ipv4Addr::LOCALHOST, port).into();
    Ok(timeout(PATIENCE, endpoint.connect_with(quic, relay, "relay")?).await??)
}

async fn seat_sends(ends: Ends, pass: Value, origin: Origin) -> anyhow::Result<()> {
    let url = format!("ws://127.0.0.1:{}/?pass={}", ends.relay, pass["pass"].as_str().context("a pass")?);
    let own = pass["publish"].as_str().context("the host of an ordinary incident may speak")?;
    anyhow::ensure!(own == format!("{}/seat-{}", room_prefix(IncidentId(ends.incident)), ends.seat));
    let grant = Grant { see: Scope::below([own])?, publish: Scope::below([box_prefix(&ends.name)])? };
    let session = timeout(PATIENCE, Session::connect_socket(&url, &origin, &grant)).await??;
    send(&origin, own, SystemTime::now(), false, ends.plan).await?;
    drop(session);
    Ok(())
}

/// Publishes a take as long as the plan says.
pub(crate) async fn send(
    origin: &Origin,
    name: &str,
    began: SystemTime,
    video: bool,
    plan: Plan,
) -> anyhow::Result<()> {
    let mut take = Take::open(origin, name, began, PATIENCE, &content(video))?;
    take.announce()?;
    let begun = Instant::now();
    let mut every = interval(Duration::from_millis(1_000 / plan.sounds));
    for sound in 0.. {
        every.tick().await;
        if begun.elapsed() >= plan.span {
            break;
        }
        take.write(&frame(Kind::Audio, begun.elapsed(), true, SOUND))?;
        if video && sound % (plan.sounds / plan.fps) == 0 {
            let key = (sound / (plan.sounds / plan.fps)).is_multiple_of(GOP_S * plan.fps);
            take.write(&frame(Kind::Video, begun.elapsed(), key, PICTURE))?;
        }
    }
    take.finish();
    // What is on its way may arrive.
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// A frame that says when it was sent.
fn frame(kind: Kind, time: Duration, key: bool, bytes: usize) -> Frame {
    let mut data = vec![0; bytes];
    let body = u32::try_from(bytes - 4).unwrap_or(0).to_be_bytes();
    data[..4].copy_from_slice(&body);
    data[4] = if key { 0x65 } else { 0x41 };
    data[5..13].copy_from_slice(&micros().to_be_bytes());
    Frame { kind, time, key, data: data.into() }
}

/// Reads the first broadcast below `prefix` that carries such a track, to its end.
pub(crate) async fn hear(
    origin: Origin,
    prefix: String,
    kind: Kind,
    span: Duration,
) -> anyhow::Result<Heard> {
    let mut listening = origin.listen(&prefix)?;
    let name = loop {
        let heard =
            timeout(PATIENCE, listening.next()).await.with_context(|| format!("nothing below {prefix}"))?;
        let heard = heard.context("the origin has gone")?;
        if heard.there {
            break heard.name;
        }
    };
    let mut follow = timeout(PATIENCE, Follow::begin(&origin, &name)).await??;
    let track = loop {
        let tracks = timeout(PATIENCE, follow.tracks()).await??.context("the broadcast has ended")?;
        if let Some(track) = tracks.into_iter().find(|track| track.kind() == kind) {
            break track;
        }
    };
    let mut reader = follow.read(&track, 0).await?;
    let mut heard = Heard::default();
    // By group, as they become complete: what is told of delay is that of each group's last frame.
    while let Ok(Ok(Some(group))) = timeout(span + PATIENCE, reader.next()).await {
        heard.frames += group.frames.len() as u64;
        if let Some(last) = group.frames.last() {
            let sent = last.data[5..13].try_into().map(u64::from_be_bytes)?;
            heard.delays.push(Duration::from_micros(micros().saturating_sub(sent)));
        }
    }
    Ok(heard)
}

fn micros() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}

pub(crate) fn millis(at: SystemTime) -> u128 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}
