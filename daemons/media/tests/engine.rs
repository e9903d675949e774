//! What `wire.rs` shows of moq-net holds for the forwarding engine too: publishers and watchers are stock clients.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use media::engine::{Engine, Fanout, Request, Wish};
use media::follow::{Follow, Group, Reader};
use media::session::{Grant, Knock};
use media::take::{Content, Take, Video};
use media::{Bytes, Frame, Kind, Origin, Scope, Session, note};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::time::timeout;
use web_transport_quinn as wt;

/// Longest that anything here may take: a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
const NAME: &str = "box/school-1/cam/gate/1763740800000";
/// AVCDecoderConfigurationRecord of a 320x240 picture, as x264 writes it.
const AVC: &[u8] = include_bytes!("avcc.bin");
/// Pictures from one key frame to the next.
const GROUP: u64 = 10;

/// The engine, and how many subscriptions it has served.
#[derive(Default)]
struct Counted {
    engine: Fanout,
    served: AtomicUsize,
}

impl Engine for Counted {
    fn takes(&self, wish: &Wish) -> bool {
        self.engine.takes(wish)
    }

    fn serve(&self, request: Request) {
        self.served.fetch_add(1, Ordering::Relaxed);
        self.engine.serve(request);
    }
}

/// A relay with a door for those who publish and one for those who watch.
struct Relay {
    origin: Origin,
    engine: Arc<Counted>,
    publish_at: SocketAddr,
    watch_at: SocketAddr,
    root: CertificateDer<'static>,
}

impl Relay {
    fn start(see: Scope) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["relay".into()]).unwrap().self_signed(&key).unwrap();
        let root = own.der().clone();
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![root.clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        tls.alpn_protocols = media::session::relay_alpns();
        let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
        let (origin, engine) = (Origin::new(), Arc::new(Counted::default()));
        let open = |grant: Grant| {
            let endpoint = quinn::Endpoint::server(config.clone(), (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let at = endpoint.local_addr().unwrap();
            tokio::spawn(attend(endpoint, origin.clone(), engine.clone(), grant));
            at
        };
        let publish_at = open(Grant { see: Scope::nothing(), publish: Scope::everything() });
        let watch_at = open(Grant { see, publish: Scope::nothing() });
        Self { origin, engine, publish_at, watch_at, root }
    }

    async fn publisher(&self, origin: &Origin) -> Session {
        let grant = Grant { see: Scope::everything(), publish: Scope::nothing() };
        Session::connect(self.connect(self.publish_at, "moq-lite-06").await, origin, &grant).await.unwrap()
    }

    async fn watcher(&self, origin: &Origin) -> Session {
        let grant = Grant { see: Scope::nothing(), publish: Scope::everything() };
        Session::connect(self.connect(self.watch_at, "moq-lite-06").await, origin, &grant).await.unwrap()
    }

    async fn connect(&self, to: SocketAddr, alpn: &str) -> quinn::Connection {
        self.connect_with(to, alpn, quinn::TransportConfig::default()).await
    }

    async fn connect_with(
        &self,
        to: SocketAddr,
        alpn: &str,
        transport: quinn::TransportConfig,
    ) -> quinn::Connection {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![alpn.into()];
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(Arc::new(transport));
        let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.connect_with(config, to, "relay").unwrap().await.unwrap()
    }

    fn served(&self) -> usize {
        self.engine.served.load(Ordering::Relaxed)
    }
}

async fn attend(endpoint: quinn::Endpoint, origin: Origin, engine: Arc<dyn Engine>, grant: Grant) {
    while let Some(incoming) = endpoint.accept().await {
        let (origin, grant, engine) = (origin.clone(), grant.clone(), engine.clone());
        tokio::spawn(async move {
            let connection = incoming.await.unwrap();
            let data = connection.handshake_data().unwrap();
            let alpn = data.downcast::<quinn::crypto::rustls::HandshakeData>().unwrap().protocol.unwrap();
            let knock = Knock::at(connection, &alpn).await.unwrap();
            let session = knock.admit_with(&engine, &origin, &grant).await.unwrap();
            session.closed().await
        });
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Picture `n` of a camera with 10 pictures a second and a key frame each second, of so many bytes.
fn picture(n: u64, size: usize) -> Frame {
    let key = n.is_multiple_of(GROUP);
    let mut data = vec![0, 0, 0, 9, if key { 0x65 } else { 0x41 }];
    data.extend(n.to_be_bytes());
    data.resize(data.len().max(size), 7);
    Frame { kind: Kind::Video, time: Duration::from_millis(100 * n), key, data: data.into() }
}

fn open(origin: &Origin) -> Take {
    let content = Content { video: Some(Video::H264(Bytes::from_static(AVC))), audio: None };
    let take = Take::open(origin, NAME, SystemTime::now(), Duration::from_secs(60), &content).unwrap();
    take.announce().unwrap();
    take
}

fn write(take: &mut Take, numbers: std::ops::Range<u64>, size: usize) {
    for n in numbers {
        take.write(&picture(n, size)).unwrap().unwrap();
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(LIMIT, what).await.expect("it comes in time")
}

async fn reader(origin: &Origin, from: u64) -> Reader {
    within(async {
        let mut follow = Follow::begin(origin, NAME).await.unwrap();
        loop {
            let tracks = follow.tracks().await.unwrap().unwrap();
            if let Some(track) = tracks.first() {
                return follow.read(track, from).await.unwrap();
            }
        }
    })
    .await
}

/// The next group: from then on the film reaches this reader, and may end.
async fn one(reader: &mut Reader) -> Group {
    within(reader.next()).await.unwrap().unwrap()
}

async fn to_the_end(mut reader: Reader, mut groups: Vec<Group>) -> Vec<Group> {
    while let Some(group) = within(reader.next()).await.unwrap() {
        groups.push(group);
    }
    groups.sort_by_key(|group| group.number);
    groups
}

fn frames(groups: Vec<Group>) -> Vec<Frame> {
    assert!(groups.iter().all(|group| !group.broken), "{groups:?}");
    groups.into_iter().flat_map(|group| group.frames).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_arrives_at_each_watcher_with_its_time_and_its_bytes() {
    let relay = Relay::start(Scope::everything());
    let edge = Origin::new();
    let _edge = relay.publisher(&edge).await;
    let mut take = open(&edge);
    let mut reading = Vec::new();
    for _ in 0..3 {
        let desk = Origin::new();
        let session = relay.watcher(&desk).await;
        let reader = reader(&desk, 0).await;
        reading.push(tokio::spawn(async move { (to_the_end(reader, Vec::new()).await, session, desk).0 }));
    }
    for n in 0..35 {
        // A key frame is larger than what goes out at once.
        take.write(&picture(n, if n % GROUP == 0 { 200_000 } else { 3_000 })).unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    take.finish();
    let wanted: Vec<_> = (0..35).map(|n| picture(n, if n % GROUP == 0 { 200_000 } else { 3_000 })).collect();
    for reading in reading {
        assert_eq!(frames(within(reading).await.unwrap()), wanted);
    }
    assert_eq!(relay.served(), 6, "a catalog and a film for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_begins_with_the_first_group_that_is_kept() {
    let relay = Relay::start(Scope::everything());
    let (edge, early, late) = (Origin::new(), Origin::new(), Origin::new());
    let _edge = relay.publisher(&edge).await;
    let mut take = open(&edge);
    let _early = relay.watcher(&early).await;
    let mut watching = reader(&early, 0).await;
    write(&mut take, 0..25, 0);
    // The early one's way is open and in the middle of a group.
    let _late = relay.watcher(&late).await;
    let mut joining = reader(&late, 0).await;
    let begun = (vec![one(&mut joining).await], vec![one(&mut watching).await]);
    write(&mut take, 25..30, 0);
    take.finish();
    let wanted: Vec<_> = (0..30).map(|n| picture(n, 0)).collect();
    assert_eq!(frames(to_the_end(joining, begun.0).await), wanted);
    assert_eq!(frames(to_the_end(watching, begun.1).await), wanted);
    assert_eq!(relay.served(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_has_forgotten_is_fetched_from_whoever_has_it() {
    let relay = Relay::start(Scope::everything());
    let (edge, desk) = (Origin::keeping(Duration::from_millis(200), 1 << 20), Origin::new());
    let _edge = relay.publisher(&edge).await;
    let _desk = relay.watcher(&desk).await;
    let mut take = open(&edge);
    let mut missing = take.missing().pop().unwrap();
    tokio::spawn(async move {
        while let Some(asked) = missing.next().await {
            match asked.group() {
                1 => asked.answer(&(10..20).map(|n| picture(n, 99)).collect::<Vec<_>>()).unwrap(),
                _ => asked.refuse(),
            }
        }
    });
    write(&mut take, 0..100, 0);
    // Long enough that nobody's memory holds it any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    take.write(&picture(100, 0)).unwrap();
    let reader = reader(&desk, 9).await;
    let old = within(reader.fetch(1)).await.unwrap();
    assert_eq!(frames(vec![old]), (10..20).map(|n| picture(n, 99)).collect::<Vec<_>>());
    assert!(within(reader.fetch(3)).await.is_err(), "the disk has let go of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_beyond_the_grant() {
    let relay = Relay::start(Scope::below(["box/school-1"]).unwrap());
    let desk = Origin::new();
    let _own = note::Note::publish(&relay.origin, "box/school-1/state", "state", b"own").unwrap();
    let _secret = note::Note::publish(&relay.origin, "room/1/seat-1", "state", b"secret").unwrap();
    let _desk = relay.watcher(&desk).await;
    let mut reader = within(note::Reader::begin(&desk, "box/school-1/state", "state")).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "own");
    assert_eq!(relay.served(), 1);
    let secret = timeout(Duration::from_millis(500), note::Reader::begin(&desk, "room/1/seat-1", "state"));
    assert!(!matches!(secret.await, Ok(Ok(_))), "a broadcast outside of the grant is seen");
    // Asked for by name, without waiting to be told of it.
    let connection = relay.connect(relay.watch_at, "moq-lite-06").await;
    let (_send, mut recv) = by_hand(&connection, "room/1/seat-1", "state").await;
    let answer = within(recv.read_to_end(1 << 16)).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_lasts_as_long_as_it_is_held() {
    let relay = Relay::start(Scope::below(["talk/school-1"]).unwrap());
    let (seat, speaker) = (Origin::new(), Origin::new());
    let _seat = relay.publisher(&seat).await;
    let _speaker = relay.watcher(&speaker).await;
    let mut voice = note::Note::publish(&seat, "room/1/seat-1", "voice", b"hello").unwrap();
    let mut known = relay.origin.listen("room/1").unwrap();
    assert!(within(known.next()).await.unwrap().there);
    let alias = relay.origin.alias("talk/school-1/1/seat-1", "room/1/seat-1").unwrap();
    let mut heard = speaker.listen("talk/school-1").unwrap();
    let first = within(heard.next()).await.unwrap();
    assert!(first.there && first.name.starts_with("talk/school-1/1/seat-1/"), "{first:?}");
    let mut reader = within(note::Reader::begin(&speaker, &first.name, "voice")).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "hello");
    voice.write(b"still there").unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "still there");
    drop(alias);
    let second = within(heard.next()).await.unwrap();
    assert_eq!((second.name.as_str(), second.there), (first.name.as_str(), false));
    assert_eq!(relay.served(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_goes_in_the_middle_of_a_group_leaves_the_others_alone() {
    let relay = Relay::start(Scope::everything());
    let (edge, stays, goes, back) = (Origin::new(), Origin::new(), Origin::new(), Origin::new());
    let _edge = relay.publisher(&edge).await;
    let mut take = open(&edge);
    let (_stays, going) = (relay.watcher(&stays).await, relay.watcher(&goes).await);
    // The one that goes came first: the group is read on its behalf.
    let leaving = reader(&goes, 0).await;
    let mut staying = reader(&stays, 0).await;
    write(&mut take, 0..15, 1_000);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop((leaving, going, goes));
    tokio::time::sleep(Duration::from_millis(200)).await;
    write(&mut take, 15..18, 1_000);
    let _back = relay.watcher(&back).await;
    let mut returning = reader(&back, 1).await;
    write(&mut take, 18..40, 1_000);
    let begun = (vec![one(&mut staying).await], vec![one(&mut returning).await]);
    take.finish();
    assert_eq!(
        frames(to_the_end(staying, begun.0).await),
        (0..40).map(|n| picture(n, 1_000)).collect::<Vec<_>>()
    );
    assert_eq!(
        frames(to_the_end(returning, begun.1).await),
        (10..40).map(|n| picture(n, 1_000)).collect::<Vec<_>>()
    );
}

/// SUBSCRIBE of moq-lite-06 to the newest group and all that follow, and the set-up before it.
async fn by_hand(
    connection: &quinn::Connection,
    name: &str,
    track: &str,
) -> (quinn::SendStream, quinn::RecvStream) {
    let mut setup = connection.open_uni().await.unwrap();
    setup.write_all(&[1, 1, 0]).await.unwrap();
    setup.finish().unwrap();
    let mut message = vec![0];
    for text in [name, track] {
        message.push(u8::try_from(text.len()).unwrap());
        message.extend(text.as_bytes());
    }
    message.extend([128, 0, 0, 0, 0, 0]);
    let (mut send, recv) = connection.open_bi().await.unwrap();
    // In two parts, as a network may bring it.
    let whole = [&[2, u8::try_from(message.len()).unwrap()][..], &message].concat();
    for part in whole.chunks(whole.len() / 2 + 1) {
        send.write_all(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (send, recv)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_loses_old_groups_whole_and_holds_up_nobody() {
    const SIZE: usize = 20_000;
    let relay = Relay::start(Scope::everything());
    let (edge, desk) = (Origin::new(), Origin::new());
    let _edge = relay.publisher(&edge).await;
    let _desk = relay.watcher(&desk).await;
    let mut take = open(&edge);
    let reading = tokio::spawn(to_the_end(reader(&desk, 0).await, Vec::new()));
    let mut narrow = quinn::TransportConfig::default();
    narrow.stream_receive_window(30_000_u32.into()).receive_window(50_000_u32.into());
    let slow = relay.connect_with(relay.watch_at, "moq-lite-06", narrow).await;
    let _subscription = by_hand(&slow, NAME, "video").await;
    for n in 0..60 {
        take.write(&picture(n, SIZE)).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Only now does the slow one begin to read: longer than the patience ago most of it began.
    let slow_reading = tokio::spawn(async move {
        let (mut whole, mut lost) = (0, 0);
        while let Ok(Ok(mut stream)) = timeout(Duration::from_secs(3), slow.accept_uni()).await {
            match timeout(Duration::from_secs(3), stream.read_to_end(1 << 24)).await {
                // The relay's own set-up comes on such a stream too.
                Ok(Ok(bytes)) if bytes.len() >= SIZE * 10 => whole += 1,
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(_)) => lost += 1,
            }
        }
        (whole, lost)
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    take.finish();
    assert_eq!(frames(within(reading).await.unwrap()), (0..60).map(|n| picture(n, SIZE)).collect::<Vec<_>>());
    let (whole, lost) = within(slow_reading).await.unwrap();
    assert!(whole >= 1, "the newest group comes whole: {whole} came, {lost} were reset");
    assert!(lost >= 2, "old groups are thrown away: {whole} came, {lost} were reset");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_served_over_webtransport_in_both_versions() {
    for version in ["moq-lite-05", "moq-lite-06"] {
        let relay = Relay::start(Scope::everything());
        let edge = Origin::new();
        let _edge = relay.publisher(&edge).await;
        let mut take = open(&edge);
        write(&mut take, 0..5, 3_000);
        let connection = relay.connect(relay.watch_at, wt::ALPN).await;
        let url: url::Url = format!("https://relay:{}/", relay.watch_at.port()).parse().unwrap();
        let request = wt::proto::ConnectRequest::new(url).with_protocol(version);
        let web = within(wt::Session::connect(connection, request)).await.unwrap();
        let (producer, driver) = moq_net::origin::Producer::new(moq_net::origin::Config::default());
        tokio::spawn(async move { drop(moq_net::time::run(driver).await) });
        let client = moq_net::Client::new().with_subscriber(producer.clone());
        let (_session, driver) = within(client.connect(Instant::now(), web)).await.unwrap();
        tokio::spawn(async move { drop(moq_net::time::run(Driven(driver)).await) });
        let broadcast = within(producer.consume().routed_broadcast(NAME)).await.unwrap();
        // With patience: without it the reader itself gives up a group as soon as the next one is there.
        let patient = moq_net::track::Subscription::default().with_max_age(Duration::from_secs(60));
        let subscribing = broadcast.track("video").unwrap().subscribe(patient);
        let mut cursor = within(subscribing).await.unwrap();
        let mut group = within(cursor.recv_group()).await.unwrap().unwrap();
        write(&mut take, 5..10, 3_000);
        take.write(&picture(10, 0)).unwrap();
        for n in 0..10 {
            let frame = within(group.read_frame()).await.unwrap().unwrap();
            assert!(frame.payload.ends_with(&picture(n, 3_000).data), "{version}: picture {n}");
        }
        while let Some(frame) = within(group.read_frame()).await.unwrap() {
            assert!(frame.payload.len() < 100, "{version}: more than ten pictures");
        }
        assert_eq!(relay.served(), 1, "{version}");
    }
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
