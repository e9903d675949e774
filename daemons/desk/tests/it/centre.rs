//! A desk in this process, and who comes to it.

use alarm::media::{Camera, Recorded, Report};
use alarm::ticket::Ticket;
use alarm::wire::{Purpose, ToBox, ToRack};
use alarm::{BoxId, CameraId, Mode, Nature, Notice, NoticeId, PathId, Wall, What};
use link::client::{Bind, Connector, Path, Receiver, Sender, Session, Stream, enrol};
use link::{Clock, Keys};
use serde_json::{Value, json};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::timeout;
use ureq::Agent;

/// Longer than anything here takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "correct-horse-110";

pub struct Desk {
    pub dir: TempDir,
    url: String,
    agent: Agent,
    cookie: String,
}

impl Desk {
    /// A desk with one site, and `admin` at `seat-1`.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let console = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let link = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = desk::config::Checked {
            centre: "test".into(),
            state_dir: dir.path().to_owned(),
            update_keys: dir.path().join("image-keys.gpg"),
            link_listen: link,
            link_addresses: vec![link.to_string()],
            console_listen: console,
            console_names: vec![],
            plain_http: true,
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(desk::run::run(config)).unwrap();
        });
        let agent =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let desk = Self { dir, url: format!("http://{console}"), agent: agent.into(), cookie: String::new() };
        until(|| desk.agent.get(format!("{}/healthz", desk.url)).call().is_ok()).await;
        let code = std::fs::read_to_string(desk.dir.path().join("setup-code")).unwrap();
        let first = json!({ "code": code.trim(), "user": "admin", "name": "A", "password": PASSWORD });
        desk.ok("POST", "/api/setup", &first);
        let desk = desk.signed_in("admin", "seat-1");
        desk.ok("POST", "/api/sites", &json!({ "id": "school-1", "name": "School 1" }));
        desk
    }

    /// The same desk for somebody else.
    pub fn person(&self, user: &str, role: &str, seat: &str) -> Person {
        let account = json!({ "user": user, "name": user, "role": role, "password": PASSWORD });
        self.ok("POST", "/api/accounts", &account);
        self.back(user, seat)
    }

    /// Somebody who has been here before.
    pub fn back(&self, user: &str, seat: &str) -> Person {
        let cookie = sign_in(&self.agent, &self.url, user, seat);
        Person { url: self.url.clone(), agent: self.agent.clone(), cookie }
    }

    fn signed_in(self, user: &str, seat: &str) -> Self {
        Self { cookie: sign_in(&self.agent, &self.url, user, seat), ..self }
    }

    /// Where consoles connect.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The session of `admin`.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub fn me(&self) -> Person {
        Person { url: self.url.clone(), agent: self.agent.clone(), cookie: self.cookie.clone() }
    }

    pub fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.me().call(method, path, body)
    }

    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!(status == 200, "{method} {path}: {status} {answer}");
        answer
    }

    pub fn incident(&self, id: u64) -> Value {
        let state = self.ok("GET", "/api/state", &json!({}));
        let found = state["incidents"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned();
        found.unwrap_or(Value::Null)
    }

    pub fn appliance(&self, name: &str) -> Value {
        let state = self.ok("GET", "/api/state", &json!({}));
        state["boxes"].as_array().unwrap().iter().find(|one| one["id"] == name).cloned().unwrap()
    }

    /// The history of an incident: how often it tells of `event`.
    pub fn told(&self, id: u64, event: &str) -> usize {
        let lines = self.ok("GET", &format!("/api/incidents/{id}/journal"), &json!({}));
        lines.as_array().unwrap().iter().filter(|line| line["event"]["event"] == event).count()
    }

    /// Registers an appliance and lets it in with a ticket.
    pub async fn enrol(&self, name: &str, site: Option<&str>) -> Session {
        self.ok("POST", "/api/boxes", &json!({ "id": name, "site": site }));
        let ticket = self.ok("POST", &format!("/api/boxes/{name}/ticket"), &json!({}));
        let ticket = Ticket::from_text(ticket["text"].as_str().unwrap()).unwrap();
        let dir = self.dir.path().join(format!("at-{name}"));
        std::fs::create_dir_all(&dir).unwrap();
        let identity = enrol(&ticket, &Bind::default(), &dir).await.unwrap();
        let paths = vec![PathId::new("wired").unwrap()];
        let connector = Connector::new(identity, Keys::random(), Clock::system(), paths, "0.1.0".into());
        let wired = Path { name: PathId::new("wired").unwrap(), bind: Bind::default(), metered: false };
        connector.connect(&wired).await.unwrap()
    }
}

fn sign_in(agent: &Agent, url: &str, user: &str, seat: &str) -> String {
    let body = json!({ "user": user, "password": PASSWORD, "seat": seat });
    let answer = agent.post(format!("{url}/api/session")).header("X-Onepress", "1").send_json(&body).unwrap();
    let cookie = answer.headers().get("set-cookie").expect("signed in").to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Somebody at a seat.
pub struct Person {
    url: String,
    agent: Agent,
    cookie: String,
}

impl Person {
    pub fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let answer = match method {
            "GET" => self.agent.get(url).header("Cookie", &self.cookie).call(),
            "DELETE" => {
                self.agent.delete(url).header("Cookie", &self.cookie).header("X-Onepress", "1").call()
            }
            "PUT" => {
                self.agent.put(url).header("Cookie", &self.cookie).header("X-Onepress", "1").send_json(body)
            }
            _ => {
                self.agent.post(url).header("Cookie", &self.cookie).header("X-Onepress", "1").send_json(body)
            }
        };
        let mut answer = answer.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or_default())
    }

    /// Sends bytes that are no JSON.
    pub fn upload(&self, path: &str, bytes: &[u8]) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Cookie", &self.cookie);
        let request = request.header("X-Onepress", "1").header("Content-Type", "image/jpeg");
        let mut answer = request.send(bytes).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or_default())
    }

    /// Reads bytes that are no JSON.
    pub fn download(&self, path: &str) -> Vec<u8> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Cookie", &self.cookie);
        request.call().unwrap().body_mut().read_to_vec().unwrap()
    }
}

/// A box whose button is pressed.
pub struct School {
    stream: Stream,
    _session: Session,
}

impl School {
    pub async fn open(desk: &Desk, name: &str) -> Self {
        let session = desk.enrol(name, Some("school-1")).await;
        Self { stream: session.open(Purpose::Alarm).await.unwrap(), _session: session }
    }

    /// Presses, and waits until that is written down.
    pub async fn press(&mut self, number: u8, mode: Mode) {
        let at = Clock::system().now();
        let id = NoticeId::new(at.millis(), [number; 10]);
        let what = What::Alarm { mode, nature: Nature::Real, at_start: false };
        self.stream
            .send(&ToRack::Notice(Notice { id, point: None, at, clock_sure: true, what }))
            .await
            .unwrap();
        let answer = timeout(PATIENCE, self.stream.recv()).await.unwrap().unwrap();
        assert_eq!(answer, Some(ToBox::Ack { id }));
    }
}

/// A relay, as far as the desk knows it.
pub struct Relay {
    sender: Sender,
    receiver: Receiver,
    pub session: Session,
}

impl Relay {
    pub async fn open(desk: &Desk) -> Self {
        let session = desk.enrol("relay", None).await;
        Self::on(session).await
    }

    pub async fn on(session: Session) -> Self {
        let (sender, receiver) = session.open(Purpose::Relay).await.unwrap().split();
        Self { sender, receiver, session }
    }

    pub async fn hear(&mut self) -> ToBox {
        timeout(PATIENCE, self.receiver.recv()).await.expect("the desk says nothing").unwrap().unwrap()
    }

    /// Everything up to and without `Told`.
    pub async fn told(&mut self) -> Vec<ToBox> {
        let mut all = vec![];
        loop {
            let word = self.hear().await;
            if word == ToBox::Told {
                return all;
            }
            all.push(word);
        }
    }

    /// Skips words until `wanted` finds what it looks for.
    pub async fn until<T>(&mut self, wanted: impl Fn(&ToBox) -> Option<T>) -> T {
        loop {
            let word = self.hear().await;
            if let Some(found) = wanted(&word) {
                return found;
            }
        }
    }

    pub async fn recorded(&mut self, number: u64, what: Recorded) {
        self.sender.send(&ToRack::Recorded { number, what }).await.unwrap();
    }

    pub async fn written(&mut self, number: u64) {
        self.until(|word| (*word == ToBox::Written { number }).then_some(())).await;
    }

    /// Reports, and waits until consoles have it.
    pub async fn report(&mut self, desk: &Desk, cameras: Vec<Camera>) {
        let report =
            Report { port: 4433, certificates: vec!["aGFzaA==".into()], cameras, ..Report::default() };
        self.sender.send(&ToRack::Relay(report)).await.unwrap();
        until(|| desk.appliance("relay")["relay"].is_object()).await;
    }
}

pub fn camera(name: &str, fault: Option<alarm::Fault>) -> Camera {
    let still = Some(Wall::from_millis(5));
    Camera {
        from: BoxId::new("school-1-gate").unwrap(),
        camera: CameraId::new(name).unwrap(),
        still,
        live: fault.is_none(),
        fault,
    }
}

/// Waits until it holds.
pub async fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
