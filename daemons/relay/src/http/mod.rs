//! The TCP port: recordings, the hash of the web certificate, health and metrics, and WebSocket for browsers that
//! have no WebTransport.
//!
//! What needs a pass takes it from the query (`?pass=`), as a `<video>` element has no other way. No cookie is read,
//! so any page may ask; metrics are for this machine only.

mod door;
mod metrics;
mod recordings;
mod socket;

use crate::house::House;
use crate::record::Recorder;
use crate::record::keep::Disk;
use crate::web::{Hash, to_hex};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

pub(crate) use door::tls;
use door::{Door, Remote};

/// What every request may use.
pub(crate) struct App {
    house: House,
    recorder: Recorder,
    hashes: watch::Receiver<Vec<Hash>>,
    disk: watch::Receiver<Disk>,
    readers: Arc<Semaphore>,
}

impl App {
    /// Puts them together.
    pub(crate) fn new(
        house: House,
        recorder: Recorder,
        hashes: watch::Receiver<Vec<Hash>>,
        disk: watch::Receiver<Disk>,
    ) -> Self {
        Self { house, recorder, hashes, disk, readers: Arc::new(Semaphore::new(recordings::READERS_MAX)) }
    }
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/recordings", get(recordings::list))
        .route("/recordings/{first}/{second}/{file}", get(recordings::file))
        .route("/certificate.sha256", get(certificate))
        .route("/healthz", get(health))
        .route("/metrics", get(figures))
        .fallback(socket::upgrade)
        .layer(axum::middleware::from_fn(open_to_pages))
        .with_state(app)
}

/// Serves until the socket fails.
///
/// # Errors
/// When the socket cannot be used.
pub(crate) async fn serve(
    socket: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    app: Arc<App>,
) -> anyhow::Result<()> {
    let door = Door::open(socket, tls)?;
    let service = router(app).into_make_service_with_connect_info::<Remote>();
    axum::serve(door, service).await?;
    anyhow::bail!("the TCP socket takes no more connections")
}

/// Headers for pages of the console, which comes from another port.
async fn open_to_pages(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "range"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "content-range, content-length, accept-ranges"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn certificate(State(app): State<Arc<App>>) -> String {
    app.hashes.borrow().first().map(|hash| to_hex(hash)).unwrap_or_default()
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let (told, disk) = (app.house.told.borrow().whole, app.disk.borrow().clone());
    let faults: Vec<String> = disk.faults.iter().map(ToString::to_string).collect();
    let body = serde_json::json!({ "desk": told, "faults": faults, "version": env!("CARGO_PKG_VERSION") });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn figures(State(app): State<Arc<App>>, ConnectInfo(remote): ConnectInfo<Remote>) -> Response {
    if !remote.0.is_loopback() {
        return (StatusCode::FORBIDDEN, "metrics are for this machine only\n").into_response();
    }
    let text = metrics::text(&app);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
