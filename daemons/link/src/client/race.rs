//! Several names and addresses of a rack: the first that completes its handshake wins (after RFC 8305, for QUIC).
//! A name that the resolver is slow to find holds nobody up.

use crate::Closed;
use crate::tls::SERVER_NAME;
use quinn::{ClientConfig, Connection, Endpoint};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long one address is given: a handshake on a slow cellular link with two losses.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Head start of each name or address over the next (RFC 8305 section 5).
pub const STAGGER: Duration = Duration::from_millis(250);
/// How long a host name may take.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(3);
/// Addresses of one name that are tried at most: two of each family.
const ADDRESSES_MAX: usize = 4;

/// A name or address, and why it did not work.
pub(super) type Failure = (String, Closed);
type Outcome = Result<Connection, Vec<Failure>>;

/// Connects to the first of the names (`host:port`) that answers.
pub(super) async fn first(endpoint: &Endpoint, config: &ClientConfig, names: &[String]) -> Outcome {
    let tries = names.iter().map(|name| by_name(endpoint.clone(), config.clone(), name.clone()));
    race(tries).await
}

async fn by_name(endpoint: Endpoint, config: ClientConfig, name: String) -> Outcome {
    let mut addresses = resolve(&name).await;
    addresses.retain(|address| speaks(&endpoint, address));
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        return Err(vec![(name, Closed::Transport("no address that this path can reach".into()))]);
    }
    race(addresses.into_iter().map(|address| by_address(endpoint.clone(), config.clone(), address))).await
}

async fn by_address(endpoint: Endpoint, config: ClientConfig, address: SocketAddr) -> Outcome {
    handshake(&endpoint, config, address).await.map_err(|why| vec![(address.to_string(), why)])
}

async fn handshake(
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

/// Starts one try after the other, without waiting for those that went before; the losers are dropped.
async fn race<F>(tries: impl Iterator<Item = F>) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (place, one) in (0..).zip(tries) {
        running.spawn(async move {
            sleep(STAGGER * place).await;
            one.await
        });
    }
    let mut failures = Vec::new();
    while let Some(Ok(tried)) = running.join_next().await {
        match tried {
            Ok(connection) => return Ok(connection),
            Err(why) => failures.extend(why),
        }
    }
    Err(failures)
}

async fn resolve(name: &str) -> Vec<SocketAddr> {
    if let Ok(address) = name.parse() {
        return vec![address];
    }
    match timeout(RESOLVE_LIMIT, tokio::net::lookup_host(name)).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            tracing::debug!(name, %error, "no address");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// Whether the socket's family fits: an unspecified IPv6 address speaks both.
fn speaks(endpoint: &Endpoint, address: &SocketAddr) -> bool {
    match endpoint.local_addr() {
        Ok(local) if local.is_ipv4() => address.is_ipv4(),
        Ok(local) if !local.ip().is_unspecified() => address.is_ipv6(),
        Ok(_) | Err(_) => true,
    }
}
