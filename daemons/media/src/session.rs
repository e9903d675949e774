//! MoQ sessions over raw QUIC (boxes and relays), WebTransport (browsers) and WebSocket (browsers that cannot).

use crate::engine::{Door, Engine, Porter, Version};
use crate::{Error, Origin, Pending, Scope, socket};
use moq_net::{Client, Server, Versions};
use quinn::crypto::rustls::HandshakeData;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use web_transport_quinn as wt;

/// How long the other end may take from the QUIC handshake to the end of MoQ's own.
pub const SETUP_LIMIT: Duration = Duration::from_secs(10);

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// MoQ directly on QUIC.
    Quic,
    /// WebTransport over HTTP/3.
    WebTransport,
    /// Streams in a WebSocket (qmux), over TCP.
    WebSocket,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "QUIC",
            Self::WebTransport => "WebTransport",
            Self::WebSocket => "WebSocket",
        })
    }
}

/// What a session may see and publish.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Broadcasts that it may see.
    pub see: Scope,
    /// Broadcasts that it may publish.
    pub publish: Scope,
}

/// The ALPNs of MoQ on raw QUIC, the preferred one first.
pub fn alpns() -> Vec<Vec<u8>> {
    moq_net::ALPNS.iter().map(|alpn| alpn.as_bytes().to_vec()).collect()
}

/// The ALPNs that a relay takes: MoQ's and HTTP/3's.
pub fn relay_alpns() -> Vec<Vec<u8>> {
    alpns().into_iter().chain([wt::ALPN.as_bytes().to_vec()]).collect()
}

/// Settings of a QUIC connection that carries media: many streams, one for each group of pictures.
pub fn transport_config(keep_alive: Duration, idle: Duration) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    let streams = quinn::VarInt::from_u32(4096);
    config
        .max_concurrent_uni_streams(streams)
        .max_concurrent_bidi_streams(streams)
        .keep_alive_interval(Some(keep_alive))
        .max_idle_timeout(idle.try_into().ok());
    config
}

/// A running session. Dropping it ends it.
pub struct Session {
    session: moq_net::Session,
    transport: Transport,
    connection: Option<quinn::Connection>,
    driver: JoinHandle<moq_net::Error>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(connection) = &self.connection {
            connection.close(quinn::VarInt::from_u32(0), b"");
        }
    }
}

/// How a connection does. What a transport does not tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Smoothed round trip.
    pub round_trip: Option<Duration>,
    /// Packets sent and lost since the beginning.
    pub packets: Option<(u64, u64)>,
    /// Bytes sent and received since the beginning.
    pub bytes: Option<(u64, u64)>,
}

impl Session {
    /// Connects as a client on a QUIC connection whose ALPN was one of [`alpns`]: shows the peer what `grant.see`
    /// holds of `origin`, and takes from it what `grant.publish` holds.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Net`] with a timeout after [`SETUP_LIMIT`].
    pub fn connect<'a>(
        connection: quinn::Connection,
        origin: &'a Origin,
        grant: &'a Grant,
    ) -> Pending<'a, Result<Self, Error>> {
        Box::pin(async move {
            let mut client = Client::new().with_versions(Versions::all());
            if let Some(reader) = origin.reader_of(&grant.see)? {
                client = client.with_publisher(reader);
            }
            if let Some(writer) = origin.writer_of(&grant.publish)? {
                client = client.with_subscriber(writer);
            }
            let raw = wt::Session::raw(connection.clone());
            let (session, driver) = limited(client.connect(Instant::now(), raw)).await?;
            Ok(Self::run(session, driver, Transport::Quic, Some(connection)))
        })
    }

    /// Connects as a client over a WebSocket without TLS (`ws://`), otherwise as [`Session::connect`].
    ///
    /// # Errors
    /// [`Error`].
    pub fn connect_socket<'a>(
        url: &'a str,
        origin: &'a Origin,
        grant: &'a Grant,
    ) -> Pending<'a, Result<Self, Error>> {
        Box::pin(async move {
            let mut client = Client::new().with_versions(Versions::all());
            if let Some(reader) = origin.reader_of(&grant.see)? {
                client = client.with_publisher(reader);
            }
            if let Some(writer) = origin.writer_of(&grant.publish)? {
                client = client.with_subscriber(writer);
            }
            let socket = socket::connect(url).await.map_err(|error| Error::Web(error.to_string()))?;
            let (session, driver) = limited(client.connect(Instant::now(), socket)).await?;
            Ok(Self::run(session, driver, Transport::WebSocket, None))
        })
    }

    fn run<S>(
        session: moq_net::Session,
        driver: moq_net::Driver<S>,
        transport: Transport,
        connection: Option<quinn::Connection>,
    ) -> Self
    where
        S: moq_net::transport::poll::Boxable + Send,
        moq_net::Driver<S>: Send + 'static,
    {
        let driver = tokio::spawn(moq_net::time::run(Driven(driver)));
        Self { session, transport, connection, driver }
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Waits until it has ended; why.
    pub async fn closed(&self) -> Error {
        self.session.closed().await.into()
    }

    /// How it does.
    pub fn figures(&self) -> Figures {
        let stats = self.session.stats();
        Figures {
            round_trip: stats.rtt,
            packets: stats.packets_sent.zip(stats.packets_lost),
            bytes: stats.bytes_sent.zip(stats.bytes_received),
        }
    }
}

/// A session's driver as [`moq_net::time::run`] wants it.
struct Driven<S: moq_net::transport::poll::Session>(moq_net::Driver<S>);

impl<S: moq_net::transport::poll::Session> moq_net::time::Driver for Driven<S> {
    fn poll(
        &mut self,
        now: Instant,
        waiter: &moq_net::kio::Waiter,
    ) -> Result<Option<Instant>, moq_net::Error> {
        self.0.poll(now, waiter)
    }
}

async fn limited<T>(work: impl Future<Output = Result<T, moq_net::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(SETUP_LIMIT, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(moq_net::Error::from(moq_net::SessionError::Timeout).into()),
    }
}

/// Somebody at a relay's door: the transport stands, MoQ has not begun, nothing is granted.
pub struct Knock {
    inner: Inner,
    query: String,
}

enum Inner {
    Raw(quinn::Connection),
    Web(Box<wt::Request>),
    Socket(Box<socket::Session>),
}

impl Knock {
    /// On a QUIC connection whose handshake is done, by its ALPN.
    ///
    /// # Errors
    /// [`Error::Web`] when the HTTP/3 part fails, or takes longer than [`SETUP_LIMIT`].
    pub fn at(connection: quinn::Connection, alpn: &[u8]) -> Pending<'_, Result<Self, Error>> {
        Box::pin(async move {
            if alpn != wt::ALPN.as_bytes() {
                return Ok(Self { inner: Inner::Raw(connection), query: String::new() });
            }
            let request = match tokio::time::timeout(SETUP_LIMIT, wt::Request::accept(connection)).await {
                Ok(Ok(request)) => request,
                Ok(Err(error)) => return Err(Error::Web(error.to_string())),
                Err(_) => return Err(Error::Web("the request did not come in time".into())),
            };
            let query = request.url.query().unwrap_or_default().to_owned();
            Ok(Self { inner: Inner::Web(Box::new(request)), query })
        })
    }

    /// On a WebSocket whose HTTP upgrade is done; `protocol` was chosen by [`choose_protocol`], `query` is the
    /// URL's.
    pub async fn socket<T>(io: T, protocol: &str, query: String) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self { inner: Inner::Socket(Box::new(socket::accept(io, protocol).await)), query }
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        match &self.inner {
            Inner::Raw(_) => Transport::Quic,
            Inner::Web(_) => Transport::WebTransport,
            Inner::Socket(_) => Transport::WebSocket,
        }
    }

    /// The QUIC connection, if there is one.
    pub fn connection(&self) -> Option<&quinn::Connection> {
        match &self.inner {
            Inner::Raw(connection) => Some(connection),
            Inner::Web(request) => Some(request.conn()),
            Inner::Socket(_) => None,
        }
    }

    /// The query part of the URL; empty on raw QUIC.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Lets it in, served by moq-net alone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn admit(self, origin: &Origin, grant: &Grant) -> Result<Session, Error> {
        self.accept(server(origin, grant)?, None).await
    }

    /// Lets it in. When it publishes nothing and its version is known to engines, `engine` may serve what it
    /// subscribes to; everything else is as with [`Knock::admit`].
    ///
    /// # Errors
    /// [`Error`].
    pub async fn admit_with(
        self,
        engine: &Arc<dyn Engine>,
        origin: &Origin,
        grant: &Grant,
    ) -> Result<Session, Error> {
        let reader = origin.reader_of(&grant.see)?.filter(|_| grant.publish.is_nothing());
        let version = self.protocol().as_deref().and_then(Version::of);
        let porter = reader.zip(version);
        let porter = porter.map(|(reader, version)| Porter { engine: engine.clone(), reader, version });
        self.accept(server(origin, grant)?, porter).await
    }

    /// What is or will be spoken on QUIC, as far as that is clear before MoQ's own set-up.
    fn protocol(&self) -> Option<String> {
        match &self.inner {
            Inner::Raw(connection) => {
                let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
                String::from_utf8(data.protocol?).ok()
            }
            Inner::Web(request) => chosen(request).map(str::to_owned),
            Inner::Socket(_) => None,
        }
    }

    fn accept(self, server: Server, porter: Option<Porter>) -> Pending<'static, Result<Session, Error>> {
        Box::pin(async move {
            let now = Instant::now();
            match self.inner {
                Inner::Raw(connection) => {
                    let raw = Door::new(wt::Session::raw(connection.clone()), porter);
                    let (session, driver) = limited(server.accept(now, raw)).await?;
                    Ok(Session::run(session, driver, Transport::Quic, Some(connection)))
                }
                Inner::Web(request) => {
                    let connection = request.conn().clone();
                    let response = match chosen(&request) {
                        Some(protocol) => wt::proto::ConnectResponse::OK.with_protocol(protocol),
                        None => wt::proto::ConnectResponse::OK,
                    };
                    let web =
                        request.respond(response).await.map_err(|error| Error::Web(error.to_string()))?;
                    let (session, driver) = limited(server.accept(now, Door::new(web, porter))).await?;
                    Ok(Session::run(session, driver, Transport::WebTransport, Some(connection)))
                }
                Inner::Socket(socket) => {
                    let (session, driver) = limited(server.accept(now, *socket)).await?;
                    Ok(Session::run(session, driver, Transport::WebSocket, None))
                }
            }
        })
    }

    /// Turns it away: HTTP 403 on WebTransport, a close elsewhere.
    pub fn refuse(self, why: &str) -> Pending<'_, ()> {
        Box::pin(async move {
            const FORBIDDEN: u32 = 0x403;
            match self.inner {
                Inner::Raw(connection) => {
                    connection.close(quinn::VarInt::from_u32(FORBIDDEN), why.as_bytes())
                }
                Inner::Socket(mut socket) => {
                    moq_net::web_transport_trait::poll::Session::close(&mut *socket, FORBIDDEN, why);
                }
                Inner::Web(request) => {
                    let connection = request.conn().clone();
                    let _ =
                        tokio::time::timeout(SETUP_LIMIT, request.reject(wt::http::StatusCode::FORBIDDEN))
                            .await;
                    // The answer has to arrive before the connection goes.
                    let _ = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
                    connection.close(quinn::VarInt::from_u32(FORBIDDEN), why.as_bytes());
                }
            }
        })
    }
}

fn server(origin: &Origin, grant: &Grant) -> Result<Server, Error> {
    let mut server = Server::new().with_versions(Versions::all());
    if let Some(reader) = origin.reader_of(&grant.see)? {
        server = server.with_publisher(reader);
    }
    if let Some(writer) = origin.writer_of(&grant.publish)? {
        server = server.with_subscriber(writer);
    }
    Ok(server)
}

/// The best of the protocols that a WebTransport request offers.
fn chosen(request: &wt::Request) -> Option<&'static str> {
    let offered = &request.protocols;
    moq_net::ALPNS.iter().find(|known| offered.iter().any(|offer| offer == *known)).copied()
}

/// Chooses among the protocols that a WebSocket request offers (`Sec-WebSocket-Protocol`, comma separated).
pub fn choose_protocol(offered: &str) -> Option<String> {
    let offered: Vec<&str> = offered.split(',').map(str::trim).collect();
    let versions = [qmux::Version::QMux01, qmux::Version::QMux00, qmux::Version::WebTransport];
    let pairs =
        moq_net::ALPNS.iter().flat_map(|alpn| versions.iter().map(move |v| format!("{}{alpn}", v.prefix())));
    let bare = versions.iter().map(|version| version.alpn().to_owned());
    pairs.chain(bare).find(|wire| offered.contains(&wire.as_str()))
}
