//! Other relays of the centre, so that it can grow past one machine.

use crate::admit::shared;
use crate::config::{Direction, Peer};
use anyhow::Context;
use link::Clock;
use link::client::{Connector, say};
use link::identity::Identity;
use media::session::{self, Grant};
use media::{Origin, Scope, Session};
use quinn::{ClientConfig, Endpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a handshake may take within a centre.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Pause before the next try.
const AGAIN: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(8);

/// Keeps a session with one other relay.
///
/// # Errors
/// Never; the type is that of every task.
pub(crate) async fn keep(
    peer: Peer,
    endpoint: Endpoint,
    connector: Connector,
    clock: Clock,
    origin: Origin,
) -> anyhow::Result<()> {
    let mut said = String::new();
    loop {
        let why = match once(&peer, &endpoint, &connector.identity(), &clock, &origin).await {
            Ok(session) => {
                tracing::info!(peer = peer.address, direction = ?peer.direction, "another relay is connected");
                said.clear();
                session.closed().await.to_string()
            }
            Err(error) => format!("{error:#}"),
        };
        say(&mut said, &format!("relay {}: {why}", peer.address));
        sleep(AGAIN).await;
    }
}

async fn once(
    peer: &Peer,
    endpoint: &Endpoint,
    identity: &Identity,
    clock: &Clock,
    origin: &Origin,
) -> anyhow::Result<Session> {
    let tls = link::media::to_relay(identity, clock, session::alpns())?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(session::transport_config(KEEP_ALIVE, IDLE)));
    let mut addresses = tokio::net::lookup_host(&peer.address).await.context("no address")?;
    let address = addresses.next().context("no address")?;
    let handshake = endpoint.connect_with(config, mapped(endpoint, address), "relay")?;
    let connection = timeout(CONNECT_LIMIT, handshake).await.context("it does not answer")??;
    let (pull, push) = match peer.direction {
        Direction::Pull => (true, false),
        Direction::Push => (false, true),
        Direction::Both => (true, true),
    };
    let scope = |wanted: bool| if wanted { Scope::below(shared()) } else { Ok(Scope::nothing()) };
    Ok(Session::connect(connection, origin, &Grant { see: scope(push)?, publish: scope(pull)? }).await?)
}

/// A dual-stack socket reaches IPv4 as ::ffff:a.b.c.d.
fn mapped(endpoint: &Endpoint, address: std::net::SocketAddr) -> std::net::SocketAddr {
    match (endpoint.local_addr(), address) {
        (Ok(std::net::SocketAddr::V6(_)), std::net::SocketAddr::V4(v4)) => {
            std::net::SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
        }
        _ => address,
    }
}
