//! Streams in a WebSocket (qmux) as the MoQ session wants its transport: polled. qmux itself offers futures only, so
//! each operation in flight is a boxed future, and each outgoing stream has a task that feeds it.

use bytes::{Buf, Bytes};
use moq_net::web_transport_trait::{self as wtt, poll};
use qmux::Error;
use qmux::ws::tokio_tungstenite::WebSocketStream;
use qmux::ws::tungstenite::handshake::derive_accept_key;
use qmux::ws::tungstenite::protocol::Role;
use qmux::ws::{KeepAlive, Upgraded};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// Bytes of one stream that may wait for the socket: two records of qmux.
const QUEUED_MAX: usize = 128 * 1024;
/// Largest piece that is read at once.
const READ_MAX: usize = 64 * 1024;
/// How often the other end is asked for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long it may say nothing.
const SILENCE: Duration = Duration::from_secs(8);

/// The answer to `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
pub fn accept_key(key: &str) -> String {
    derive_accept_key(key.as_bytes())
}

/// The server's end of a WebSocket whose HTTP upgrade is done.
pub(crate) async fn accept<T>(io: T, protocol: &str) -> Session
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    Session::new(Upgraded::new(socket).with_alpn(protocol).with_keep_alive(keep_alive()).accept())
}

/// A client's session over a WebSocket without TLS, for tests and for tools.
///
/// # Errors
/// As text, when it cannot be reached.
pub(crate) async fn connect(url: &str) -> Result<Session, Error> {
    let mut client = qmux::ws::Client::new().with_keep_alive(keep_alive());
    for alpn in moq_net::ALPNS {
        client = client.with_protocol(alpn, &[]);
    }
    Ok(Session::new(client.connect(url).await?))
}

fn keep_alive() -> KeepAlive {
    KeepAlive::new(KEEP_ALIVE, SILENCE)
}

type Flight<T> = Mutex<Option<std::pin::Pin<Box<dyn Future<Output = T> + Send>>>>;

/// Goes on with the operation in flight, or begins it.
fn fly<T, F>(flight: &mut Flight<T>, cx: &mut Context<'_>, begin: impl FnOnce() -> F) -> Poll<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let slot = flight.get_mut().unwrap_or_else(PoisonError::into_inner);
    let future = slot.get_or_insert_with(|| Box::pin(begin()));
    let done = future.as_mut().poll(cx);
    if done.is_ready() {
        *slot = None;
    }
    done
}

type Accepted = Result<(qmux::SendStream, qmux::RecvStream), Error>;

/// A session in a WebSocket. Each clone has its own operations in flight.
pub(crate) struct Session {
    inner: qmux::Session,
    accept_uni: Flight<Result<qmux::RecvStream, Error>>,
    accept_bi: Flight<Accepted>,
    open_uni: Flight<Result<qmux::SendStream, Error>>,
    open_bi: Flight<Accepted>,
    datagram: Flight<Result<Bytes, Error>>,
    closed: Flight<Error>,
}

impl Session {
    fn new(inner: qmux::Session) -> Self {
        Self {
            inner,
            accept_uni: Mutex::default(),
            accept_bi: Mutex::default(),
            open_uni: Mutex::default(),
            open_bi: Mutex::default(),
            datagram: Mutex::default(),
            closed: Mutex::default(),
        }
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

fn both((send, recv): (qmux::SendStream, qmux::RecvStream)) -> (SendStream, RecvStream) {
    (SendStream::new(send), RecvStream::new(recv))
}

impl poll::Session for Session {
    type SendStream = SendStream;
    type RecvStream = RecvStream;
    type Error = Error;

    fn poll_accept_uni(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecvStream, Error>> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::accept_uni(&inner).await }
        };
        fly(&mut self.accept_uni, cx, begin).map_ok(RecvStream::new)
    }

    fn poll_accept_bi(&mut self, cx: &mut Context<'_>) -> Poll<Result<(SendStream, RecvStream), Error>> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::accept_bi(&inner).await }
        };
        fly(&mut self.accept_bi, cx, begin).map_ok(both)
    }

    fn poll_open_uni(&mut self, cx: &mut Context<'_>) -> Poll<Result<SendStream, Error>> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::open_uni(&inner).await }
        };
        fly(&mut self.open_uni, cx, begin).map_ok(SendStream::new)
    }

    fn poll_open_bi(&mut self, cx: &mut Context<'_>) -> Poll<Result<(SendStream, RecvStream), Error>> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::open_bi(&inner).await }
        };
        fly(&mut self.open_bi, cx, begin).map_ok(both)
    }

    fn poll_send_datagram(&mut self, _: &mut Context<'_>, payload: &[u8]) -> Poll<Result<(), Error>> {
        Poll::Ready(wtt::Session::send_datagram(&self.inner, Bytes::copy_from_slice(payload)))
    }

    fn poll_recv_datagram(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::recv_datagram(&inner).await }
        };
        fly(&mut self.datagram, cx, begin)
    }

    fn max_datagram_size(&self) -> usize {
        wtt::Session::max_datagram_size(&self.inner)
    }

    fn protocol(&self) -> Option<&str> {
        wtt::Session::protocol(&self.inner)
    }

    fn close(&mut self, code: u32, reason: &str) {
        wtt::Session::close(&self.inner, code, reason);
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let inner = &self.inner;
        let begin = || {
            let inner = inner.clone();
            async move { wtt::Session::closed(&inner).await }
        };
        fly(&mut self.closed, cx, begin)
    }

    fn stats(&self) -> impl wtt::Stats {
        wtt::Session::stats(&self.inner)
    }
}

/// What a stream and its task know of each other.
#[derive(Default)]
struct Shared {
    queued: usize,
    closed: Option<Result<(), Error>>,
    writer: Option<Waker>,
    closer: Option<Waker>,
}

impl Shared {
    fn wake(&mut self) {
        self.writer.take().into_iter().chain(self.closer.take()).for_each(Waker::wake);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Part {
    Data(Bytes),
    End,
}

enum Order {
    Priority(u8),
    Reset(u32),
}

/// An outgoing stream. Dropping it before its end resets it.
pub(crate) struct SendStream {
    parts: mpsc::UnboundedSender<Part>,
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Mutex<Shared>>,
    ended: bool,
}

impl SendStream {
    fn new(stream: qmux::SendStream) -> Self {
        let (parts, to_write) = mpsc::unbounded_channel();
        let (orders, ordered) = mpsc::unbounded_channel();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let feed = Feed { stream, parts: to_write, orders: ordered, shared: Arc::clone(&shared) };
        tokio::spawn(feed.run());
        Self { parts, orders, shared, ended: false }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        if !self.ended {
            // The task may have ended with the session.
            let _ = self.orders.send(Order::Reset(0));
        }
    }
}

impl poll::SendStream for SendStream {
    type Error = Error;

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize, Error>> {
        if self.ended {
            return Poll::Ready(Err(Error::StreamClosed));
        }
        let mut shared = lock(&self.shared);
        if let Some(closed) = &shared.closed {
            return Poll::Ready(Err(closed.clone().err().unwrap_or(Error::StreamClosed)));
        }
        let size = buf.len().min(QUEUED_MAX.saturating_sub(shared.queued));
        if size == 0 && !buf.is_empty() {
            shared.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.parts.send(Part::Data(Bytes::copy_from_slice(&buf[..size]))).is_err() {
            return Poll::Ready(Err(Error::Closed));
        }
        shared.queued += size;
        Poll::Ready(Ok(size))
    }

    fn set_priority(&mut self, order: u8) {
        let _ = self.orders.send(Order::Priority(order));
    }

    fn finish(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.ended, true) {
            return Err(Error::StreamClosed);
        }
        self.parts.send(Part::End).map_err(|_| Error::Closed)
    }

    fn reset(&mut self, code: u32) {
        self.ended = true;
        let _ = self.orders.send(Order::Reset(code));
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut shared = lock(&self.shared);
        match &shared.closed {
            Some(closed) => Poll::Ready(closed.clone()),
            None => {
                shared.closer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Moves what a stream is given to qmux.
struct Feed {
    stream: qmux::SendStream,
    parts: mpsc::UnboundedReceiver<Part>,
    orders: mpsc::UnboundedReceiver<Order>,
    shared: Arc<Mutex<Shared>>,
}

enum Turn {
    Part(Option<Part>),
    Order(Order),
    Wrote(Result<(), Error>),
    Closed(Result<(), Error>),
}

impl Feed {
    async fn run(mut self) {
        let ended = self.feed().await;
        let mut shared = lock(&self.shared);
        shared.closed.get_or_insert(ended);
        shared.wake();
    }

    async fn feed(&mut self) -> Result<(), Error> {
        use wtt::SendStream as _;
        let mut rest = Bytes::new();
        let mut finished = false;
        loop {
            match self.turn(&mut rest, finished).await {
                Turn::Order(Order::Priority(order)) => self.stream.set_priority(order),
                Turn::Order(Order::Reset(code)) => {
                    self.stream.reset(code);
                    return Err(Error::StreamClosed);
                }
                Turn::Part(Some(Part::Data(data))) => rest = data,
                Turn::Part(Some(Part::End)) => {
                    self.stream.finish()?;
                    finished = true;
                }
                Turn::Part(None) => return Err(Error::StreamClosed),
                Turn::Wrote(wrote) => wrote?,
                Turn::Closed(closed) => return closed,
            }
        }
    }

    fn taken(&self, size: usize) {
        let mut shared = lock(&self.shared);
        shared.queued = shared.queued.saturating_sub(size);
        if let Some(writer) = shared.writer.take() {
            writer.wake();
        }
    }

    /// What comes first. Writing is cancel safe: what qmux has taken is off `rest`.
    async fn turn(&mut self, rest: &mut Bytes, finished: bool) -> Turn {
        use wtt::SendStream as _;
        let Self { stream, parts, orders, .. } = self;
        if rest.has_remaining() {
            let before = rest.len();
            let turn = tokio::select! {
                biased;
                Some(order) = orders.recv() => Turn::Order(order),
                wrote = stream.write_buf(rest) => Turn::Wrote(wrote.map(drop)),
            };
            self.taken(before - rest.len());
            return turn;
        }
        tokio::select! {
            biased;
            Some(order) = orders.recv() => Turn::Order(order),
            part = parts.recv(), if !finished => Turn::Part(part),
            closed = stream.closed() => Turn::Closed(closed),
        }
    }
}

type Read = (qmux::RecvStream, Result<Option<Bytes>, Error>);

/// An incoming stream. Dropping it tells the other end to stop.
pub(crate) struct RecvStream {
    idle: Option<qmux::RecvStream>,
    reading: Flight<Read>,
    buffer: VecDeque<Bytes>,
    ended: Option<Result<(), Error>>,
}

impl RecvStream {
    fn new(stream: qmux::RecvStream) -> Self {
        Self { idle: Some(stream), reading: Mutex::default(), buffer: VecDeque::new(), ended: None }
    }

    /// Brings the next piece into the buffer; ready with the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended.is_some() {
            return Poll::Ready(());
        }
        let idle = &mut self.idle;
        let begin = || {
            let stream = idle.take();
            async move {
                // There is a stream whenever nothing is in flight and nothing has ended.
                let mut stream = stream.expect("one operation at a time");
                let read = wtt::RecvStream::read_chunk(&mut stream, READ_MAX).await;
                (stream, read)
            }
        };
        let Poll::Ready((stream, read)) = fly(&mut self.reading, cx, begin) else { return Poll::Pending };
        self.idle = Some(stream);
        match read {
            Ok(Some(data)) => self.buffer.push_back(data),
            Ok(None) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(error)),
        }
        Poll::Ready(())
    }
}

impl poll::RecvStream for RecvStream {
    type Error = Error;

    fn poll_read(&mut self, cx: &mut Context<'_>, dst: &mut [u8]) -> Poll<Result<Option<usize>, Error>> {
        let piece = std::task::ready!(self.poll_read_chunk(cx, dst.len()))?;
        Poll::Ready(Ok(piece.map(|piece| {
            dst[..piece.len()].copy_from_slice(&piece);
            piece.len()
        })))
    }

    fn poll_read_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Option<Bytes>, Error>> {
        if max == 0 {
            return Poll::Ready(Ok(Some(Bytes::new())));
        }
        loop {
            if let Some(front) = self.buffer.front_mut() {
                let piece = front.split_to(front.len().min(max));
                if front.is_empty() {
                    self.buffer.pop_front();
                }
                if piece.is_empty() {
                    continue;
                }
                return Poll::Ready(Ok(Some(piece)));
            }
            match &self.ended {
                Some(Ok(())) => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(error.clone())),
                None => std::task::ready!(self.fill(cx)),
            }
        }
    }

    fn stop(&mut self, code: u32) {
        match &mut self.idle {
            Some(stream) => wtt::RecvStream::stop(stream, code),
            // Dropping the stream in flight says so with code 0.
            None => *self.reading.get_mut().unwrap_or_else(PoisonError::into_inner) = None,
        }
        self.ended.get_or_insert(Err(Error::StreamClosed));
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some(ended) = &self.ended {
                return Poll::Ready(ended.clone());
            }
            std::task::ready!(self.fill(cx));
        }
    }
}
