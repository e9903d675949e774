//! The voice at the site: what the relay shows under `talk/<box>` is played. In silent mode it shows nothing there, so
//! that nothing can be heard.

use crate::source::RATE;
use alarm::BoxId;
use alarm::media::talk_prefix;
use anyhow::Context;
use media::follow::{Config, Follow, Live, Track};
use media::{Kind, Origin};
use ropus::{Channels, DecodeMode, Decoder};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Sound that waits to be played, in packets of 20 ms: what is later than half a second only confuses.
const QUEUE: usize = 25;
/// How long a late packet is waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// Bytes in the pipe to the player: 40 ms, the least that the kernel gives.
const PIPE: usize = 4096;
/// The player goes when nobody has spoken for so long.
const QUIET: Duration = Duration::from_secs(5);
/// A player that takes nothing for so long hangs.
const STUCK: Duration = Duration::from_secs(2);
/// Pause until a voice that broke off is listened to again.
const AGAIN: Duration = Duration::from_millis(250);
/// Pause after a player ended.
const RETRY: Duration = Duration::from_secs(1);
/// Longest packet of Opus: 120 ms (RFC 6716 section 3.2.5).
const SAMPLES_MAX: usize = RATE as usize * 120 / 1000;

/// Plays for ever.
///
/// # Errors
/// When the origin has gone.
pub(crate) async fn play(
    origin: Origin,
    mut name: watch::Receiver<Option<BoxId>>,
    device: String,
) -> anyhow::Result<()> {
    let Some(name) = name.wait_for(Option::is_some).await?.clone() else { return Ok(()) };
    let (sound, heard) = mpsc::channel(QUEUE);
    let (cut, cuts) = watch::channel(());
    let mut tasks = JoinSet::new();
    tasks.spawn(speak(device, heard, cuts));
    let mut listening = origin.listen(&talk_prefix(&name))?;
    let mut speakers: BTreeMap<String, AbortHandle> = BTreeMap::new();
    while let Some(change) = listening.next().await {
        // Whoever comes back speaks anew; whoever has gone is not heard any more.
        if let Some(before) = speakers.remove(&change.name) {
            before.abort();
        }
        tracing::info!(from = %change.name, there = change.there, "voice");
        if change.there {
            let task = tasks.spawn(hear(origin.clone(), change.name.clone(), sound.clone()));
            speakers.insert(change.name, task);
        } else {
            cut.send_replace(());
        }
    }
    anyhow::bail!("the origin has gone")
}

type Samples = Vec<i16>;

/// As long as the voice is announced: who is there may stop and begin again.
async fn hear(origin: Origin, broadcast: String, sound: mpsc::Sender<Samples>) {
    loop {
        match decode(&origin, &broadcast, &sound).await {
            Ok(()) => tracing::debug!(from = %broadcast, "voice ends"),
            Err(error) => tracing::debug!(from = %broadcast, error = %format!("{error:#}"), "voice ends"),
        }
        sleep(AGAIN).await;
    }
}

async fn decode(origin: &Origin, broadcast: &str, sound: &mpsc::Sender<Samples>) -> anyhow::Result<()> {
    let mut follow = Follow::begin(origin, broadcast).await?;
    // A microphone may be switched on later than the camera.
    while let Some(tracks) = follow.tracks().await? {
        let Some(track) = tracks.iter().find(|track| is_voice(track)) else { continue };
        let mut live = follow.listen(track, PATIENCE).await?;
        tokio::select! {
            heard = packets(&mut live, sound) => heard?,
            changed = next_without(&mut follow, &track.name) => changed?,
        }
    }
    Ok(())
}

fn is_voice(track: &Track) -> bool {
    track.kind() == Kind::Audio && matches!(track.config, Config::Audio(_)) && track.codec() == "opus"
}

/// Waits until the track has gone from the catalog.
async fn next_without(follow: &mut Follow, name: &str) -> anyhow::Result<()> {
    while let Some(tracks) = follow.tracks().await? {
        if !tracks.iter().any(|track| track.name == name) {
            return Ok(());
        }
    }
    Ok(())
}

async fn packets(live: &mut Live, sound: &mpsc::Sender<Samples>) -> anyhow::Result<()> {
    let mut decoder = Decoder::new(RATE, Channels::Mono).context("making an Opus decoder")?;
    let mut samples = vec![0; SAMPLES_MAX];
    while let Some(frame) = live.next().await? {
        match decoder.decode(&frame.data, &mut samples, DecodeMode::Normal) {
            // A full queue: it would be heard too late.
            Ok(count) => drop(sound.try_send(samples[..count].to_vec())),
            Err(error) => tracing::debug!(%error, "a packet that is no Opus"),
        }
    }
    Ok(())
}

/// Gives what is heard to the speaker, for ever. The player runs while somebody speaks, and ends in the middle of a word
/// when a voice has gone: what waits to be played would be heard in a room that has just become silent.
async fn speak(device: String, mut heard: mpsc::Receiver<Samples>, mut cuts: watch::Receiver<()>) {
    let mut said = String::new();
    while let Some(first) = heard.recv().await {
        cuts.mark_unchanged();
        let spoken = tokio::select! {
            biased;
            // Its other end goes with this task.
            _ = cuts.changed() => {
                while heard.try_recv().is_ok() {}
                Ok(())
            }
            spoken = speak_on(&device, first, &mut heard) => spoken,
        };
        match spoken {
            Ok(()) => said.clear(),
            Err(error) => {
                let error = format!("{error:#}");
                if error != said {
                    tracing::error!(device, %error, "the speaker does not work");
                    said = error;
                }
                sleep(RETRY).await;
                while heard.try_recv().is_ok() {}
            }
        }
    }
}

/// Until nobody speaks any more.
async fn speak_on(device: &str, first: Samples, heard: &mut mpsc::Receiver<Samples>) -> anyhow::Result<()> {
    let (_player, mut pipe) = start(device)?;
    let mut samples = first;
    loop {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        timeout(STUCK, pipe.write_all(&bytes)).await.context("aplay takes no sound")??;
        samples = match timeout(QUIET, heard.recv()).await {
            Ok(Some(next)) => next,
            Ok(None) | Err(_) => return Ok(()),
        };
    }
}

fn start(device: &str) -> anyhow::Result<(Child, ChildStdin)> {
    let rate = RATE.to_string();
    let arguments = ["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", &rate, "-D", device];
    let mut player = Command::new("aplay")
        .args(arguments)
        .args(["--buffer-time=100000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting aplay; install alsa-utils")?;
    let pipe = player.stdin.take().context("aplay has no input")?;
    // A longer pipe only makes the sound later.
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE);
    Ok((player, pipe))
}
