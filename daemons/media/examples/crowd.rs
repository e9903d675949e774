//! The crowd of the fan-out benchmark: publishes one film to a relay, watches it over so many connections, and says
//! how many pictures came, how late, and what they cost the relay's process.
//!
//! `crowd PORT SUBSCRIBERS PID SECONDS [FILM-PORT]`: without a port for the film the relay makes it itself.

mod fanout;

use anyhow::Context;
use fanout::{GROUP, RATE, connect, get, now, picture, put, say};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use web_transport_quinn::quinn;

const BROADCAST: &str = "fanout";
const TRACK: &str = "video";
/// Until the relay knows of the film: who asks before that may be told to wait for a long time.
const ANNOUNCED: Duration = Duration::from_secs(1);
/// After the last connection, until everything flows: a group and a half.
const WARM_UP: Duration = Duration::from_secs(3);
/// What is older than this by its own time stamps need not be sent any more, in milliseconds: a player's buffer.
const GREATEST_AGE: u64 = 500;
/// Connections that are made at the same time.
const AT_ONCE: usize = 10;

/// Delays of the pictures that came while it is measured, in nanoseconds.
type Tally = Arc<Mutex<Option<Vec<u64>>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| -> anyhow::Result<u64> {
        let text = arguments.get(place).context("crowd PORT SUBSCRIBERS PID SECONDS [FILM-PORT]")?;
        Ok(text.parse()?)
    };
    let (port, crowd, pid) = (u16::try_from(number(0)?)?, usize::try_from(number(1)?)?, number(2)?);
    let window = Duration::from_secs(number(3)?);
    let relay = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = arguments.get(4) {
        let film = film(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?))).await?;
        tokio::spawn(film);
        tokio::time::sleep(ANNOUNCED).await;
    }
    let tally = Tally::default();
    let mut seats = Vec::new();
    while seats.len() < crowd {
        let many = AT_ONCE.min(crowd - seats.len());
        let joining: Vec<_> = (0..many).map(|_| tokio::spawn(watch(relay, tally.clone()))).collect();
        for seat in joining {
            seats.push(seat.await??);
        }
    }
    tokio::time::sleep(WARM_UP).await;
    *tally.lock().expect("nobody panics") = Some(Vec::new());
    let (begun, cost) = (Instant::now(), processor_time(pid)?);
    tokio::time::sleep(window).await;
    let cost = processor_time(pid)? - cost;
    let took = begun.elapsed();
    let delays = tally.lock().expect("nobody panics").take().unwrap_or_default();
    report(delays, crowd, took, cost);
    Ok(())
}

fn report(mut delays: Vec<u64>, crowd: usize, took: Duration, cost: Duration) {
    delays.sort_unstable();
    let percentile = |percent: usize| {
        let rank = (delays.len() * percent).div_ceil(100).max(1);
        delays.get(rank - 1).copied().unwrap_or_default() / 1000
    };
    let frames = delays.len();
    let expected = (took.as_secs_f64() * f64::from(RATE) * crowd as f64) as usize;
    say(&format!(
        r#"{{"subscribers":{crowd},"delivered":{frames},"expected":{expected},"missing":{},"p50_us":{},"p99_us":{},"cores":{:.3},"us_per_frame":{:.2}}}"#,
        expected.saturating_sub(frames),
        percentile(50),
        percentile(99),
        cost.as_secs_f64() / took.as_secs_f64(),
        cost.as_secs_f64() * 1e6 / frames.max(1) as f64,
    ));
}

/// User and system time of a process, to the hundredth of a second.
fn processor_time(pid: u64) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("a process has a name")?;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
    Ok(Duration::from_millis(10 * ticks))
}

/// Publishes with the stock library; the answer has to be driven.
async fn film(relay: SocketAddr) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    let (producer, driver) = moq_net::origin::Producer::new(moq_net::origin::Config::default());
    tokio::spawn(async move { drop(moq_net::time::run(driver).await) });
    let broadcast = producer.create_broadcast(BROADCAST)?;
    let track = broadcast.create_track(TRACK, None)?;
    broadcast.announce(moq_net::origin::Route::default())?;
    let connection = web_transport_quinn::Session::raw(connect(relay).await?);
    let client = moq_net::Client::new().with_publisher(producer.consume());
    let (session, driver) = client.connect(Instant::now(), connection).await?;
    tokio::spawn(async move { drop(moq_net::time::run(Driven(driver)).await) });
    Ok(async move {
        let _held = (session, broadcast, producer);
        let mut clock = tokio::time::interval(Duration::from_secs(1) / RATE);
        let mut group = track.append_group()?;
        for n in 0.. {
            clock.tick().await;
            if n > 0 && u64::is_multiple_of(n, GROUP) {
                group.finish()?;
                group = track.append_group()?;
            }
            group.write_frame(moq_net::Timestamp::now(), bytes::Bytes::from(picture(n, now())))?;
        }
        Ok(())
    })
}

struct Driven<S: moq_net::transport::poll::Session>(moq_net::Driver<S>);

impl<S: moq_net::transport::poll::Session> moq_net::time::Driver for Driven<S> {
    fn poll(
        &mut self,
        now: Instant,
        waiter: &moq_net::kio::Waiter,
    ) -> Result<Option<Instant>, moq_net::Error> {
        self.0.poll(now, waiter)
    }
}

/// Watches with nothing between it and QUIC, so that one core is enough for all of the crowd. Lives until dropped.
async fn watch(relay: SocketAddr, tally: Tally) -> anyhow::Result<quinn::Connection> {
    let connection = connect(relay).await?;
    let mut setup = connection.open_uni().await?;
    setup.write_all(&[1, 1, 0]).await?;
    setup.finish()?;
    let (mut send, recv) = connection.open_bi().await?;
    send.write_all(&subscribe()).await?;
    let reader = connection.clone();
    tokio::spawn(async move {
        let _subscription = (send, recv);
        while let Ok(stream) = reader.accept_uni().await {
            let tally = tally.clone();
            tokio::spawn(async move { drop(read(stream, &tally).await) });
        }
    });
    Ok(connection)
}

/// SUBSCRIBE of moq-lite-06.
fn subscribe() -> Vec<u8> {
    let mut message = vec![0];
    for name in [BROADCAST, TRACK] {
        put(&mut message, name.len() as u64);
        message.extend(name.as_bytes());
    }
    // Priority, greatest age in ms, first and last group, first and last picture: the newest, and all that follows.
    message.push(128);
    put(&mut message, GREATEST_AGE);
    message.extend([0, 0, 0, 0]);
    let mut whole = vec![2];
    put(&mut whole, message.len() as u64);
    whole.extend(message);
    whole
}

/// Reads a group: type, size and three numbers, then for each picture a time, a size and the bytes.
async fn read(mut stream: quinn::RecvStream, tally: &Tally) -> anyhow::Result<()> {
    let mut head = Vec::new();
    let mut wanted: Option<Picture> = None;
    let mut numbers = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
        let mut rest = &chunk.bytes[..];
        while !rest.is_empty() {
            if let Some(picture) = &mut wanted {
                if picture.take(&mut rest) {
                    note(tally, picture.sent());
                    wanted = None;
                }
                continue;
            }
            head.push(rest[0]);
            rest = &rest[1..];
            let Some((value, _)) = get(&head) else { continue };
            head.clear();
            match numbers {
                0 if value != 0 => return Ok(()),
                0..6 => numbers += 1,
                _ => {
                    wanted = Some(Picture { left: usize::try_from(value)?, first: Vec::new() });
                    numbers = 5;
                }
            }
        }
    }
    Ok(())
}

/// A picture of which some bytes are still to come.
struct Picture {
    left: usize,
    first: Vec<u8>,
}

impl Picture {
    /// True when it is whole.
    fn take(&mut self, rest: &mut &[u8]) -> bool {
        let (mine, others) = rest.split_at(rest.len().min(self.left));
        let stamp = mine.len().min(8 - self.first.len());
        self.first.extend(&mine[..stamp]);
        (self.left, *rest) = (self.left - mine.len(), others);
        self.left == 0
    }

    fn sent(&self) -> u64 {
        self.first.as_slice().try_into().map(u64::from_be_bytes).unwrap_or_default()
    }
}

fn note(tally: &Tally, sent: u64) {
    if let Some(delays) = &mut *tally.lock().expect("nobody panics") {
        delays.push(now().saturating_sub(sent));
    }
}
