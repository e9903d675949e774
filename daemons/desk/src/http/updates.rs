//! Bundles, and their roll-out.

use super::auth::Signed;
use super::problem::Refusal;
use super::{App, Changed, DONE, Done, changed};
use crate::bundles::{Bad, Draft, Found};
use crate::{show, view};
use alarm::centre::{Centre, Refused};
use alarm::event::Actor;
use alarm::role::Action;
use alarm::rollout::{Scope, Version};
use alarm::{BoxId, SiteId};
use anyhow::Context;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_stream::StreamExt;

/// Pieces of an upload that wait for the disk: a browser sends faster than a disk writes.
const WAITING_MAX: usize = 16;
/// An upload of which nothing comes for so long has gone: its place is for the next.
const SILENCE: Duration = Duration::from_secs(30);

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        use StatusCode as S;
        let (status, error) = match &bad {
            Bad::Long => (S::PAYLOAD_TOO_LARGE, "bundle-too-long"),
            Bad::Busy => (S::CONFLICT, "upload-busy"),
            Bad::NoSpace { .. } => (S::INSUFFICIENT_STORAGE, "no-space"),
            Bad::NoBundle(_) => (S::UNSUPPORTED_MEDIA_TYPE, "no-bundle"),
            Bad::Image(_) => (S::UNSUPPORTED_MEDIA_TYPE, "wrong-image"),
            Bad::Disk(error) => {
                tracing::warn!(%error, "a bundle cannot be kept");
                (S::INSUFFICIENT_STORAGE, "no-space")
            }
        };
        Self::new(status, error, bad.to_string())
    }
}

/// Adds a bundle: the file that `make bundle` makes, as the body of the request.
#[utoipa::path(post, path = "/api/bundles", request_body(content = Vec<u8>, content_type = "application/x-tar"), responses((status = 200, body = view::Bundle), (status = 409), (status = 413), (status = 415), (status = 507)))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    signed: Signed,
    headers: HeaderMap,
    body: Body,
) -> Changed<view::Bundle> {
    signed.may(Action::Update)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let draft = app.bundles.draft(length)?;
    let draft = receive(body, draft).await?;
    let judging = Arc::clone(&app);
    let judged = spawn_blocking(move || {
        let mut draft = draft;
        let found = judging.bundles.judge(&mut draft)?;
        Ok::<_, Bad>((draft, found))
    });
    let (draft, found) = judged.await.context("looking at a bundle")??;
    // Asked before anything is kept, so that a refusal leaves nothing behind.
    app.engine.read(|centre| addition(centre, &found, signed.actor()))?;
    let (keeping, sha256) = (Arc::clone(&app), found.sha256.clone());
    spawn_blocking(move || keeping.bundles.keep(draft, &sha256)).await.context("keeping a bundle")??;
    let committed = app.engine.commit(|centre, _| addition(centre, &found, signed.actor()));
    if committed.is_err() && app.engine.read(|centre| centre.bundle(&found.sha256).is_none()) {
        app.bundles.forget(&found.sha256)?;
    }
    let seq = committed?;
    let view = app.engine.read(|centre| centre.bundle(&found.sha256).map(show::bundle));
    let view = view.ok_or_else(|| missing(found.sha256))?;
    changed(&app, seq, || view).await
}

fn addition(centre: &Centre, found: &Found, by: Actor) -> Result<Vec<alarm::event::Event>, Refused> {
    let Found { sha256, image, version, bytes, signature } = found;
    centre.add_bundle(sha256.clone(), (image, version), (*bytes, *signature), by)
}

fn missing(sha256: String) -> Refused {
    Refused::NotFound { what: "bundle", name: sha256 }
}

/// Takes the body piece by piece; a thread that may wait for the disk writes it.
async fn receive(body: Body, draft: Draft) -> Result<Draft, Refusal> {
    let (pieces, writing) = mpsc::channel(WAITING_MAX);
    let written = spawn_blocking(move || write(draft, writing));
    let mut body = body.into_data_stream();
    loop {
        let next = timeout(SILENCE, body.next()).await;
        let next = next.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "upload-cut", CUT))?;
        let Some(piece) = next else { break };
        let piece = piece.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "upload-cut", CUT))?;
        if pieces.send(piece).await.is_err() {
            // The writer has ended, and says why.
            break;
        }
    }
    drop(pieces);
    finished(written).await
}

const CUT: &str = "the upload was cut off: try again";

async fn finished(written: JoinHandle<Result<Draft, Bad>>) -> Result<Draft, Refusal> {
    Ok(written.await.context("writing a bundle")??)
}

fn write(mut draft: Draft, mut pieces: mpsc::Receiver<Bytes>) -> Result<Draft, Bad> {
    while let Some(piece) = pieces.blocking_recv() {
        draft.add(&piece)?;
    }
    Ok(draft)
}

/// Removes a bundle that is not being rolled out.
#[utoipa::path(delete, path = "/api/bundles/{sha256}", params(("sha256" = String, Path)), responses((status = 200, body = Done), (status = 409)))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(sha256): Path<String>,
) -> Changed<Done> {
    signed.may(Action::Update)?;
    let seq = app.engine.commit(|centre, _| centre.remove_bundle(&sha256, signed.actor()))?;
    let forgetting = Arc::clone(&app);
    let forget = spawn_blocking(move || forgetting.bundles.forget(&sha256));
    forget.await.context("removing a bundle")??;
    changed(&app, seq, DONE).await
}

/// Begins to roll a version out: to one box, to a site, or to all.
#[utoipa::path(post, path = "/api/rollout", request_body = view::NewRollout, responses((status = 200, body = view::Rollout), (status = 409)))]
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    signed: Signed,
    Json(new): Json<view::NewRollout>,
) -> Changed<view::Rollout> {
    signed.may(Action::Update)?;
    let version: Version = new.version.parse().map_err(|bad| Refusal::bad(format!("{bad}")))?;
    let scope = match (new.r#box, new.site) {
        (Some(name), None) => Scope::Box { name: BoxId::new(name)? },
        (None, Some(site)) => Scope::Site { site: SiteId::new(site)? },
        (None, None) => Scope::All,
        (Some(_), Some(_)) => return Err(Refusal::bad("name a box or a site, not both")),
    };
    let seq = app.engine.commit(|centre, _| centre.begin_rollout(&version, scope, signed.actor()))?;
    shown(&app, seq).await
}

/// Lets no more boxes begin. Those that have begun end.
#[utoipa::path(post, path = "/api/rollout/pause", responses((status = 200, body = view::Rollout), (status = 409)))]
pub(super) async fn pause(State(app): State<Arc<App>>, signed: Signed) -> Changed<view::Rollout> {
    signed.may(Action::Update)?;
    let seq = app.engine.commit(|centre, _| centre.pause_rollout(signed.actor()))?;
    shown(&app, seq).await
}

/// Lets it go on, after a pause or a halt. What had failed is tried again.
#[utoipa::path(post, path = "/api/rollout/resume", responses((status = 200, body = view::Rollout), (status = 409)))]
pub(super) async fn resume(State(app): State<Arc<App>>, signed: Signed) -> Changed<view::Rollout> {
    signed.may(Action::Update)?;
    let seq = app.engine.commit(|centre, _| centre.resume_rollout(signed.actor()))?;
    shown(&app, seq).await
}

/// Ends it, whatever has become of it. A box that has the version in its other slot runs it all the same.
#[utoipa::path(delete, path = "/api/rollout", responses((status = 200, body = view::Rollout), (status = 409)))]
pub(super) async fn end(State(app): State<Arc<App>>, signed: Signed) -> Changed<view::Rollout> {
    signed.may(Action::Update)?;
    let seq = app.engine.commit(|centre, _| centre.end_rollout(signed.actor()))?;
    shown(&app, seq).await
}

async fn shown(app: &App, seq: u64) -> Changed<view::Rollout> {
    let view = app.engine.with(|centre, live| show::rollout(centre, live)).ok_or(Refused::NoRollout)?;
    changed(app, seq, || view).await
}
