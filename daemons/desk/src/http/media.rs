//! Passes for the relay, looking without a press, holds.

use super::auth::Signed;
use super::problem::Refusal;
use super::{App, Changed, DONE, Done, changed};
use crate::passes::{self, Asks, Opens};
use crate::view;
use alarm::centre::Refused;
use alarm::role::Action;
use alarm::{BoxId, CameraId, IncidentId};
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;

type Passed = Result<Json<view::Pass>, Refusal>;

fn asks(signed: &Signed) -> Asks<'_> {
    Asks { user: &signed.user, seat: &signed.seat }
}

/// A pass into an incident's room: to see and hear it, and for the host of an ordinary one to speak.
#[utoipa::path(post, path = "/api/incidents/{id}/pass", params(("id" = u64, Path)), responses((status = 200, body = view::Pass), (status = 503)))]
pub(super) async fn room_pass(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<u64>) -> Passed {
    signed.may(Action::Acknowledge)?;
    let id = IncidentId(id);
    let opens = app.engine.read(|centre| {
        let incident = centre.incident(id)?;
        Some(Opens::room(centre, incident, &signed.seat))
    });
    let opens = opens.ok_or_else(|| Refused::NotFound { what: "incident", name: id.to_string() })?;
    let pass = passes::sign(&app.engine, &app.passes, asks(&signed), opens, None)?;
    app.engine.commit(|centre, _| centre.let_in(id, &signed.seat, &signed.user))?;
    Ok(Json(pass))
}

/// A pass for the wall screen: the cameras of all open incidents.
#[utoipa::path(get, path = "/api/wall/pass", responses((status = 200, body = view::Pass), (status = 503)))]
pub(super) async fn wall_pass(State(app): State<Arc<App>>, signed: Signed) -> Passed {
    signed.may(Action::Acknowledge)?;
    let (opens, incidents) = app.engine.read(Opens::wall);
    let pass = passes::sign(&app.engine, &app.passes, asks(&signed), opens, None)?;
    for id in incidents {
        app.engine.commit(|centre, _| centre.let_in(id, &signed.seat, &signed.user))?;
    }
    Ok(Json(pass))
}

/// Looks at cameras of a box without a press, for ten minutes at the most. Who and why stands in the journal.
#[utoipa::path(post, path = "/api/boxes/{id}/watch", params(("id" = String, Path)), request_body = view::NewWatch, responses((status = 200, body = view::Appliance)))]
pub(super) async fn watch(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Json(new): Json<view::NewWatch>,
) -> Changed<view::Appliance> {
    signed.may(Action::Watch)?;
    let name = BoxId::new(id)?;
    let cameras = new.cameras.into_iter().map(CameraId::new).collect::<Result<Vec<_>, _>>()?;
    let who = (&signed.seat, &signed.user);
    let seq = app.engine.commit(|centre, now| centre.watch(&name, cameras, new.reason, who, now))?;
    super::register::box_changed(&app, &name, seq).await
}

/// Looks no longer.
#[utoipa::path(delete, path = "/api/boxes/{id}/watch", params(("id" = String, Path)), responses((status = 200, body = Done)))]
pub(super) async fn unwatch(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Changed<Done> {
    let name = BoxId::new(id)?;
    let seq = app.engine.write(|centre, _| centre.unwatch(&name, &signed.seat, signed.actor()));
    changed(&app, seq, DONE).await
}

/// A pass for the box that the seat looks at without a press; it ends with the look.
#[utoipa::path(post, path = "/api/boxes/{id}/pass", params(("id" = String, Path)), responses((status = 200, body = view::Pass), (status = 409), (status = 503)))]
pub(super) async fn watch_pass(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Passed {
    signed.may(Action::Watch)?;
    let name = BoxId::new(id)?;
    let (look, opens) = app
        .engine
        .read(|centre| (centre.watching(&name, &signed.seat).cloned(), Opens::watch(centre, &name)));
    let look = look.filter(|look| look.user == signed.user);
    let until = look.ok_or_else(|| Refused::NotWatching(name.clone()))?.until;
    Ok(Json(passes::sign(&app.engine, &app.passes, asks(&signed), opens, Some(until))?))
}

/// Keeps an incident's recordings until somebody says otherwise, or lets them go when their time is over.
#[utoipa::path(put, path = "/api/incidents/{id}/hold", params(("id" = u64, Path)), request_body = view::Hold, responses((status = 200, body = view::Incident)))]
pub(super) async fn hold(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Json(hold): Json<view::Hold>,
) -> Changed<view::Incident> {
    signed.may(Action::Hold)?;
    super::incidents::work(&app, id, |centre, id| centre.hold(id, hold.held, signed.actor())).await
}
