//! From a school's camera to the seat and into the evidence: cameras of GStreamer's RTSP server, the camera daemon
//! beside the button, the relay with its recorder, the desk. `tests/setup/media.sh` installs what this needs.

use std::path::PathBuf;
use std::time::Duration;

use onepress::rig::{Button, Camera, Cameras, Plan, Relay, pause};
use onepress_tests::centre::{Centre, list, until, within};
use onepress_tests::film;
use onepress_tests::stranger::now;
use serde_json::{Value, json};

/// What must be there from before the press (DB15/T 3968-2025).
const BEFORE: Duration = Duration::from_secs(30);
/// A finger stays this long.
const PRESS: Duration = Duration::from_millis(300);

/// A centre with a relay, and a school with cameras.
struct Studio {
    centre: Centre,
    relay: Relay,
    camera: Camera,
    cameras: Cameras,
}

impl Studio {
    fn open(streams: &[(&str, &str)], more: &str) -> Self {
        let centre = Centre::start(1, &Plan::default());
        let ticket = centre.desk.new_box("relay", None).expect("a ticket");
        let relay =
            Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket).expect("a relay");
        let cameras = Cameras::start().expect("cameras");
        let listed: Vec<_> = streams.iter().map(|(id, stream)| (*id, cameras.url(stream))).collect();
        let (dir, at) = (centre.dir.path().join("camera"), format!("127.0.0.1:{}", relay.port()));
        let camera =
            Camera::start(&centre.programs, &dir, &centre.schools[0], &at, &listed, more).expect("a camera");
        Self { centre, relay, camera, cameras }
    }

    fn press(&self) -> i64 {
        let at = now().millis();
        self.centre.schools[0].press(Button::Gate);
        pause(PRESS);
        self.centre.schools[0].release(Button::Gate);
        at
    }

    /// Waits until every camera has so much in memory.
    fn wait_ring(&self, span: Duration) {
        until("the rings fill", || {
            let status = self.camera.status().ok()?;
            let full = |camera: &Value| camera["ring-s"].as_u64() >= Some(span.as_secs());
            list(&status["cameras"]).all(full).then_some(())
        });
    }

    fn takes(&self) -> Vec<Value> {
        list(&self.centre.state()["incidents"])
            .flat_map(|incident| list(&incident["takes"]))
            .cloned()
            .collect()
    }

    /// The take of a camera, recorded up to this moment.
    fn recorded_to(&self, camera: &str, wall: i64) -> Value {
        until(&format!("{camera} is recorded"), || {
            self.takes().into_iter().find(|take| {
                let to = take["began"].as_i64().unwrap_or(0) + take["to"].as_i64().unwrap_or(0);
                take["camera"] == json!(camera) && to >= wall
            })
        })
    }

    fn pass(&self) -> Value {
        let incident = self.centre.state()["incidents"][0]["id"].clone();
        self.centre.desk.post(&format!("/api/incidents/{incident}/pass"), &json!({})).expect("a pass")
    }

    /// A take as the relay serves it to a player.
    fn fetch(&self, take: &Value) -> PathBuf {
        let pass = self.pass();
        let (take, pass) = (take["take"].as_str().expect("named"), pass["pass"].as_str().expect("signed"));
        let url = format!("{}/recordings/{take}.mp4?pass={pass}", self.relay.url());
        let file = self.centre.dir.path().join("take.mp4");
        let mut answer = ureq::get(&url).call().expect("the recording");
        let mut out = std::fs::File::create(&file).expect("a file");
        std::io::copy(&mut answer.body_mut().as_reader(), &mut out).expect("the whole recording");
        file
    }
}

#[test]
fn the_half_minute_before_the_press_is_live_and_in_the_recording() {
    let mut studio = Studio::open(&[("gate", "/h264-pcmu"), ("hall", "/h264-aac")], "");
    studio.wait_ring(BEFORE + Duration::from_secs(1));
    let pressed = studio.press();
    until("the incident is there", || (studio.centre.presses() == 1).then_some(()));
    studio.centre.answer_all();
    for (camera, has_tone) in [("gate", true), ("hall", true)] {
        let take = studio.recorded_to(camera, pressed + 5_000);
        let first = take["began"].as_i64().expect("began") + take["from"].as_i64().expect("from");
        assert!(first <= pressed - 30_000, "{camera} begins {} ms before the press", pressed - first);
        assert_eq!(take["gaps"], json!([]), "{take}");
        let file = studio.fetch(&take);
        let numbers = film::numbers(&file);
        let whole: Vec<u16> =
            numbers.iter().map(|number| number.expect("every picture can be read")).collect();
        assert!(whole.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{camera}: {whole:?}");
        let expected = usize::try_from((30 + 4) * film::FPS).expect("small");
        assert!(whole.len() >= expected, "{camera}: {} pictures of {expected}", whole.len());
        let tone = film::tone(&file, 1_000.0);
        assert!(!has_tone || tone > 0.8, "{camera}: the tone is {tone} of the sound");
    }
    studio.centre.close_all();
    until("the cameras close with the incident", || {
        let status = studio.camera.status().ok()?;
        list(&status["cameras"]).all(|camera| camera["live"] == json!(false)).then_some(())
    });
}

#[test]
fn without_a_press_nothing_leaves_the_school() {
    let studio = Studio::open(&[("gate", "/h264")], "");
    studio.wait_ring(Duration::from_secs(3));
    assert_eq!(studio.takes(), [Value::Null; 0]);
    let recordings = studio.relay.dir().join("recordings");
    let kept = std::fs::read_dir(recordings).map_or(0, Iterator::count);
    assert_eq!(kept, 0, "the relay has recorded something");
}

#[test]
fn a_relay_that_dies_loses_nothing_that_the_box_still_has() {
    let mut studio = Studio::open(&[("gate", "/h264")], "");
    studio.wait_ring(Duration::from_secs(3));
    let pressed = studio.press();
    studio.recorded_to("gate", pressed + 2_000);
    studio.relay.daemon().kill();
    pause(Duration::from_secs(6));
    studio.relay.start_again().expect("a relay");
    let take = studio.recorded_to("gate", now().millis() + 3_000);
    let healed = within(Duration::from_secs(60), "the gap is filled", || {
        let whole = |known: &Value| known["take"] == take["take"] && known["gaps"] == json!([]);
        studio.takes().into_iter().find(whole)
    });
    let whole: Vec<_> = film::numbers(&studio.fetch(&healed)).into_iter().flatten().collect();
    assert!(whole.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{whole:?}");
}

#[test]
fn a_camera_that_jumps_or_changes_begins_a_new_take_and_is_never_lost() {
    let mut studio = Studio::open(&[("gate", "/h264")], "");
    studio.wait_ring(Duration::from_secs(3));
    let pressed = studio.press();
    studio.recorded_to("gate", pressed + 1_000);
    for order in ["jump 100", "size 160 120"] {
        let takes = studio.takes().len();
        studio.cameras.order(order).expect("ordered");
        until("a new take", || (studio.takes().len() > takes).then_some(()));
        studio.recorded_to("gate", now().millis() + 1_000);
    }
}
