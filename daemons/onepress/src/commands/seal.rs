//! `onepress seal`: gives the daemons the key with which their private keys are sealed. Runs at every start, before them.

use super::say;
use crate::sealing::{Kept, LENGTH, SystemdCreds, Unlocked, from_text, to_text};
use anyhow::{Context, ensure};
use clap::Args;
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A TPM that is busy at the start is asked again.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
/// Nothing longer is a recovery key, with whatever blanks somebody types.
const LONGEST: u64 = 1024;

/// Without any: what the service does.
#[derive(Args)]
pub struct Arguments {
    /// Show the recovery key, to be kept on paper in a safe: whoever has it and the disk has all keys
    #[arg(long, conflicts_with_all = ["restore", "new"])]
    show: bool,
    /// Take a recovery key from a file or - for standard input, and bind it to this machine
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    restore: Option<PathBuf>,
    /// Make another key, although what the old one sealed is lost then
    #[arg(long)]
    new: bool,
    /// Where the sealed key is kept
    #[arg(long, default_value = "/var/lib/onepress/seal")]
    state: PathBuf,
    /// Where the service manager looks for it, in memory
    #[arg(long, default_value = "/run/credstore/onepress.key")]
    given: PathBuf,
    /// The TPM, as the kernel shows it
    #[arg(long, default_value = "/sys/class/tpm/tpm0")]
    tpm: PathBuf,
}

/// Unseals the key or makes one, and puts it where the service manager finds it.
///
/// # Errors
/// Why there is none, and what helps. The daemons start all the same.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    unit::log::start(None);
    let (kept, vault) = (Kept::below(arguments.state.clone()), SystemdCreds { tpm: arguments.tpm.clone() });
    if arguments.show {
        let key =
            fs::read(&arguments.given).with_context(|| format!("reading {}", arguments.given.display()))?;
        let key = key.try_into().map_err(|_| anyhow::anyhow!("{} is no key", arguments.given.display()))?;
        say(to_text(&key));
        return Ok(());
    }
    let unlocked = match &arguments.restore {
        Some(file) => kept.put(&vault, &from_text(&text(file)?)?),
        None if arguments.new => kept.put(&vault, &fresh()?),
        None => unlock(&kept, &vault),
    };
    match unlocked {
        Ok(unlocked) => {
            give(&arguments.given, &unlocked.key)
                .with_context(|| format!("writing {}", arguments.given.display()))?;
            tell(&unlocked, arguments);
            Ok(())
        }
        Err(error) => {
            // Nobody is to be handed a key that belongs to nothing.
            let _ = fs::remove_file(&arguments.given);
            Err(error)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a command has no runtime whose worker could be held up")]
fn unlock(kept: &Kept, vault: &SystemdCreds) -> anyhow::Result<Unlocked> {
    let random = fresh()?;
    let mut tried = kept.unlock(vault, || random);
    for _ in 1..TRIES {
        if tried.is_ok() || !kept.is_there() {
            break;
        }
        std::thread::sleep(PAUSE);
        tried = kept.unlock(vault, || random);
    }
    tried
}

fn tell(unlocked: &Unlocked, arguments: &Arguments) {
    if let Some(told) = &unlocked.told {
        tracing::warn!("{told}");
    }
    tracing::info!("private keys are sealed with a key that is bound to {}", unlocked.with);
    if arguments.restore.is_some() || arguments.new {
        say("start the machine again: its daemons take the key when they start");
    }
}

fn fresh() -> anyhow::Result<[u8; LENGTH]> {
    let mut key = [0; LENGTH];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut key))
        .context("reading /dev/urandom")?;
    Ok(key)
}

/// In memory, for root: the service manager copies it for each daemon.
fn give(path: &Path, key: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let draft = path.with_extension("new");
    let _ = fs::remove_file(&draft);
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(&draft)?;
    file.write_all(key)?;
    fs::rename(&draft, path)
}

fn text(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().lock().take(LONGEST).read_to_string(&mut text),
        _ => File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
    };
    read.with_context(|| format!("reading the recovery key from {}", file.display()))?;
    ensure!(!text.trim().is_empty(), "no recovery key was given");
    Ok(text)
}
