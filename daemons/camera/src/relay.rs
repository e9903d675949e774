//! The connection to the relay: MoQ on QUIC with the box's own certificate. It comes and goes; what is published does
//! not.

use crate::config::Config;
use alarm::BoxId;
use alarm::media::{WISH_TRACK, Wish, box_prefix, talk_prefix, wish_broadcast};
use anyhow::Context;
use link::Name;
use link::identity::Identity;
use media::session::{Grant, alpns, transport_config};
use media::{Origin, Scope, Session, note};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use unit::Progress;

/// Signs of life, and how long their absence may last: what follows must be quicker than a seat's patience.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(8);
/// How long one address is given.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a host name may take.
const RESOLVE_LIMIT: Duration = Duration::from_secs(3);
/// First wait after a session; it doubles to [`RETRY_LONGEST`].
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait: a relay that is back has the pictures two seconds later.
const RETRY_LONGEST: Duration = Duration::from_secs(2);
/// A session of this length begins the waits anew.
const SETTLED: Duration = Duration::from_secs(5);
/// How often a box that is not enrolled looks again.
const ENROLLED_EVERY: Duration = Duration::from_secs(1);
/// UDP port of relays (IANA has none for MoQ; it is what the project's relay listens on).
pub(crate) const PORT: u16 = 4443;
/// What certificates of relays are asked for: any name will do, they are known by their URI.
const SERVER_NAME: &str = "relay";

/// What the relay says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// What it wants.
    Wish(Wish),
    /// It has gone.
    Lost,
}

/// The box's end.
pub(crate) struct Link {
    pub(crate) config: Arc<Config>,
    pub(crate) origin: Origin,
    pub(crate) name: watch::Sender<Option<BoxId>>,
    pub(crate) connected: watch::Sender<bool>,
    pub(crate) words: mpsc::Sender<Word>,
    pub(crate) progress: Progress,
}

impl Link {
    /// Connects for ever.
    ///
    /// # Errors
    /// When the origin refuses a name that it should not.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (mut wait, mut said) = (RETRY_FIRST, String::new());
        loop {
            self.progress.beat();
            let Some((identity, name)) = self.identity(&mut said) else {
                sleep(ENROLLED_EVERY).await;
                continue;
            };
            self.name.send_if_modified(|known| known.replace(name.clone()) != Some(name.clone()));
            let began = Instant::now();
            let why = match self.session(&identity, &name).await {
                Ok(why) => why,
                Err(error) => format!("{error:#}"),
            };
            if began.elapsed() >= SETTLED {
                wait = RETRY_FIRST;
            }
            if said != why {
                tracing::warn!(%why, "no relay");
                said = why;
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY_LONGEST);
        }
    }

    /// Read anew every time: the button daemon renews it.
    fn identity(&self, said: &mut String) -> Option<(Identity, BoxId)> {
        let why = match Identity::load(&self.config.identity) {
            Ok(Some(identity)) => match identity.name().clone() {
                Name::Box { name, .. } => return Some((identity, name)),
                Name::Wall { .. } | Name::Rack => format!("{} is no box", identity.name()),
            },
            Ok(None) => "the box is not enrolled yet".to_owned(),
            Err(error) => error.to_string(),
        };
        if *said != why {
            tracing::warn!(identity = %self.config.identity.display(), %why, "no connection to the relay yet");
            *said = why;
        }
        None
    }

    /// One session; why it ended.
    async fn session(&self, identity: &Identity, name: &BoxId) -> anyhow::Result<String> {
        let tls = link::media::to_relay(identity, &link::Clock::system(), alpns())?;
        let mut quic = quinn::ClientConfig::new(Arc::new(tls));
        quic.transport_config(Arc::new(transport_config(KEEP_ALIVE, IDLE)));
        let (_endpoint, connection) = connect(&quic, &self.addresses(identity)).await?;
        let at = connection.remote_address();
        let grant = Grant {
            see: Scope::below([box_prefix(name)])?,
            publish: Scope::below([talk_prefix(name), wish_broadcast(name)])?,
        };
        let session = Session::connect(connection, &self.origin, &grant).await?;
        tracing::info!(%at, "relay reached");
        self.connected.send_replace(true);
        let why = loop {
            tokio::select! {
                why = session.closed() => break why.to_string(),
                () = sleep(KEEP_ALIVE) => self.progress.beat(),
            }
        };
        self.connected.send_replace(false);
        // The daemon ends when nobody hears it.
        let _ = self.words.send(Word::Lost).await;
        Ok(why)
    }

    /// The relay stands beside the rack unless the file says otherwise.
    fn addresses(&self, identity: &Identity) -> Vec<String> {
        if let Some(relay) = &self.config.relay {
            return vec![relay.clone()];
        }
        let host = |rack: &String| rack.rsplit_once(':').map(|(host, _)| format!("{host}:{PORT}"));
        identity.racks().iter().filter_map(host).collect()
    }
}

/// The first address that answers.
async fn connect(
    quic: &quinn::ClientConfig,
    names: &[String],
) -> anyhow::Result<(quinn::Endpoint, quinn::Connection)> {
    let mut last = anyhow::anyhow!("the identity names no rack");
    for name in names {
        let found = match timeout(RESOLVE_LIMIT, tokio::net::lookup_host(name)).await {
            Ok(Ok(found)) => found.collect::<Vec<_>>(),
            Ok(Err(error)) => {
                last = anyhow::Error::new(error).context(format!("looking for {name}"));
                continue;
            }
            Err(_) => {
                last = anyhow::anyhow!("looking for {name}: no answer");
                continue;
            }
        };
        for address in found {
            match one(quic, address).await {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error.context(format!("connecting to {address}")),
            }
        }
    }
    Err(last)
}

async fn one(
    quic: &quinn::ClientConfig,
    address: SocketAddr,
) -> anyhow::Result<(quinn::Endpoint, quinn::Connection)> {
    let any = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = quinn::Endpoint::client(any).context("opening a UDP socket")?;
    let connecting = endpoint.connect_with(quic.clone(), address, SERVER_NAME)?;
    let connection = timeout(CONNECT_LIMIT, connecting).await.context("no answer")??;
    Ok((endpoint, connection))
}

/// Passes on what the relay wants, for ever.
///
/// # Errors
/// None; the type is that of every task.
pub(crate) async fn wishes(
    origin: Origin,
    mut name: watch::Receiver<Option<BoxId>>,
    words: mpsc::Sender<Word>,
) -> anyhow::Result<()> {
    let Some(name) = name.wait_for(Option::is_some).await?.clone() else { return Ok(()) };
    let broadcast = wish_broadcast(&name);
    loop {
        if let Err(error) = one_wish_after_the_other(&origin, &broadcast, &words).await {
            tracing::debug!(%error, "the wishes have ended");
        }
        sleep(RETRY_FIRST).await;
    }
}

async fn one_wish_after_the_other(
    origin: &Origin,
    broadcast: &str,
    words: &mpsc::Sender<Word>,
) -> anyhow::Result<()> {
    let mut reader = note::Reader::begin(origin, broadcast, WISH_TRACK).await?;
    while let Some(text) = reader.next().await? {
        match serde_json::from_slice(&text) {
            Ok(wish) => words.send(Word::Wish(wish)).await?,
            Err(error) => {
                tracing::warn!(%error, "the relay's wish cannot be read: is it newer than this box?")
            }
        }
    }
    Ok(())
}
