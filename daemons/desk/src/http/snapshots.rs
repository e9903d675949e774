//! Still pictures.

use super::auth::Signed;
use super::problem::Refusal;
use super::{App, Changed, changed};
use crate::view;
use alarm::centre::{Picture, Refused};
use alarm::media::TakeId;
use alarm::role::Action;
use alarm::{IncidentId, Wall};
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use std::sync::Arc;

/// Largest picture: a 4K frame as a good JPEG.
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Of {
    /// The take that it is from: `<box>/<camera>/<began>`.
    take: String,
    /// The moment that it shows, Unix milliseconds.
    at: i64,
}

/// Keeps a still picture (JPEG, at most 4 MiB) with an incident.
#[utoipa::path(post, path = "/api/incidents/{id}/snapshots", params(("id" = u64, Path), Of), request_body(content = Vec<u8>, content_type = "image/jpeg"), responses((status = 200, body = view::Snapshot), (status = 413), (status = 415)))]
pub(super) async fn take(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<u64>,
    Query(of): Query<Of>,
    jpeg: Bytes,
) -> Changed<view::Snapshot> {
    signed.may(Action::Acknowledge)?;
    let take: TakeId =
        of.take.parse().map_err(|error: alarm::media::BadTake| Refusal::bad(error.to_string()))?;
    if !is_jpeg(&jpeg) {
        let detail = "a snapshot is a whole JPEG picture";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad-request", detail));
    }
    let (id, bytes) = (IncidentId(id), u64::try_from(jpeg.len()).unwrap_or(u64::MAX));
    let picture = |sha256: String| {
        let shown = Wall::from_millis(of.at);
        Picture { sha256, bytes, take: take.to_string(), shown }
    };
    // Asked before anything is written, so that a refusal leaves nothing behind.
    app.engine.read(|centre| centre.snapshot(id, picture(String::new()), signed.actor()))?;
    let keeping = Arc::clone(&app);
    let kept = tokio::task::spawn_blocking(move || keeping.pictures.keep(&jpeg));
    let sha256 = kept.await.context("keeping a snapshot")??;
    let seq = app.engine.commit(|centre, _| centre.snapshot(id, picture(sha256.clone()), signed.actor()))?;
    changed(&app, seq, || view::Snapshot { sha256, bytes }).await
}

/// A still picture by its SHA-256.
#[utoipa::path(get, path = "/api/snapshots/{sha256}", params(("sha256" = String, Path)), responses((status = 200, content_type = "image/jpeg"), (status = 404)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(sha256): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Refusal> {
    signed.may(Action::Acknowledge)?;
    let (reading, name) = (Arc::clone(&app), sha256.clone());
    let read = tokio::task::spawn_blocking(move || reading.pictures.read(&name));
    let jpeg = read.await.context("reading a snapshot")??;
    let jpeg = jpeg.ok_or(Refused::NotFound { what: "snapshot", name: sha256 })?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg))
}

/// Whether the bytes begin and end as a JPEG does (ITU-T T.81 annex B: SOI, a marker, EOI).
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.len() > 8 && bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

#[cfg(test)]
mod tests {
    use super::is_jpeg;

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 2, 1, 2, 3, 0xff, 0xd9];

    #[test]
    fn what_is_no_jpeg_is_told_from_one() {
        assert!(is_jpeg(JPEG));
        for no in [&b""[..], b"GIF89a.....", &JPEG[..9], &[0xff, 0xd8, 0xff, 0xd9]] {
            assert!(!is_jpeg(no), "{no:?}");
        }
    }
}
