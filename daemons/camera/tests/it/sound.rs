//! The voice at the site, on a sound card that is a file: what is published under `talk/` is heard, what the microphone
//! hears is in its take.

use crate::played::{BOX, Rig, audio, groups, within};
use alarm::BoxId;
use alarm::media::talk_prefix;
use media::take::{Audio, Content, Take};
use media::{Bytes, Frame, Kind};
use ropus::{Application, Channels, DecodeMode, Decoder, Encoder};
use std::f64::consts::TAU;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{interval, sleep};

const RATE: f64 = 48_000.0;
const TONE: f64 = 1000.0;

#[expect(clippy::cast_possible_truncation, reason = "the tone is within 16 bits")]
fn sample(n: u32) -> i16 {
    ((TAU * TONE * f64::from(n) / RATE).sin() * 12_000.0) as i16
}

/// Where the tone is loud, the share of all power that is at its pitch (Goertzel's algorithm).
fn share(samples: &[i16]) -> f64 {
    let step = 2.0 * (TAU * TONE / RATE).cos();
    let (mut before, mut last, mut power) = (0.0, 0.0, 0.0);
    for value in samples {
        let value = f64::from(*value);
        (before, last) = (last, value + step * last - before);
        power += value * value;
    }
    let at_pitch = last * last + before * before - step * last * before;
    2.0 * at_pitch / (power * samples.len() as f64).max(1.0)
}

fn read(file: &Path) -> Vec<i16> {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Writes the tone as fast as a microphone would, until nobody reads any more.
#[expect(clippy::disallowed_methods, reason = "it has a thread of its own")]
fn play_tone(to: &Path) {
    let mut to = std::fs::File::options().write(true).open(to).unwrap();
    let began = Instant::now();
    for packet in 0.. {
        let bytes: Vec<u8> =
            (packet * 960..(packet + 1) * 960).flat_map(|n| sample(n).to_le_bytes()).collect();
        if to.write_all(&bytes).is_err() {
            return;
        }
        std::thread::sleep((Duration::from_millis(20) * packet).saturating_sub(began.elapsed()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_seat_says_is_heard_at_the_site() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("speaker.raw");
    let device = format!("tee:null,'{}',raw", out.display());
    let rig = Rig::start(&format!("[speaker]\ndevice = {device:?}\n")).await;
    rig.until(|status| status.relay).await;
    let name = format!("{}/7/seat-1", talk_prefix(&BoxId::new(BOX).unwrap()));
    let content = Content { video: None, audio: Some(Audio::Opus { channels: 1 }) };
    let mut take =
        Take::open(&rig.relay.origin, &name, SystemTime::now(), Duration::from_secs(5), &content).unwrap();
    take.announce().unwrap();
    let mut encoder = Encoder::builder(48_000, Channels::Mono, Application::Voip).build().unwrap();
    let mut tick = interval(Duration::from_millis(20));
    for packet in 0..200_u32 {
        tick.tick().await;
        let samples: Vec<i16> = (packet * 960..(packet + 1) * 960).map(sample).collect();
        let mut data = [0; 1275];
        let len = encoder.encode(&samples, &mut data).unwrap();
        let time = Duration::from_millis(20) * packet;
        let data = Bytes::copy_from_slice(&data[..len]);
        take.write(&Frame { kind: Kind::Audio, time, key: true, data }).unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    let heard = read(&out);
    let second = heard.len().checked_sub(96_000).map(|from| &heard[from..from + 48_000]);
    let second = second.unwrap_or_else(|| panic!("only {} samples", heard.len()));
    assert!(share(second) > 0.9, "{}", share(second));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_microphone_hears_is_in_its_take() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("tone");
    assert!(std::process::Command::new("mkfifo").arg(&input).status().unwrap().success());
    let tone = input.clone();
    std::thread::spawn(move || play_tone(&tone));
    let slave = format!("type file slave.pcm null file /dev/null infile {} format raw", input.display());
    let device = format!("plug:{{SLAVE={{{slave}}}}}");
    let rig = Rig::start(&format!("pre-alarm-s = 2\n[microphone]\ndevice = {device:?}\n")).await;
    rig.filled(2).await;
    rig.button.press();
    let take = rig.relay.next_take("mic", &[]).await;
    let (follow, tracks) = rig.relay.follow(&take).await;
    assert_eq!((tracks.len(), tracks[0].codec().as_str()), (1, "opus"));
    let groups = within(groups(&follow, audio(&tracks), 150)).await;
    let mut decoder = Decoder::new(48_000, Channels::Mono).unwrap();
    let mut heard = Vec::new();
    for frame in groups.iter().flat_map(|group| &group.frames) {
        let mut samples = [0; 960];
        let count = decoder.decode(&frame.data, &mut samples, DecodeMode::Normal).unwrap();
        heard.extend_from_slice(&samples[..count]);
    }
    assert!(share(&heard[48_000..96_000]) > 0.9, "{}", share(&heard[48_000..96_000]));
    rig.stop().await;
}
