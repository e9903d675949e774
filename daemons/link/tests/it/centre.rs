//! A rack with a small desk: it ACKs notices, issues certificates and takes each ticket once. It runs in a thread
//! of its own, so that it can be killed without a goodbye.

use alarm::ticket::{self, Ticket};
use alarm::wire::{EnrolAnswer, EnrolRefusal, Purpose, Refusal, ToBox, ToRack};
use alarm::{BoxId, Notice, PathId, SiteId};
use link::ca::{self, Ca};
use link::proof::SecretHash;
use link::rack::{Config, EnrolSession, Hello, Incoming, Listener, Peer, Session, Stream};
use link::{Clock, Closed, Fingerprint, Handle, Keys, Name, Reason};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the desk saw.
#[derive(Debug)]
pub enum Event {
    Session(Peer),
    Stream(Hello),
    Notice(BoxId, Notice),
    Gone(Peer, Closed),
}

/// Each ticket's secret, and the key that was enrolled with it.
type Tickets = BTreeMap<String, (SecretHash, Option<Fingerprint>)>;

/// What outlives a rack: its disk, and the socket that the service manager keeps.
#[derive(Clone)]
pub struct Remains {
    pub ca: Arc<Ca>,
    pub keys: Keys,
    tickets: Arc<Mutex<Tickets>>,
    socket: Arc<UdpSocket>,
}

impl Remains {
    pub fn new() -> Self {
        let ca = Arc::new(Ca::create("test", Clock::system().now()).unwrap());
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        Self { ca, keys: Keys::random(), tickets: Arc::default(), socket }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Lets go of the socket and takes a new one on the same port, as without a service manager.
    pub fn rebind(&mut self) {
        let address = self.address();
        self.socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        self.socket = Arc::new(UdpSocket::bind(address).unwrap());
    }

    pub fn ticket(&self, name: &str) -> Ticket {
        let ticket = Ticket {
            number: format!("ticket-of-{name}"),
            secret: ticket::encode(&[7; 32]),
            root: self.ca.fingerprint().to_ticket(),
            addresses: vec![self.address().to_string()],
            name: BoxId::new(name).unwrap(),
            site: SiteId::new("school-1").ok(),
            expires: Clock::system().now() + ticket::LIFETIME,
        };
        let secret = SecretHash::of(&ticket.secret).unwrap();
        self.tickets.lock().unwrap().insert(ticket.number.clone(), (secret, None));
        ticket
    }
}

pub struct Centre {
    pub remains: Remains,
    pub events: mpsc::UnboundedReceiver<Event>,
    end: oneshot::Sender<Option<Reason>>,
    thread: JoinHandle<()>,
}

impl Centre {
    pub fn start() -> Self {
        Self::with(Remains::new(), Clock::system())
    }

    pub fn with(remains: Remains, clock: Clock) -> Self {
        let (saw, events) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let (up, is_up) = std::sync::mpsc::channel();
        let of = remains.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = listener(&of, &clock);
                up.send(()).unwrap();
                serve(listener, Arc::new(Desk::new(of, clock, saw)), ended).await;
            });
            // Its tasks are dropped where they stand: nobody says goodbye.
            drop(runtime);
        });
        is_up.recv_timeout(PATIENCE).unwrap();
        Self { remains, events, end, thread }
    }

    pub fn address(&self) -> SocketAddr {
        self.remains.address()
    }

    pub async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.expect("the desk saw nothing").unwrap()
    }

    /// Skips events until `wanted` finds what it looks for.
    pub async fn until<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.event().await) {
                return found;
            }
        }
    }

    /// The next notice that was written down.
    pub async fn notice(&mut self) -> (BoxId, Notice) {
        self.until(|event| match event {
            Event::Notice(name, notice) => Some((name, notice)),
            Event::Session(_) | Event::Stream(..) | Event::Gone(..) => None,
        })
        .await
    }

    /// The next session.
    pub async fn session(&mut self) -> Peer {
        self.until(|event| match event {
            Event::Session(peer) => Some(peer),
            Event::Notice(..) | Event::Stream(..) | Event::Gone(..) => None,
        })
        .await
    }

    /// The next session that has gone.
    pub async fn gone(&mut self) -> (Peer, Closed) {
        self.until(|event| match event {
            Event::Gone(peer, why) => Some((peer, why)),
            Event::Notice(..) | Event::Stream(..) | Event::Session(_) => None,
        })
        .await
    }

    /// Power off.
    pub fn kill(self) -> Remains {
        self.end(None)
    }

    /// A planned stop.
    pub fn stop(self, reason: Reason) -> Remains {
        self.end(Some(reason))
    }

    fn end(self, how: Option<Reason>) -> Remains {
        self.end.send(how).unwrap();
        self.thread.join().unwrap();
        self.remains
    }
}

fn listener(of: &Remains, clock: &Clock) -> Listener {
    let own = of.ca.issue_rack(&["localhost".into()], Clock::system().now()).unwrap();
    let config = Config { own, keys: of.keys.clone(), clock: clock.clone() };
    Listener::open(of.socket.try_clone().unwrap(), config).unwrap()
}

async fn serve(mut listener: Listener, desk: Arc<Desk>, mut ended: oneshot::Receiver<Option<Reason>>) {
    loop {
        tokio::select! {
            incoming = listener.accept() => match incoming.unwrap() {
                Incoming::Box(session) => drop(tokio::spawn(desk.clone().session(session))),
                Incoming::Enrolment(session) => drop(tokio::spawn(desk.clone().enrol(session))),
            },
            how = &mut ended => {
                if let Ok(Some(reason)) = how {
                    listener.shut(reason).await;
                }
                return;
            }
        }
    }
}

/// What every bundle here holds: many windows of one stream.
pub fn bundle() -> Vec<u8> {
    (0..2_000_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Sends the rest of the bundle; of one that is asked for from its beginning only half, as if cut.
async fn hand_over(mut stream: Stream, from: u64) {
    let whole = bundle();
    let bytes = u64::try_from(whole.len()).unwrap();
    stream.send(&ToBox::Bundle { bytes }).await.unwrap();
    let rest = &whole[usize::try_from(from).unwrap()..];
    let mut body = stream.into_body();
    let _ = body.send(if from == 0 { &rest[..rest.len() / 2] } else { rest }).await;
    body.finish();
}

struct Desk {
    of: Remains,
    clock: Clock,
    saw: mpsc::UnboundedSender<Event>,
    sessions: Mutex<BTreeMap<(BoxId, PathId), Handle>>,
}

impl Desk {
    fn new(of: Remains, clock: Clock, saw: mpsc::UnboundedSender<Event>) -> Self {
        Self { of, clock, saw, sessions: Mutex::default() }
    }

    fn see(&self, event: Event) {
        let _ = self.saw.send(event);
    }

    async fn session(self: Arc<Self>, mut session: Session) {
        let peer = session.peer().clone();
        self.see(Event::Session(peer.clone()));
        if peer.name.as_str() == "unregistered" {
            return session.close(Reason::NotRegistered);
        }
        let why = loop {
            match session.accept_stream().await {
                Ok(stream) => {
                    self.replace(&peer, stream.hello(), session.handle());
                    self.see(Event::Stream(stream.hello().clone()));
                    tokio::spawn(self.clone().stream(peer.clone(), stream));
                }
                Err(why) => break why,
            }
        };
        self.see(Event::Gone(peer, why));
    }

    fn replace(&self, peer: &Peer, hello: &Hello, handle: Handle) {
        let mut sessions = self.sessions.lock().unwrap();
        let old = sessions.insert((peer.name.clone(), hello.path.clone()), handle.clone());
        if let Some(old) = old.filter(|old| !old.same(&handle)) {
            old.close(Reason::Replaced);
        }
    }

    async fn stream(self: Arc<Self>, peer: Peer, mut stream: Stream) {
        while let Ok(Some(message)) = stream.recv().await {
            let answer = match message {
                ToRack::Notice(notice) => {
                    self.see(Event::Notice(peer.name.clone(), notice.clone()));
                    ToBox::Ack { id: notice.id }
                }
                ToRack::Renew { csr } if stream.purpose() == Purpose::Renew => {
                    match self.issue(&csr, &peer.certified_name()) {
                        Ok((_, chain)) => ToBox::Certificate { chain },
                        Err(_) => return stream.refuse(Refusal::BadRequest).await,
                    }
                }
                ToRack::Fetch { from, .. } => return hand_over(stream, from).await,
                _ => ToBox::Seen { now: self.clock.now() },
            };
            stream.send(&answer).await.unwrap();
        }
    }

    fn issue(&self, csr: &str, name: &Name) -> Result<(Fingerprint, Vec<String>), ca::CaError> {
        let request = ca::Request::from_base64(csr)?;
        let chain = self.of.ca.issue_box(&request, name, self.clock.now())?;
        Ok((request.key(), ca::to_wire(&chain)))
    }

    async fn enrol(self: Arc<Self>, mut session: EnrolSession) {
        let Ok(request) = session.request().await else { return };
        let known = self.of.tickets.lock().unwrap().get(&request.ticket).copied();
        let answer = match known {
            Some((secret, used)) if session.proves(&secret, &request) => {
                let name = request.ticket.strip_prefix("ticket-of-").unwrap();
                let name = Name::of(BoxId::new(name).unwrap(), SiteId::new("school-1").ok());
                match self.issue(&request.csr, &name) {
                    Err(_) => EnrolAnswer::Refused { reason: EnrolRefusal::BadRequest },
                    Ok((key, _)) if used.is_some_and(|used| used != key) => {
                        EnrolAnswer::Refused { reason: EnrolRefusal::Used }
                    }
                    Ok((key, chain)) => {
                        let mut tickets = self.of.tickets.lock().unwrap();
                        tickets.insert(request.ticket.clone(), (secret, Some(key)));
                        EnrolAnswer::Enrolled { chain }
                    }
                }
            }
            Some(_) | None => EnrolAnswer::Refused { reason: EnrolRefusal::UnknownTicket },
        };
        session.answer(answer).await;
    }
}
