//! Several addresses of a rack: the first that completes its handshake wins (after RFC 8305, for QUIC).

use crate::Closed;
use crate::tls::SERVER_NAME;
use quinn::{ClientConfig, Connection, Endpoint};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long one address is given: a handshake on a slow cellular link with two losses.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Head start of each address over the next (RFC 8305 section 5).
pub const STAGGER: Duration = Duration::from_millis(250);
/// How long a host name may take. Addresses need no resolver and do not wait for it.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(3);
/// Addresses that are tried at most: four names of a ticket, both families.
const ADDRESSES_MAX: usize = 8;

/// An address and why it did not work.
pub(super) type Failure = (SocketAddr, Closed);

/// Looks up each `host:port`; one that cannot be found is left out.
pub(super) async fn resolve(names: &[String]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for name in names {
        match name.parse() {
            Ok(address) => found.push(address),
            Err(_) => found.extend(look_up(name).await),
        }
    }
    found.truncate(ADDRESSES_MAX);
    found
}

async fn look_up(name: &str) -> Vec<SocketAddr> {
    match timeout(RESOLVE_LIMIT, tokio::net::lookup_host(name)).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            tracing::debug!(name, %error, "no address");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// Connects to the first of the addresses that answers.
pub(super) async fn first(
    endpoint: &Endpoint,
    config: &ClientConfig,
    addresses: Vec<SocketAddr>,
) -> Result<Connection, Vec<Failure>> {
    let mut tries = JoinSet::new();
    for (place, address) in (0..).zip(addresses) {
        let (endpoint, config) = (endpoint.clone(), config.clone());
        tries.spawn(async move {
            sleep(STAGGER * place).await;
            one(&endpoint, config, address).await.map_err(|why| (address, why))
        });
    }
    let mut failures = Vec::new();
    while let Some(Ok(tried)) = tries.join_next().await {
        match tried {
            Ok(connection) => return Ok(connection),
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures)
}

/// Connects to one address.
pub(super) async fn one(
    endpoint: &Endpoint,
    config: ClientConfig,
    address: SocketAddr,
) -> Result<Connection, Closed> {
    let handshake = endpoint
        .connect_with(config, address, SERVER_NAME)
        .map_err(|error| Closed::Transport(error.to_string()))?;
    let connection = timeout(CONNECT_LIMIT, handshake).await;
    Ok(connection.map_err(|_| Closed::TimedOut)??)
}
