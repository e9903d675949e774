//! A broadcast with one track that carries the newest version of a text: each version is a group of one frame.

use crate::{Error, Origin};
use bytes::Bytes;
use moq_net::{broadcast, track};

/// Publishes a text.
pub struct Note {
    _broadcast: broadcast::Producer,
    track: track::Producer,
}

impl Note {
    /// Announces `name` with its first version.
    ///
    /// # Errors
    /// [`Error::Net`].
    pub fn publish(origin: &Origin, name: &str, track: &str, text: &[u8]) -> Result<Self, Error> {
        let broadcast = origin.create(name)?;
        let track = broadcast.create_track(track, None)?;
        let mut note = Self { _broadcast: broadcast, track };
        note.write(text)?;
        note._broadcast.announce(moq_net::origin::Route::default())?;
        Ok(note)
    }

    /// Publishes the next version.
    ///
    /// # Errors
    /// [`Error::Net`].
    pub fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        let mut group = self.track.append_group()?;
        group.write_frame(moq_net::Timestamp::now(), Bytes::copy_from_slice(text))?;
        Ok(group.finish()?)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // Readers that are left hear that there will be no newer version.
        let _ = self.track.finish();
        self._broadcast.close();
    }
}

/// Reads a text.
pub struct Reader(track::Subscriber);

impl Reader {
    /// Waits until there is such a broadcast.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn begin(origin: &Origin, name: &str, track: &str) -> Result<Self, Error> {
        let broadcast = origin.find(name).await?;
        let subscription = moq_net::track::Subscription::default().with_priority(255);
        Ok(Self(broadcast.track(track)?.subscribe(subscription).await?))
    }

    /// The next version, the newest one first; `None` at the end. Cancel safe at the cost of a version.
    ///
    /// # Errors
    /// [`Error::Net`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(mut group) = self.0.recv_group().await? else { return Ok(None) };
        Ok(group.read_frame().await?.map(|frame| frame.payload))
    }
}
