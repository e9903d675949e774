//! One SUBSCRIBE. moq-net's cursor says which groups are owed; each goes to a [`seat`].

use super::group::{Feed, Hub};
use super::seat::{self, Ticket, Watcher};
use super::wire::{self, Range, Subscribe, Version};
use super::{Request, Wish};
use bytes::{Bytes, BytesMut};
use moq_net::{Datagram, Error, StreamError, group, kio, origin, track};
use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use tokio::sync::{mpsc, watch};
use web_transport_quinn as wt;

/// Serves one until its end, its watcher's end, or the session's.
pub(super) async fn serve(hub: Arc<Hub>, request: Request) {
    let Request { session, reader, version, wish: Wish(wish), mut send, recv } = request;
    let mut watcher = Requester { recv, version, buffer: BytesMut::new() };
    let served = async {
        let Some(joined) = join(&hub, &reader, &wish, &mut watcher).await? else { return Ok(()) };
        Run::new(session, version, &wish, joined).run(&mut send, &mut watcher).await
    };
    match served.await {
        Ok(()) => drop(send.finish()),
        Err(error) => {
            tracing::debug!(broadcast = %wish.broadcast, track = %wish.track, %error, "subscription broke off");
            let _ = send.reset(StreamError::from(&error).to_code());
        }
    }
}

/// What the watcher says after its SUBSCRIBE.
struct Requester {
    recv: wt::RecvStream,
    version: Version,
    buffer: BytesMut,
}

impl Requester {
    /// The next update; `None` when it wants no more. Cancel safe.
    async fn next(&mut self) -> Result<Option<Range>, Error> {
        loop {
            if let Some(body) = wire::message(&mut self.buffer)? {
                return Ok(Some(Range::decode(&body, self.version)?));
            }
            let read = self.recv.read_chunk(usize::try_from(wire::MESSAGE_MAX).unwrap_or(usize::MAX), true);
            match read.await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk.bytes),
                Ok(None) => return Ok(None),
                Err(_) => return Err(Error::Cancel),
            }
        }
    }
}

/// A cursor and where its groups are read.
struct Joined {
    feed: Arc<Feed>,
    cursor: track::Subscriber,
    range: Range,
}

/// Finds the track; `None` when the watcher went meanwhile.
async fn join(
    hub: &Hub,
    reader: &origin::Consumer,
    wish: &Subscribe,
    watcher: &mut Requester,
) -> Result<Option<Joined>, Error> {
    let mut range = wish.range.clone();
    let mut finding = pin!(async {
        let broadcast = reader.request_broadcast(wish.broadcast.as_str()).await?;
        let cursor = broadcast.track(&wish.track)?.subscribe(wish.range.subscription()).await?;
        let name = reader.absolute(wish.broadcast.as_str()).as_str().to_owned();
        Ok::<_, Error>((hub.feed(name, &wish.track, &broadcast), cursor))
    });
    loop {
        tokio::select! {
            found = &mut finding => {
                let (feed, mut cursor) = found?;
                if range != wish.range {
                    cursor.update(range.subscription())?;
                }
                return Ok(Some(Joined { feed, cursor, range }));
            }
            update = watcher.next() => match update? {
                Some(update) => range = update,
                None => return Ok(None),
            },
        }
    }
}

struct Run {
    session: wt::Session,
    version: Version,
    subscribe: u64,
    feed: Arc<Feed>,
    cursor: track::Subscriber,
    range: Range,
    watcher: Arc<Watcher>,
    newest: watch::Sender<u64>,
    begun: bool,
    end_said: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.watcher.gone.store(true, Ordering::Relaxed);
    }
}

/// What comes next of a track.
enum Next {
    Groups(Vec<group::Consumer>),
    Datagram(Datagram),
    End(u64),
    Over,
}

impl Run {
    fn new(session: wt::Session, version: Version, wish: &Subscribe, joined: Joined) -> Self {
        let Joined { feed, mut cursor, range } = joined;
        if !version.begins_by_age() && range.start_group.is_none() {
            // These versions mean the newest group when they name none.
            cursor.set_groups(cursor.latest().unwrap_or_default()..);
        }
        cap(&mut cursor, &range);
        let watcher = Arc::new(Watcher::default());
        watcher.priority.store(range.priority, Ordering::Relaxed);
        let (begun, end_said, newest) = (false, false, watch::Sender::new(0));
        Self { session, version, subscribe: wish.id, feed, cursor, range, watcher, newest, begun, end_said }
    }

    async fn run(mut self, send: &mut wt::SendStream, watcher: &mut Requester) -> Result<(), Error> {
        let (pending, mut arrived) = mpsc::channel(1);
        loop {
            let next = tokio::select! {
                biased;
                update = watcher.next() => match update? {
                    Some(update) => {
                        self.update(update)?;
                        continue;
                    }
                    None => return Ok(()),
                },
                next = kio::wait(|waiter| self.poll(waiter)) => next?,
            };
            match next {
                Next::Groups(groups) => {
                    if !self.begun
                        && let Some(first) = groups.iter().map(|group| group.sequence).min()
                    {
                        self.begun = true;
                        say(send, wire::start(first)).await?;
                    }
                    groups.into_iter().for_each(|group| self.bring(&group, &pending));
                }
                Next::Datagram(datagram) => self.datagram(&datagram),
                Next::End(group) => {
                    self.end_said = true;
                    say(send, wire::end(group)).await?;
                }
                Next::Over => break,
            }
        }
        drop(pending);
        loop {
            tokio::select! {
                _ = arrived.recv() => return Ok(()),
                update = watcher.next() => if update?.is_none() { return Ok(()) },
            }
        }
    }

    fn poll(&mut self, waiter: &kio::Waiter) -> Poll<Result<Next, Error>> {
        // All that is there at once, so that at the beginning the lowest of them can be named.
        let (mut groups, mut over) = (Vec::new(), false);
        loop {
            match self.cursor.poll_recv_group(waiter) {
                Poll::Ready(Ok(Some(mut group))) => {
                    // A group is worth something to a decoder only from its first frame on.
                    group.set_frames(0..);
                    if group.index() == 0 {
                        groups.push(group);
                    }
                }
                Poll::Ready(Ok(None)) => {
                    over = true;
                    break;
                }
                Poll::Ready(Err(error)) if groups.is_empty() => return Poll::Ready(Err(error)),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        if !groups.is_empty() {
            return Poll::Ready(Ok(Next::Groups(groups)));
        }
        if let Poll::Ready(Ok(Some(datagram))) = self.cursor.poll_recv_datagram(waiter) {
            return Poll::Ready(Ok(Next::Datagram(datagram)));
        }
        if !self.end_said
            && let Poll::Ready(end) = self.cursor.poll_finished(waiter)
        {
            return Poll::Ready(end.map(Next::End));
        }
        if over { Poll::Ready(Ok(Next::Over)) } else { Poll::Pending }
    }

    fn update(&mut self, range: Range) -> Result<(), Error> {
        self.watcher.priority.store(range.priority, Ordering::Relaxed);
        self.cursor.update(range.subscription())?;
        cap(&mut self.cursor, &range);
        self.range = range;
        Ok(())
    }

    fn bring(&self, group: &group::Consumer, pending: &mpsc::Sender<()>) {
        let sequence = group.sequence;
        self.newest.send_if_modified(|newest| {
            let newer = sequence > *newest;
            *newest = sequence.max(*newest);
            newer
        });
        let ticket = Ticket {
            session: self.session.clone(),
            version: self.version,
            subscribe: self.subscribe,
            sequence,
            max_age: self.range.max_age,
            watcher: self.watcher.clone(),
            newest: self.newest.subscribe(),
            _pending: pending.clone(),
        };
        tokio::spawn(seat::serve(self.feed.group(group, self.range.max_age), ticket));
    }

    /// Sends it if there is room now: nobody asks again for a datagram that got lost.
    fn datagram(&self, datagram: &Datagram) {
        let body = wire::datagram(self.subscribe, datagram);
        let room = quinn::Connection::max_datagram_size(&self.session).unwrap_or_default();
        // WebTransport puts a number before it.
        if body.len() + 8 <= room {
            let _ = self.session.send_datagram(body);
        }
    }
}

/// Keeps the cursor within what the watcher named.
fn cap(cursor: &mut track::Subscriber, range: &Range) {
    let start = range.start_group.unwrap_or_default();
    match range.end_group {
        Some(end) => cursor.set_groups((Bound::Included(start), Bound::Included(end))),
        None => cursor.set_groups(start..),
    }
}

async fn say(send: &mut wt::SendStream, message: Bytes) -> Result<(), Error> {
    send.write_chunk(message).await.map_err(|_| Error::Cancel)
}
