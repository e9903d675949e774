//! `onepress enrol`: from a ticket to a certificate.

use super::say;
use alarm::ticket::{LONGEST, Ticket};
use anyhow::Context;
use clap::Args;
use link::client::{Bind, enrol};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The ticket and where its fruit is kept.
#[derive(Args)]
pub struct Arguments {
    /// The ticket: the line itself, a file that holds it, or - for standard input
    ticket: String,
    /// Where key and certificate are kept: the daemon's state directory
    #[arg(long, default_value = "/var/lib/onepress/button")]
    state: PathBuf,
    /// Network interface to use
    #[arg(long)]
    interface: Option<String>,
}

/// Enrols and stores the identity.
///
/// # Errors
/// What is wrong with the ticket, or what the rack refused, with the remedy.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let ticket = Ticket::from_text(&text(&arguments.ticket)?)?;
    std::fs::create_dir_all(&arguments.state)
        .with_context(|| format!("making {}", arguments.state.display()))?;
    let bind = Bind { interface: arguments.interface.clone(), source: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identity = runtime.block_on(enrol(&ticket, &bind, &arguments.state))?;
    give_to_owner(&arguments.state)
        .with_context(|| format!("giving {} to the daemon", arguments.state.display()))?;
    say(format!("enrolled as {}; key and certificate are in {}", identity.name(), arguments.state.display()));
    Ok(())
}

/// A technician is root; the daemon that owns the directory is not, and must be able to read what was made there.
fn give_to_owner(dir: &Path) -> std::io::Result<()> {
    let owner = std::fs::metadata(dir)?;
    for entry in std::fs::read_dir(dir)? {
        std::os::unix::fs::chown(entry?.path(), Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

fn text(given: &str) -> anyhow::Result<String> {
    if given == "-" {
        return read(std::io::stdin().lock()).context("reading the ticket from standard input");
    }
    if given.starts_with("OP1.") {
        return Ok(given.to_owned());
    }
    let file =
        std::fs::File::open(Path::new(given)).with_context(|| format!("opening the ticket {given}"))?;
    read(file).with_context(|| format!("reading the ticket {given}"))
}

fn read(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    // White space around it does not matter; anything much longer is not a ticket.
    from.take(2 * LONGEST as u64).read_to_string(&mut text)?;
    Ok(text)
}
