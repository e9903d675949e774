//! Announcements: recorded messages, and playing them into a site.

use super::auth::Signed;
use super::problem::Refusal;
use super::{App, Changed, DONE, Done, changed};
use crate::{kept, show, sound, view};
use alarm::IncidentId;
use alarm::announcement::LoopEnd;
use alarm::centre::Refused;
use alarm::role::Action;
use anyhow::Context;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Named {
    /// What people call it, 1 to 40 characters.
    name: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Ends {
    /// The page could not play it, or has gone meanwhile.
    #[serde(default)]
    broken: bool,
}

fn missing(sha256: String) -> Refused {
    Refused::NotFound { what: "announcement", name: sha256 }
}

async fn shown(app: &App, sha256: String, seq: u64) -> Changed<view::Announcement> {
    let view = app.engine.read(|centre| centre.announcement(&sha256).map(show::media::announcement));
    let view = view.ok_or_else(|| missing(sha256))?;
    changed(app, seq, || view).await
}

/// Adds an announcement: WAV, 16 bit, one channel, half a second to a minute.
#[utoipa::path(post, path = "/api/announcements", params(Named), request_body(content = Vec<u8>, content_type = "audio/wav"), responses((status = 200, body = view::Announcement), (status = 413), (status = 415)))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(Named { name }): Query<Named>,
    file: Bytes,
) -> Changed<view::Announcement> {
    signed.may(Action::Announce)?;
    let length = sound::judge(&file)
        .map_err(|bad| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, bad.word(), bad.to_string()))?;
    let size = (number(file.len()), u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    // Asked before anything is written, so that a refusal leaves nothing behind.
    let sha256 = kept::name(&file);
    app.engine.read(|centre| centre.add_announcement(sha256.clone(), &name, size, signed.actor()))?;
    let keeping = Arc::clone(&app);
    let keep = tokio::task::spawn_blocking(move || keeping.announcements.keep(&file));
    keep.await.context("keeping an announcement")??;
    let seq = app
        .engine
        .commit(|centre, _| centre.add_announcement(sha256.clone(), &name, size, signed.actor()))?;
    shown(&app, sha256, seq).await
}

/// The sound of an announcement.
#[utoipa::path(get, path = "/api/announcements/{sha256}", params(("sha256" = String, Path)), responses((status = 200, content_type = "audio/wav"), (status = 404)))]
pub(super) async fn play(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(sha256): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Refusal> {
    if signed.may(Action::Acknowledge).is_err() {
        signed.may(Action::Announce)?;
    }
    let (reading, name) = (Arc::clone(&app), sha256.clone());
    let read = tokio::task::spawn_blocking(move || reading.announcements.read(&name));
    let file = read.await.context("reading an announcement")??.ok_or_else(|| missing(sha256))?;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], file))
}

/// Gives it another name.
#[utoipa::path(put, path = "/api/announcements/{sha256}", params(("sha256" = String, Path)), request_body = view::NewName, responses((status = 200, body = view::Announcement)))]
pub(super) async fn rename(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(sha256): Path<String>,
    Json(new): Json<view::NewName>,
) -> Changed<view::Announcement> {
    signed.may(Action::Announce)?;
    let seq =
        app.engine.commit(|centre, _| centre.rename_announcement(&sha256, &new.name, signed.actor()))?;
    shown(&app, sha256, seq).await
}

/// Removes it. What it said stays in the recordings of the incidents in which it was played.
#[utoipa::path(delete, path = "/api/announcements/{sha256}", params(("sha256" = String, Path)), responses((status = 200, body = Done)))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(sha256): Path<String>,
) -> Changed<Done> {
    signed.may(Action::Announce)?;
    let seq = app.engine.commit(|centre, _| centre.remove_announcement(&sha256, signed.actor()))?;
    let forgetting = Arc::clone(&app);
    let forget = tokio::task::spawn_blocking(move || forgetting.announcements.forget(&sha256));
    forget.await.context("removing an announcement")??;
    changed(&app, seq, DONE).await
}

/// The host of an ordinary incident begins to play an announcement, for ten minutes at the most.
#[utoipa::path(post, path = "/api/incidents/{id}/loop", params(("id" = u64, Path)), request_body = view::NewLoop, responses((status = 200, body = view::Incident), (status = 403)))]
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Json(new): Json<view::NewLoop>,
) -> Changed<view::Incident> {
    signed.may(Action::Answer)?;
    let (id, who) = (IncidentId(id), (&signed.seat, &signed.user));
    let seq = app.engine.commit(|centre, now| centre.begin_loop(id, &new.sha256, who, now))?;
    super::incidents::shown(&app, id, seq).await
}

/// The site hears it no longer.
#[utoipa::path(delete, path = "/api/incidents/{id}/loop", params(("id" = u64, Path), Ends), responses((status = 200, body = view::Incident), (status = 403)))]
pub(super) async fn end(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Query(Ends { broken }): Query<Ends>,
) -> Changed<view::Incident> {
    let why = if broken { LoopEnd::Broken } else { LoopEnd::Stopped };
    super::incidents::work(&app, id, |centre, id| centre.end_loop(id, &signed.seat, why, signed.actor()))
        .await
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
