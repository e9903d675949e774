//! One connection: notices out, ACKs in, status beside them. The alarm stream decides how long it lasts; trouble with
//! any other stream leaves it alone.

use super::nudge::{Nudge, Nudged};
use super::path::{Halt, Shared, TICK, halted};
use super::report::Reporter;
use super::{Event, fetch};
use alarm::wire::{Purpose, ToBox, ToRack};
use alarm::{Notice, PathId, Wall};
use link::client::{Receiver, Sender, Session};
use link::{Closed, Reason, StreamError};
use tokio::sync::mpsc;
use tokio::time::interval;
use unit::Progress;

/// Why a connection is held no longer.
#[derive(Debug)]
pub(super) enum End {
    /// It has gone.
    Closed(Closed),
    /// There is a new certificate, with which more streams will open.
    Renewed,
    /// The daemon ends.
    Halted,
}

/// What one connection needs of its path.
pub(super) struct Line<'a> {
    pub(super) shared: &'a Shared,
    pub(super) path: &'a PathId,
    pub(super) metered: bool,
    pub(super) outgoing: &'a mut mpsc::Receiver<Notice>,
    pub(super) progress: &'a Progress,
    pub(super) nudged: &'a mut Nudged,
}

/// Holds a connection until it ends; whether its alarm stream was ever open.
pub(super) async fn hold(line: Line<'_>, session: Session, halt: &mut Halt) -> (End, bool) {
    let opened = tokio::select! {
        opened = session.open(Purpose::Alarm) => opened,
        () = halted(halt) => Err(StreamError::Lost(Closed::ByUs)),
    };
    let alarm = match opened {
        Ok(alarm) => alarm,
        Err(StreamError::Lost(Closed::ByUs)) => {
            session.close(Reason::BackAtOnce).await;
            return (End::Halted, false);
        }
        Err(error) => {
            let why = why(&session, error).await;
            session.close(Reason::Done).await;
            return (End::Closed(why), false);
        }
    };
    let (path, events) = (line.path.clone(), line.shared.events.clone());
    tracing::info!(%path, rack = %session.rack().remote, round_trip = ?session.round_trip(), "path up");
    let rack_time = alarm.welcomed();
    let end = line.deliver(&session, alarm.split(), rack_time, halt).await;
    // An error means that the core has gone, and the daemon with it.
    let _ = events.send(Event::Down(path)).await;
    match &end {
        End::Closed(_) => session.close(Reason::Done).await,
        End::Renewed | End::Halted => session.close(Reason::BackAtOnce).await,
    }
    (end, true)
}

impl Line<'_> {
    async fn deliver(
        self,
        session: &Session,
        (sender, receiver): (Sender, Receiver),
        rack_time: Wall,
        halt: &mut Halt,
    ) -> End {
        // From before this connection: the outbox sends them all again.
        while self.outgoing.try_recv().is_ok() {}
        let up = self.shared.events.send(Event::Up(self.path.clone())).await;
        if up.is_err() {
            return End::Halted;
        }
        let reporter = Reporter::new(self.shared, session, rack_time);
        let error = tokio::select! {
            error = send(sender, self.outgoing) => error,
            error = hear(receiver, &self.shared.events) => error,
            () = attend(reporter, self.path, self.nudged, self.progress) => return End::Renewed,
            never = fetch::attend(session, self.shared, self.metered) => match never {},
            closed = session.closed() => return End::Closed(closed),
            () = halted(halt) => return End::Halted,
        };
        End::Closed(why(session, error).await)
    }
}

async fn send(mut sender: Sender, outgoing: &mut mpsc::Receiver<Notice>) -> StreamError {
    while let Some(notice) = outgoing.recv().await {
        tracing::debug!(notice = %notice.id, "sent");
        if let Err(error) = sender.send(&ToRack::of(notice)).await {
            return error;
        }
    }
    // The core has gone; the daemon's end closes the session properly.
    std::future::pending().await
}

async fn hear(mut receiver: Receiver, events: &mpsc::Sender<Event>) -> StreamError {
    loop {
        match receiver.recv().await {
            Ok(Some(ToBox::Ack { id })) => {
                let _ = events.send(Event::Ack(id)).await;
            }
            Ok(Some(_)) => {}
            Ok(None) => return StreamError::Ended,
            Err(error) => return error,
        }
    }
}

/// Everything but alarms; ends when another connection would be better than this one.
async fn attend(mut reporter: Reporter<'_>, path: &PathId, nudged: &mut Nudged, progress: &Progress) {
    let mut tick = interval(TICK);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                progress.beat();
                reporter.handle_tick().await;
            }
            () = reporter.changed() => reporter.report().await,
            nudge = nudged.next() => match nudge {
                Nudge::RackRestarted(by) if by == *path => {}
                // A rack that does not know this connection answers with a reset.
                Nudge::RackRestarted(_) => reporter.report().await,
                Nudge::Alarm | Nudge::Identity => {}
            },
        }
        if reporter.wants_another_connection() {
            return;
        }
    }
}

/// The connection's own end says more than that of a stream.
async fn why(session: &Session, error: StreamError) -> Closed {
    match error {
        StreamError::Lost(closed) => closed,
        StreamError::Refused(alarm::wire::Refusal::NotRegistered) => Closed::ByPeer(Reason::NotRegistered),
        StreamError::BadFrame(_) | StreamError::Refused(_) | StreamError::Silent => {
            Closed::Transport(error.to_string())
        }
        // The rack may be about to say why it closes.
        StreamError::Ended => match tokio::time::timeout(TICK, session.closed()).await {
            Ok(closed) => closed,
            Err(_) => Closed::Transport(error.to_string()),
        },
    }
}
