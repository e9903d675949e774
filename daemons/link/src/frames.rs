//! Frames on one QUIC stream. Every method is cancel safe: a frame that was begun is finished by the next call.

use crate::Closed;
use alarm::wire::{self, BadFrame, Decoder, Refusal};
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// Bytes taken from a stream at a time: a notice is about 200.
const CHUNK: usize = 4096;
/// The same where the bytes are a file: what a disk likes to be given.
const CHUNK_OF_BYTES: usize = 64 * 1024;

/// Why a stream can be used no more. The connection and its other streams may well live on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A frame could not be read, or a message is too long to send.
    #[error(transparent)]
    BadFrame(#[from] BadFrame),
    /// The rack refused.
    #[error("the rack refused: {0}")]
    Refused(#[from] Refusal),
    /// The other side ended this stream.
    #[error("the other side ended the stream")]
    Ended,
    /// No answer came in time.
    #[error("no answer came in time")]
    Silent,
    /// The connection has gone.
    #[error(transparent)]
    Lost(#[from] Closed),
}

/// A message that may be of a newer version.
pub(crate) trait Heard: DeserializeOwned {
    fn is_unknown(&self) -> bool;
}

impl Heard for wire::ToRack {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl Heard for wire::ToBox {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

#[derive(Debug)]
pub(crate) struct Reader<In> {
    stream: RecvStream,
    decoder: Decoder,
    reads: PhantomData<fn() -> In>,
}

#[derive(Debug)]
pub(crate) struct Writer<Out> {
    stream: SendStream,
    waiting: Vec<u8>,
    writes: PhantomData<fn(Out)>,
}

pub(crate) fn frames<In, Out>((send, recv): (SendStream, RecvStream)) -> (Writer<Out>, Reader<In>) {
    (
        Writer { stream: send, waiting: Vec::new(), writes: PhantomData },
        Reader { stream: recv, decoder: Decoder::default(), reads: PhantomData },
    )
}

impl<In: DeserializeOwned> Reader<In> {
    /// The next message, `None` when the other side has finished the stream.
    pub(crate) async fn any(&mut self) -> Result<Option<In>, StreamError> {
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(Some(message));
            }
            match self.stream.read_chunk(CHUNK, true).await? {
                Some(chunk) => self.decoder.push(&chunk.bytes),
                None => return Ok(None),
            }
        }
    }
}

impl<In> Reader<In> {
    /// What comes after the last frame, as bytes.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes { first: self.decoder.into_rest(), stream: self.stream }
    }
}

/// Bytes of a stream whose frames are over.
#[derive(Debug)]
pub(crate) struct Bytes {
    first: Vec<u8>,
    stream: RecvStream,
}

impl Bytes {
    /// The next bytes, at most [`CHUNK_OF_BYTES`]; `None` when the other side has finished the stream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        let chunk = self.stream.read_chunk(CHUNK_OF_BYTES, true).await?;
        Ok(chunk.map(|chunk| chunk.bytes.to_vec()))
    }
}

impl<In: Heard> Reader<In> {
    /// The next message that this version knows.
    pub(crate) async fn known(&mut self) -> Result<Option<In>, StreamError> {
        loop {
            match self.any().await? {
                Some(message) if message.is_unknown() => {
                    tracing::debug!("skipped a frame of a newer version")
                }
                other => return Ok(other),
            }
        }
    }
}

impl<Out: Serialize> Writer<Out> {
    pub(crate) async fn send(&mut self, message: &Out) -> Result<(), StreamError> {
        self.waiting.extend_from_slice(&wire::encode(message)?);
        while !self.waiting.is_empty() {
            let written = self.stream.write(&self.waiting).await?;
            self.waiting.drain(..written);
        }
        Ok(())
    }

    /// Sends the message and ends the stream in this direction.
    pub(crate) async fn send_last(mut self, message: &Out) -> Result<SendStream, StreamError> {
        self.send(message).await?;
        // It can only fail when the stream has ended already.
        let _ = self.stream.finish();
        Ok(self.stream)
    }

    /// Alarms go before everything else on the connection.
    pub(crate) fn first(&self) {
        let _ = self.stream.set_priority(1);
    }

    /// Everything else on the connection goes before a bundle.
    pub(crate) fn last(&self) {
        let _ = self.stream.set_priority(-1);
    }

    /// Sends bytes that are no frame.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Ends the stream in this direction; what was sent still arrives.
    pub(crate) fn finish(mut self) {
        // It can only fail when the stream has ended already.
        let _ = self.stream.finish();
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(error) => Self::Lost(error.into()),
            ReadError::Reset(_)
            | ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Ended,
        }
    }
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => Self::Lost(error.into()),
            WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Ended,
        }
    }
}
