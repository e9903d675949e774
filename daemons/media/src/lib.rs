//! The media plane's wire: Media over QUIC (MoQ), its catalog and its containers. The one crate that names them.
//!
//! | module | what |
//! |---|---|
//! | [`origin`] | everything that an endpoint knows of: broadcasts by name, who may see which |
//! | [`session`] | MoQ over raw QUIC, WebTransport and WebSocket |
//! | [`socket`] | the WebSocket part of it |
//! | [`engine`] | the cheaper way from the origin to those who only watch |
//! | [`take`] | publishes one run of a camera or a microphone |
//! | [`follow`] | reads a broadcast group by group, for a recorder |
//! | [`mp4`] | puts what was read into files (fragmented MP4) |
//! | [`note`] | a broadcast that carries the newest version of a JSON text |
//!
//! Names of broadcasts, rooms and passes belong to `alarm::media`, certificates to `link::media`, rings and disks to
//! the daemons.

pub mod engine;
pub mod follow;
pub mod mp4;
pub mod note;
pub mod origin;
pub mod session;
pub mod socket;
pub mod take;

pub use bytes::Bytes;
pub use origin::{Origin, Scope};
pub use session::{Session, Transport};

use std::time::Duration;

/// Something that the media wire could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The MoQ session or model.
    #[error("media session: {0}")]
    Net(#[from] moq_net::Error),
    /// Catalog, codec or container.
    #[error("media content: {0}")]
    Content(#[from] moq_mux::Error),
    /// An MP4 box.
    #[error("media file: {0}")]
    File(#[from] mp4_atom::Error),
    /// The HTTP/3 part of WebTransport.
    #[error("WebTransport: {0}")]
    Web(String),
    /// A time that the wire cannot carry.
    #[error("a time stamp is out of range")]
    Time,
    /// A name that no broadcast can have.
    #[error("{0:?} is not a name that a broadcast can have")]
    Name(String),
    /// The broadcast has no such track.
    #[error("the broadcast has no track {0:?}")]
    NoTrack(String),
    /// The codec's parameters are not there yet.
    #[error("the codec's parameters have not come yet")]
    NoParameters,
}

/// Work in a box. What is behind it is large, and would else be compiled again in every crate that awaits it.
pub type Pending<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Picture.
    Video,
    /// Sound.
    Audio,
}

/// One encoded frame: an access unit of H.264 or H.265 with four-byte lengths, or a packet of Opus or AAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Picture or sound.
    pub kind: Kind,
    /// Presentation time since the take's beginning.
    pub time: Duration,
    /// A decoder can begin here.
    pub key: bool,
    /// The bytes.
    pub data: Bytes,
}

pub(crate) fn stamp(time: Duration) -> Result<moq_net::Timestamp, Error> {
    let micros = u64::try_from(time.as_micros()).map_err(|_| Error::Time)?;
    moq_net::Timestamp::from_micros(micros).map_err(|_| Error::Time)
}

pub(crate) fn time(stamp: moq_net::Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(stamp.as_micros()).unwrap_or(u64::MAX))
}
