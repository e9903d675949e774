//! The WebSocket upgrade (RFC 6455 section 4.2), at any path that is nothing else.

use super::App;
use super::door::Remote;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use media::session::{Knock, SETUP_LIMIT, choose_protocol};
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers an upgrade; what comes in then is judged like every other session.
pub(super) async fn upgrade(
    State(app): State<Arc<App>>,
    ConnectInfo(remote): ConnectInfo<Remote>,
    mut request: Request,
) -> Response {
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else { return nothing() };
    let headers = request.headers();
    let (Some(key), true) = (text(headers, header::SEC_WEBSOCKET_KEY), is_websocket(headers)) else {
        return nothing();
    };
    let Some(protocol) = choose_protocol(&offered(headers)) else {
        return (StatusCode::BAD_REQUEST, "none of the protocols is spoken here\n").into_response();
    };
    let accept = media::socket::accept_key(key);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (house, chosen) = (app.house.clone(), protocol.clone());
    tokio::spawn(async move {
        // A browser that goes away under the answer is no news.
        if let Ok(Ok(io)) = tokio::time::timeout(SETUP_LIMIT, upgrade).await {
            let knock = Knock::socket(TokioIo::new(io), &chosen, query).await;
            house.receive(knock, SocketAddr::new(remote.0, 0)).await;
        }
    });
    let headers = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
        (header::SEC_WEBSOCKET_PROTOCOL, protocol),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here; media comes over WebTransport or WebSocket\n")
        .into_response()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_websocket(headers: &HeaderMap) -> bool {
    text(headers, header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && text(headers, header::SEC_WEBSOCKET_VERSION) == Some("13")
}

fn offered(headers: &HeaderMap) -> String {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    all.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}
