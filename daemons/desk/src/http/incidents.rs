//! What call-takers do with incidents.

use super::auth::Signed;
use super::problem::Refusal;
use super::{App, Changed, changed};
use crate::{show, view};
use alarm::IncidentId;
use alarm::SeatId;
use alarm::centre::{Centre, Refused};
use alarm::event::Event;
use alarm::incident::{Outcome, Step};
use alarm::role::Action;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Closed incidents in one answer.
const PAGE: usize = 50;

type Answer = Changed<view::Incident>;

pub(super) async fn work(
    app: &App,
    id: u64,
    decide: impl FnOnce(&Centre, IncidentId) -> Result<Vec<Event>, Refused>,
) -> Answer {
    let id = IncidentId(id);
    let seq = app.engine.commit(|centre, _| decide(centre, id))?;
    shown(app, id, seq).await
}

/// The incident as it is after the line `seq`.
pub(super) async fn shown(app: &App, id: IncidentId, seq: u64) -> Answer {
    let gone = || Refused::NotFound { what: "incident", name: id.to_string() };
    let durable = || app.engine.durable_now() >= seq;
    let view = || app.engine.read(|centre| Some(show::incident(centre, centre.incident(id)?, durable())));
    view().ok_or_else(gone)?;
    let (status, shown) = changed(app, seq, view).await?;
    Ok((status, Json(shown.0.ok_or_else(gone)?)))
}

/// Reads one of the journal's words.
fn word<T: DeserializeOwned>(what: &str, word: String) -> Result<T, Refusal> {
    serde_json::from_value(serde_json::Value::String(word.clone()))
        .map_err(|_| Refusal::bad(format!("{word:?} is not a {what}")))
}

/// Somebody has seen it: stops the sound, owns nothing.
#[utoipa::path(post, path = "/api/incidents/{id}/acknowledge", params(("id" = u64, Path)), responses((status = 200, body = view::Incident)))]
pub(super) async fn acknowledge(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<u64>) -> Answer {
    signed.may(Action::Acknowledge)?;
    work(&app, id, |centre, id| centre.acknowledge(id, signed.actor())).await
}

/// The seat takes ownership.
#[utoipa::path(post, path = "/api/incidents/{id}/answer", params(("id" = u64, Path)), responses((status = 200, body = view::Incident), (status = 409)))]
pub(super) async fn answer(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<u64>) -> Answer {
    signed.may(Action::Answer)?;
    work(&app, id, |centre, id| centre.answer(id, &signed.seat, &signed.user)).await
}

/// Offers it to another logged-on seat; the owner stays host until that seat accepts.
#[utoipa::path(post, path = "/api/incidents/{id}/offer", params(("id" = u64, Path)), request_body = view::Offer, responses((status = 200, body = view::Incident)))]
pub(super) async fn offer(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Json(offer): Json<view::Offer>,
) -> Answer {
    signed.may(Action::Transfer)?;
    let to = SeatId::new(offer.to)?;
    work(&app, id, |centre, id| centre.offer(id, &to, &signed.seat, &signed.user)).await
}

/// Takes over what was offered.
#[utoipa::path(post, path = "/api/incidents/{id}/accept", params(("id" = u64, Path)), responses((status = 200, body = view::Incident)))]
pub(super) async fn accept(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<u64>) -> Answer {
    signed.may(Action::Transfer)?;
    work(&app, id, |centre, id| centre.accept(id, &signed.seat, &signed.user)).await
}

/// Ends an offer without a transfer, from either side.
#[utoipa::path(post, path = "/api/incidents/{id}/withdraw", params(("id" = u64, Path)), responses((status = 200, body = view::Incident)))]
pub(super) async fn withdraw(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<u64>) -> Answer {
    signed.may(Action::Transfer)?;
    work(&app, id, |centre, id| centre.withdraw(id, &signed.seat, &signed.user)).await
}

/// Moves it on: verified, dispatched, en-route, arrived.
#[utoipa::path(post, path = "/api/incidents/{id}/progress", params(("id" = u64, Path)), request_body = view::Progress, responses((status = 200, body = view::Incident)))]
pub(super) async fn progress(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Json(progress): Json<view::Progress>,
) -> Answer {
    signed.may(Action::Progress)?;
    let step: Step = word("step", progress.step)?;
    work(&app, id, |centre, id| centre.progress(id, step, &signed.seat, &signed.user)).await
}

/// Closes it with an outcome.
#[utoipa::path(post, path = "/api/incidents/{id}/close", params(("id" = u64, Path)), request_body = view::Close, responses((status = 200, body = view::Incident)))]
pub(super) async fn close(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Json(close): Json<view::Close>,
) -> Answer {
    signed.may(Action::Close)?;
    let outcome: Outcome = word("outcome", close.outcome)?;
    work(&app, id, |centre, id| centre.close(id, outcome, close.note, &signed.seat, &signed.user)).await
}

/// The journal's lines about one incident.
#[utoipa::path(get, path = "/api/incidents/{id}/journal", params(("id" = u64, Path)), responses((status = 200, body = Vec<view::Line>)))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    _: Signed,
    Path(id): Path<u64>,
) -> Result<Json<Vec<view::Line>>, Refusal> {
    let lines = app.engine.history(IncidentId(id)).await?;
    let line = |line: alarm::chain::Line| view::Line {
        seq: line.seq,
        at: line.at.millis(),
        event: serde_json::from_str(&line.text).unwrap_or_default(),
    };
    Ok(Json(lines.into_iter().map(line).collect()))
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Before {
    /// Only those with a smaller number.
    before: Option<u64>,
}

/// Closed incidents, newest first, fifty at a time.
#[utoipa::path(get, path = "/api/incidents/closed", params(Before), responses((status = 200, body = Vec<view::Incident>)))]
pub(super) async fn closed(
    State(app): State<Arc<App>>,
    _: Signed,
    Query(Before { before }): Query<Before>,
) -> Json<Vec<view::Incident>> {
    let page = app.engine.read(|centre| {
        let closed = centre.closed(before.map(IncidentId)).take(PAGE);
        closed.map(|incident| show::incident(centre, incident, true)).collect()
    });
    Json(page)
}
