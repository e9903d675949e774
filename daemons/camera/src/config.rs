//! `/etc/onepress/camera.toml`: raw in, checked out.

use alarm::CameraId;
use alarm::media::{CAMERAS_MAX, PRE_ALARM};
use media::origin::KEEP;
use retina::client::Credentials;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use unit::config::Wrong;
use url::Url;

/// Shortest and longest time from before a press. DB15/T 3968-2025 wants 30 s; less is for tests only.
const PRE_ALARM_S: std::ops::RangeInclusive<u64> = 2..=300;
/// Memory of one ring: from a small picture to 8 Mbit/s for a minute.
const RING_MIB: std::ops::RangeInclusive<usize> = 1..=64;
/// Least distance of stills: proof of life, not a film.
const STILL_EVERY_S: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Least buffer on the disk: a minute of one camera.
const BUFFER_MIB_MIN: u64 = 16;
/// Seconds of open takes in memory.
const MEMORY_S: std::ops::RangeInclusive<u64> = 1..=KEEP.as_secs();
const MIB: usize = 1 << 20;

/// The file as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    /// State directory of the button daemon: the box's key and certificate.
    #[serde(default = "identity")]
    identity: PathBuf,
    /// Control socket of the button daemon, which tells of presses.
    #[serde(default = "button")]
    button: PathBuf,
    /// Where the relay is, `host:port`; by default at the rack's own addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relay: Option<String>,
    /// The control socket.
    #[serde(default = "control")]
    control: PathBuf,
    /// Where open takes are buffered.
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    /// Most of the disk that the buffer takes, MiB.
    #[serde(default = "buffer_mib")]
    buffer_mib: u64,
    /// Seconds of an open take that stay in memory; what is older is read from the disk.
    #[serde(default = "memory_s")]
    memory_s: u64,
    /// Seconds from before a press.
    #[serde(default = "pre_alarm_s")]
    pre_alarm_s: u64,
    /// Seconds between two stills of a camera.
    #[serde(default = "still_every_s")]
    still_every_s: u64,
    /// Log level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// Plays what the seat says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    speaker: Option<RawSpeaker>,
    /// Hears the site beside its cameras.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    microphone: Option<RawMicrophone>,
    /// The cameras.
    #[serde(default)]
    camera: Vec<RawCamera>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSpeaker {
    #[serde(default = "device")]
    device: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawMicrophone {
    #[serde(default = "device")]
    device: String,
    #[serde(default = "microphone")]
    id: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCamera {
    id: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing)]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_credential: Option<String>,
    #[serde(default)]
    transport: Transport,
    #[serde(default = "yes")]
    sound: bool,
    #[serde(default = "ring_mib")]
    ring_mib: usize,
}

impl std::fmt::Debug for RawCamera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawCamera({})", self.id)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// What the daemon works with.
#[derive(Clone)]
pub struct Config {
    /// State directory of the button daemon.
    pub(crate) identity: PathBuf,
    /// Its control socket.
    pub(crate) button: PathBuf,
    /// Where the relay is, if not at the rack's addresses.
    pub(crate) relay: Option<String>,
    /// The control socket.
    pub(crate) control: PathBuf,
    /// Where open takes are buffered.
    pub(crate) state_dir: PathBuf,
    /// Bytes of the disk for that.
    pub(crate) buffer: u64,
    /// How long open takes stay in memory.
    pub(crate) memory: Duration,
    /// How much a ring keeps.
    pub(crate) pre_alarm: Duration,
    /// Between two stills.
    pub(crate) still_every: Duration,
    /// ALSA device of the speaker.
    pub(crate) speaker: Option<String>,
    /// Cameras, and the microphone.
    pub(crate) cameras: Vec<Camera>,
}

/// A camera or microphone.
#[derive(Clone)]
pub(crate) struct Camera {
    pub(crate) id: CameraId,
    /// Bytes of its ring.
    pub(crate) ring: usize,
    pub(crate) input: Input,
}

/// Where it comes from.
#[derive(Clone)]
pub(crate) enum Input {
    /// A camera.
    Rtsp { url: Url, credentials: Option<Credentials>, udp: bool, sound: bool },
    /// A microphone.
    Microphone { device: String },
}

fn identity() -> PathBuf {
    "/var/lib/onepress/button".into()
}

fn button() -> PathBuf {
    "/run/onepress/button.sock".into()
}

fn control() -> PathBuf {
    "/run/onepress/camera.sock".into()
}

fn state_dir() -> PathBuf {
    unit::state_dir("/var/lib/onepress/camera")
}

fn buffer_mib() -> u64 {
    2048
}

fn memory_s() -> u64 {
    KEEP.as_secs()
}

fn pre_alarm_s() -> u64 {
    PRE_ALARM.as_secs()
}

fn still_every_s() -> u64 {
    300
}

fn device() -> String {
    "default".into()
}

fn microphone() -> String {
    "mic".into()
}

fn yes() -> bool {
    true
}

fn ring_mib() -> usize {
    16
}

impl unit::Config for Raw {
    type Checked = Config;

    fn check(self) -> Result<Config, Wrong> {
        within("pre-alarm-s", &PRE_ALARM_S, self.pre_alarm_s)?;
        within("memory-s", &MEMORY_S, self.memory_s)?;
        within("still-every-s", &STILL_EVERY_S, self.still_every_s)?;
        if self.buffer_mib < BUFFER_MIB_MIN {
            let reason = format!("is {}", self.buffer_mib);
            return Err(Wrong::new("buffer-mib", reason, format!("give at least {BUFFER_MIB_MIN}")));
        }
        if let Some(relay) = self.relay.as_deref().filter(|relay| !is_address(relay)) {
            let remedy = "give host:port, as in \"rack.example:4443\"";
            return Err(Wrong::new("relay", format!("is {relay:?}"), remedy));
        }
        let pre_alarm = Duration::from_secs(self.pre_alarm_s);
        if pre_alarm < PRE_ALARM {
            tracing::warn!(?pre_alarm, "shorter than DB15/T 3968-2025 wants: for tests only");
        }
        Ok(Config {
            cameras: cameras(self.camera, self.microphone)?,
            identity: self.identity,
            button: self.button,
            relay: self.relay,
            control: self.control,
            state_dir: self.state_dir,
            buffer: self.buffer_mib.saturating_mul(MIB as u64),
            memory: Duration::from_secs(self.memory_s),
            pre_alarm,
            still_every: Duration::from_secs(self.still_every_s),
            speaker: self.speaker.map(|speaker| speaker.device),
        })
    }

    fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    range: &std::ops::RangeInclusive<T>,
    value: T,
) -> Result<(), Wrong> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Wrong::new(key, format!("is {value}"), format!("give {} to {}", range.start(), range.end())))
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn cameras(raw: Vec<RawCamera>, microphone: Option<RawMicrophone>) -> Result<Vec<Camera>, Wrong> {
    let count = raw.len() + usize::from(microphone.is_some());
    if count > CAMERAS_MAX {
        let remedy =
            format!("give at most {CAMERAS_MAX}, the microphone among them; the others need another box");
        return Err(Wrong::new("camera", format!("{count} cameras"), remedy));
    }
    let mut cameras: Vec<Camera> = Vec::new();
    for (place, raw) in raw.into_iter().enumerate() {
        let camera = camera(raw, &format!("camera.{place}"))?;
        distinct(&cameras, &camera, &format!("camera.{place}.id"))?;
        cameras.push(camera);
    }
    if let Some(raw) = microphone {
        let id = id(&raw.id, "microphone.id")?;
        // An hour of Opus would fit: sound is small.
        let camera = Camera { id, ring: MIB, input: Input::Microphone { device: raw.device } };
        distinct(&cameras, &camera, "microphone.id")?;
        cameras.push(camera);
    }
    Ok(cameras)
}

fn distinct(known: &[Camera], camera: &Camera, key: &str) -> Result<(), Wrong> {
    if known.iter().any(|known| known.id == camera.id) {
        let reason = format!("{} is there already", camera.id);
        return Err(Wrong::new(key, reason, "give every camera a name of its own"));
    }
    Ok(())
}

fn id(text: &str, key: &str) -> Result<CameraId, Wrong> {
    CameraId::new(text).map_err(|error| Wrong::new(key, error, "give a name such as \"gate\""))
}

fn camera(raw: RawCamera, key: &str) -> Result<Camera, Wrong> {
    let id = id(&raw.id, &format!("{key}.id"))?;
    within(&format!("{key}.ring-mib"), &RING_MIB, raw.ring_mib)?;
    let url = url(&raw.url, &format!("{key}.url"))?;
    let credentials = credentials(&raw, key)?;
    let (udp, sound) = (raw.transport == Transport::Udp, raw.sound);
    Ok(Camera { id, ring: raw.ring_mib * MIB, input: Input::Rtsp { url, credentials, udp, sound } })
}

fn url(text: &str, key: &str) -> Result<Url, Wrong> {
    let example = "give the stream's address, as in \"rtsp://192.0.2.20/stream2\"";
    let url = Url::parse(text).map_err(|error| Wrong::new(key, error, example))?;
    if url.scheme() != "rtsp" || url.host().is_none() {
        return Err(Wrong::new(key, "is no RTSP address", example));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let remedy = "put them under `user` and `password-credential`";
        return Err(Wrong::new(key, "holds user or password, which would stand in logs", remedy));
    }
    Ok(url)
}

fn credentials(raw: &RawCamera, key: &str) -> Result<Option<Credentials>, Wrong> {
    let password = match (&raw.password, &raw.password_credential) {
        (Some(_), Some(_)) => {
            let remedy = "give `password` or `password-credential`, not both";
            return Err(Wrong::new(format!("{key}.password"), "is there twice", remedy));
        }
        (Some(password), None) => Some(password.clone()),
        (None, Some(name)) => Some(credential(name, &format!("{key}.password-credential"))?),
        (None, None) => None,
    };
    match (&raw.user, password) {
        (Some(user), password) => {
            Ok(Some(Credentials { username: user.clone(), password: password.unwrap_or_default() }))
        }
        (None, Some(_)) => {
            Err(Wrong::new(format!("{key}.user"), "is missing", "a password belongs to a user: name it"))
        }
        (None, None) => Ok(None),
    }
}

fn credential(name: &str, key: &str) -> Result<String, Wrong> {
    let remedy = "add LoadCredential= to the unit (systemctl edit onepress-camera)";
    let bytes = unit::credential(name)
        .ok_or_else(|| Wrong::new(key, format!("there is no credential {name:?}"), remedy))?;
    let text = String::from_utf8(bytes).map_err(|_| Wrong::new(key, "is not UTF-8", "write it as text"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests;
