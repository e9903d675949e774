use super::{Hello, Stream};
use crate::cert::Leaf;
use crate::closed::Handle;
use crate::frames::{Reader, StreamError, Writer, frames};
use crate::{Clock, Closed, Dates, Fingerprint, Name, Reason};
use alarm::wire::{Purpose, Refusal, ToBox, ToRack, VERSION};
use alarm::{BoxId, SiteId};
use quinn::Connection;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a new stream may go without its first frame. The box sends it with the stream itself.
pub const HELLO_LIMIT: Duration = Duration::from_secs(5);

/// Who is at the other end: proved by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The box or wall.
    pub name: BoxId,
    /// Its site; `None` for a wall.
    pub site: Option<SiteId>,
    /// The fingerprint of its key, by which the register knows it.
    pub key: Fingerprint,
    /// How its certificate stands by the rack's clock. [`Dates::Expired`]: only the alarm and renewal streams are
    /// open. [`Dates::NotYet`]: the rack's clock is wrong, as it issued the certificate itself; nothing is closed.
    /// Both deserve a fault.
    pub dates: Dates,
    /// Where it comes from.
    pub remote: SocketAddr,
}

impl Peer {
    /// The name as it stands in the certificate.
    pub fn certified_name(&self) -> Name {
        Name::of(self.name.clone(), self.site.clone())
    }

    /// Whether the link holds it to the alarm and renewal streams.
    pub fn expired(&self) -> bool {
        self.dates == Dates::Expired
    }
}

/// A connection of an enrolled box.
#[derive(Debug)]
pub struct Session {
    peer: Peer,
    connection: Connection,
    clock: Clock,
    begun: Option<Begun>,
}

/// A stream whose first frame has not come yet; kept here so that accepting can be given up and taken up again.
#[derive(Debug)]
struct Begun {
    deadline: Instant,
    writer: Writer<ToBox>,
    reader: Reader<ToRack>,
}

impl Session {
    pub(super) fn new(connection: Connection, leaf: Leaf, clock: Clock) -> Option<Self> {
        let (name, site) = leaf.name.parts()?;
        let remote = canonical(connection.remote_address());
        let dates = leaf.validity.at(clock.now());
        let peer = Peer { name, site, key: leaf.key, dates, remote };
        Some(Self { peer, connection, clock, begun: None })
    }

    /// Who it is.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The next stream whose hello is in order; it has been welcomed. Any other is refused here and does not end
    /// the session. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] when the connection has gone.
    pub async fn accept_stream(&mut self) -> Result<Stream, Closed> {
        loop {
            let begun = self.begun().await?;
            let first = timeout_at(begun.deadline, begun.reader.any()).await;
            let Some(begun) = self.begun.take() else { continue };
            match self.judge(first.unwrap_or(Err(StreamError::Silent))) {
                Ok(hello) => {
                    if let Some(stream) = self.welcome(hello, begun).await {
                        return Ok(stream);
                    }
                }
                Err(refusal) => self.refuse(refusal, begun.writer).await,
            }
        }
    }

    /// Waits until the connection has gone.
    pub async fn closed(&self) -> Closed {
        self.connection.closed().await.into()
    }

    /// For others who may have to close it.
    pub fn handle(&self) -> Handle {
        Handle(self.connection.clone())
    }

    /// Closes the connection and all its streams.
    pub fn close(self, reason: Reason) {
        self.connection.close(reason.var(), b"");
    }

    async fn begun(&mut self) -> Result<&mut Begun, Closed> {
        match self.begun {
            Some(ref mut begun) => Ok(begun),
            None => {
                let (writer, reader) = frames(self.connection.accept_bi().await?);
                let deadline = Instant::now() + HELLO_LIMIT;
                Ok(self.begun.insert(Begun { deadline, writer, reader }))
            }
        }
    }

    fn judge(&self, first: Result<Option<ToRack>, StreamError>) -> Result<Hello, Refusal> {
        let first = first.map_err(|error| match error {
            StreamError::BadFrame(_) => Refusal::BadFrame,
            StreamError::Refused(_) | StreamError::Ended | StreamError::Silent | StreamError::Lost(_) => {
                Refusal::NoHello
            }
        })?;
        let hello = Hello::read(first)?;
        if self.peer.expired() && !hello.open_when_expired() {
            return Err(Refusal::CertificateExpired);
        }
        Ok(hello)
    }

    async fn welcome(&self, hello: Hello, mut begun: Begun) -> Option<Stream> {
        if hello.purpose == Purpose::Alarm {
            begun.writer.first();
        }
        if hello.purpose == Purpose::Update {
            begun.writer.last();
        }
        // A stream that ends under the welcome is not worth a word: the box opens another.
        begun.writer.send(&ToBox::Welcome { now: self.clock.now() }).await.ok()?;
        Some(Stream::new(hello, begun.writer, begun.reader))
    }

    async fn refuse(&self, reason: Refusal, writer: Writer<ToBox>) {
        tracing::debug!(name = %self.peer.name, %reason, "stream refused");
        let _ = writer.send_last(&ToBox::Refused { reason, version: VERSION }).await;
    }
}

/// A dual-stack socket sees IPv4 peers as ::ffff:a.b.c.d.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
