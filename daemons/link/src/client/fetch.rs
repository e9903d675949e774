//! The bytes of a bundle. Where they go is the caller's.

use super::Session;
use crate::frames::{Bytes, StreamError};
use alarm::wire::{Purpose, ToBox, ToRack};
use std::time::Duration;
use tokio::time::timeout;

/// How long the rack may take to find a bundle on its disk.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A bundle as it comes. Dropping it ends the stream.
#[derive(Debug)]
pub struct Body {
    whole: u64,
    bytes: Bytes,
}

impl Body {
    /// Length of the whole bundle, also when only its rest comes.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The next bytes; `None` when there are no more. Whether that was all is for the caller to count. Cancel safe.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        self.bytes.next().await
    }
}

impl Session {
    /// Asks for a bundle, by the SHA-256 of all of it, from this byte on.
    ///
    /// # Errors
    /// [`StreamError::Refused`] when the rack does not offer it; [`StreamError::Silent`] when it does not answer.
    pub async fn fetch(&self, sha256: &str, from: u64) -> Result<Body, StreamError> {
        let mut stream = self.open(Purpose::Update).await?;
        stream.send(&ToRack::Fetch { sha256: sha256.to_owned(), from }).await?;
        match timeout(ANSWER_LIMIT, stream.recv()).await.map_err(|_| StreamError::Silent)?? {
            Some(ToBox::Bundle { bytes }) => Ok(Body { whole: bytes, bytes: stream.into_bytes() }),
            Some(_) | None => Err(StreamError::Ended),
        }
    }
}
