//! Media over cables that are pulled and cables that are thin: the school, the relay and the seat each in a network of
//! their own. Needs root, and `tests/setup/media.sh`.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, UNIX_EPOCH};

use media::follow::{Follow, Reader, Track};
use media::session::Grant;
use media::{Kind, Origin, Scope, Session};
use onepress::rig::{
    Button, Camera, Cameras, PASSWORD, Plan, Programs, Rack, Relay, USER, Way, free_both, pause,
};
use onepress_tests::cable::{Cable, carry};
use onepress_tests::centre::{Centre, folder, programs, until, within};
use onepress_tests::film;
use onepress_tests::keeper::Keeper;
use onepress_tests::page::Page;
use onepress_tests::stranger::now;
use onepress_tests::studio::Studio;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

/// How long a cable stays pulled: longer than a session may be silent.
const PULLED: Duration = Duration::from_secs(12);
/// What was recorded goes on within this of a cable's return, on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// What was missing is there within this.
const HEALED_WITHIN: Duration = Duration::from_secs(90);
/// Less than the played camera and its sound need, which are some 45 and 35 kbit/s on the wire; more than the sound.
const THIN_KBIT: u32 = 55;
/// How long the thin cable is looked at.
const LOOKED: Duration = Duration::from_secs(15);
/// A desk whose boxes reach it at `host`.
fn centre_at(host: &str) -> (Rack, Programs, TempDir) {
    let (programs, dir) = (programs(), folder());
    let rack = Rack::start_at(&programs, &dir.path().join("desk"), 0, &[host]).expect("a rack");
    (rack, programs, dir)
}

/// A school behind a cable; desk and relay are in this thread's network.
fn school_behind(cable: &Cable, mount: &str, more: &str) -> Studio {
    let host = cable.near().to_string();
    let (rack, programs, dir) = centre_at(&host);
    let rack_at = Some(format!("{host}:{}", rack.link_port()));
    let way = Way { id: "wired", kind: "wired", held_to: ("interface", cable.name()), rack: rack_at };
    let plan = Plan { ways: vec![way], ..Plan::default() };
    let through = cable.through();
    let words: Vec<&str> = through.iter().map(String::as_str).collect();
    let inside = programs.through(&words);
    let school = dir.path().join("school-1");
    let centre = Centre::around(rack, programs, dir).with_school_at(&school, &plan, &inside);
    let ticket = centre.desk.new_box("relay", None).expect("a ticket");
    let relay = Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket).expect("a relay");
    carry(None, SocketAddr::from((cable.near(), relay.port())), loopback(relay.port()));
    let cameras = Cameras::start_through(&words).expect("cameras");
    let at = format!("{host}:{}", relay.port());
    let listed = [("gate", cameras.url(mount))];
    let dir = centre.dir.path().join("camera");
    let camera = Camera::start(&inside, &dir, &centre.schools[0], &at, &listed, more).expect("a camera");
    Studio { centre, relay, camera, cameras }
}

/// A relay behind a cable; desk and school are in this thread's network.
fn relay_behind(cable: &Cable) -> Studio {
    let (rack, programs, dir) = centre_at(&cable.near().to_string());
    let centre = Centre::around(rack, programs, dir).with_school(&Plan::default());
    let ticket = centre.desk.new_box("relay", None).expect("a ticket");
    let port = free_both().expect("a port");
    let there = SocketAddr::from((cable.there(), port));
    carry(Some(cable.far()), there, loopback(port));
    carry(None, loopback(port), there);
    let through = cable.through();
    let words: Vec<&str> = through.iter().map(String::as_str).collect();
    let (inside, dir) = (centre.programs.through(&words), centre.dir.path().join("relay"));
    let relay = Relay::start_at(&inside, &dir, &ticket, loopback(port), "").expect("a relay");
    let cameras = Cameras::start().expect("cameras");
    let (dir, listed) = (centre.dir.path().join("camera"), [("gate", cameras.url("/h264"))]);
    let at = loopback(port).to_string();
    let camera = Camera::start(&centre.programs, &dir, &centre.schools[0], &at, &listed, "");
    Studio { relay, camera: camera.expect("a camera"), cameras, centre }
}

/// This thread and all that it starts are in a network of their own.
fn own_network() -> Keeper {
    let own = Keeper::start(&["--net"], "ip link set lo up");
    own.enter_network();
    own
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn journal(studio: &Studio) -> String {
    let incident = studio.centre.state()["incidents"][0]["id"].clone();
    studio.centre.desk.get(&format!("/api/incidents/{incident}/journal")).expect("a journal").to_string()
}

/// Press, pull, plug: the recording goes on and is whole in the end.
fn cut_and_healed(studio: &Studio, cable: &Cable) {
    studio.wait_ring(Duration::from_secs(3));
    let pressed = studio.press(Button::Gate);
    let take = studio.recorded_to("gate", pressed + 2_000);
    cable.pull();
    pause(PULLED);
    cable.plug();
    let plugged = Instant::now();
    studio.recorded_to("gate", now().millis());
    let _ = writeln!(std::io::stderr(), "recorded again {:?} after the cable was back", plugged.elapsed());
    assert!(plugged.elapsed() < BACK_WITHIN);
    let healed = within(HEALED_WITHIN, "the gap is filled", || {
        let whole = |known: &Value| known["take"] == take["take"] && known["gaps"] == json!([]);
        studio.takes().into_iter().find(whole)
    });
    let whole: Vec<_> = film::numbers(&studio.fetch(&healed)).into_iter().flatten().collect();
    assert!(whole.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{whole:?}");
    // What a box has in memory is longer than this cut: whatever was stated as missing has come.
    let journal = journal(studio);
    assert_eq!(journal.matches("\"gap\"").count(), journal.matches("\"filled\"").count(), "{journal}");
}

#[test]
fn a_school_that_is_cut_off_comes_back_with_what_was_missing() {
    let _own = own_network();
    let cable = Cable::lay(0, "school");
    cut_and_healed(&school_behind(&cable, "/h264", ""), &cable);
}

#[test]
fn a_relay_that_is_cut_off_comes_back_with_what_was_missing() {
    let _own = own_network();
    let cable = Cable::lay(2, "relay");
    cut_and_healed(&relay_behind(&cable), &cable);
}

#[test]
fn a_seat_that_is_cut_off_sees_the_picture_again() {
    let _own = own_network();
    let (school, seat) = (Cable::lay(0, "school"), Cable::lay(1, "seat"));
    let studio = school_behind(&school, "/h264-pcmu", "");
    studio.wait_ring(Duration::from_secs(3));
    let console = studio.centre.rack.url();
    let console: u16 = console.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    for port in [console, studio.relay.port()] {
        let near = SocketAddr::from((seat.near(), port));
        carry(None, near, loopback(port));
        carry(Some(seat.far()), loopback(port), near);
    }
    let environment = [
        ("ONEPRESS_URL", studio.centre.rack.url()),
        ("ONEPRESS_USER", USER.to_owned()),
        ("ONEPRESS_PASSWORD", PASSWORD.to_owned()),
    ];
    let mut page = Page::open_through(&seat.through(), "cut.mjs", "cut", &environment);
    while let Some(step) = page.next_step() {
        match step.as_str() {
            "press the gate button" => drop(studio.press(Button::Gate)),
            "pull the cable" => seat.pull(),
            "plug it in" => seat.plug(),
            other => panic!("the page is ready for {other:?}, which this test does not know"),
        }
        page.go();
    }
    page.end();
    let take = studio.recorded_to("gate", now().millis());
    assert_eq!(take["gaps"], json!([]), "a seat that is away costs the recording nothing");
}

#[test]
fn on_a_thin_cable_sound_comes_before_the_picture() {
    let _own = own_network();
    let cable = Cable::lay(0, "school");
    let mut studio = school_behind(&cable, "/h264-pcmu", "pre-alarm-s = 2\n");
    studio.wait_ring(Duration::from_secs(2));
    cable.thin(THIN_KBIT);
    studio.press(Button::Gate);
    let take = until("the take begins", || studio.takes().into_iter().next());
    studio.centre.answer_all();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let late = runtime.block_on(lateness(&studio, &take)).expect("both tracks are read");
    eprintln!("sound is {:?} late, the picture {:?}", late.0, late.1);
    // What came before the press goes out first of all and is caught up with; sound does so sooner.
    assert!(late.1 > Duration::from_secs(1), "the cable is not thin: {late:?}");
    assert!(late.0 + Duration::from_millis(500) < late.1, "sound waits for the picture: {late:?}");
}

/// How late sound and picture are that come at the end of [`LOOKED`].
async fn lateness(studio: &Studio, take: &Value) -> anyhow::Result<(Duration, Duration)> {
    let pass = studio.pass();
    let url =
        format!("ws://127.0.0.1:{}/?pass={}", studio.relay.port(), pass["pass"].as_str().expect("signed"));
    let (origin, everything) = (Origin::new(), Scope::everything());
    let grant = Grant { see: Scope::nothing(), publish: everything };
    let _session = Session::connect_socket(&url, &origin, &grant).await?;
    let (name, began) = (broadcast(take), take["began"].as_u64().expect("a time"));
    let mut follow = timeout(LOOKED, Follow::begin(&origin, &name)).await??;
    let tracks = timeout(LOOKED, follow.tracks()).await??.expect("a catalog");
    let of = |kind| tracks.iter().find(|track| track.kind() == kind).expect("such a track");
    let (sound, picture) = (of(Kind::Audio), of(Kind::Video));
    Ok(tokio::join!(last(&follow, sound, began), last(&follow, picture, began)))
}

fn broadcast(take: &Value) -> String {
    let name = take["take"].as_str().expect("named");
    name.parse::<alarm::media::TakeId>().expect("a take").broadcast()
}

/// How late the last group is that comes within [`LOOKED`].
async fn last(follow: &Follow, track: &Track, began: u64) -> Duration {
    let mut reader: Reader = follow.read(track, 0).await.expect("a track");
    let until = Instant::now() + LOOKED;
    let mut late = Duration::ZERO;
    while let Ok(Ok(Some(group))) = tokio::time::timeout_at(until.into(), reader.next()).await {
        if let Some(frame) = group.frames.last() {
            let shown = Duration::from_millis(began) + frame.time;
            late = UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(shown);
        }
    }
    late
}
