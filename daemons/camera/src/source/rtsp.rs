//! One run of a camera over RTSP (RFC 2326), by retina.

use super::sound::Sound;
use super::timeline::{Placed, Timeline};
use super::{Ended, Heard, Outlet, Source, Stamp, Trouble};
use bytes::Bytes;
use futures_util::StreamExt;
use media::take::{Content, Video};
use media::{Frame, Kind};
use retina::client::{
    Credentials, Demuxed, Described, InitialTimestampPolicy, PlayOptions, Session, SessionGroup,
    SessionOptions, SetupOptions, Transport,
};
use retina::codec::{AudioFrame, CodecItem, FrameFormat, ParametersRef, VideoFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{timeout, timeout_at};
use url::Url;

/// Longest from the first packet to the answer to PLAY.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A camera without a picture for so long is dead, whatever its connection says.
const FRAME_LIMIT: Duration = Duration::from_secs(5);
/// A camera that sends frames but nothing that a decoder can begin with. Longer than any sane distance of key frames.
const KEY_LIMIT: Duration = Duration::from_secs(20);
/// How long a camera may take to hear that we leave: some serve so many and no more.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// "Unsupported Transport" (RFC 2326 section 11.3.14).
const UNSUPPORTED_TRANSPORT: u16 = 461;

/// A camera.
pub(crate) struct Rtsp {
    pub(crate) url: Url,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) udp: bool,
    pub(crate) sound: bool,
}

/// How a run ends before it began.
enum Failed {
    Camera(Trouble),
    /// It does not send within the RTSP connection.
    WantsUdp,
}

impl Source for Rtsp {
    async fn run(&mut self, outlet: &Outlet) -> Result<Trouble, Ended> {
        let group = Arc::new(SessionGroup::default());
        let trouble = match timeout(CONNECT_LIMIT, self.connect(Arc::clone(&group))).await {
            Ok(Ok(mut playing)) => playing.run(outlet).await?,
            Ok(Err(Failed::Camera(trouble))) => trouble,
            Ok(Err(Failed::WantsUdp)) => {
                self.udp = !self.udp;
                Trouble::lost("it refuses this transport; trying the other one")
            }
            Err(_) => Trouble::lost(format!("no answer within {CONNECT_LIMIT:?}")),
        };
        // The session ends by itself there when it does not hear us.
        let _ = timeout(GOODBYE_LIMIT, group.await_teardown()).await;
        Ok(trouble)
    }
}

impl Rtsp {
    async fn connect(&self, group: Arc<SessionGroup>) -> Result<Playing, Failed> {
        let options = SessionOptions::default()
            .creds(self.credentials.clone())
            .user_agent("onepress-camera".into())
            .session_group(group);
        let mut session = Session::describe(self.url.clone(), options).await.map_err(refused)?;
        let video = picture(&session)?;
        self.set_up(&mut session, video).await?;
        let mut sound = None;
        let mut trouble = None;
        let audio = session.streams().iter().position(|stream| stream.media() == "audio");
        if let Some(audio) = audio.filter(|_| self.sound) {
            match sound_of(&session, audio) {
                Ok(known) => {
                    self.set_up(&mut session, audio).await?;
                    sound = Some((audio, known));
                }
                Err(why) => trouble = Some(Trouble::unreadable(why)),
            }
        }
        let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let session = session.play(play).await.map_err(refused)?.demuxed().map_err(refused)?;
        Ok(Playing { session, video, sound, trouble, timeline: Timeline::default(), content: None })
    }

    async fn set_up(&self, session: &mut Session<Described>, stream: usize) -> Result<(), Failed> {
        let transport = match self.udp {
            true => Transport::Udp(Default::default()),
            false => Transport::Tcp(Default::default()),
        };
        let options = SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4);
        session.setup(stream, options).await.map_err(|error| match error.status_code() {
            Some(UNSUPPORTED_TRANSPORT) => Failed::WantsUdp,
            _ => refused(error),
        })
    }
}

/// A camera that answers, but not so that we can use it, is there.
fn refused(error: retina::Error) -> Failed {
    let reason = first_line(&error);
    Failed::Camera(match error.status_code() {
        Some(401 | 403) => Trouble::unreadable(format!("{reason}; check user and password")),
        Some(_) => Trouble::unreadable(reason),
        None => Trouble::lost(reason),
    })
}

/// The rest of retina's messages is for whoever looks at packets.
fn first_line(error: &retina::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn picture(session: &Session<Described>) -> Result<usize, Failed> {
    let known = |encoding: &str| matches!(encoding, "h264" | "h265");
    let place = session.streams().iter().position(|s| s.media() == "video" && known(s.encoding_name()));
    place.ok_or_else(|| {
        let offered: Vec<_> = session.streams().iter().map(|s| s.encoding_name()).collect();
        let reason = format!("no picture in H.264 or H.265 among {offered:?}; set the camera to H.264");
        Failed::Camera(Trouble::unreadable(reason))
    })
}

fn sound_of(session: &Session<Described>, place: usize) -> anyhow::Result<Sound> {
    let stream = &session.streams()[place];
    let extra = match stream.parameters() {
        Some(ParametersRef::Audio(audio)) => audio.extra_data(),
        Some(ParametersRef::Video(_) | ParametersRef::Message(_)) | None => &[],
    };
    Sound::new(stream.encoding_name(), stream.clock_rate_hz(), extra)
}

/// A camera that sends.
struct Playing {
    session: Demuxed,
    video: usize,
    sound: Option<(usize, Sound)>,
    /// What stands although there is a picture.
    trouble: Option<Trouble>,
    timeline: Timeline,
    /// Of the segment that is under way.
    content: Option<Arc<Content>>,
}

impl Playing {
    async fn run(&mut self, outlet: &Outlet) -> Result<Trouble, Ended> {
        let began = Instant::now();
        let mut seen = began;
        let mut usable = began;
        loop {
            let item = match timeout_at((seen + FRAME_LIMIT).into(), self.session.next()).await {
                Ok(Some(Ok(item))) => item,
                Ok(Some(Err(error))) => return Ok(Trouble::lost(first_line(&error))),
                Ok(None) => return Ok(Trouble::lost("the camera ended the stream")),
                Err(_) => return Ok(Trouble::lost(format!("no picture for {FRAME_LIMIT:?}"))),
            };
            let now = Instant::now();
            match item {
                CodecItem::VideoFrame(frame) => {
                    seen = now;
                    self.picture(frame, outlet).await?;
                    if self.content.is_some() {
                        usable = now;
                    }
                }
                CodecItem::AudioFrame(frame) => {
                    if let Some(trouble) = self.sound(&frame, outlet).await? {
                        return Ok(trouble);
                    }
                }
                CodecItem::MessageFrame(_) | CodecItem::Rtcp(_) | _ => {}
            }
            if now > usable + KEY_LIMIT {
                let reason = format!("no key frame with parameter sets for {KEY_LIMIT:?}");
                return Ok(Trouble::unreadable(reason));
            }
        }
    }

    async fn picture(&mut self, frame: VideoFrame, outlet: &Outlet) -> Result<(), Ended> {
        let stamp = micros(frame.timestamp());
        let key = frame.is_random_access_point() || self.is_h265() && is_irap(frame.data());
        if frame.loss() > 0 {
            self.end(outlet).await?;
        }
        if key {
            self.begin(stamp, outlet).await?;
        }
        if self.content.is_none() {
            return Ok(());
        }
        let mut placed = self.timeline.place(Kind::Video, stamp);
        if placed == Placed::Jumped {
            self.end(outlet).await?;
            if !key {
                return Ok(());
            }
            self.begin(stamp, outlet).await?;
            placed = self.timeline.place(Kind::Video, stamp);
        }
        let Placed::At(time) = placed else { return Ok(()) };
        let data = Bytes::from(frame.into_data());
        outlet.give(Heard::Frame(Frame { kind: Kind::Video, time, key, data }, Stamp::now())).await
    }

    fn is_h265(&self) -> bool {
        self.session.streams()[self.video].encoding_name() == "h265"
    }

    /// A key frame has come: begins a segment unless it goes on with the one under way.
    async fn begin(&mut self, stamp: i64, outlet: &Outlet) -> Result<(), Ended> {
        let Some(content) = self.parameters() else { return Ok(()) };
        if self.content.as_deref() == Some(&content) {
            return Ok(());
        }
        self.end(outlet).await?;
        let content = Arc::new(content);
        self.content = Some(Arc::clone(&content));
        self.timeline.restart();
        tracing::debug!(stamp, "segment begins");
        outlet.give(Heard::Begin(content)).await?;
        outlet.give(Heard::Trouble(self.trouble.clone())).await
    }

    async fn end(&mut self, outlet: &Outlet) -> Result<(), Ended> {
        if self.content.take().is_some() {
            self.timeline.restart();
            outlet.give(Heard::End).await?;
        }
        Ok(())
    }

    /// What a segment that begins now consists of; `None` when the parameter sets have not come.
    fn parameters(&self) -> Option<Content> {
        let stream = &self.session.streams()[self.video];
        let Some(ParametersRef::Video(known)) = stream.parameters() else { return None };
        let record = Bytes::copy_from_slice(known.extra_data());
        let video = match stream.encoding_name() {
            "h265" => Video::H265(record),
            _ => Video::H264(record),
        };
        let audio = self.sound.as_ref().map(|_| Sound::AUDIO);
        Some(Content { video: Some(video), audio })
    }

    /// A packet of sound; what broke, if something did.
    async fn sound(&mut self, frame: &AudioFrame, outlet: &Outlet) -> Result<Option<Trouble>, Ended> {
        let Some((stream, sound)) = &mut self.sound else { return Ok(None) };
        if frame.stream_id() != *stream || self.content.is_none() {
            return Ok(None);
        }
        let packets = match sound.take(micros(frame.timestamp()), frame.data()) {
            Ok(packets) => packets,
            Err(why) => return Ok(Some(Trouble::unreadable(format!("its sound: {why:#}")))),
        };
        for (stamp, data) in packets {
            match self.timeline.place(Kind::Audio, stamp) {
                Placed::At(time) => {
                    let frame = Frame { kind: Kind::Audio, time, key: true, data };
                    outlet.give(Heard::Frame(frame, Stamp::now())).await?;
                }
                Placed::Before => {}
                Placed::Jumped => self.end(outlet).await?,
            }
        }
        Ok(None)
    }
}

/// Whether a decoder of H.265 can begin with this access unit of four-byte lengths: all its slices are of NAL unit types
/// 16 to 23 (ITU-T H.265 table 7-1, IRAP). retina counts IDR only; cameras with open groups send CRA.
fn is_irap(mut unit: &[u8]) -> bool {
    let mut any = false;
    while let Some((len, rest)) = unit.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let Some((nal, rest)) = rest.split_at_checked(len) else { return false };
        unit = rest;
        match nal.first().map(|head| head >> 1 & 0x3f) {
            Some(16..=23) => any = true,
            Some(0..=31) | None => return false,
            Some(_) => {}
        }
    }
    any
}

/// Microseconds since the camera's zero.
fn micros(stamp: retina::Timestamp) -> i64 {
    let ticks = i128::from(stamp.elapsed()) * 1_000_000 / i128::from(stamp.clock_rate().get());
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_can_begin_with_any_irap_picture() {
        let unit =
            |kinds: &[u8]| -> Vec<u8> { kinds.iter().flat_map(|kind| [0, 0, 0, 2, kind << 1, 1]).collect() };
        for (kinds, irap) in [
            (&[19][..], true),
            (&[39, 20], true),
            (&[21, 21], true),
            (&[1], false),
            (&[21, 1], false),
            (&[39], false),
            (&[], false),
        ] {
            assert_eq!(is_irap(&unit(kinds)), irap, "{kinds:?}");
        }
        assert!(!is_irap(&[0, 0, 0, 9, 42, 1]), "cut off");
        assert!(!is_irap(&[0, 0]));
    }
}
