//! Every kind of camera, and what becomes of it when it breaks.

use crate::picture::{is_contiguous, numbers};
use crate::played::{Cameras, Rig, audio, began, groups, video};
use alarm::Fault;
use std::time::Duration;

const SIZE: (usize, usize) = (320, 240);
/// Two seconds of pictures.
const SOME: usize = 30;

/// A press, and what the camera then sends: the codecs of picture and sound.
async fn codecs(mount: &str) -> Vec<String> {
    let cameras = Cameras::start().await;
    let rig = Rig::with_camera(&cameras.url(mount), "pre-alarm-s = 2").await;
    rig.filled(2).await;
    let pressed = rig.button.press();
    let take = rig.relay.next_take("gate", &[]).await;
    assert!(began(&take) <= pressed.millis() - 2_000, "{take} after {pressed:?}");
    let (follow, tracks) = rig.relay.follow(&take).await;
    let pictures = groups(&follow, video(&tracks), 2 * SOME).await;
    let numbers = numbers(video(&tracks), &pictures, SIZE);
    assert!(numbers.len() >= 2 * SOME && is_contiguous(&numbers), "{numbers:?}");
    if tracks.len() > 1 {
        let sound = groups(&follow, audio(&tracks), 100).await;
        let times: Vec<_> = sound.iter().flat_map(|group| &group.frames).map(|frame| frame.time).collect();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(gaps < Duration::from_millis(60), "{gaps:?}");
        assert!(times[0] < Duration::from_millis(300), "sound begins at {:?}", times[0]);
    }
    let status = rig.status().await;
    assert_eq!((status.cameras[0].fault.as_ref(), status.cameras[0].live), (None, true));
    rig.stop().await;
    tracks.iter().map(|track| track.codec().split('.').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_without_sound() {
    assert_eq!(codecs("/h264").await, ["avc1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_with_mu_law() {
    assert_eq!(codecs("/h264-pcmu").await, ["avc1", "opus"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_with_a_law() {
    assert_eq!(codecs("/h264-pcma").await, ["avc1", "opus"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_with_aac() {
    assert_eq!(codecs("/h264-aac").await, ["avc1", "opus"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265() {
    assert_eq!(codecs("/h265").await, ["hvc1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_refuses_tcp_is_read_over_udp() {
    assert_eq!(codecs("/h264-udp").await, ["avc1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_wants_a_password_is_read_with_it_and_named_without_it() {
    for how in ["digest", "basic"] {
        let cameras = Cameras::with_login(how).await;
        let url = cameras.url("/h264");
        let camera = |id: &str, password: &str| {
            format!(
                "[[camera]]\nid = \"{id}\"\nurl = \"{url}\"\nring-mib = 4\nuser = \"admin\"\npassword = \"{password}\"\n"
            )
        };
        let rig = Rig::start(&(camera("gate", "secret") + &camera("hall", "wrong"))).await;
        rig.filled(1).await;
        let status = rig.until(|status| status.cameras[1].fault.is_some()).await;
        assert_eq!(status.cameras[0].fault, None, "{how}");
        assert_eq!(status.cameras[1].fault, Some(Fault::CameraUnreadable), "{how}");
        let reason = status.cameras[1].reason.clone().unwrap();
        assert!(reason.contains("check user and password"), "{how}: {reason}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_packets_begin_a_new_take_with_the_next_whole_picture() {
    let (mut cameras, rig, first) = open("/h264").await;
    cameras.order("lose 2").await;
    let second = rig.relay.next_take("gate", &[&first]).await;
    let (follow, tracks) = rig.relay.follow(&second).await;
    let groups = groups(&follow, video(&tracks), SOME).await;
    assert!(is_contiguous(&numbers(video(&tracks), &groups, SIZE)));
    assert_eq!(rig.status().await.cameras[0].fault, None);
    rig.stop().await;
}

/// A camera whose first take is under way.
async fn open(mount: &str) -> (Cameras, Rig, String) {
    let cameras = Cameras::start().await;
    let rig = Rig::with_camera(&cameras.url(mount), "pre-alarm-s = 2").await;
    rig.filled(2).await;
    rig.button.press();
    let take = rig.relay.next_take("gate", &[]).await;
    (cameras, rig, take)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_dies_is_a_fault_and_its_return_a_new_take() {
    let (cameras, rig, first) = open("/h264").await;
    let port = cameras.die().await;
    rig.until(|status| status.cameras[0].fault == Some(Fault::CameraLost)).await;
    let _again = Cameras::on(port).await;
    let back = std::time::Instant::now();
    let second = rig.relay.next_take("gate", &[&first]).await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    assert!(began(&second) > began(&first));
    let (follow, tracks) = rig.relay.follow(&second).await;
    let groups = groups(&follow, video(&tracks), SOME).await;
    assert!(is_contiguous(&numbers(video(&tracks), &groups, SIZE)));
    assert_eq!(rig.until(|status| status.cameras[0].fault.is_none()).await.cameras[0].reason, None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_either_way_begins_a_new_take() {
    let (mut cameras, rig, first) = open("/h264-pcmu").await;
    cameras.order("jump 30").await;
    let second = rig.relay.next_take("gate", &[&first]).await;
    cameras.order("jump -20").await;
    let third = rig.relay.next_take("gate", &[&first, &second]).await;
    let (follow, tracks) = rig.relay.follow(&third).await;
    let groups = groups(&follow, video(&tracks), SOME).await;
    assert!(is_contiguous(&numbers(video(&tracks), &groups, SIZE)));
    assert_eq!(groups[0].frames[0].time, Duration::ZERO);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_picture_size_is_another_take() {
    let (mut cameras, rig, first) = open("/h264").await;
    cameras.order("size 352 288").await;
    let second = rig.relay.next_take("gate", &[&first]).await;
    let (follow, tracks) = rig.relay.follow(&second).await;
    let groups = groups(&follow, video(&tracks), SOME).await;
    assert!(is_contiguous(&numbers(video(&tracks), &groups, (352, 288))));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_sends_nothing_is_dead() {
    let (mut cameras, rig, first) = open("/h264").await;
    cameras.order("freeze").await;
    rig.until(|status| status.cameras[0].fault == Some(Fault::CameraLost)).await;
    cameras.order("thaw").await;
    rig.relay.next_take("gate", &[&first]).await;
    rig.stop().await;
}
