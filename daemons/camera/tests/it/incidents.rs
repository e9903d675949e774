//! From a press to the end of the incident, and what the relay can have when it was away.

use crate::picture::{is_contiguous, numbers};
use crate::played::{BOX, Cameras, LIMIT, Rig, began, groups, video, within};
use alarm::media::{CameraState, STATE_TRACK, STILL_TRACK, Still, state_broadcast, still_broadcast};
use alarm::{BoxId, CameraId};
use media::note;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const SIZE: (usize, usize) = (320, 240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_picture_begins_thirty_seconds_before_the_press_and_goes_on_without_a_gap() {
    let cameras = Cameras::start().await;
    let rig = Rig::with_camera(&cameras.url("/h264"), "").await;
    rig.filled(32).await;
    let pressed = rig.button.press();
    let asked = Instant::now();
    let take = rig.relay.next_take("gate", &[]).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let before = pressed.millis() - began(&take);
    assert!((30_000..40_000).contains(&before), "{before} ms before the press");
    let (follow, tracks) = rig.relay.follow(&take).await;
    let groups = groups(&follow, video(&tracks), 15 * 37).await;
    let shown = numbers(video(&tracks), &groups, SIZE);
    assert!(shown.len() >= 15 * 37 && is_contiguous(&shown), "{shown:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cameras_close_with_the_incident_and_what_was_sent_can_be_had_for_a_while() {
    let cameras = Cameras::start().await;
    let mut rig = Rig::with_camera(&cameras.url("/h264"), "pre-alarm-s = 2").await;
    rig.filled(2).await;
    assert!(!rig.status().await.cameras[0].live, "nobody pressed");
    rig.button.press();
    let take = rig.relay.next_take("gate", &[]).await;
    rig.relay.wish(&[1], &[]);
    sleep(Duration::from_millis(500)).await;
    assert!(rig.status().await.open);
    rig.relay.wish(&[], &[]);
    rig.until(|status| !status.open && !status.cameras[0].live).await;
    let (follow, tracks) = rig.relay.follow(&take).await;
    // To the end: no more frames come.
    let groups = groups(&follow, video(&tracks), usize::MAX).await;
    assert!(is_contiguous(&numbers(video(&tracks), &groups, SIZE)));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_that_the_relay_knows_of_needs_no_press_here() {
    let cameras = Cameras::start().await;
    let mut rig = Rig::with_camera(&cameras.url("/h264"), "pre-alarm-s = 3").await;
    rig.filled(3).await;
    let asked = alarm_now();
    rig.relay.wish(&[1], &[]);
    let take = rig.relay.next_take("gate", &[]).await;
    assert!(began(&take) < asked - 2_500, "the ring belongs to it");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_demand_is_live_only_and_a_press_adds_what_was_before() {
    let cameras = Cameras::start().await;
    let mut rig = Rig::with_camera(&cameras.url("/h264"), "pre-alarm-s = 3").await;
    rig.filled(3).await;
    let asked = alarm_now();
    rig.relay.wish(&[], &["gate"]);
    let live = rig.relay.next_take("gate", &[]).await;
    assert!(began(&live) >= asked, "nothing from before");
    sleep(Duration::from_secs(1)).await;
    let pressed = rig.button.press();
    let open = rig.relay.next_take("gate", &[&live]).await;
    let before = pressed.millis() - began(&open);
    assert!(before >= 3_000, "{before} ms");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relay_missed_is_fetched_from_the_disk() {
    let cameras = Cameras::start().await;
    let mut rig = Rig::with_camera(&cameras.url("/h264-pcmu"), "pre-alarm-s = 2\nmemory-s = 2").await;
    rig.filled(2).await;
    rig.button.press();
    let take = rig.relay.next_take("gate", &[]).await;
    rig.relay.cut().await;
    rig.until(|status| !status.relay).await;
    sleep(Duration::from_secs(10)).await;
    rig.relay.open();
    assert_eq!(rig.relay.next_take("gate", &[]).await, take, "the same take goes on");
    let (follow, tracks) = rig.relay.follow(&take).await;
    for track in &tracks {
        let mut reader = within(follow.read(track, 0)).await.unwrap();
        let first = within(reader.next()).await.unwrap().unwrap();
        assert!(first.number > 3, "memory forgets: {} of {}", first.number, track.name);
        let mut old = Vec::new();
        for number in 0..first.number {
            old.push(timeout(LIMIT, reader.fetch(number)).await.unwrap().unwrap());
        }
        assert!(old.iter().all(|group| !group.broken && !group.frames.is_empty()));
        old.push(first);
        let times: Vec<_> = old.iter().flat_map(|group| &group.frames).map(|frame| frame.time).collect();
        let gap = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap();
        assert!(times[0] < Duration::from_millis(300) && gap < Duration::from_millis(200), "{gap:?}");
        if track.kind() == media::Kind::Video {
            assert!(is_contiguous(&numbers(track, &old, SIZE)));
        }
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_while_the_relay_is_away_is_there_when_it_comes() {
    let cameras = Cameras::start().await;
    let mut rig = Rig::with_camera(&cameras.url("/h264"), "pre-alarm-s = 2").await;
    rig.filled(2).await;
    rig.relay.cut().await;
    rig.until(|status| !status.relay).await;
    let pressed = rig.button.press();
    rig.until(|status| status.cameras[0].live).await;
    rig.relay.open();
    let back = Instant::now();
    let take = rig.relay.next_take("gate", &[]).await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    assert!(began(&take) <= pressed.millis() - 2_000);
    let (follow, tracks) = rig.relay.follow(&take).await;
    let groups = groups(&follow, video(&tracks), 60).await;
    assert!(groups[0].number == 0 && is_contiguous(&numbers(video(&tracks), &groups, SIZE)));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_camera_gives_signs_of_life() {
    let cameras = Cameras::start().await;
    let rig = Rig::with_camera(&cameras.url("/h264"), "still-every-s = 1").await;
    let name = BoxId::new(BOX).unwrap();
    let broadcast = still_broadcast(&name, &CameraId::new("gate").unwrap());
    let mut stills = within(note::Reader::begin(&rig.relay.origin, &broadcast, STILL_TRACK)).await.unwrap();
    let first = still(&within(stills.next()).await.unwrap().unwrap());
    let second = still(&within(stills.next()).await.unwrap().unwrap());
    assert!(second.at.since(first.at) >= Duration::from_millis(900), "{first:?} {second:?}");
    let state = state_broadcast(&name);
    let mut states = within(note::Reader::begin(&rig.relay.origin, &state, STATE_TRACK)).await.unwrap();
    let now: Vec<CameraState> =
        serde_json::from_slice(&within(states.next()).await.unwrap().unwrap()).unwrap();
    assert_eq!((now[0].camera.as_str(), now[0].live, &now[0].fault), ("gate", false, &None));
    rig.button.press();
    let then: Vec<CameraState> =
        serde_json::from_slice(&within(states.next()).await.unwrap().unwrap()).unwrap();
    assert!(then[0].live);
    rig.stop().await;
}

/// A line of JSON, then a file with one picture that ffmpeg can read.
fn still(text: &[u8]) -> Still {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    std::io::Write::write_all(&mut file, &text[end + 1..]).unwrap();
    let probe =
        ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames,width", "-of", "csv=p=0"];
    let out = std::process::Command::new("ffprobe").args(probe).arg(file.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "320,1");
    serde_json::from_slice(&text[..end]).unwrap()
}

fn alarm_now() -> i64 {
    crate::played::now().millis()
}
