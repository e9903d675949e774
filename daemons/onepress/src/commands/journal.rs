//! `onepress journal`: whether a journal is what was written.

use super::say;
use anyhow::Context;
use clap::{Args, Subcommand};
use journal::PublicKey;
use std::path::PathBuf;

/// What to do with a journal.
#[derive(Subcommand)]
pub enum Command {
    /// Check the hash chain and the signed head; name the first place that does not hold
    Verify(Verify),
}

/// Which journal.
#[derive(Args)]
pub struct Verify {
    /// The journal
    #[arg(default_value = "/var/lib/onepress/desk/journal.db")]
    journal: PathBuf,
    /// The rack's public key; by default journal.pub beside the journal. For evidence, use a copy kept elsewhere
    #[arg(long)]
    key: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// The first place that does not hold.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Verify(Verify { journal, key }) = command;
    let name = journal.display();
    anyhow::ensure!(journal.exists(), "there is no journal {name}");
    let key = key.clone().unwrap_or_else(|| journal.with_file_name("journal.pub"));
    let key = PublicKey::load(&key)?;
    let head = ::journal::verify(journal, &key).with_context(|| format!("{name} is not what was written"))?;
    say(format!("{name} is whole: {} lines, head {}", head.seq, head.hash));
    Ok(())
}
