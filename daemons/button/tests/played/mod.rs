//! A played rack, and a box on simulated inputs.
#![allow(dead_code, reason = "each test file plays with a part of it")]

use alarm::wire::{Purpose, Status, ToBox, ToRack};
use alarm::{BoxId, Notice, NoticeId, Wall, What};
use link::ca::{Ca, Request};
use link::identity::{Identity, Key};
use link::rack::{Config, Incoming, Listener, Session, Stream};
use link::{Clock, Keys, Name, Reason};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any step of these stories may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a rack has heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Notice(String, Notice),
    Status(String, Status),
}

/// The centre: one certificate authority, and what all its doors hear.
pub(crate) struct Centre {
    pub(crate) ca: Ca,
    keys: Keys,
    heard: (mpsc::UnboundedSender<Heard>, mpsc::UnboundedReceiver<Heard>),
    acks: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<NoticeId>>>,
}

/// One address of the rack, while it is open.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
    shut: Option<tokio::sync::oneshot::Sender<Reason>>,
}

pub(crate) fn now() -> Wall {
    Clock::system().now()
}

impl Centre {
    pub(crate) fn new() -> Self {
        Self {
            ca: Ca::create("test", now()).unwrap(),
            keys: Keys::random(),
            heard: mpsc::unbounded_channel(),
            acks: Arc::new(AtomicBool::new(true)),
            seen: Arc::default(),
        }
    }

    pub(crate) fn acks(&self, acks: bool) {
        self.acks.store(acks, Ordering::SeqCst);
    }

    /// Gives a box an identity, as an enrolment would have.
    pub(crate) fn enrol(&self, dir: &Path, racks: &[SocketAddr]) {
        self.enrol_at(dir, racks, now());
    }

    /// The same at another time.
    pub(crate) fn enrol_at(&self, dir: &Path, racks: &[SocketAddr], at: Wall) {
        let key = Key::generate();
        let name = Name::of(BoxId::new("box-1").unwrap(), "school-7".parse().ok());
        let request = Request::from_der(&key.request()).unwrap();
        let chain = self.ca.issue_box(&request, &name, at).unwrap();
        let racks = racks.iter().map(ToString::to_string).collect();
        let identity = Identity::new(key, chain, self.ca.fingerprint(), &name, racks).unwrap();
        identity.store(dir).unwrap();
    }

    /// Opens a door, `127.0.0.1:0` or one that was open before.
    pub(crate) async fn open(&self, address: &str) -> Door {
        let own = self.ca.issue_rack(&["127.0.0.1".into()], now()).unwrap();
        let config = Config { own, keys: self.keys.clone(), clock: Clock::system() };
        let listener = Listener::bind(address.parse().unwrap(), config).unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, asked) = tokio::sync::oneshot::channel();
        let attend = Attend { heard: self.heard.0.clone(), acks: self.acks.clone(), seen: self.seen.clone() };
        let task = tokio::spawn(serve(listener, attend, asked));
        Door { address, task, shut: Some(shut) }
    }

    /// The next thing that was heard.
    pub(crate) async fn next(&mut self) -> Heard {
        timeout(SOON, self.heard.1.recv()).await.expect("the rack hears something").unwrap()
    }

    /// The next notice, over which path.
    pub(crate) async fn notice(&mut self) -> (String, Notice) {
        loop {
            if let Heard::Notice(path, notice) = self.next().await {
                return (path, notice);
            }
        }
    }

    /// The next alarm, over which path.
    pub(crate) async fn alarm(&mut self) -> (String, Notice) {
        loop {
            let (path, notice) = self.notice().await;
            if matches!(notice.what, What::Alarm { .. }) {
                return (path, notice);
            }
        }
    }

    /// The next notice of this kind, whatever the path.
    pub(crate) async fn hears(&mut self, what: &What) -> Notice {
        loop {
            let (_, notice) = self.notice().await;
            if notice.what == *what {
                return notice;
            }
        }
    }

    /// The next status report of which `holds`.
    pub(crate) async fn status(&mut self, holds: impl Fn(&Status) -> bool) -> Status {
        loop {
            match self.next().await {
                Heard::Status(_, status) if holds(&status) => return status,
                Heard::Status(..) | Heard::Notice(..) => {}
            }
        }
    }

    /// Nothing but repeats and status comes for a while.
    pub(crate) async fn hears_no_new_alarm_for(&mut self, span: Duration, known: NoticeId) {
        let _ = timeout(span, async {
            loop {
                let (_, notice) = self.alarm().await;
                assert_eq!(notice.id, known, "a new alarm: {notice:?}");
            }
        })
        .await;
    }

    /// How often each alarm was taken: always once.
    pub(crate) fn taken(&self) -> Vec<NoticeId> {
        self.seen.lock().unwrap().clone()
    }
}

impl Door {
    /// A planned stop.
    pub(crate) async fn shut(mut self) -> SocketAddr {
        let _ = self.shut.take().unwrap().send(Reason::BackAtOnce);
        let _ = (&mut self.task).await;
        self.address
    }

    /// The process is killed: no goodbye.
    pub(crate) async fn kill(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }
}

#[derive(Clone)]
struct Attend {
    heard: mpsc::UnboundedSender<Heard>,
    acks: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<NoticeId>>>,
}

async fn serve(mut listener: Listener, attend: Attend, mut shut: tokio::sync::oneshot::Receiver<Reason>) {
    let mut sessions = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming {
                Ok(Incoming::Box(session)) => { sessions.spawn(attend.clone().session(session)); }
                Ok(Incoming::Enrolment(_)) => {}
                Err(_) => return,
            },
            reason = &mut shut => return listener.shut(reason.unwrap_or(Reason::Done)).await,
        }
    }
}

impl Attend {
    async fn session(self, mut session: Session) {
        let mut streams = tokio::task::JoinSet::new();
        while let Ok(stream) = session.accept_stream().await {
            streams.spawn(self.clone().stream(stream));
        }
    }

    async fn stream(self, mut stream: Stream) {
        let path = stream.hello().path.to_string();
        while let Ok(Some(message)) = stream.recv().await {
            let answer = match message {
                ToRack::Notice(notice) => self.notice(&path, notice),
                ToRack::Status(status) => {
                    assert_eq!(stream.purpose(), Purpose::Status);
                    let _ = self.heard.send(Heard::Status(path.clone(), status));
                    Some(ToBox::Seen { now: now() })
                }
                other => panic!("unexpected {other:?}"),
            };
            if let Some(answer) = answer
                && stream.send(&answer).await.is_err()
            {
                return;
            }
        }
    }

    fn notice(&self, path: &str, notice: Notice) -> Option<ToBox> {
        let id = notice.id;
        if matches!(notice.what, What::Alarm { .. }) {
            let mut seen = self.seen.lock().unwrap();
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        let _ = self.heard.send(Heard::Notice(path.into(), notice));
        self.acks.load(Ordering::SeqCst).then_some(ToBox::Ack { id })
    }
}
