//! A transport as moq-net sees it, without the streams that an engine takes: each accepted stream is looked at until
//! it is clear what it is.

use super::wire::{self, Subscribe, Version};
use super::{Engine, Request, Wish};
use bytes::{BufMut, Bytes, BytesMut};
use moq_net::origin;
use moq_net::web_transport_trait::poll::{RecvStream, Session};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use web_transport_quinn as wt;

/// Largest piece that is read at once while a stream is looked at: a SUBSCRIBE comes in one packet.
const READ_MAX: usize = 1500;

/// The transport of a session.
pub(crate) struct Door {
    inner: wt::Session,
    porter: Option<Porter>,
    looking: Vec<Look>,
}

/// Who hands subscriptions to an engine.
#[derive(Clone)]
pub(crate) struct Porter {
    pub(crate) engine: Arc<dyn Engine>,
    /// What the session may see.
    pub(crate) reader: origin::Consumer,
    pub(crate) version: Version,
}

impl Door {
    /// Without a porter everything is moq-net's.
    pub(crate) fn new(inner: wt::Session, porter: Option<Porter>) -> Self {
        Self { inner, porter, looking: Vec::new() }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Option<(wt::SendStream, Seen)> {
        let mut place = 0;
        let porter = self.porter.as_ref()?;
        while let Some(look) = self.looking.get_mut(place) {
            let Poll::Ready(kind) = look.poll(cx, porter.version) else {
                place += 1;
                continue;
            };
            let Look { send, recv, head } = self.looking.swap_remove(place);
            match kind {
                Kind::Subscribe(wish) if porter.engine.takes(&wish) => {
                    let (session, reader) = (self.inner.clone(), porter.reader.clone());
                    let version = porter.version;
                    porter.engine.serve(Request { session, reader, version, wish, send, recv });
                }
                Kind::Subscribe(_) | Kind::Other => {
                    return Some((send, Seen { head: head.freeze(), inner: recv }));
                }
                Kind::Gone => {}
            }
        }
        None
    }
}

impl Clone for Door {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.porter.clone())
    }
}

/// A stream that is being looked at.
struct Look {
    send: wt::SendStream,
    recv: wt::RecvStream,
    head: BytesMut,
}

enum Kind {
    Subscribe(Wish),
    Other,
    Gone,
}

impl Look {
    fn poll(&mut self, cx: &mut Context<'_>, version: Version) -> Poll<Kind> {
        loop {
            if let Some(kind) = kind(&self.head, version) {
                return Poll::Ready(kind);
            }
            match ready!(self.recv.poll_read_chunk(cx, READ_MAX)) {
                Ok(Some(more)) => self.head.extend_from_slice(&more),
                // What it said so far is for moq-net to judge.
                Ok(None) => return Poll::Ready(Kind::Other),
                Err(_) => return Poll::Ready(Kind::Gone),
            }
        }
    }
}

/// What a stream is, if that is clear.
fn kind(head: &[u8], version: Version) -> Option<Kind> {
    let (kind, size) = wire::peek(head)?;
    if kind != wire::SUBSCRIBE {
        return Some(Kind::Other);
    }
    match wire::message(&mut BytesMut::from(&head[size..])) {
        Ok(Some(body)) => {
            let subscribe = Subscribe::decode(&body, version);
            // An update that came with it would have to be handed on too: moq-net has it all.
            let alone =
                wire::peek(&head[size..]).is_some_and(|(_, more)| head.len() == size + more + body.len());
            Some(match subscribe {
                Ok(subscribe) if alone => Kind::Subscribe(Wish(subscribe)),
                Ok(_) | Err(_) => Kind::Other,
            })
        }
        Ok(None) => None,
        Err(_) => Some(Kind::Other),
    }
}

/// An incoming stream whose beginning has been read already.
pub(crate) struct Seen {
    head: Bytes,
    inner: wt::RecvStream,
}

impl RecvStream for Seen {
    type Error = wt::ReadError;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        dst: &mut [u8],
    ) -> Poll<Result<Option<usize>, wt::ReadError>> {
        if self.head.is_empty() {
            return RecvStream::poll_read(&mut self.inner, cx, dst);
        }
        let piece = self.head.split_to(self.head.len().min(dst.len()));
        dst[..piece.len()].copy_from_slice(&piece);
        Poll::Ready(Ok(Some(piece.len())))
    }

    fn poll_read_buf<B: BufMut>(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut B,
    ) -> Poll<Result<Option<usize>, wt::ReadError>> {
        if self.head.is_empty() {
            return self.inner.poll_read_buf(cx, buf);
        }
        let piece = self.head.split_to(self.head.len().min(buf.remaining_mut()));
        buf.put_slice(&piece);
        Poll::Ready(Ok(Some(piece.len())))
    }

    fn poll_read_chunk(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, wt::ReadError>> {
        if self.head.is_empty() {
            return self.inner.poll_read_chunk(cx, max);
        }
        Poll::Ready(Ok(Some(self.head.split_to(self.head.len().min(max)))))
    }

    fn stop(&mut self, code: u32) {
        RecvStream::stop(&mut self.inner, code);
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), wt::ReadError>> {
        RecvStream::poll_closed(&mut self.inner, cx)
    }
}

type Error = wt::SessionError;

impl Session for Door {
    type SendStream = wt::SendStream;
    type RecvStream = Seen;
    type Error = Error;

    fn poll_accept_uni(&mut self, cx: &mut Context<'_>) -> Poll<Result<Seen, Error>> {
        let inner = ready!(self.inner.poll_accept_uni(cx))?;
        Poll::Ready(Ok(Seen { head: Bytes::new(), inner }))
    }

    fn poll_accept_bi(&mut self, cx: &mut Context<'_>) -> Poll<Result<(wt::SendStream, Seen), Error>> {
        while let Poll::Ready(accepted) = self.inner.poll_accept_bi(cx) {
            let (send, recv) = accepted?;
            if self.porter.is_none() {
                return Poll::Ready(Ok((send, Seen { head: Bytes::new(), inner: recv })));
            }
            self.looking.push(Look { send, recv, head: BytesMut::new() });
        }
        match self.next(cx) {
            Some(streams) => Poll::Ready(Ok(streams)),
            None => Poll::Pending,
        }
    }

    fn poll_open_uni(&mut self, cx: &mut Context<'_>) -> Poll<Result<wt::SendStream, Error>> {
        self.inner.poll_open_uni(cx)
    }

    fn poll_open_bi(&mut self, cx: &mut Context<'_>) -> Poll<Result<(wt::SendStream, Seen), Error>> {
        let (send, inner) = ready!(self.inner.poll_open_bi(cx))?;
        Poll::Ready(Ok((send, Seen { head: Bytes::new(), inner })))
    }

    fn poll_send_datagram(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<Result<(), Error>> {
        self.inner.poll_send_datagram(cx, payload)
    }

    fn poll_recv_datagram(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        self.inner.poll_recv_datagram(cx)
    }

    fn max_datagram_size(&self) -> usize {
        Session::max_datagram_size(&self.inner)
    }

    fn protocol(&self) -> Option<&str> {
        Session::protocol(&self.inner)
    }

    fn close(&mut self, code: u32, reason: &str) {
        Session::close(&mut self.inner, code, reason);
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.inner.poll_closed(cx)
    }

    fn stats(&self) -> impl moq_net::web_transport_trait::Stats {
        Session::stats(&self.inner)
    }
}
