//! A played rack, and a box on simulated inputs.
#![allow(dead_code, reason = "each test file plays with a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod desk;
pub(crate) mod edge;

use alarm::ticket::{self, Ticket};
use alarm::wire::{EnrolAnswer, EnrolRefusal, Purpose, Status, ToBox, ToRack};
use alarm::{BoxId, Notice, NoticeId, Wall, What};
use desk::{Attend, serve};
use link::ca::{Ca, Request, to_wire};
use link::identity::{Identity, Key};
use link::proof::SecretHash;
use link::rack::{Config, EnrolSession, Incoming, Listener, Session, Stream};
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
    ca: Arc<Ca>,
    keys: Keys,
    heard: (mpsc::UnboundedSender<Heard>, mpsc::UnboundedReceiver<Heard>),
    acks: Arc<AtomicBool>,
    renews: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<NoticeId>>>,
    pub(crate) shelf: Arc<Mutex<Bundles>>,
}

/// What the box is to fetch, and how it gets it.
pub(crate) struct Bundles {
    pub(crate) offer: Option<alarm::rollout::Offer>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) cut_after: usize,
    /// From which byte it was asked for, each time.
    pub(crate) asked: Vec<u64>,
}

/// One address of the rack, while it is open.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
    shut: Option<tokio::sync::oneshot::Sender<Reason>>,
}

/// The secret of every ticket here.
const SECRET: [u8; 32] = [7; 32];

fn name() -> Name {
    Name::of(BoxId::new("box-1").unwrap(), "school-7".parse().ok())
}

pub(crate) fn now() -> Wall {
    Clock::system().now()
}

impl Centre {
    pub(crate) fn new() -> Self {
        Self {
            ca: Arc::new(Ca::create("test", now()).unwrap()),
            keys: Keys::random(),
            heard: mpsc::unbounded_channel(),
            acks: Arc::new(AtomicBool::new(true)),
            renews: Arc::new(AtomicBool::new(true)),
            seen: Arc::default(),
            shelf: Arc::new(Mutex::new(Bundles {
                offer: None,
                bytes: vec![],
                cut_after: usize::MAX,
                asked: vec![],
            })),
        }
    }

    pub(crate) fn acks(&self, acks: bool) {
        self.acks.store(acks, Ordering::SeqCst);
    }

    pub(crate) fn renews(&self, renews: bool) {
        self.renews.store(renews, Ordering::SeqCst);
    }

    /// A ticket for the box, good at these doors.
    pub(crate) fn ticket(&self, doors: &[SocketAddr]) -> Ticket {
        Ticket {
            number: "t-1".into(),
            secret: ticket::encode(&SECRET),
            root: self.ca.fingerprint().to_ticket(),
            addresses: doors.iter().map(ToString::to_string).collect(),
            name: BoxId::new("box-1").unwrap(),
            site: "school-7".parse().ok(),
            expires: now() + ticket::LIFETIME,
        }
    }

    /// Gives a box an identity, as an enrolment would have.
    pub(crate) fn enrol(&self, dir: &Path, racks: &[SocketAddr]) {
        self.enrol_at(dir, racks, now());
    }

    /// The same at another time.
    pub(crate) fn enrol_at(&self, dir: &Path, racks: &[SocketAddr], at: Wall) {
        let key = Key::generate();
        let name = name();
        let request = Request::from_der(&key.request()).unwrap();
        let chain = self.ca.issue_box(&request, &name, at).unwrap();
        let racks = racks.iter().map(ToString::to_string).collect();
        let identity = Identity::new(key, chain, self.ca.fingerprint(), &name, racks).unwrap();
        identity.store(dir).unwrap();
    }

    /// Opens a door that was open before, as soon as its former life has let go of the socket.
    pub(crate) async fn reopen(&self, address: SocketAddr) -> Door {
        let free = async {
            while std::net::UdpSocket::bind(address).is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, free).await.expect("the address becomes free");
        self.open(&address.to_string())
    }

    /// Opens a door.
    pub(crate) fn open(&self, address: &str) -> Door {
        let own = self.ca.issue_rack(&["127.0.0.1".into()], now()).unwrap();
        let config = Config { own, keys: self.keys.clone(), clock: Clock::system() };
        let listener = Listener::bind(address.parse().unwrap(), config).unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, asked) = tokio::sync::oneshot::channel();
        let attend = Attend {
            heard: self.heard.0.clone(),
            ca: self.ca.clone(),
            acks: self.acks.clone(),
            renews: self.renews.clone(),
            seen: self.seen.clone(),
            shelf: self.shelf.clone(),
        };
        let task = tokio::spawn(serve(listener, attend, asked));
        Door { address, task, shut: Some(shut) }
    }

    /// The next thing heard that is meant.
    async fn next<T>(&mut self, mut meant: impl FnMut(Heard) -> Option<T>) -> T {
        let mut heard = Vec::new();
        let found = timeout(SOON, async {
            loop {
                let next = self.heard.1.recv().await.expect("the sender is ours");
                heard.push(next.clone());
                if let Some(found) = meant(next) {
                    return found;
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("heard only {heard:#?}"),
        }
    }

    /// The next alarm, over which path.
    pub(crate) async fn alarm(&mut self) -> (String, Notice) {
        self.next(|heard| match heard {
            Heard::Notice(path, notice) if matches!(notice.what, What::Alarm { .. }) => Some((path, notice)),
            Heard::Notice(..) | Heard::Status(..) => None,
        })
        .await
    }

    /// The next notice of this kind, whatever the path.
    pub(crate) async fn hears(&mut self, what: &What) -> Notice {
        self.next(|heard| match heard {
            Heard::Notice(_, notice) if notice.what == *what => Some(notice),
            Heard::Notice(..) | Heard::Status(..) => None,
        })
        .await
    }

    /// The next result of a self-test, before which nobody sees anything of it.
    pub(crate) async fn selftest(&mut self) -> alarm::selftest::Report {
        self.next(|heard| match heard {
            Heard::Notice(_, Notice { what: What::SelfTest(report), .. }) => Some(report),
            Heard::Notice(_, notice) => panic!("{notice:?} came before the result"),
            Heard::Status(_, status) => {
                assert!(
                    status.points.iter().all(|point| point.state != alarm::point::State::Active),
                    "{status:?}"
                );
                None
            }
        })
        .await
    }

    /// Everything that was heard and not asked for yet.
    pub(crate) fn rest(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.1.try_recv().ok()).collect()
    }

    /// The next status report of which `holds`.
    pub(crate) async fn status(&mut self, holds: impl Fn(&Status) -> bool) -> Status {
        self.next(|heard| match heard {
            Heard::Status(_, status) if holds(&status) => Some(status),
            Heard::Notice(..) | Heard::Status(..) => None,
        })
        .await
    }

    /// A status report of which `holds` over each of these paths.
    pub(crate) async fn status_over(&mut self, paths: &[&str], holds: impl Fn(&Status) -> bool) {
        let mut missing: Vec<_> = paths.to_vec();
        self.next(|heard| {
            if let Heard::Status(over, status) = heard
                && holds(&status)
            {
                missing.retain(|path| *path != over);
            }
            missing.is_empty().then_some(())
        })
        .await;
    }

    /// Nothing but repeats and status comes for a while.
    pub(crate) async fn hears_no_new_alarm_for(&mut self, span: Duration, known: NoticeId) {
        let other = self.next(|heard| match heard {
            Heard::Notice(_, notice) if matches!(notice.what, What::Alarm { .. }) => {
                (notice.id != known).then_some(notice)
            }
            Heard::Notice(..) | Heard::Status(..) => None,
        });
        if let Ok(other) = timeout(span, other).await {
            panic!("a new alarm: {other:?}");
        }
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
