//! Fragmented MP4 (ISO/IEC 14496-12): an init segment for each track, a movie fragment for each group, and both
//! together as one file that any player takes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a file has a hundred kinds of boxes, and one or two matter here"
)]

use crate::follow::{Config, Track};
use crate::take::{VIDEO_TRACK, Video, video_config};
use crate::{Error, Frame, Kind, stamp};
use bytes::Bytes;
use hang::catalog::Container;
use moq_mux::container::Frame as WireFrame;
use moq_mux::container::fmp4::Muxer;
use mp4_atom::{Any, Decode, Encode, Mdat, Moof, Moov};
use std::time::Duration;

/// Makes fragments of one track.
pub struct Writer {
    muxer: Muxer,
    track: u32,
    sequence: u32,
}

/// A movie fragment.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// `moof` and `mdat`.
    pub data: Bytes,
    /// Presentation time of the earliest frame.
    pub from: Duration,
    /// Where the next fragment is expected to begin.
    pub to: Duration,
    /// Number of frames.
    pub frames: usize,
}

impl Writer {
    /// `track` is the track's number in the file, from 1.
    ///
    /// # Errors
    /// [`Error::Content`] when the codec's parameters cannot stand in a file.
    pub fn new(track: &Track, number: u32) -> Result<Self, Error> {
        let (muxer, container) = match &track.config {
            Config::Video(config) => (Muxer::video(config)?, &config.container),
            Config::Audio(config) => (Muxer::audio(config)?, &config.container),
        };
        // Our time stamps are microseconds: every length is exact then.
        let muxer = match container {
            Container::Cmaf { .. } => muxer,
            _ => muxer.with_timescale(moq_net::Timescale::MICRO)?,
        };
        Ok(Self { muxer, track: number, sequence: 0 })
    }

    /// The init segment: `ftyp` and `moov`.
    ///
    /// # Errors
    /// [`Error::NoParameters`] for a codec whose parameters come within the stream.
    pub fn init(&self) -> Result<Bytes, Error> {
        let init = self.muxer.init()?.ok_or(Error::NoParameters)?;
        let mut out = Vec::with_capacity(init.len());
        let mut rest = &init[..];
        while !rest.is_empty() {
            match Any::decode(&mut rest)? {
                Any::Moov(mut moov) => {
                    renumber(&mut moov, self.track);
                    moov.encode(&mut out)?;
                }
                other => other.encode(&mut out)?,
            }
        }
        Ok(out.into())
    }

    /// Puts a group's frames into a fragment; `None` when there are none. `next` is where the next group begins, if
    /// that is known: the last frame lasts until then.
    ///
    /// # Errors
    /// [`Error::Content`].
    pub fn fragment(&mut self, frames: &[Frame], next: Option<Duration>) -> Result<Option<Fragment>, Error> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(None) };
        let from = frames.iter().map(|frame| frame.time).min().unwrap_or(first.time);
        let latest = frames.iter().map(|frame| frame.time).max().unwrap_or(last.time);
        let usual = u32::try_from(frames.len().saturating_sub(1))
            .ok()
            .and_then(|gaps| (latest - from).checked_div(gaps))
            .unwrap_or_default();
        let to = next.filter(|next| *next > latest).unwrap_or(latest + usual);
        let wire: Vec<_> = frames
            .iter()
            .enumerate()
            .map(|(place, frame)| {
                let is_last = place + 1 == frames.len() && to > frame.time;
                let duration = is_last.then(|| stamp(to - frame.time)).transpose()?;
                Ok(WireFrame {
                    timestamp: stamp(frame.time)?,
                    duration,
                    payload: frame.data.clone(),
                    keyframe: frame.key,
                })
            })
            .collect::<Result<_, Error>>()?;
        self.sequence += 1;
        let data = numbered(&self.muxer.fragment(self.sequence, &wire)?, self.track)?;
        Ok(Some(Fragment { data, from, to, frames: frames.len() }))
    }
}

/// A single picture as a file, and its codec as RFC 6381 writes it.
///
/// # Errors
/// [`Error::Content`] when the parameters cannot stand in a file.
pub fn still(video: &Video, data: Bytes) -> Result<(String, Bytes), Error> {
    let config = Config::Video(Box::new(video_config(video)?));
    let track = Track { name: VIDEO_TRACK.into(), config };
    let mut writer = Writer::new(&track, 1)?;
    let frame = Frame { kind: Kind::Video, time: Duration::ZERO, key: true, data };
    let fragment = writer.fragment(&[frame], Some(STILL_LENGTH))?.ok_or(Error::NoParameters)?;
    let file = [&writer.init()?[..], &fragment.data[..]].concat();
    Ok((track.codec(), file.into()))
}

/// A player wants a length; nobody plays it.
const STILL_LENGTH: Duration = Duration::from_secs(1);

fn renumber(moov: &mut Moov, track: u32) {
    moov.trak.iter_mut().for_each(|trak| trak.tkhd.track_id = track);
    if let Some(mvex) = &mut moov.mvex {
        mvex.trex.iter_mut().for_each(|trex| trex.track_id = track);
    }
}

fn numbered(fragment: &[u8], track: u32) -> Result<Bytes, Error> {
    if track == 1 {
        return Ok(Bytes::copy_from_slice(fragment));
    }
    let mut rest = fragment;
    let mut moof = Moof::decode(&mut rest)?;
    moof.traf.iter_mut().for_each(|traf| traf.tfhd.track_id = track);
    let mut out = Vec::with_capacity(fragment.len());
    moof.encode(&mut out)?;
    Mdat::decode(&mut rest)?.encode(&mut out)?;
    Ok(out.into())
}

/// One init segment for several tracks, whose numbers must differ.
///
/// # Errors
/// [`Error::File`] when one of them is no init segment.
pub fn merge(inits: &[Bytes]) -> Result<Bytes, Error> {
    let mut out = Vec::new();
    let mut whole: Option<Moov> = None;
    for init in inits {
        let mut rest = &init[..];
        while !rest.is_empty() {
            match Any::decode(&mut rest)? {
                Any::Moov(moov) => match &mut whole {
                    None => whole = Some(moov),
                    Some(whole) => {
                        whole.trak.extend(moov.trak);
                        let trex = moov.mvex.map(|mvex| mvex.trex).unwrap_or_default();
                        whole.mvex.get_or_insert_default().trex.extend(trex);
                    }
                },
                Any::Ftyp(ftyp) if out.is_empty() => ftyp.encode(&mut out)?,
                _ => {}
            }
        }
    }
    let mut whole = whole.ok_or(Error::NoParameters)?;
    whole.mvhd.next_track_id = u32::try_from(whole.trak.len()).unwrap_or(u32::MAX - 1) + 1;
    whole.encode(&mut out)?;
    Ok(out.into())
}
