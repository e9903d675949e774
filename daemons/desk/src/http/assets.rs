//! The console's files, built into the binary.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

// `FILES`: (path, content type, bytes), sorted by path, made by build.rs from console/dist.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Files with a hash in their name never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Serves a file; every other path that is not of the API is the console, which finds its way by itself.
pub(super) async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        let detail = format!("there is no {}", uri.path());
        return super::problem::Refusal::new(StatusCode::NOT_FOUND, "not-found", detail).into_response();
    }
    let file = find(path).or_else(|| find("index.html"));
    let Some((name, kind, bytes)) = file else { return StatusCode::NOT_FOUND.into_response() };
    let cache = if name.starts_with("assets/") { FOR_EVER } else { "no-cache" };
    ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, cache)], *bytes).into_response()
}

fn find(path: &str) -> Option<&'static (&'static str, &'static str, &'static [u8])> {
    FILES.binary_search_by(|(name, _, _)| (*name).cmp(path)).ok().map(|place| &FILES[place])
}
