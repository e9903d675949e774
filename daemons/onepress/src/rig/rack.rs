//! A rack: the desk, with the first account made and signed in.

use super::{Daemon, Programs, READY_LIMIT, free_tcp, free_udp, wait_for, write};
use crate::api::Desk;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// The rig's account.
pub const USER: &str = "wang";
/// Its password: the desk is on loopback and lasts as long as the rig.
pub const PASSWORD: &str = "onepress-demo";
/// The rig's own workplace.
pub const SEAT: &str = "rig";

/// A running rack.
pub struct Rack {
    programs: Programs,
    dir: PathBuf,
    daemon: Daemon,
    console: u16,
    link: u16,
}

impl Rack {
    /// Starts a desk with its state in `dir`, on loopback: consoles on `console` if that port is free.
    ///
    /// # Errors
    /// When it does not come up; its log says why.
    pub fn start(programs: &Programs, dir: &Path, console: u16) -> anyhow::Result<Self> {
        Self::start_at(programs, dir, console, &["127.0.0.1"])
    }

    /// As [`Rack::start`]; boxes reach it at these hosts.
    ///
    /// # Errors
    /// As [`Rack::start`].
    pub fn start_at(programs: &Programs, dir: &Path, console: u16, hosts: &[&str]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (console, link) = (free_tcp(console)?, free_udp()?);
        let addresses: Vec<_> = hosts.iter().map(|host| format!("{host}:{link}")).collect();
        // Nobody signs what tests roll out.
        let keys = dir.join("image-keys.gpg");
        let config = format!(
            "centre = \"示范指挥中心\"\nstate-dir = {dir:?}\nupdate-keys = {keys:?}\n[link]\nlisten = \"0.0.0.0:{link}\"\n\
             addresses = {addresses:?}\n[console]\nlisten = \"127.0.0.1:{console}\"\nplain-http = true\n"
        );
        write(&dir.join("desk.toml"), &config)?;
        let daemon = Self::launch(programs, dir)?;
        let mut rack = Self { programs: programs.clone(), dir: dir.to_owned(), daemon, console, link };
        rack.wait_open()?;
        Ok(rack)
    }

    fn launch(programs: &Programs, dir: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(programs, "onepress-desk", &dir.join("desk.toml"), dir)
    }

    fn wait_open(&mut self) -> anyhow::Result<()> {
        let desk = Desk::at(&self.url());
        let daemon = &mut self.daemon;
        let open = wait_for("the desk opens", READY_LIMIT, || {
            if !daemon.is_running() {
                return Some(Err(anyhow::anyhow!("the desk has ended")));
            }
            desk.get("/healthz").ok().map(|_| Ok(()))
        });
        open.and_then(|open| open).with_context(|| self.daemon.log())
    }

    /// Makes the first account with the one-time code, and signs in.
    ///
    /// # Errors
    /// What the desk refused.
    pub fn set_up(&self) -> anyhow::Result<Desk> {
        Desk::at(&self.url()).set_up(&self.code()?, USER, "王警官", PASSWORD)?;
        self.sign_in(SEAT)
    }

    /// Signs the rig's user in at a workplace.
    ///
    /// # Errors
    /// What the desk refused.
    pub fn sign_in(&self, seat: &str) -> anyhow::Result<Desk> {
        let mut desk = Desk::at(&self.url());
        desk.sign_in(USER, PASSWORD, seat)?;
        Ok(desk)
    }

    /// The one-time code for the first account.
    ///
    /// # Errors
    /// When there is none: the first account exists.
    pub fn code(&self) -> anyhow::Result<String> {
        let code =
            std::fs::read_to_string(self.dir.join("setup-code")).context("reading the one-time code")?;
        Ok(code.trim().to_owned())
    }

    /// Where consoles connect.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.console)
    }

    /// The port where boxes connect.
    pub fn link_port(&self) -> u16 {
        self.link
    }

    /// Where its state lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its journal.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.db")
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

    /// As [`Rack::start_again`], and waits until it is open.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.start_again()?;
        self.wait_open()
    }
}
