//! The UDP port: QUIC handshakes, then a knock by ALPN.

use crate::house::House;
use link::Clock;
use link::identity::Identity;
use link::media::Shown;
use media::session::{self, Knock};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Handshakes at once: every box of a large centre after a restart.
const HANDSHAKES_MAX: usize = 512;
/// A handshake that takes longer is somebody who keeps a place.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Keep-alive of the relay's side: a box that has lost its power is missed after the idle time.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long a session may be silent.
const IDLE: Duration = Duration::from_secs(8);
/// Asked for as the socket's buffers: a key frame of each of 32 cameras. The kernel gives what it allows.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Opens the endpoint on a bound socket.
///
/// # Errors
/// When the certificate or the socket cannot be used.
pub(crate) fn open(
    socket: UdpSocket,
    identity: &Identity,
    clock: &Clock,
    shown: Shown,
) -> anyhow::Result<Endpoint> {
    let tls = link::media::relay(identity, clock, shown, session::relay_alpns())?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    let mut transport = session::transport_config(KEEP_ALIVE, IDLE);
    media::engine::thrifty(&mut transport);
    config.transport_config(Arc::new(transport));
    socket.set_nonblocking(true)?;
    let buffers = socket2::SockRef::from(&socket);
    let asked = buffers.set_recv_buffer_size(SOCKET_BUFFER).and(buffers.set_send_buffer_size(SOCKET_BUFFER));
    if let Err(error) = asked {
        tracing::debug!(%error, "the socket keeps its buffers");
    }
    Ok(Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?)
}

/// Takes connections until the endpoint is closed.
///
/// # Errors
/// When the socket takes no more connections.
pub(crate) async fn serve(endpoint: Endpoint, house: House) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let house = house.clone();
        tokio::spawn(async move {
            let remote = incoming.remote_address();
            let knock = greet(incoming).await;
            drop(place);
            match knock {
                Ok(knock) => house.receive(knock, remote).await,
                Err(why) => tracing::debug!(%remote, why, "no handshake"),
            }
        });
    }
    anyhow::bail!("the UDP socket takes no more connections")
}

async fn greet(incoming: Incoming) -> Result<Knock, String> {
    let connection = match tokio::time::timeout(HANDSHAKE_LIMIT, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("not done in time".into()),
    };
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let alpn = data.and_then(|data| data.protocol).unwrap_or_default();
    Knock::at(connection, &alpn).await.map_err(|error| error.to_string())
}
