//! The whole state, and what changes in it.

use super::App;
use super::auth::Signed;
use super::problem::Refusal;
use crate::{Engine, view};
use alarm::SeatId;
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use std::convert::Infallible;
use std::sync::Arc;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};

/// Everything a screen needs, in one piece.
#[utoipa::path(get, path = "/api/state", responses((status = 200, body = view::State)))]
pub(super) async fn state(State(app): State<Arc<App>>, _: Signed) -> Json<view::State> {
    Json(app.engine.state())
}

/// Server-sent events: `incident`, `box`, `site`, `seats`, `faults`, `figures`, `announcements`, `bundles`,
/// `rollout`, `tick`, `reload`.
/// While one is open, the seat is there.
#[utoipa::path(get, path = "/api/events", responses((status = 200, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    signed: Signed,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    // A console that was away for too long takes its seat again, if nobody else has.
    app.engine.commit(|centre, _| centre.open_seat(&signed.seat, &signed.user))?;
    let messages = BroadcastStream::new(app.engine.listen());
    let presence = Presence::begin(Arc::clone(&app.engine), signed.seat);
    // Asked at every message, of which there is one every two seconds: who is signed out hears no more.
    let signed_in = move || {
        let session = app.sessions.find(&signed.token);
        session.is_some_and(|session| app.engine.read(|centre| centre.account(&session.user).is_some()))
    };
    let first = tokio_stream::once(Event::default().event("reload").data("{}"));
    let later = messages.take_while(move |_| signed_in()).map(move |message| {
        let _ = &presence;
        match message {
            Ok(message) => {
                Event::default().event(message.name).id(message.seq.to_string()).data(&*message.data)
            }
            Err(BroadcastStreamRecvError::Lagged(_)) => Event::default().event("reload").data("{}"),
        }
    });
    Ok(Sse::new(first.chain(later).map(Ok)))
}

/// A console is there as long as this is.
struct Presence {
    engine: Arc<Engine>,
    seat: SeatId,
}

impl Presence {
    fn begin(engine: Arc<Engine>, seat: SeatId) -> Self {
        engine.with(|_, live| live.console_opened(&seat));
        Self { engine, seat }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.engine.with(|_, live| live.console_closed(&self.seat));
    }
}
