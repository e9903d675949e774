//! From a school's camera to the seat and into the evidence: cameras of GStreamer's RTSP server, the camera daemon
//! beside the button, the relay with its recorder, the desk, and the console in Chromium. `tests/setup/media.sh`
//! installs what this needs.

use std::time::Duration;

use onepress::rig::{Button, PASSWORD, USER, pause};
use onepress_tests::centre::{list, until, within};
use onepress_tests::film;
use onepress_tests::page::Page;
use onepress_tests::stranger::now;
use onepress_tests::studio::Studio;
use serde_json::{Value, json};

/// What must be there from before the press (DB15/T 3968-2025).
const BEFORE: Duration = Duration::from_secs(30);

/// The message that is played in a loop: how long it is, what it sounds like, how it is sampled.
const MESSAGE: Duration = Duration::from_secs(2);
const TONE: f64 = 2_000.0;
const RATE: u32 = 24_000;

#[test]
fn the_half_minute_before_the_press_is_live_and_in_the_recording() {
    let mut studio = Studio::open(&[("gate", "/h264-pcmu"), ("hall", "/h264-aac")], "");
    studio.wait_ring(BEFORE + Duration::from_secs(1));
    let pressed = studio.press(Button::Gate);
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
        // The played camera itself may stumble as it starts.
        let whole = &whole[usize::try_from(film::FPS).expect("small")..];
        assert!(whole.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{camera}: {whole:?}");
        let expected = usize::try_from((30 + 3) * film::FPS).expect("small");
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
    let pressed = studio.press(Button::Gate);
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
    let pressed = studio.press(Button::Gate);
    studio.recorded_to("gate", pressed + 1_000);
    for order in ["jump 100", "size 160 120"] {
        let takes = studio.takes().len();
        studio.cameras.order(order).expect("ordered");
        until("a new take", || (studio.takes().len() > takes).then_some(()));
        studio.recorded_to("gate", now().millis() + 1_000);
    }
}

#[test]
fn a_seat_sees_hears_speaks_and_looks_back_in_a_real_browser() {
    let speaker = std::env::temp_dir().join(format!("onepress-speaker-{}.raw", std::process::id()));
    let device = format!("tee:null,'{}',raw", speaker.display());
    let more = format!("[speaker]\ndevice = {device:?}\n");
    let studio = Studio::open(&[("gate", "/h264-pcmu"), ("hall", "/h264")], &more);
    studio.wait_ring(BEFORE + Duration::from_secs(1));
    let (url, user, password) = (studio.centre.rack.url(), USER.to_owned(), PASSWORD.to_owned());
    let message = studio.centre.dir.path().join("drill 2000 Hz.wav");
    std::fs::write(&message, wav()).expect("a file for the message");
    let environment = [
        ("ONEPRESS_URL", url),
        ("ONEPRESS_USER", user),
        ("ONEPRESS_PASSWORD", password),
        ("ONEPRESS_MESSAGE", message.display().to_string()),
    ];
    let mut page = Page::open("media.mjs", "media", &environment);
    while let Some(step) = page.next_step() {
        match step.as_str() {
            "press the gate button" => drop(studio.press(Button::Gate)),
            "press the office button" => drop(studio.press(Button::Office)),
            "let some time pass" => drop(studio.recorded_to("gate", now().millis() + 3_000)),
            "listen at the site" => {
                within(Duration::from_secs(20), "the site hears the seat", || {
                    (loudest(&speaker) > 1_000).then_some(())
                });
            }
            "listen to the loop" => {
                let (before, longer) = (sounding(&speaker), MESSAGE * 5 / 2);
                within(Duration::from_secs(40), "the site hears the message longer than it is", || {
                    // A player that has been started again begins its file anew.
                    let now = sounding(&speaker);
                    (if now < before { now >= longer } else { now >= before + longer }).then_some(())
                });
            }
            "hear that the loop has ended" => {
                pause(Duration::from_secs(1));
                let before = sounding(&speaker);
                pause(MESSAGE * 2);
                assert!(sounding(&speaker) <= before, "the site still hears the message");
            }
            other => panic!("the page is ready for {other:?}, which this test does not know"),
        }
        page.go();
    }
    page.end();
    let _ = std::fs::remove_file(speaker);
    let incident = studio.centre.state()["incidents"][0]["id"].clone();
    let journal = studio.centre.desk.get(&format!("/api/incidents/{incident}/journal")).expect("a journal");
    let kept = journal.to_string().matches("snapshot-taken").count();
    assert_eq!(kept, 1, "the snapshot is kept: {journal}");
    for (event, times) in [("loop-began", 2), ("loop-ended", 2)] {
        assert_eq!(journal.to_string().matches(event).count(), times, "{event}: {journal}");
    }
}

/// A message of a tone that nothing else here has.
fn wav() -> Vec<u8> {
    let count = u32::try_from(MESSAGE.as_millis()).expect("short") * (RATE / 1000);
    let sample = |n: u32| (f64::from(n) * TONE * std::f64::consts::TAU / f64::from(RATE)).sin() * 16_000.0;
    #[allow(clippy::cast_possible_truncation, reason = "it is within 16 bits")]
    let data: Vec<u8> = (0..count).flat_map(|n| (sample(n) as i16).to_le_bytes()).collect();
    let length = u32::try_from(data.len()).expect("short");
    [
        &b"RIFF"[..],
        &(36 + length).to_le_bytes(),
        b"WAVEfmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * 2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &length.to_le_bytes(),
        &data,
    ]
    .concat()
}

/// How long the message's tone has sounded at the site, in pieces of a tenth of a second that it fills.
fn sounding(speaker: &std::path::Path) -> Duration {
    let bytes = std::fs::read(speaker).unwrap_or_default();
    let samples: Vec<f64> =
        bytes.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]]))).collect();
    let loud = |piece: &&[f64]| piece.iter().any(|sample| sample.abs() > 500.0);
    let pieces = samples.chunks_exact(4_800).filter(loud).filter(|piece| film::share(piece, TONE) > 0.8);
    Duration::from_millis(100) * u32::try_from(pieces.count()).expect("few")
}

/// The loudest sample that a speaker was given.
fn loudest(speaker: &std::path::Path) -> u16 {
    let bytes = std::fs::read(speaker).unwrap_or_default();
    bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]).unsigned_abs()).max().unwrap_or(0)
}
