//! Publishes one take: a broadcast with a catalog and at most one video and one audio track.

use crate::{Error, Frame, Kind, Origin, stamp};
use bytes::Bytes;
use hang::catalog::PRIORITY;
use moq_mux::catalog::hang::Container;
use moq_mux::codec;
use moq_mux::container::{Frame as WireFrame, Kind as WireKind, Producer};
use std::time::{Duration, Instant, SystemTime};

/// Sound in one group: a stream on the wire. Frames leave as they come; a longer group only makes a lost packet
/// hold up more of what follows, a shorter one costs a stream each.
const AUDIO_GROUP: Duration = Duration::from_millis(200);

/// How the picture is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Video {
    /// H.264; AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1).
    H264(Bytes),
    /// H.265; HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1).
    H265(Bytes),
}

/// How the sound is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audio {
    /// Opus, 48 kHz clock, with so many channels (RFC 7845).
    Opus {
        /// 1 or 2.
        channels: u8,
    },
    /// AAC; AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).
    Aac(Bytes),
}

/// What a take consists of. It never changes within one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The picture.
    pub video: Option<Video>,
    /// The sound.
    pub audio: Option<Audio>,
}

/// Names of the tracks of a take.
pub const VIDEO_TRACK: &str = "video";
/// As [`VIDEO_TRACK`].
pub const AUDIO_TRACK: &str = "audio";

type Writer<C> = Producer<Container, C>;

/// A take that is being published. Dropping it ends the broadcast.
pub struct Take {
    broadcast: moq_net::broadcast::Producer,
    _catalog: moq_mux::catalog::Producer,
    video: Option<Line<hang::catalog::VideoConfig>>,
    audio: Option<Line<hang::catalog::AudioConfig>>,
}

struct Line<C> {
    writer: Writer<C>,
    track: moq_net::track::Producer,
    groups: u64,
    group_began: Option<Duration>,
}

/// Where a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of the group, from 0 for each track.
    pub group: u64,
    /// It is the group's first.
    pub first: bool,
}

/// Groups that a reader asks for and memory no longer holds.
pub struct Missing {
    kind: Kind,
    dynamic: moq_net::track::Dynamic,
    info: moq_net::track::Info,
}

/// One group that is asked for.
pub struct Asked {
    request: moq_net::group::Request,
    info: moq_net::track::Info,
    kind: Kind,
}

impl Take {
    /// Opens a broadcast. `began` is the wall time of presentation time zero, `keep` how long media stays in memory
    /// for readers that come late. Nobody sees it before [`Take::announce`].
    ///
    /// # Errors
    /// [`Error`] when the name is not allowed or the parameters cannot be read.
    pub fn open(
        origin: &Origin,
        name: &str,
        began: SystemTime,
        keep: Duration,
        content: &Content,
    ) -> Result<Self, Error> {
        let mut broadcast = origin.create(name)?;
        let config = moq_mux::catalog::Config::default().with_clock(clock(began)?).with_max_age(keep);
        let catalog = moq_mux::catalog::Producer::new(&mut broadcast, config)?;
        let reserved = catalog.reserve();
        let video = match &content.video {
            Some(video) => {
                let config = video_config(video)?;
                let info = catalog.track_info(PRIORITY.video);
                let track = broadcast.create_track(VIDEO_TRACK, info)?;
                let wire = Container::try_from(&config)?;
                Some(Line::new(reserved.video(track.clone(), wire, config)?, track))
            }
            None => None,
        };
        let audio = match &content.audio {
            Some(audio) => {
                let config = audio_config(audio)?;
                let track = broadcast.create_track(AUDIO_TRACK, catalog.track_info(PRIORITY.audio))?;
                let wire = Container::try_from(&config)?;
                Some(Line::new(reserved.audio(track.clone(), wire, config)?, track))
            }
            None => None,
        };
        drop(reserved);
        Ok(Self { broadcast, _catalog: catalog, video, audio })
    }

    /// Shows it to those who may see it.
    ///
    /// # Errors
    /// [`Error::Net`] when the origin has gone.
    pub fn announce(&self) -> Result<(), Error> {
        Ok(self.broadcast.announce(moq_net::origin::Route::default())?)
    }

    /// Writes a frame. Frames of a track come in decoding order; a picture before the first key frame is dropped
    /// (`None`), and so is a track that the take does not have.
    ///
    /// # Errors
    /// [`Error::Content`] when time goes back behind a group that is closed: begin a new take.
    pub fn write(&mut self, frame: &Frame) -> Result<Option<Written>, Error> {
        match frame.kind {
            Kind::Video => match &mut self.video {
                Some(line) => line.write(frame, frame.key),
                None => Ok(None),
            },
            Kind::Audio => match &mut self.audio {
                Some(line) => {
                    let fresh = line.group_began.is_none_or(|began| frame.time >= began + AUDIO_GROUP);
                    line.write(frame, fresh)
                }
                None => Ok(None),
            },
        }
    }

    /// What readers ask for that memory no longer holds, for each track. Serve them from a disk.
    pub fn missing(&self) -> Vec<Missing> {
        let video = self.video.as_ref().map(|line| (Kind::Video, line.track.dynamic()));
        let audio = self.audio.as_ref().map(|line| (Kind::Audio, line.track.dynamic()));
        let info = |kind| match kind {
            Kind::Video => hang::container::track_info(PRIORITY.video),
            Kind::Audio => hang::container::track_info(PRIORITY.audio),
        };
        let missing = |(kind, dynamic)| Missing { kind, dynamic, info: info(kind) };
        video.into_iter().chain(audio).map(missing).collect()
    }

    /// Whether somebody reads a track of it now.
    pub fn is_read(&self) -> bool {
        self.video.as_ref().is_some_and(|line| line.track.is_used())
            || self.audio.as_ref().is_some_and(|line| line.track.is_used())
    }

    /// Ends it: readers get everything up to here and then the end.
    pub fn finish(mut self) {
        self.end();
        self.broadcast.close();
    }

    /// Ends its tracks and leaves it announced, for readers that come late.
    pub fn end(&mut self) {
        // A track that has failed has told its readers so already.
        if let Some(line) = &mut self.video {
            let _ = line.writer.finish();
        }
        if let Some(line) = &mut self.audio {
            let _ = line.writer.finish();
        }
    }
}

impl<C: Clone + Send + 'static> Line<C> {
    fn new(writer: Writer<C>, track: moq_net::track::Producer) -> Self {
        Self { writer, track, groups: 0, group_began: None }
    }

    fn write(&mut self, frame: &Frame, first: bool) -> Result<Option<Written>, Error> {
        if !first && self.group_began.is_none() {
            return Ok(None);
        }
        self.writer.write(WireFrame {
            timestamp: stamp(frame.time)?,
            duration: None,
            payload: frame.data.clone(),
            keyframe: first,
        })?;
        if first {
            self.groups += 1;
            self.group_began = Some(frame.time);
        }
        Ok(Some(Written { group: self.groups - 1, first }))
    }
}

impl Missing {
    /// Of which track.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The next group that is asked for; `None` when the take has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Asked> {
        let request = self.dynamic.requested_group().await.ok()?;
        Some(Asked { request, info: self.info.clone(), kind: self.kind })
    }
}

impl Asked {
    /// Its number.
    pub fn group(&self) -> u64 {
        self.request.sequence()
    }

    /// Answers with the group's frames, all of them.
    ///
    /// # Errors
    /// [`Error`] when it is there already or nobody waits any more.
    pub fn answer(self, frames: &[Frame]) -> Result<(), Error> {
        use moq_mux::container::Container as _;
        let wire = moq_mux::container::legacy::Wire(match self.kind {
            Kind::Video => WireKind::Video,
            Kind::Audio => WireKind::Audio,
        });
        let mut group = self.request.accept(self.info)?;
        for frame in frames {
            let frame = WireFrame {
                timestamp: stamp(frame.time)?,
                duration: None,
                payload: frame.data.clone(),
                keyframe: frame.key,
            };
            wire.write(&mut group, &[frame])?;
        }
        group.finish()?;
        Ok(())
    }

    /// It is not there any more.
    pub fn refuse(self) {
        self.request.reject(moq_net::Error::NotFound);
    }
}

fn clock(began: SystemTime) -> Result<moq_mux::Clock, Error> {
    let (now, wall) = (Instant::now(), SystemTime::now());
    // Media older than the machine's uptime keeps its wall time; only the local epoch is cut short.
    let ago = wall.duration_since(began).unwrap_or_default();
    let epoch = now.checked_sub(ago).unwrap_or(now);
    // A box whose clock stands before 2020 has no wall time to offer; the take's name still carries its own.
    Ok(moq_mux::Clock::at(epoch, began).unwrap_or_default())
}

pub(crate) fn video_config(video: &Video) -> Result<hang::catalog::VideoConfig, Error> {
    Ok(match video {
        Video::H264(record) => codec::h264::config(record)?,
        Video::H265(record) => codec::h265::config(record)?,
    })
}

fn audio_config(audio: &Audio) -> Result<hang::catalog::AudioConfig, Error> {
    Ok(match audio {
        Audio::Opus { channels } => {
            let head = codec::opus::Config::new(48_000, u32::from(*channels))
                .encode()
                .map_err(moq_mux::Error::from)?;
            codec::opus::config(&head)?
        }
        Audio::Aac(config) => codec::aac::config(config)?,
    })
}
