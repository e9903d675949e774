//! The smallest relay on the media crate: lets everybody in, with a certificate of its own making.
//!
//! `plain-relay PORT [engine]`: publishers come by PORT, watchers by the port after it; with `engine` the forwarding
//! engine serves them.

mod fanout;

use fanout::{say, server};
use media::engine::{Engine, Fanout, Stock, thrifty};
use media::session::{Grant, Knock, transport_config};
use media::{Origin, Scope};
use quinn::crypto::rustls::HandshakeData;
use std::sync::Arc;
use std::time::Duration;
use web_transport_quinn::quinn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse().ok()).unwrap_or(4700);
    let engine: Arc<dyn Engine> = match arguments.get(1).map(String::as_str) {
        Some("engine") => Arc::new(Fanout::new()),
        Some(other) => anyhow::bail!("{other:?} is neither \"engine\" nor nothing"),
        None => Arc::new(Stock),
    };
    let origin = Origin::new();
    let everything = Grant { see: Scope::everything(), publish: Scope::everything() };
    let watching = Grant { see: Scope::everything(), publish: Scope::nothing() };
    let mut settings = [(); 2].map(|()| transport_config(Duration::from_secs(4), Duration::from_secs(20)));
    if arguments.len() > 1 {
        thrifty(&mut settings[1]);
    }
    let [to_publishers, to_watchers] = settings;
    let publishers = attend(server(port, to_publishers)?, origin.clone(), everything, engine.clone());
    let watchers = attend(server(port + 1, to_watchers)?, origin, watching, engine);
    say("ready");
    tokio::select! {
        () = publishers => {}
        () = watchers => {}
    }
    Ok(())
}

async fn attend(endpoint: quinn::Endpoint, origin: Origin, grant: Grant, engine: Arc<dyn Engine>) {
    while let Some(incoming) = endpoint.accept().await {
        let (origin, grant, engine) = (origin.clone(), grant.clone(), engine.clone());
        tokio::spawn(async move {
            let connection = incoming.await?;
            let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
            let alpn = data.and_then(|data| data.protocol).unwrap_or_default();
            let knock = Knock::at(connection, &alpn).await?;
            let session = knock.admit_with(&engine, &origin, &grant).await?;
            session.closed().await;
            anyhow::Ok(())
        });
    }
}
