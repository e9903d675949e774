//! A media relay with its recorder, enrolled at a rack.

use super::{Daemon, Programs, READY_LIMIT, free_both, wait_for, write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A running relay.
pub struct Relay {
    programs: Programs,
    dir: PathBuf,
    daemon: Daemon,
    port: u16,
}

impl Relay {
    /// Starts a relay with its state in `dir`, on loopback, which enrols with `ticket`.
    ///
    /// # Errors
    /// When it does not come up; its log says why.
    pub fn start(programs: &Programs, dir: &Path, ticket: &str) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, free_both()?));
        Self::start_at(programs, dir, ticket, any, "")
    }

    /// As [`Relay::start`], listening at this address; `more` is added to its configuration.
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub fn start_at(
        programs: &Programs,
        dir: &Path,
        ticket: &str,
        listen: SocketAddr,
        more: &str,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        write(&dir.join("ticket"), ticket)?;
        let config = format!(
            "state-dir = {dir:?}\nticket = {:?}\nlisten = \"{listen}\"\nplain-http = true\n\
             warn-gb = 1\nreserve-gb = 1\n{more}\
             [[path]]\nid = \"wired\"\nkind = \"wired\"\n",
            dir.join("ticket")
        );
        write(&dir.join("relay.toml"), &config)?;
        let daemon = Self::launch(programs, dir)?;
        let relay = Self { programs: programs.clone(), dir: dir.to_owned(), daemon, port: listen.port() };
        let url = relay.url();
        let open =
            wait_for("the relay opens", READY_LIMIT, || crate::api::Desk::at(&url).get("/healthz").ok());
        open.map_err(|error| error.context(relay.daemon.log()))?;
        Ok(relay)
    }

    fn launch(programs: &Programs, dir: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(programs, "onepress-relay", &dir.join("relay.toml"), dir)
    }

    /// Where recordings are served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of QUIC and WebTransport, and of WebSocket and recordings.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its state lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Starts it again after it was killed or stopped. Does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.daemon = Self::launch(&self.programs, &self.dir)?;
        Ok(())
    }
}
