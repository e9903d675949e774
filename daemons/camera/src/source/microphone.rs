//! The site's microphone: samples from `arecord` (ALSA), as a source with sound only.

use super::sound::Opus;
use super::{Ended, Heard, Outlet, Source, Stamp, Trouble};
use media::take::{Audio, Content};
use media::{Frame, Kind};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Samples a second, one channel, 16 bits.
pub(crate) const RATE: u32 = 48_000;
/// Bytes of 20 ms.
const CHUNK: usize = RATE as usize / 50 * 2;
/// A microphone that gives nothing for so long is dead.
const SILENCE: Duration = Duration::from_secs(5);

/// A microphone, by its ALSA device.
pub(crate) struct Microphone {
    pub(crate) device: String,
}

impl Source for Microphone {
    async fn run(&mut self, outlet: &Outlet) -> Result<Trouble, Ended> {
        let (mut child, mut opus) = match self.start() {
            Ok(started) => started,
            Err(error) => return Ok(Trouble::lost(format!("{error:#}"))),
        };
        let Some(mut samples) = child.stdout.take() else { return Ok(Trouble::lost("no samples")) };
        let (mut chunk, mut count) = ([0; CHUNK], 0_i64);
        loop {
            match timeout(SILENCE, samples.read_exact(&mut chunk)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Ok(Trouble::lost(said(child).await)),
                Err(_) => return Ok(Trouble::lost(format!("no sound for {SILENCE:?}"))),
            }
            if count == 0 {
                let content = Content { video: None, audio: Some(Audio::Opus { channels: 1 }) };
                outlet.give(Heard::Begin(Arc::new(content))).await?;
                outlet.give(Heard::Trouble(None)).await?;
            }
            let values = chunk.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            let packets = match opus.take(count * 20_000, values) {
                Ok(packets) => packets,
                Err(error) => return Ok(Trouble::unreadable(format!("{error:#}"))),
            };
            count += 1;
            for (stamp, data) in packets {
                let time = Duration::from_micros(u64::try_from(stamp).unwrap_or_default());
                let frame = Frame { kind: Kind::Audio, time, key: true, data };
                outlet.give(Heard::Frame(frame, Stamp::now())).await?;
            }
        }
    }
}

impl Microphone {
    fn start(&self) -> anyhow::Result<(Child, Opus)> {
        let rate = RATE.to_string();
        let arguments = ["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", &rate, "-D", &self.device];
        let child = Command::new("arecord")
            .args(arguments)
            .args(["--period-time=20000", "--buffer-time=200000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| anyhow::anyhow!("arecord cannot be started: {error}; install alsa-utils"))?;
        Ok((child, Opus::wide()?))
    }
}

/// What a tool said when it ended.
async fn said(mut child: Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read was not said.
        let _ = timeout(Duration::from_secs(1), stderr.take(1024).read_to_string(&mut text)).await;
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("arecord ended");
    last.to_owned()
}
