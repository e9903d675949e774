//! Publisher, relay and readers over real QUIC on loopback, in one process: what goes in comes out, to the byte.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use media::follow::{Follow, Group};
use media::session::{Grant, Knock};
use media::take::{Audio, Content, Take, Video};
use media::{Bytes, Frame, Kind, Origin, Scope, Session, Transport, mp4, note};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// Longest that anything here may take: a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
const NAME: &str = "box/school-1/cam/gate/1763740800000";
/// AVCDecoderConfigurationRecord of a 320x240 picture, as x264 writes it.
const AVC: &[u8] = include_bytes!("avcc.bin");

/// A relay that lets everybody in with the same rights.
struct Relay {
    origin: Origin,
    at: SocketAddr,
    root: CertificateDer<'static>,
}

impl Relay {
    fn start(grant: Grant) -> Self {
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
        let tls = Arc::new(QuicServerConfig::try_from(tls).unwrap());
        let config = quinn::ServerConfig::with_crypto(tls);
        let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (origin, at) = (Origin::new(), endpoint.local_addr().unwrap());
        tokio::spawn(attend(endpoint, origin.clone(), grant));
        Self { origin, at, root }
    }

    async fn connect(&self, origin: &Origin, see: Scope, publish: Scope) -> Session {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = media::session::alpns();
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connection = endpoint.connect_with(config, self.at, "relay").unwrap().await.unwrap();
        Session::connect(connection, origin, &Grant { see, publish }).await.unwrap()
    }
}

async fn attend(endpoint: quinn::Endpoint, origin: Origin, grant: Grant) {
    while let Some(incoming) = endpoint.accept().await {
        let (origin, grant) = (origin.clone(), grant.clone());
        tokio::spawn(async move {
            let connection = incoming.await.unwrap();
            let data = connection.handshake_data().unwrap();
            let alpn = data.downcast::<quinn::crypto::rustls::HandshakeData>().unwrap().protocol.unwrap();
            let knock = Knock::at(connection, &alpn).await.unwrap();
            assert_eq!(knock.transport(), Transport::Quic);
            let session = knock.admit(&origin, &grant).await.unwrap();
            session.closed().await
        });
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn everything() -> Grant {
    Grant { see: Scope::everything(), publish: Scope::everything() }
}

fn content() -> Content {
    let video = Some(Video::H264(Bytes::from_static(AVC)));
    Content { video, audio: Some(Audio::Opus { channels: 1 }) }
}

/// Picture `n` of a camera with 10 pictures a second and a key frame each second. Its bytes say which it is.
fn picture(n: u64) -> Frame {
    let key = n.is_multiple_of(10);
    let mut data = vec![0, 0, 0, 9, if key { 0x65 } else { 0x41 }];
    data.extend(n.to_be_bytes());
    Frame { kind: Kind::Video, time: Duration::from_millis(100 * n), key, data: data.into() }
}

fn sound(n: u64) -> Frame {
    let data = Bytes::from([&[0xfc][..], &n.to_be_bytes()].concat());
    Frame { kind: Kind::Audio, time: Duration::from_millis(20 * n), key: true, data }
}

fn open(origin: &Origin) -> Take {
    let take = Take::open(origin, NAME, SystemTime::now(), Duration::from_secs(60), &content()).unwrap();
    take.announce().unwrap();
    take
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(LIMIT, what).await.expect("it comes in time")
}

async fn tracks(follow: &mut Follow) -> Vec<media::follow::Track> {
    within(async {
        loop {
            let tracks = follow.tracks().await.unwrap().unwrap();
            if tracks.len() == 2 {
                return tracks;
            }
        }
    })
    .await
}

async fn groups(origin: &Origin, kind: Kind) -> Vec<Group> {
    let mut follow = within(Follow::begin(origin, NAME)).await.unwrap();
    let tracks = tracks(&mut follow).await;
    let track = tracks.iter().find(|track| track.kind() == kind).unwrap();
    let mut reader = within(follow.read(track, 0)).await.unwrap();
    let mut groups = Vec::new();
    while let Some(group) = within(reader.next()).await.unwrap() {
        groups.push(group);
    }
    groups
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_arrives_with_its_time_and_its_bytes() {
    let relay = Relay::start(everything());
    let (edge, desk) = (Origin::new(), Origin::new());
    let _edge = relay.connect(&edge, Scope::everything(), Scope::nothing()).await;
    let _desk = relay.connect(&desk, Scope::nothing(), Scope::everything()).await;
    let mut take = open(&edge);
    let reading =
        tokio::spawn(async move { tokio::join!(groups(&desk, Kind::Video), groups(&desk, Kind::Audio)) });
    for n in 0..35 {
        take.write(&picture(n)).unwrap().unwrap();
        for sound_n in 5 * n..5 * (n + 1) {
            take.write(&sound(sound_n)).unwrap().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    take.finish();
    let (video, audio) = within(reading).await.unwrap();
    assert!(video.iter().chain(&audio).all(|group| !group.broken));
    let numbers: Vec<_> = video.iter().map(|group| (group.number, group.frames.len())).collect();
    assert_eq!(numbers, [(0, 10), (1, 10), (2, 10), (3, 5)]);
    let frames: Vec<_> = video.into_iter().flat_map(|group| group.frames).collect();
    assert_eq!(frames, (0..35).map(picture).collect::<Vec<_>>());
    let data = |frames: Vec<Group>| -> Vec<_> {
        frames.into_iter().flat_map(|group| group.frames).map(|frame| (frame.time, frame.data)).collect()
    };
    let sounds: Vec<_> = (0..175).map(sound).map(|frame| (frame.time, frame.data)).collect();
    assert_eq!(data(audio), sounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_begins_with_the_first_group_that_is_kept() {
    let relay = Relay::start(everything());
    let (edge, desk) = (Origin::new(), Origin::new());
    let _edge = relay.connect(&edge, Scope::everything(), Scope::nothing()).await;
    let mut take = open(&edge);
    for n in 0..30 {
        take.write(&picture(n)).unwrap();
    }
    let _desk = relay.connect(&desk, Scope::nothing(), Scope::everything()).await;
    let mut follow = within(Follow::begin(&desk, NAME)).await.unwrap();
    let tracks = tracks(&mut follow).await;
    let track = tracks.iter().find(|track| track.kind() == Kind::Video).unwrap();
    assert_eq!(track.codec(), "avc1.42c00b");
    let mut reader = within(follow.read(track, 0)).await.unwrap();
    for number in 0..2 {
        let group = within(reader.next()).await.unwrap().unwrap();
        assert_eq!((group.number, group.frames[0].key, group.broken), (number, true, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_has_forgotten_is_fetched_from_whoever_has_it() {
    let relay = Relay::start(everything());
    let (edge, desk) = (Origin::keeping(Duration::from_millis(200), 1 << 20), Origin::new());
    let _edge = relay.connect(&edge, Scope::everything(), Scope::nothing()).await;
    let _desk = relay.connect(&desk, Scope::nothing(), Scope::everything()).await;
    let mut take = Take::open(&edge, NAME, SystemTime::now(), Duration::from_secs(60), &content()).unwrap();
    let video = take.missing().into_iter().find(|missing| missing.kind() == Kind::Video).unwrap();
    take.announce().unwrap();
    tokio::spawn(from_disk(video));
    for n in 0..100 {
        take.write(&picture(n)).unwrap();
    }
    // Long enough that nobody's memory holds it any more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    take.write(&picture(100)).unwrap();
    let mut follow = within(Follow::begin(&desk, NAME)).await.unwrap();
    let tracks = tracks(&mut follow).await;
    let track = tracks.iter().find(|track| track.kind() == Kind::Video).unwrap();
    let reader = within(follow.read(track, 9)).await.unwrap();
    let old = within(reader.fetch(1)).await.unwrap();
    assert_eq!((old.number, old.broken), (1, false));
    assert_eq!(old.frames, (10..20).map(from_the_disk).collect::<Vec<_>>());
    assert!(within(reader.fetch(3)).await.is_err(), "the disk has let go of it");
}

/// As [`picture`], and told apart from it.
fn from_the_disk(n: u64) -> Frame {
    let frame = picture(n);
    Frame { data: [&frame.data[..], b"disk"].concat().into(), ..frame }
}

/// A disk that holds the groups 0 to 2.
async fn from_disk(mut missing: media::take::Missing) {
    while let Some(asked) = missing.next().await {
        match asked.group() {
            number @ 0..=2 => {
                let frames: Vec<_> = (10 * number..10 * (number + 1)).map(from_the_disk).collect();
                asked.answer(&frames).unwrap();
            }
            _ => asked.refuse(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_publishes_or_sees_beyond_the_grant() {
    let own = Scope::below(["box/school-1"]).unwrap();
    let relay = Relay::start(Grant { see: own.clone(), publish: own });
    let (edge, desk) = (Origin::new(), Origin::new());
    let _edge = relay.connect(&edge, Scope::everything(), Scope::nothing()).await;
    let (_under_another_name, _note) = (
        note::Note::publish(&edge, "box/school-2/state", "state", b"forged").unwrap(),
        note::Note::publish(&edge, "box/school-1/state", "state", b"own").unwrap(),
    );
    let _secret = note::Note::publish(&relay.origin, "room/1/seat-1", "state", b"secret").unwrap();
    let mut heard = relay.origin.listen("box").unwrap();
    assert_eq!(within(heard.next()).await.unwrap().name, "box/school-1/state");
    let more = timeout(Duration::from_millis(500), heard.next()).await;
    assert!(more.is_err(), "{more:?}");
    let _desk = relay.connect(&desk, Scope::nothing(), Scope::everything()).await;
    let mut reader = within(note::Reader::begin(&desk, "box/school-1/state", "state")).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "own");
    let secret =
        timeout(Duration::from_millis(500), note::Reader::begin(&desk, "room/1/seat-1", "state")).await;
    assert!(!matches!(secret, Ok(Ok(_))), "a broadcast outside of the grant is seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_is_there_while_it_is_held_and_its_target_is_there() {
    let relay = Relay::start(everything());
    let (seat, speaker) = (Origin::new(), Origin::new());
    let _seat = relay.connect(&seat, Scope::everything(), Scope::nothing()).await;
    let to_box = Scope::below(["talk/school-1"]).unwrap();
    let _speaker = relay.connect(&speaker, Scope::nothing(), to_box).await;
    let alias = relay.origin.alias("talk/school-1/1/seat-1", "room/1/seat-1").unwrap();
    let mut heard = speaker.listen("talk/school-1").unwrap();
    let early = timeout(Duration::from_millis(300), heard.next()).await;
    assert!(early.is_err(), "nobody speaks yet, and yet there is {early:?}");
    let voice = note::Note::publish(&seat, "room/1/seat-1", "voice", b"hello").unwrap();
    let first = within(heard.next()).await.unwrap();
    assert!(first.there && first.name.starts_with("talk/school-1/1/seat-1/"), "{first:?}");
    let mut reader = within(note::Reader::begin(&speaker, &first.name, "voice")).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "hello");
    drop((reader, voice));
    let second = within(heard.next()).await.unwrap();
    assert_eq!((second.name.as_str(), second.there), (first.name.as_str(), false));
    // As long as a hand needs between hold and resume: see `Origin::alias`.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let voice = note::Note::publish(&seat, "room/1/seat-1", "voice", b"again").unwrap();
    let third = within(heard.next()).await.unwrap();
    assert!(third.there && third.name != first.name, "{third:?} after {first:?}");
    let mut reader = within(note::Reader::begin(&speaker, &third.name, "voice")).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap().unwrap(), "again");
    drop(alias);
    assert!(!within(heard.next()).await.unwrap().there, "the alias has gone, though the seat still speaks");
    drop(voice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_becomes_one_file_with_both_tracks() {
    let origin = Origin::new();
    let mut take = open(&origin);
    for n in 0..20 {
        take.write(&picture(n)).unwrap();
        (5 * n..5 * (n + 1)).for_each(|n| assert!(take.write(&sound(n)).unwrap().is_some()));
    }
    let mut follow = within(Follow::begin(&origin, NAME)).await.unwrap();
    let tracks = tracks(&mut follow).await;
    let (mut inits, mut readers) = (Vec::new(), Vec::new());
    let mut fragments = Vec::new();
    for (number, track) in (1..).zip(&tracks) {
        let writer = mp4::Writer::new(track, number).unwrap();
        inits.push(writer.init().unwrap());
        readers.push((writer, within(follow.read(track, 0)).await.unwrap()));
    }
    take.finish();
    for (mut writer, mut reader) in readers {
        while let Some(group) = within(reader.next()).await.unwrap() {
            fragments.push(writer.fragment(&group.frames, None).unwrap().unwrap());
        }
    }
    let whole = mp4::merge(&inits).unwrap();
    let count = |bytes: &[u8], word: &[u8]| bytes.windows(4).filter(|window| window == &word).count();
    assert_eq!((count(&whole, b"ftyp"), count(&whole, b"trak"), count(&whole, b"trex")), (1, 2, 2));
    let frames: usize = fragments.iter().map(|fragment| fragment.frames).sum();
    assert_eq!(frames, 20 + 100);
    assert!(fragments.iter().all(|fragment| fragment.to > fragment.from));
}
