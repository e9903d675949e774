use super::connect::leaf;
use crate::closed::Handle;
use crate::frames::{Bytes, Reader, StreamError, Writer, frames};
use crate::rack::canonical;
use crate::{Clock, Closed, Dates, Reason};
use alarm::wire::{Purpose, ToBox, ToRack, VERSION};
use alarm::{PathId, Wall};
use quinn::{Connection, Endpoint};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// How long the rack may take to welcome a stream: two losses on a slow cellular link.
pub const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long a close waits until the rack has heard it.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

/// The rack at the other end: proved by its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rack {
    /// How its certificate stands by the box's clock. Anything but [`Dates::Good`] deserves a fault, no more: the
    /// box's own clock may be the wrong one.
    pub dates: Dates,
    /// The address that answered.
    pub remote: SocketAddr,
}

impl Rack {
    pub(super) fn new(connection: &Connection, clock: &Clock) -> Self {
        let dates = leaf(connection).map_or(Dates::Expired, |leaf| leaf.validity.at(clock.now()));
        Self { dates, remote: canonical(connection.remote_address()) }
    }
}

/// What every stream's hello says.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) path: PathId,
    pub(super) paths: Vec<PathId>,
    pub(super) software: String,
    pub(super) clock: Clock,
}

/// A connection to the rack over one path.
#[derive(Debug)]
pub struct Session {
    endpoint: Endpoint,
    connection: Connection,
    rack: Rack,
    about: About,
}

impl Session {
    pub(super) fn new(endpoint: Endpoint, connection: Connection, rack: Rack, about: About) -> Self {
        Self { endpoint, connection, rack, about }
    }

    /// Who answered.
    pub fn rack(&self) -> Rack {
        self.rack
    }

    /// Opens a stream: says hello and waits for the welcome.
    ///
    /// # Errors
    /// [`StreamError::Refused`] says why the rack would not have it; [`StreamError::Silent`] after [`OPEN_LIMIT`].
    pub async fn open(&self, purpose: Purpose) -> Result<Stream, StreamError> {
        timeout(OPEN_LIMIT, self.greet(purpose)).await.unwrap_or(Err(StreamError::Silent))
    }

    /// Waits until the connection has gone.
    pub async fn closed(&self) -> Closed {
        self.connection.closed().await.into()
    }

    /// For others who may have to close it.
    pub fn handle(&self) -> Handle {
        Handle(self.connection.clone())
    }

    /// The smoothed round trip (RFC 9002 section 5.3).
    pub fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    /// Closes the connection and waits a moment until the rack has heard it.
    pub async fn close(self, reason: Reason) {
        self.connection.close(reason.var(), b"");
        let _ = timeout(GOODBYE_LIMIT, self.endpoint.wait_idle()).await;
    }

    async fn greet(&self, purpose: Purpose) -> Result<Stream, StreamError> {
        let (mut writer, mut reader) = frames(self.connection.open_bi().await.map_err(Closed::from)?);
        if purpose == Purpose::Alarm {
            writer.first();
        }
        writer.send(&self.hello(purpose)).await?;
        match reader.known().await? {
            Some(ToBox::Welcome { now }) => {
                Ok(Stream { purpose, welcomed: now, sender: Sender(writer), receiver: Receiver(reader) })
            }
            Some(ToBox::Refused { reason, .. }) => Err(reason.into()),
            Some(_) | None => Err(StreamError::Ended),
        }
    }

    fn hello(&self, purpose: Purpose) -> ToRack {
        ToRack::Hello {
            version: VERSION,
            purpose,
            path: self.about.path.clone(),
            paths: self.about.paths.clone(),
            now: self.about.clock.now(),
            software: self.about.software.clone(),
        }
    }
}

/// A stream that the rack has welcomed. Dropping it ends it.
#[derive(Debug)]
pub struct Stream {
    purpose: Purpose,
    welcomed: Wall,
    sender: Sender,
    receiver: Receiver,
}

/// The half that talks to the rack.
#[derive(Debug)]
pub struct Sender(Writer<ToRack>);

/// The half that hears the rack.
#[derive(Debug)]
pub struct Receiver(Reader<ToBox>);

impl Stream {
    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The rack's clock when it welcomed the stream.
    pub fn welcomed(&self) -> Wall {
        self.welcomed
    }

    /// Sends a message. Cancel safe: it may then have been sent.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn send(&mut self, message: &ToRack) -> Result<(), StreamError> {
        self.sender.send(message).await
    }

    /// The next message, or `None` when the rack has finished. Frames of a newer version are skipped. Cancel safe.
    ///
    /// # Errors
    /// [`StreamError`]; `Refused` is one of them.
    pub async fn recv(&mut self) -> Result<Option<ToBox>, StreamError> {
        self.receiver.recv().await
    }

    /// Takes the halves apart, for two tasks.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// What comes after the last message.
    pub(super) fn into_bytes(self) -> Bytes {
        self.receiver.0.into_bytes()
    }
}

impl Sender {
    /// As [`Stream::send`].
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn send(&mut self, message: &ToRack) -> Result<(), StreamError> {
        self.0.send(message).await
    }
}

impl Receiver {
    /// As [`Stream::recv`].
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn recv(&mut self) -> Result<Option<ToBox>, StreamError> {
        match self.0.known().await? {
            Some(ToBox::Refused { reason, .. }) => Err(reason.into()),
            other => Ok(other),
        }
    }
}
