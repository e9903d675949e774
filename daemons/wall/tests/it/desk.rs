//! A rack with the smallest desk for a wall: it takes tickets, repeats its signals and remembers what it is told.

use alarm::panel::{Report, Signals};
use alarm::ticket::{self, Ticket};
use alarm::wire::{EnrolAnswer, ToBox, ToRack};
use alarm::{BoxId, PathId};
use link::ca::{self, Ca};
use link::proof::SecretHash;
use link::rack::{Config, EnrolSession, Incoming, Listener, Session, Stream};
use link::{Clock, Closed, Keys, Name};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

/// Longer than anything here takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub enum Heard {
    Stream(PathId),
    Report(Report),
    Acknowledged(u64),
    Gone(Closed),
}

pub struct Desk {
    pub signals: watch::Sender<Signals>,
    heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
    ca: Arc<Ca>,
    address: SocketAddr,
}

impl Desk {
    pub fn start() -> Self {
        let ca = Arc::new(Ca::create("test", Clock::system().now()).unwrap());
        let own = ca.issue_rack(&[], Clock::system().now()).unwrap();
        let config = Config { own, keys: Keys::random(), clock: Clock::system() };
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
        let address = listener.local_addr().unwrap();
        let (signals, shown) = watch::channel(Signals::default());
        let (told, heard) = mpsc::unbounded_channel();
        let issuing = Arc::clone(&ca);
        let task = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok(incoming) = listener.accept().await {
                match incoming {
                    Incoming::Enrolment(session) => drop(sessions.spawn(enrol(session, issuing.clone()))),
                    Incoming::Box(session) => {
                        drop(sessions.spawn(serve(session, shown.clone(), told.clone())));
                    }
                }
            }
        });
        Self { signals, heard, task, ca, address }
    }

    pub fn ticket(&self) -> String {
        let ticket = Ticket {
            number: "k1".into(),
            secret: ticket::encode(&[7; 32]),
            root: self.ca.fingerprint().to_ticket(),
            addresses: vec![self.address.to_string()],
            name: BoxId::new("wall-1").unwrap(),
            site: None,
            expires: Clock::system().now() + ticket::LIFETIME,
        };
        ticket.to_text()
    }

    /// Skips what was heard until `wanted` finds what it looks for.
    pub async fn until<T>(&mut self, wanted: impl Fn(Heard) -> Option<T>) -> T {
        let find = async {
            loop {
                if let Some(found) = wanted(self.heard.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, find).await.expect("the desk heard nothing of the kind")
    }

    pub async fn report(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
        self.until(|heard| {
            if let Heard::Report(report) = heard { Some(report) } else { None }.filter(&wanted)
        })
        .await
    }

    /// Dies, and all its connections with it.
    pub fn kill(self) {
        self.task.abort();
    }
}

async fn enrol(mut session: EnrolSession, ca: Arc<Ca>) {
    let request = session.request().await.unwrap();
    let secret = SecretHash::of(&ticket::encode(&[7; 32])).unwrap();
    assert!(session.proves(&secret, &request), "a wrong proof");
    let csr = ca::Request::from_base64(&request.csr).unwrap();
    let name = Name::of(BoxId::new("wall-1").unwrap(), None);
    let chain = ca.issue_box(&csr, &name, Clock::system().now()).unwrap();
    session.answer(EnrolAnswer::Enrolled { chain: ca::to_wire(&chain) }).await;
}

async fn serve(mut session: Session, shown: watch::Receiver<Signals>, told: mpsc::UnboundedSender<Heard>) {
    loop {
        match session.accept_stream().await {
            Ok(stream) => {
                let _ = told.send(Heard::Stream(stream.hello().path.clone()));
                tokio::spawn(wall(stream, shown.clone(), told.clone()));
            }
            Err(closed) => {
                let _ = told.send(Heard::Gone(closed));
                return;
            }
        }
    }
}

async fn wall(stream: Stream, mut shown: watch::Receiver<Signals>, told: mpsc::UnboundedSender<Heard>) {
    let (_, mut sender, mut receiver) = stream.split();
    let mut every = interval(alarm::panel::SIGNALS_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            changed = shown.changed() => if changed.is_err() { return },
            heard = receiver.recv() => match heard {
                Ok(Some(ToRack::Wall(report))) => drop(told.send(Heard::Report(report))),
                Ok(Some(ToRack::Acknowledge { newest })) => drop(told.send(Heard::Acknowledged(newest))),
                Ok(Some(other)) => panic!("not from a wall: {other:?}"),
                Ok(None) | Err(_) => return,
            },
        }
        let signals = *shown.borrow_and_update();
        if sender.send(&ToBox::Signals(signals)).await.is_err() {
            return;
        }
    }
}
