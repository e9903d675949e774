//! Reads a broadcast for a recorder: every group of every track, whole, with its number, so that what is missing can
//! be named and asked for again.

use crate::{Error, Frame, Kind, Origin, Pending, time};
use moq_mux::catalog::Stream as _;
use moq_mux::catalog::hang::Container;
use moq_mux::container::GroupConsumer;
use moq_net::{kio, track};
use std::collections::BTreeMap;
use std::time::Duration;

/// How late a group may be before it counts as missing: a recorder waits rather than skips.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Priorities within a session, the highest first: what is heard while somebody speaks; then what is recorded, which is
/// what belongs to open incidents, sound before pictures; then those who only watch: `@moq/watch` asks with 80 for
/// sound and 60 for pictures. What is fetched afterwards to fill a gap comes last (0). Where several ask for the same
/// track, the highest counts, so that a relay passes pictures of a press on before those that are only looked at.
const HEARD_NOW: u8 = 200;
const RECORDED_SOUND: u8 = 160;
const RECORDED_PICTURE: u8 = 140;

/// One track of a broadcast, as its catalog describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// How it is coded.
    pub config: Config,
}

/// How a track is coded.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// Picture.
    Video(Box<hang::catalog::VideoConfig>),
    /// Sound.
    Audio(Box<hang::catalog::AudioConfig>),
}

impl Track {
    /// Picture or sound.
    pub fn kind(&self) -> Kind {
        match self.config {
            Config::Video(_) => Kind::Video,
            Config::Audio(_) => Kind::Audio,
        }
    }

    /// The codec as RFC 6381 writes it.
    pub fn codec(&self) -> String {
        match &self.config {
            Config::Video(config) => config.codec.to_string(),
            Config::Audio(config) => config.codec.to_string(),
        }
    }

    fn container(&self) -> Result<Container, Error> {
        Ok(match &self.config {
            Config::Video(config) => Container::try_from(&**config)?,
            Config::Audio(config) => Container::try_from(&**config)?,
        })
    }
}

/// A broadcast that is being read.
pub struct Follow {
    broadcast: moq_net::broadcast::Consumer,
    catalog: moq_mux::catalog::Consumer,
}

impl Follow {
    /// Waits until there is such a broadcast.
    ///
    /// # Errors
    /// [`Error`].
    pub fn begin<'a>(origin: &'a Origin, name: &'a str) -> Pending<'a, Result<Self, Error>> {
        Box::pin(async move {
            let broadcast = origin.find(name).await?;
            let format = moq_mux::catalog::CatalogFormat::Hang;
            let catalog = moq_mux::catalog::Consumer::new(&broadcast, format).await?;
            Ok(Self { broadcast, catalog })
        })
    }

    /// The tracks, now and whenever they change; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tracks(&mut self) -> Result<Option<Vec<Track>>, Error> {
        let catalog: Pending<'_, _> = Box::pin(kio::wait(|waiter| self.catalog.poll_next(waiter)));
        let Some(catalog) = catalog.await? else { return Ok(None) };
        let video = catalog.video.renditions.iter().map(|(name, config)| Track {
            name: name.clone(),
            config: Config::Video(Box::new(config.clone())),
        });
        let audio = catalog.audio.renditions.iter().map(|(name, config)| Track {
            name: name.clone(),
            config: Config::Audio(Box::new(config.clone())),
        });
        Ok(Some(video.chain(audio).collect()))
    }

    /// Reads a track from its group number `from` on. The future holds nothing of this.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(&self, track: &Track, from: u64) -> Pending<'static, Result<Reader, Error>> {
        let (consumer, track) = (self.broadcast.track(&track.name), track.clone());
        let wanted = moq_net::track::Subscription::default()
            .with_priority(match track.kind() {
                Kind::Video => RECORDED_PICTURE,
                Kind::Audio => RECORDED_SOUND,
            })
            .with_max_age(PATIENCE)
            .with_start(moq_net::track::Position::group(from));
        Box::pin(async move {
            let consumer = consumer?;
            let subscriber = consumer.subscribe(wanted).await?;
            Ok(Reader { consumer, subscriber, track, open: BTreeMap::new(), ended: false })
        })
    }

    /// Listens to a track from now on: what is later than `patience` is skipped. The future holds nothing of this.
    ///
    /// # Errors
    /// [`Error`].
    pub fn listen(&self, track: &Track, patience: Duration) -> Pending<'static, Result<Live, Error>> {
        let (consumer, track) = (self.broadcast.track(&track.name), track.clone());
        let wanted = moq_net::track::Subscription::default().with_priority(HEARD_NOW).with_max_age(patience);
        Box::pin(async move {
            let subscriber = consumer?.subscribe(wanted).await?;
            let mut consumer = moq_mux::container::Consumer::new(subscriber, track.container()?);
            consumer.set_max_age(patience);
            Ok(Live { consumer, kind: track.kind() })
        })
    }

    /// Waits until the broadcast has gone. The future holds nothing of this.
    pub fn closed(&self) -> Pending<'static, Error> {
        let broadcast = self.broadcast.clone();
        Box::pin(async move { broadcast.closed().await.into() })
    }
}

/// A whole group, or as much of it as came.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its number within the track.
    pub number: u64,
    /// Its frames in decoding order.
    pub frames: Vec<Frame>,
    /// It broke off: there were more frames.
    pub broken: bool,
}

/// A track that is being read.
pub struct Reader {
    consumer: track::Consumer,
    subscriber: track::Subscriber,
    track: Track,
    open: BTreeMap<u64, Open>,
    ended: bool,
}

struct Open {
    reader: GroupConsumer<Container>,
    frames: Vec<Frame>,
}

/// A track that is being listened to: frames as they come, in order; what is later than its patience is skipped.
pub struct Live {
    consumer: moq_mux::container::Consumer<Container>,
    kind: Kind,
}

impl Live {
    /// The next frame; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next(&mut self) -> Result<Option<Frame>, Error> {
        let Some(frame) = self.consumer.read().await? else { return Ok(None) };
        let at = time(frame.timestamp);
        Ok(Some(Frame { kind: self.kind, time: at, key: frame.keyframe, data: frame.payload }))
    }
}

impl Reader {
    /// The next group that is complete, in the order in which they become so; `None` at the end of the track.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`Error`]: the track broke off. What was open comes first, as [`Group::broken`].
    pub async fn next(&mut self) -> Result<Option<Group>, Error> {
        kio::wait(|waiter| self.poll(waiter)).await
    }

    fn poll(&mut self, waiter: &kio::Waiter) -> std::task::Poll<Result<Option<Group>, Error>> {
        use std::task::Poll;
        let mut broke = None;
        while !self.ended {
            match self.subscriber.poll_recv_group(waiter) {
                Poll::Ready(Ok(Some(group))) => {
                    let number = group.sequence;
                    let Ok(container) = self.track.container() else { continue };
                    let reader = GroupConsumer::new(group, container);
                    self.open.insert(number, Open { reader, frames: Vec::new() });
                }
                Poll::Ready(Ok(None)) => self.ended = true,
                Poll::Ready(Err(error)) => {
                    broke = Some(error);
                    break;
                }
                Poll::Pending => break,
            }
        }
        let mut done = None;
        let kind = self.track.kind();
        for (number, open) in &mut self.open {
            match open.poll(kind, waiter) {
                Poll::Ready(broken) => {
                    done = Some((*number, broken));
                    break;
                }
                Poll::Pending => {}
            }
        }
        if let Some((number, broken)) = done {
            let frames = self.open.remove(&number).map(|open| open.frames).unwrap_or_default();
            return Poll::Ready(Ok(Some(Group { number, frames, broken })));
        }
        match broke {
            Some(error) => match self.open.pop_first() {
                Some((number, open)) => {
                    Poll::Ready(Ok(Some(Group { number, frames: open.frames, broken: true })))
                }
                None => Poll::Ready(Err(error.into())),
            },
            None if self.ended && self.open.is_empty() => Poll::Ready(Ok(None)),
            None => Poll::Pending,
        }
    }

    /// Asks for one group again, wherever it still is: in memory, or on the box's disk.
    ///
    /// # Errors
    /// [`Error::Net`] when nobody has it.
    pub async fn fetch(&self, number: u64) -> Result<Group, Error> {
        self.fetcher().fetch(number).await
    }

    /// Asks beside the reading.
    pub fn fetcher(&self) -> Fetcher {
        Fetcher { consumer: self.consumer.clone(), track: self.track.clone() }
    }
}

/// Asks for single groups of a track.
#[derive(Clone)]
pub struct Fetcher {
    consumer: track::Consumer,
    track: Track,
}

impl Fetcher {
    /// As [`Reader::fetch`].
    ///
    /// # Errors
    /// [`Error::Net`] when nobody has it.
    pub async fn fetch(&self, number: u64) -> Result<Group, Error> {
        let group = self.consumer.fetch_group(number, None).await?;
        let reader = GroupConsumer::new(group, self.track.container()?);
        let mut open = Open { reader, frames: Vec::new() };
        let broken = kio::wait(|waiter| open.poll(self.track.kind(), waiter)).await;
        Ok(Group { number, frames: open.frames, broken })
    }
}

impl Open {
    /// Ready when the group is complete (`false`) or broken (`true`).
    fn poll(&mut self, kind: Kind, waiter: &kio::Waiter) -> std::task::Poll<bool> {
        use std::task::Poll;
        loop {
            match self.reader.poll_read(waiter) {
                Poll::Ready(Ok(Some(frame))) => {
                    let key = frame.keyframe || self.frames.is_empty();
                    let at = time(frame.timestamp);
                    self.frames.push(Frame { kind, time: at, key, data: frame.payload });
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(false),
                Poll::Ready(Err(_)) => return Poll::Ready(true),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
