//! The HTTP interface and the console behind it.

mod announcements;
mod assets;
mod auth;
mod door;
mod events;
mod fleet;
mod incidents;
mod media;
mod policy;
mod problem;
mod register;
mod rest;
mod session;
mod snapshots;
pub mod tls;
mod updates;

pub(crate) use problem::Refusal;

use crate::boxes::Hall;
use crate::bundles::Bundles;
use crate::config::Checked;
use crate::kept::Kept;
use crate::lockout::Lockout;
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::{Engine, sound, view};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{self, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Json, Router};
use link::ca::Ca;
use link::pass::PassKey;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use tokio_rustls::TlsAcceptor;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

/// Largest request: a site's entry with every field full is a tenth of it.
const BODY_MAX: usize = 256 * 1024;

/// What every request may use.
pub struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) ca: Arc<Ca>,
    pub(crate) passes: Arc<PassKey>,
    pub(crate) pictures: Kept,
    pub(crate) announcements: Kept,
    pub(crate) bundles: Arc<Bundles>,
    pub(crate) sessions: Sessions,
    pub(crate) setup: Setup,
    pub(crate) lockout: Mutex<Lockout>,
    pub(crate) addresses: Vec<String>,
    pub(crate) centre: String,
    pub(crate) secure: bool,
}

impl App {
    pub(crate) fn new(
        hall: &Hall,
        sessions: Sessions,
        setup: Setup,
        config: &Checked,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            engine: Arc::clone(&hall.engine),
            ca: Arc::clone(&hall.ca),
            passes: Arc::clone(&hall.passes),
            bundles: Arc::clone(&hall.bundles),
            pictures: Kept::open(&config.state_dir, "snapshots", "jpg")?,
            announcements: Kept::open(&config.state_dir, "announcements", "wav")?,
            sessions,
            setup,
            lockout: Mutex::default(),
            addresses: config.link_addresses.clone(),
            centre: config.centre.clone(),
            secure: !config.plain_http,
        }))
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Onepress desk",
    description = "Console of a centre. Sign in with POST /api/session; every request that changes something needs the header `X-Onepress: 1`. Changes arrive as server-sent events on GET /api/events."
))]
struct Described;

/// The routes and their description (OpenAPI 3.1), which cannot disagree.
fn api() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(session::setup, session::make_first))
        .routes(routes!(session::sign_in, session::me, session::sign_out))
        .routes(routes!(events::state))
        .routes(routes!(events::events))
        .routes(routes!(incidents::acknowledge))
        .routes(routes!(incidents::answer))
        .routes(routes!(incidents::offer))
        .routes(routes!(incidents::accept))
        .routes(routes!(incidents::withdraw))
        .routes(routes!(incidents::progress))
        .routes(routes!(incidents::close))
        .routes(routes!(incidents::history))
        .routes(routes!(incidents::closed))
        .routes(routes!(register::add_site))
        .routes(routes!(register::change_site))
        .routes(routes!(register::open_window, register::close_window))
        .routes(routes!(register::add_box))
        .routes(routes!(register::ticket))
        .routes(routes!(register::revoke))
        .routes(routes!(fleet::self_test))
        .routes(routes!(fleet::commission))
        .routes(routes!(register::accounts, register::add_account))
        .routes(routes!(register::change_password))
        .routes(routes!(register::remove_account))
        .routes(routes!(media::room_pass))
        .routes(routes!(media::wall_pass))
        .routes(routes!(media::watch, media::unwatch))
        .routes(routes!(media::watch_pass))
        .routes(routes!(media::hold))
        .routes(routes!(snapshots::take).layer(DefaultBodyLimit::max(snapshots::LARGEST)))
        .routes(routes!(snapshots::show))
        .routes(routes!(announcements::add).layer(DefaultBodyLimit::max(sound::LARGEST)))
        .routes(routes!(announcements::play, announcements::rename, announcements::remove))
        .routes(routes!(announcements::begin, announcements::end))
        .routes(routes!(updates::add))
        .routes(routes!(updates::remove))
        .routes(routes!(updates::begin, updates::end))
        .routes(routes!(updates::pause))
        .routes(routes!(updates::resume))
        .split_for_parts()
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let (routes, description) = api();
    routes
        .route("/api/openapi.json", axum::routing::get(async move || Json(description)))
        .route("/healthz", axum::routing::get(health))
        .route("/onepress-ca.pem", axum::routing::get(root))
        .fallback(assets::serve)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Serves consoles until the socket fails.
///
/// # Errors
/// When the socket cannot be used.
pub(crate) async fn serve(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Arc<App>,
) -> anyhow::Result<()> {
    let door = door::Door::open(socket, tls)?;
    let service = router(app).into_make_service_with_connect_info::<door::Remote>();
    axum::serve(door, service).await?;
    anyhow::bail!("the console's socket takes no more connections")
}

async fn health(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    let seq = app.engine.read(alarm::centre::Centre::seq);
    let durable = app.engine.durable_now();
    Json(serde_json::json!({ "seq": seq, "durable": durable, "version": env!("CARGO_PKG_VERSION") }))
}

async fn root(State(app): State<Arc<App>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], app.ca.root_pem())
}

/// Headers for everything: nothing from elsewhere, nothing framed, nothing guessed.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let policy = policy::of(&app, request.headers().get(header::HOST));
    let (request, rest) = rest::Rest::of(request);
    let response = next.run(request).await;
    if let Some(rest) = rest {
        rest.after(response.status()).await;
    }
    let mut response = if api { problem::in_words(response).await } else { response };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-embedder-policy"),
        HeaderValue::from_static("require-corp"),
    );
    if api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// What a change answers: the thing as it now is, and whether the disk has it.
pub(crate) type Changed<T> = Result<(axum::http::StatusCode, Json<T>), problem::Refusal>;

pub(crate) async fn changed<T>(app: &App, seq: u64, view: impl FnOnce() -> T) -> Changed<T> {
    use axum::http::StatusCode;
    let status = match app.engine.durable_soon(seq).await {
        crate::engine::Taken::Durable => StatusCode::OK,
        crate::engine::Taken::NotYet => StatusCode::ACCEPTED,
    };
    Ok((status, Json(view())))
}

/// For requests whose answer says nothing else.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Done {
    /// Always true.
    done: bool,
}

pub(crate) const DONE: fn() -> Done = || Done { done: true };

pub(crate) type Setting = view::Setup;

#[cfg(test)]
mod tests {
    #[test]
    fn every_operation_says_what_it_does_and_what_it_answers() {
        let (_, description) = super::api();
        let described = serde_json::to_value(&description).unwrap();
        let paths = described["paths"].as_object().unwrap();
        assert!(paths.len() > 20, "{}", paths.len());
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["responses"]["200"].is_object(), "{method} {path} has no answer");
            }
        }
    }
}
