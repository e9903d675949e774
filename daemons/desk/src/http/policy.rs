//! What the console's page may talk to: the desk, and the relays.

use super::App;
use axum::http::HeaderValue;
use std::collections::BTreeSet;

/// Workers and worklets of the players come from the page's own bundle, as blobs.
const REST: &str = "script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The content security policy for a page that is asked for at `host`.
pub(super) fn of(app: &App, host: Option<&HeaderValue>) -> HeaderValue {
    let own = host.and_then(|host| host.to_str().ok()).map(without_port);
    let relays = app.engine.with(|_, live| {
        live.relays()
            .map(|(_, report)| report.host.clone())
            .filter(|host| !host.is_empty())
            .collect::<Vec<_>>()
    });
    let hosts = own.map(str::to_owned).into_iter().chain(relays);
    let text = policy(&hosts.filter(|host| is_plain(host)).collect(), app.secure);
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

/// A relay's port is its own affair: any port of its host.
fn policy(hosts: &BTreeSet<String>, secure: bool) -> String {
    let schemes: &[&str] = if secure { &["https", "wss"] } else { &["https", "wss", "http", "ws"] };
    let at = |schemes: &[&str]| {
        let each =
            hosts.iter().flat_map(|host| schemes.iter().map(move |scheme| format!(" {scheme}://{host}:*")));
        each.collect::<String>()
    };
    let (talk, media) = (at(schemes), at(if secure { &["https"] } else { &["https", "http"] }));
    format!("default-src 'self'; connect-src 'self'{talk}; media-src 'self' blob:{media}; {REST}")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// A host name or an IPv4 address; a policy has no way to write an IPv6 address.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_talks_to_its_own_host_and_the_relays_and_nobody_else() {
        let hosts = BTreeSet::from(["rack.police".to_owned()]);
        let text = policy(&hosts, true);
        assert!(text.contains("connect-src 'self' https://rack.police:* wss://rack.police:*;"), "{text}");
        assert!(text.contains("media-src 'self' blob: https://rack.police:*;"), "{text}");
        assert!(policy(&hosts, false).contains("http://rack.police:* ws://rack.police:*"));
    }

    #[test]
    fn a_made_up_host_adds_nothing() {
        for no in ["", "a; script-src *", "[::1]", "a b", "*"] {
            assert!(!is_plain(no), "{no}");
        }
        assert_eq!(without_port("rack:8443"), "rack");
        assert_eq!(without_port("rack"), "rack");
        assert_eq!(without_port("[::1]:443"), "[::1]");
    }
}
