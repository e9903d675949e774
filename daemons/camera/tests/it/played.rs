//! What the daemon talks to, played: cameras by GStreamer, a button daemon's socket, a relay that admits everybody.

use alarm::media::{WISH_TRACK, Wish, wish_broadcast};
use alarm::{BoxId, CameraId, IncidentId, Wall};
use camera::{Config, Daemon, Raw, Status};
use link::ca::{Ca, Request};
use link::identity::{Identity, Key};
use link::media::{Shown, WebCertificate};
use media::follow::{Follow, Group, Track};
use media::note::Note;
use media::session::{Grant, Knock, relay_alpns};
use media::{Kind, Origin, Scope};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{broadcast, oneshot};
use tokio::time::{sleep, timeout};
use unit::Config as _;

/// Longest that anything here may take: a debug build on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const BOX: &str = "school-1";

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(LIMIT, work).await.expect("it takes too long")
}

pub(crate) fn now() -> Wall {
    Wall::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Cameras played by GStreamer.
pub(crate) struct Cameras {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

impl Cameras {
    pub(crate) async fn start() -> Self {
        Self::on(0).await
    }

    /// On the port of cameras that have died.
    pub(crate) async fn on(port: u16) -> Self {
        Self::with(&[&port.to_string()]).await
    }

    /// Everybody has to log in as `admin` with the password `secret`: `basic` or `digest`.
    pub(crate) async fn with_login(how: &str) -> Self {
        Self::with(&["0", how]).await
    }

    async fn with(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/camera/serve.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = within(answers.next_line()).await.unwrap().expect("run tests/setup/media.sh first");
        let port = ready.strip_prefix("ready ").unwrap().parse().unwrap();
        Self { child, orders, answers, port }
    }

    pub(crate) fn url(&self, mount: &str) -> String {
        format!("rtsp://127.0.0.1:{}{mount}", self.port)
    }

    pub(crate) async fn order(&mut self, order: &str) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        assert_eq!(within(self.answers.next_line()).await.unwrap().as_deref(), Some("done"));
    }

    pub(crate) async fn die(mut self) -> u16 {
        self.child.kill().await.unwrap();
        self.port
    }
}

/// A relay, and the rack behind it.
pub(crate) struct Relay {
    ca: Ca,
    identity: Identity,
    pub(crate) origin: Origin,
    endpoint: Option<quinn::Endpoint>,
    pub(crate) at: SocketAddr,
    wish: Option<Note>,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let ca = Ca::create("test", now()).unwrap();
        let identity = issue(&ca, "urn:onepress:wall/relay");
        let at = (Ipv4Addr::LOCALHOST, 0).into();
        let mut relay = Self { ca, identity, origin: Origin::new(), endpoint: None, at, wish: None };
        relay.open();
        relay
    }

    /// Listens, with nothing in memory.
    pub(crate) fn open(&mut self) {
        let web = WebCertificate::make(now(), &["localhost".into()]).unwrap();
        let shown = Shown::new(&self.identity, web).unwrap();
        let tls = link::media::relay(&self.identity, &link::Clock::system(), shown, relay_alpns()).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
        let endpoint = quinn::Endpoint::server(config, self.at).unwrap();
        self.at = endpoint.local_addr().unwrap();
        self.origin = Origin::new();
        tokio::spawn(attend(endpoint.clone(), self.origin.clone()));
        self.endpoint = Some(endpoint);
    }

    /// The network to it is cut: nobody says goodbye.
    pub(crate) async fn cut(&mut self) {
        self.wish = None;
        let endpoint = self.endpoint.take().unwrap();
        endpoint.close(quinn::VarInt::from_u32(0), b"");
        endpoint.wait_idle().await;
    }

    pub(crate) fn wish(&mut self, incidents: &[u64], cameras: &[&str]) {
        let wish = Wish {
            incidents: incidents.iter().map(|id| IncidentId(*id)).collect(),
            cameras: cameras.iter().map(|id| CameraId::new(*id).unwrap()).collect(),
        };
        let text = serde_json::to_vec(&wish).unwrap();
        match &mut self.wish {
            Some(note) => note.write(&text).unwrap(),
            None => {
                let name = wish_broadcast(&BoxId::new(BOX).unwrap());
                self.wish = Some(Note::publish(&self.origin, &name, WISH_TRACK, &text).unwrap());
            }
        }
    }

    /// The next take of the camera that comes; its name.
    pub(crate) async fn next_take(&self, camera: &str, not: &[&str]) -> String {
        let mut listening = self.origin.listen(&format!("box/{BOX}/cam/{camera}")).unwrap();
        loop {
            let heard = within(listening.next()).await.unwrap();
            if heard.there && !not.contains(&heard.name.as_str()) {
                return heard.name;
            }
        }
    }

    pub(crate) async fn follow(&self, take: &str) -> (Follow, Vec<Track>) {
        let mut follow = within(Follow::begin(&self.origin, take)).await.unwrap();
        let tracks = within(follow.tracks()).await.unwrap().unwrap();
        (follow, tracks)
    }
}

async fn attend(endpoint: quinn::Endpoint, origin: Origin) {
    while let Some(incoming) = endpoint.accept().await {
        let origin = origin.clone();
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            let data = connection.handshake_data().unwrap();
            let alpn = data.downcast::<quinn::crypto::rustls::HandshakeData>().unwrap().protocol.unwrap();
            let Ok(knock) = Knock::at(connection, &alpn).await else { return };
            let grant = Grant { see: Scope::everything(), publish: Scope::everything() };
            if let Ok(session) = knock.admit(&origin, &grant).await {
                session.closed().await;
            }
        });
    }
}

fn issue(ca: &Ca, name: &str) -> Identity {
    let (key, name) = (Key::generate(), name.parse().unwrap());
    let chain = ca.issue_box(&Request::from_der(&key.request()).unwrap(), &name, now()).unwrap();
    Identity::new(key, chain, ca.fingerprint(), &name, vec!["127.0.0.1:1".into()]).unwrap()
}

/// A button daemon's control socket.
pub(crate) struct Button {
    presses: broadcast::Sender<String>,
}

impl Button {
    fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (presses, _) = broadcast::channel(8);
        let told = presses.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tell(stream, told.subscribe()));
            }
        });
        Self { presses }
    }

    /// Somebody presses.
    pub(crate) fn press(&self) -> Wall {
        let at = now();
        let alarm = "00000000-0001-7101-8101-010101010101";
        let line = format!(
            "{{\"is\":\"raised\",\"alarm\":\"{alarm}\",\"point\":\"gate\",\"mode\":\"silent\",\"nature\":\"real\",\"at\":{}}}\n",
            at.millis()
        );
        self.presses.send(line).unwrap();
        at
    }
}

async fn tell(stream: UnixStream, mut presses: broadcast::Receiver<String>) {
    let (read, mut write) = stream.into_split();
    let asked = BufReader::new(read).lines().next_line().await.unwrap();
    assert_eq!(asked.as_deref(), Some(r#"{"do":"watch"}"#));
    write.write_all(b"{\"is\":\"watching\"}\n").await.unwrap();
    while let Ok(line) = presses.recv().await {
        if write.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The daemon with everything around it.
pub(crate) struct Rig {
    pub(crate) relay: Relay,
    pub(crate) button: Button,
    dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    daemon: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Rig {
    /// `rest` is added to the configuration.
    #[expect(clippy::unused_async, reason = "it starts tasks: only a runtime may call it")]
    pub(crate) async fn start(rest: &str) -> Self {
        unit::log::start(Some("info,camera=debug"));
        let (relay, dir) = (Relay::start(), tempfile::tempdir().unwrap());
        issue(&relay.ca, &format!("urn:onepress:box:school/{BOX}")).store(dir.path()).unwrap();
        let button = Button::start(&dir.path().join("button.sock"));
        let at = |name: &str| dir.path().join(name);
        let text = format!(
            "identity = {:?}\nbutton = {:?}\ncontrol = {:?}\nstate-dir = {:?}\nrelay = \"{}\"\n{rest}",
            dir.path(),
            at("button.sock"),
            at("camera.sock"),
            at("state"),
            relay.at,
        );
        let config: Config = toml::from_str::<Raw>(&text).unwrap().check().unwrap();
        let (stop, stopped) = oneshot::channel();
        let daemon = Daemon::open(config).unwrap();
        let daemon = tokio::spawn(daemon.run(async { drop(stopped.await) }));
        Self { relay, button, dir, stop: Some(stop), daemon }
    }

    /// One camera, called gate.
    pub(crate) async fn with_camera(url: &str, rest: &str) -> Self {
        Self::start(&format!("{rest}\n[[camera]]\nid = \"gate\"\nurl = \"{url}\"\nring-mib = 4\n")).await
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.dir.path().join("camera.sock")
    }

    pub(crate) async fn status(&self) -> Status {
        let mut stream = BufReader::new(UnixStream::connect(self.control()).await.unwrap());
        stream.write_all(b"{\"do\":\"status\"}\n").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for a status.
    pub(crate) async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let look = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
                sleep(Duration::from_millis(50)).await;
            }
        };
        let found = timeout(LIMIT, look).await;
        found.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {last:#?}"))
    }

    /// Waits until the ring of the first camera holds so much.
    pub(crate) async fn filled(&self, seconds: u64) {
        self.until(|status| status.relay && status.cameras[0].ring_s >= seconds).await;
    }

    /// The daemon is still there, and stops when it is told.
    pub(crate) async fn stop(mut self) {
        assert!(!self.daemon.is_finished());
        self.stop.take().unwrap().send(()).unwrap();
        within(&mut self.daemon).await.unwrap().unwrap();
    }
}

/// All groups of a track, without a hole, until they hold so many frames or the track ends.
pub(crate) async fn groups(follow: &Follow, track: &Track, frames: usize) -> Vec<Group> {
    let mut reader = within(follow.read(track, 0)).await.unwrap();
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    loop {
        let whole: Vec<_> = (0..).map_while(|number| groups.get(&number)).cloned().collect();
        if whole.iter().map(|group| group.frames.len()).sum::<usize>() >= frames {
            return whole;
        }
        match within(reader.next()).await.unwrap() {
            Some(group) => drop(groups.insert(group.number, group)),
            None => return whole,
        }
    }
}

pub(crate) fn video(tracks: &[Track]) -> &Track {
    tracks.iter().find(|track| track.kind() == Kind::Video).unwrap()
}

pub(crate) fn audio(tracks: &[Track]) -> &Track {
    tracks.iter().find(|track| track.kind() == Kind::Audio).unwrap()
}

/// Unix milliseconds of a take's zero, from its name.
pub(crate) fn began(take: &str) -> i64 {
    take.rsplit('/').next().unwrap().parse().unwrap()
}
