//! A centre and a site around a real relay: a rack that speaks the link, boxes and seats that speak MoQ.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use alarm::media::{Pass, Recorded, Report, Room};
use alarm::wire::{ToBox, ToRack};
use alarm::{BoxId, IncidentId, Mode, SeatId, SiteId, UserId, Wall};
use link::ca::{Ca, Request};
use link::identity::{Identity, Key};
use link::pass::PassKey;
use link::rack::{self, Incoming, Listener};
use link::{Clock, Keys, Name};
use media::session::{self, Grant};
use media::take::{Content, Take, Video};
use media::{Bytes, Frame, Kind, Origin, Scope, Session};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::{broadcast, oneshot};
use unit::Config as _;

/// Whatever is waited for comes within this, or the test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// What must not come has this long to come.
pub(crate) const QUIET: Duration = Duration::from_millis(700);

pub(crate) fn now() -> Wall {
    Clock::system().now()
}

pub(crate) fn name(text: &str) -> BoxId {
    BoxId::new(text).unwrap()
}

pub(crate) fn box_name(text: &str) -> Name {
    Name::Box { site: SiteId::new("school").unwrap(), name: name(text) }
}

/// Waits until `what` answers.
pub(crate) async fn until<T>(about: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            match what() {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("{about}: not in time"))
}

/// The rack: its CA, its pass key, and a desk that says what the test wants said.
pub(crate) struct Centre {
    pub(crate) dir: TempDir,
    ca: Ca,
    passes: PassKey,
    address: String,
    said: Arc<Mutex<Vec<ToBox>>>,
    say: broadcast::Sender<ToBox>,
    pub(crate) heard: Arc<Mutex<Vec<ToRack>>>,
    /// The desk writes down what is recorded.
    pub(crate) writes: Arc<std::sync::atomic::AtomicBool>,
}

impl Centre {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create("test", now()).unwrap();
        let own = ca.issue_rack(&["localhost".into()], now()).unwrap();
        let config = rack::Config { own, keys: Keys::random(), clock: Clock::system() };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let passes = PassKey::open(dir.path()).unwrap();
        let key = ToBox::PassKey { key: passes.public().to_text() };
        let said = Arc::new(Mutex::new(vec![key]));
        let (say, _) = broadcast::channel(64);
        let (heard, writes) = (Arc::default(), Arc::new(true.into()));
        let centre = Self { dir, ca, passes, address, said, say, heard, writes };
        tokio::spawn(serve(listener, centre.desk()));
        centre
    }

    fn desk(&self) -> Desk {
        Desk {
            said: Arc::clone(&self.said),
            say: self.say.clone(),
            heard: Arc::clone(&self.heard),
            writes: Arc::clone(&self.writes),
        }
    }

    pub(crate) fn say(&self, word: ToBox) {
        self.said.lock().unwrap().push(word.clone());
        let _ = self.say.send(word);
    }

    pub(crate) fn identity(&self, who: &Name) -> Identity {
        let key = Key::generate();
        let request = Request::from_der(&key.request()).unwrap();
        let chain = self.ca.issue_box(&request, who, now()).unwrap();
        Identity::new(key, chain, self.ca.fingerprint(), who, vec![self.address.clone()]).unwrap()
    }

    /// A registered box.
    pub(crate) fn member(&self, text: &str) -> Identity {
        self.registered(&box_name(text))
    }

    /// A registered appliance.
    pub(crate) fn registered(&self, who: &Name) -> Identity {
        let identity = self.identity(who);
        let (Name::Box { name, .. } | Name::Wall { name }) = who else { panic!("{who} is no appliance") };
        self.say(ToBox::Member { name: name.clone(), keys: vec![identity.fingerprint().to_string()] });
        identity
    }

    pub(crate) fn room(&self, incident: u64, of: &str, mode: Mode) {
        let (incident, host) = (IncidentId(incident), SeatId::new("a").ok());
        self.say(ToBox::Room(Room { incident, boxes: vec![name(of)], mode, host, opened: now() }));
    }

    pub(crate) fn pass(&self, incident: u64, of: &str) -> Pass {
        Pass {
            until: now() + Duration::from_secs(600),
            user: UserId::new("li").unwrap(),
            seat: SeatId::new("a").unwrap(),
            incident: Some(IncidentId(incident)),
            boxes: vec![name(of)],
            publish: true,
            recordings_since: Some(Wall::default()),
            line: 5,
        }
    }

    pub(crate) fn sign(&self, pass: &Pass) -> String {
        self.passes.sign(pass)
    }

    pub(crate) fn report(&self) -> Option<Report> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .rev()
            .find_map(|word| if let ToRack::Relay(report) = word { Some(report.clone()) } else { None })
    }

    /// What was recorded, each once.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        let heard = self.heard.lock().unwrap();
        let mut known = std::collections::BTreeMap::new();
        for word in heard.iter() {
            if let ToRack::Recorded { number, what } = word {
                known.insert(*number, what.clone());
            }
        }
        known.into_values().collect()
    }
}

struct Desk {
    said: Arc<Mutex<Vec<ToBox>>>,
    say: broadcast::Sender<ToBox>,
    heard: Arc<Mutex<Vec<ToRack>>>,
    writes: Arc<std::sync::atomic::AtomicBool>,
}

async fn serve(mut listener: Listener, desk: Desk) {
    let desk = Arc::new(desk);
    while let Ok(incoming) = listener.accept().await {
        let Incoming::Box(mut session) = incoming else { continue };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            while let Ok(stream) = session.accept_stream().await {
                tokio::spawn(attend(Arc::clone(&desk), stream));
            }
        });
    }
}

async fn attend(desk: Arc<Desk>, mut stream: rack::Stream) {
    let mut news = desk.say.subscribe();
    let said = desk.said.lock().unwrap().clone();
    for word in said.into_iter().chain([ToBox::Told]) {
        stream.send(&word).await.unwrap();
    }
    loop {
        let answer = tokio::select! {
            word = news.recv() => word.ok(),
            heard = stream.recv() => {
                let Ok(Some(heard)) = heard else { return };
                let number = if let ToRack::Recorded { number, .. } = &heard { Some(*number) } else { None };
                desk.heard.lock().unwrap().push(heard);
                let writes = desk.writes.load(std::sync::atomic::Ordering::SeqCst);
                number.filter(|_| writes).map(|number| ToBox::Written { number })
            }
        };
        if let Some(answer) = answer
            && stream.send(&answer).await.is_err()
        {
            return;
        }
    }
}

/// A running relay.
pub(crate) struct Relay {
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Relay {
    /// Starts it and waits until the desk has heard of it.
    pub(crate) async fn start(centre: &Centre, called: &str, more: &str) -> Self {
        let dir = centre.dir.path().join(called);
        std::fs::create_dir_all(&dir).unwrap();
        if Identity::load(&dir).unwrap().is_none() {
            centre.registered(&Name::Wall { name: name(called) }).store(&dir).unwrap();
        }
        centre.heard.lock().unwrap().retain(|word| !matches!(word, ToRack::Relay(_)));
        let text = format!(
            "listen = '127.0.0.1:0'\nplain-http = true\nwarn-gb = 0\nreserve-gb = 0\nstate-dir = {dir:?}\n{more}\n[[path]]\nid = 'wired'\n"
        );
        let raw: relay::Raw = toml::from_str(&text).unwrap();
        let daemon = relay::Daemon::open(raw.check().unwrap()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(daemon.run(async move { drop(stopped.await) }));
        let port = until("the relay's report", || centre.report()).await.port;
        Self { port, dir, stop: Some(stop), ended }
    }

    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.ended.await.unwrap().unwrap();
    }

    pub(crate) fn socket_url(&self, pass: &str) -> String {
        format!("ws://127.0.0.1:{}/?pass={pass}", self.port)
    }

    /// A seat's session: its origin holds what it sees, and shows what it publishes.
    pub(crate) async fn seat(&self, pass: &str, origin: &Origin) -> Result<Session, media::Error> {
        let grant = Grant { see: Scope::everything(), publish: Scope::everything() };
        Session::connect_socket(&self.socket_url(pass), origin, &grant).await
    }

    /// A box's session.
    pub(crate) async fn connect(
        &self,
        identity: &Identity,
        origin: &Origin,
    ) -> Result<Session, media::Error> {
        let tls = link::media::to_relay(identity, &Clock::system(), session::alpns()).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        let (keep, idle) = (Duration::from_secs(1), Duration::from_secs(5));
        config.transport_config(Arc::new(session::transport_config(keep, idle)));
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = ([127, 0, 0, 1], self.port).into();
        let connection = endpoint.connect_with(config, address, "relay").unwrap().await.unwrap();
        let grant = Grant { see: Scope::everything(), publish: Scope::everything() };
        Session::connect(connection, origin, &grant).await
    }

    /// The whole answer to a GET, headers first.
    pub(crate) async fn get(&self, path: &str, more: &str) -> (String, Vec<u8>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).unwrap().to_lowercase(), body)
    }
}

/// H.264 made by ffmpeg: 25 pictures a second, a key frame each second.
pub(crate) struct Film {
    pub(crate) record: Bytes,
    pub(crate) frames: Vec<Frame>,
}

impl Film {
    pub(crate) fn make(dir: &Path, seconds: u32) -> Self {
        let file = dir.join("film.h264");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-t"])
            .args([&seconds.to_string(), "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"])
            .args(["-x264-params", "slices=1:sliced-threads=0:scenecut=0", "-f", "h264"])
            .arg(&file)
            .status()
            .expect("ffmpeg is installed");
        assert!(made.success());
        let bytes = std::fs::read(&file).unwrap();
        let units = units(&bytes);
        let of = |kind: u8| units.iter().find(|unit| unit[0] & 0x1f == kind).unwrap().to_vec();
        let (sps, pps) = (of(7), of(8));
        let mut record = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1];
        record.extend(u16::try_from(sps.len()).unwrap().to_be_bytes());
        record.extend(sps);
        record.push(1);
        record.extend(u16::try_from(pps.len()).unwrap().to_be_bytes());
        record.extend(pps);
        let slices = units.into_iter().filter(|unit| matches!(unit[0] & 0x1f, 1 | 5));
        let frame = |(n, unit): (u32, &[u8])| {
            let data = [&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat();
            let time = Duration::from_millis(40) * n;
            Frame { kind: Kind::Video, time, key: unit[0] & 0x1f == 5, data: data.into() }
        };
        Self { record: record.into(), frames: (0..).zip(slices).map(frame).collect() }
    }

    pub(crate) fn open(&self, origin: &Origin, name: &str, keep: Duration) -> Take {
        let content = Content { video: Some(Video::H264(self.record.clone())), audio: None };
        Take::open(origin, name, SystemTime::now(), keep, &content).unwrap()
    }
}

fn units(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..bytes.len() - 3).filter(|at| bytes[*at..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).map(|next| if bytes[next - 1] == 0 { next - 1 } else { *next });
    let ends = ends.chain([bytes.len()]);
    starts.iter().zip(ends).map(|(from, to)| &bytes[from + 3..to]).collect()
}

/// What ffprobe says of a file: number of video packets, and when the first one is.
pub(crate) fn probe(file: &Path) -> (usize, f64) {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    (times.len(), times.first().copied().unwrap_or(f64::NAN))
}
