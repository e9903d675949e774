//! The daemon from start to stop.

use crate::boxes::Hall;
use crate::bundles::Bundles;
use crate::config::Checked;
use crate::http::{self, App};
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::{Engine, clock, tick};
use anyhow::Context;
use journal::{HeadKey, Secret, Sqlite, Store};
use link::ca::{Ca, Certified};
use link::pass::PassKey;
use link::rack::{self, Listener};
use link::{Clock, Keys, Reason};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// The journal's writer answers between two commits; a disk may take its time.
const WRITER_SILENCE: Duration = Duration::from_secs(30);

/// Runs the desk until it is told to stop.
///
/// # Errors
/// What it could not open, by name, or the task that ended.
pub async fn run(config: Checked) -> anyhow::Result<()> {
    let dir = &config.state_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let key = HeadKey::load_or_make(&dir.join("journal.key"))?;
    let mut store = Sqlite::open(&dir.join("journal.db"), key)?;
    let sessions = Sessions::restore(store.secrets(Secret::Session)?);
    let (engine, progress) = Engine::open(Box::new(store), &config.centre).context("opening the journal")?;
    let ca = Arc::new(Ca::open(dir, &config.centre, clock::wall())?);
    let own = ca.issue_rack(&config.console_names, clock::wall())?;
    let setup = Setup::new(engine.read(|centre| centre.accounts().next().is_none()), dir);

    let mut listener = Listener::open(link_socket(&config)?, link_config(&own, dir)?)?;
    let console = console_socket(&config)?;
    report(&config, &listener, &console);
    let passes = Arc::new(PassKey::open(dir)?);
    let bundles = Arc::new(Bundles::open(dir, &config.update_keys)?);
    bundles.forget_all_but(
        &engine.read(|centre| centre.bundles().map(|known| known.sha256.clone()).collect::<Vec<_>>()),
    )?;
    let hall = Hall { engine: Arc::clone(&engine), ca, passes, bundles };
    let app = App::new(&hall, sessions, setup, &config)?;
    let tls = if config.plain_http { None } else { Some(http::tls::config(&own)?) };

    let watchdog = unit::Watchdog::new();
    let mut tasks = unit::Tasks::new();
    tasks.spawn("journal", Arc::clone(&engine).follow(progress));
    tasks.spawn("clock", tick::run(Arc::clone(&engine), watchdog.expects("clock", tick::SILENCE)));
    let writer = watchdog.expects("journal writer", WRITER_SILENCE);
    tasks.spawn("journal writer", tick::watch_writer(Arc::clone(&engine), writer));
    tasks.spawn("console", http::serve(console, tls, app));
    tasks.spawn("watchdog", watchdog.feed());
    unit::ready();

    let ended = tokio::select! {
        ended = tasks.run_until(unit::stop()) => ended,
        ended = hall.serve(&mut listener) => ended,
    };
    unit::stopping();
    // Whoever waits for an ACK gets it before the link says "back at once".
    engine.durable_soon(engine.read(alarm::centre::Centre::seq)).await;
    listener.shut(Reason::BackAtOnce).await;
    ended
}

fn link_config(own: &Certified, dir: &std::path::Path) -> anyhow::Result<rack::Config> {
    Ok(rack::Config { own: own.clone(), keys: Keys::open(dir)?, clock: Clock::system() })
}

fn link_socket(config: &Checked) -> anyhow::Result<UdpSocket> {
    match unit::sockets::udp("link") {
        Some(socket) => Ok(socket),
        None => UdpSocket::bind(config.link_listen)
            .with_context(|| format!("listening for boxes on UDP {} (link.listen)", config.link_listen)),
    }
}

fn console_socket(config: &Checked) -> anyhow::Result<TcpListener> {
    match unit::sockets::tcp("console") {
        Some(socket) => Ok(socket),
        None => TcpListener::bind(config.console_listen).with_context(|| {
            format!("listening for consoles on TCP {} (console.listen)", config.console_listen)
        }),
    }
}

fn report(config: &Checked, listener: &Listener, console: &TcpListener) {
    let link = listener.local_addr().map_or_else(|_| "?".into(), |address| address.to_string());
    let at = console.local_addr().map_or_else(|_| "?".into(), |address| address.to_string());
    let scheme = if config.plain_http { "http" } else { "https" };
    tracing::info!(%link, console = %format!("{scheme}://{at}/"), "the desk is open");
}
