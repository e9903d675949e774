//! `onepress update`: looks at an update bundle, puts it into the other slot, and says what became of it.
//!
//! Exit codes: 0 done; 1 this machine is to blame (a disk, a missing program); 2 wrong command line; 3 the bundle is not
//! signed, damaged or no update; 4 it is not for this appliance; 5 it is not newer, or was tried and failed; 6 there is no
//! space; 7 another update is going on, or what runs is still on trial; 8 the slot could not be written; 9 it is in the slot,
//! and the restart waits.

use super::say;
use crate::flash::readable;
use crate::signed::KEYS;
use crate::update::apply::{apply, is_staged, settle, show};
use crate::update::decide::Leg;
use crate::update::place::Place;
use crate::update::record::Settled;
use crate::update::trial::on_trial;
use crate::update::tryboot::Commit;
use crate::update::{Failure, restart};
use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What a whole bundle in the incoming folder is called; whoever writes one renames it to that at the end.
const BUNDLE: &str = "bundle";

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Check a bundle, and say what it holds and whether it would be put on here
    Show(Bundle),
    /// Put a bundle into the other slot; what runs goes on running
    Apply(Apply),
    /// Put on what was left in /var/lib/onepress/update/incoming, and empty that folder
    Incoming(Incoming),
    /// Say what runs, what waits, what failed
    Status(Status),
    /// What a healthy boot does: this version is the one to come back to
    Settle(Here),
    /// What an unhealthy boot does: back to the version before, if this one is on trial
    Abandon(Here),
}

/// A bundle.
#[derive(Args)]
pub struct Bundle {
    /// The bundle, onepress-<profile>_<version>.bundle
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// JSON for other programs
    #[arg(long)]
    json: bool,
}

/// A bundle, and what then.
#[derive(Args)]
pub struct Apply {
    /// The bundle, onepress-<profile>_<version>.bundle
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Restart into it, once no alarm waits and no incident is open
    #[arg(long)]
    reboot: bool,
}

/// What then.
#[derive(Args)]
pub struct Incoming {
    #[command(flatten)]
    trust: Trust,
    /// Restart into it, once no alarm waits and no incident is open
    #[arg(long)]
    reboot: bool,
}

/// How to say it.
#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    here: Here,
    /// JSON for other programs
    #[arg(long)]
    json: bool,
}

/// Whose signature counts.
#[derive(Args)]
pub struct Trust {
    /// Keys that sign updates
    #[arg(long, default_value = KEYS)]
    keys: PathBuf,
    #[command(flatten)]
    here: Here,
}

/// Which appliance.
#[derive(Args)]
pub struct Here {
    /// An appliance below a folder, for tests
    #[arg(long, default_value = "/", hide = true)]
    root: PathBuf,
}

impl Here {
    fn place(&self) -> Place {
        Place::below(&self.root)
    }
}

/// Does it.
///
/// # Errors
/// [`Failure`] where the bundle or the slot is to blame.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show(arguments) => tell(arguments),
        Command::Apply(Apply { file, trust, reboot }) => put_on(file, trust, *reboot),
        Command::Incoming(arguments) => incoming(arguments),
        Command::Status(arguments) => status(arguments),
        Command::Settle(here) => settled(&here.place()),
        Command::Abandon(here) => abandon(&here.place()),
    }
}

/// The exit code of an error of this command; `None` for all else.
pub fn code(error: &anyhow::Error) -> Option<u8> {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map(Failure::code)
}

fn tell(arguments: &Bundle) -> anyhow::Result<()> {
    let shown = show(&arguments.trust.here.place(), &arguments.file, &arguments.trust.keys)?;
    let length = fs::metadata(&arguments.file)?.len();
    let contents = &shown.contents;
    if arguments.json {
        let files = contents
            .files
            .iter()
            .map(|file| json!({ "name": file.name, "part": file.part.to_string(), "sha256": file.sum }));
        say(serde_json::to_string_pretty(&json!({
            "image": contents.release.profile.id(), "version": contents.release.version, "size": length,
            "files": files.collect::<Vec<_>>(), "against": shown.against.as_ref().map(ToString::to_string),
        }))?);
    } else {
        say(format!("{}, {}, signed and whole", contents.release, readable(length)));
        contents.files.iter().for_each(|file| say(format!("  {:<7} {}", file.part.to_string(), file.name)));
    }
    match shown.against {
        None => say("it would be put on here"),
        Some(why) => return Err(why.into()),
    }
    Ok(())
}

fn put_on(file: &Path, trust: &Trust, reboot: bool) -> anyhow::Result<()> {
    let place = trust.here.place();
    let release = apply(&place, file, &trust.keys)?;
    say(format!("{release} is in the other slot"));
    if reboot {
        return restart_into_it(&place);
    }
    if place.leg() == Leg::Tryboot {
        say("run it with: reboot \"0 tryboot\" (a plain restart stays with what runs)");
    } else {
        say("restart to run it");
    }
    Ok(())
}

/// One bundle at a time, the first by name. Each is gone afterwards, good or not: what it was is in the status.
fn incoming(arguments: &Incoming) -> anyhow::Result<()> {
    let folder = arguments.trust.here.place().incoming();
    let entries = fs::read_dir(&folder).with_context(|| format!("looking into {}", folder.display()))?;
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == BUNDLE));
    found.sort();
    let mut outcome = Ok(());
    for path in found {
        // Others may write into this folder: neither follow what they link to nor wait for what never ends.
        let plain = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
        let done = if plain {
            put_on(&path, &arguments.trust, false)
        } else {
            Err(Failure::Damaged(format!("{} is no plain file", path.display())).into())
        };
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("removing {}", path.display()))?;
        // Offered once more because the restart had to wait: it is asked for again below.
        let done = if done.as_ref().is_err_and(is_staged) { Ok(()) } else { done };
        outcome = outcome.and(done);
    }
    outcome?;
    if arguments.reboot {
        let place = arguments.trust.here.place();
        let waits = place.record()?.0.staged.is_some_and(|staged| staged.whole);
        if waits {
            return restart_into_it(&place);
        }
    }
    Ok(())
}

fn restart_into_it(place: &Place) -> anyhow::Result<()> {
    let minutes = restart::PATIENCE.as_secs() / 60;
    restart::wait_for_quiet(place, |why| {
        say(format!("waiting to restart, {minutes} minutes at most: {why}"))
    })?;
    restart::restart(place.leg(), true)
}

fn status(arguments: &Status) -> anyhow::Result<()> {
    let place = arguments.here.place();
    let running = place.running()?;
    let (record, damaged) = place.record()?;
    let trial = on_trial(&place);
    if arguments.json {
        let mut told = serde_json::to_value(&record)?;
        told["image"] = json!(running.profile.id());
        told["version"] = json!(running.version);
        told["trial"] = json!(trial.as_ref().ok());
        told["damaged"] = json!(damaged);
        say(serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    say(format!("running: {running}{}", if trial.as_ref().is_ok_and(|on| *on) { ", on trial" } else { "" }));
    if let Err(error) = trial {
        say(format!("whether it is on trial is not known: {error:#}"));
    }
    if damaged {
        say("what was remembered of updates is damaged, and counts as nothing");
    }
    if let Some(floor) = &record.floor {
        say(format!("highest that was healthy: {floor}"));
    }
    if let Some(staged) = &record.staged {
        let how = if staged.whole { "waits for a restart" } else { "is being put on" };
        say(format!("{} {how}", staged.version));
    }
    record.failed.iter().for_each(|version| say(format!("{version} failed here")));
    if let Some(last) = &record.last {
        say(format!("last offered: {}: {}", last.bundle, last.refused.as_deref().unwrap_or("put on")));
    }
    Ok(())
}

fn settled(place: &Place) -> anyhow::Result<()> {
    let (settled, commit) = settle(place)?;
    match settled {
        Settled::Updated(version) => say(format!("updated to {version}")),
        Settled::RolledBack(version) => {
            say(format!("{version} did not become healthy, and is not tried again"))
        }
        Settled::CutOff(version) => say(format!("{version} was cut off while it was put on")),
        Settled::Waits(version) => say(format!("{version} waits for a restart")),
        Settled::Nothing => {}
    }
    if let Some(Commit::Write(slot)) = commit {
        say(format!("slot {slot} is started from now on"));
    }
    Ok(())
}

fn abandon(place: &Place) -> anyhow::Result<()> {
    if on_trial(place)? {
        say("this version is on trial and not healthy: restarting");
        return restart::restart(place.leg(), false);
    }
    // The version before is older, and this one was healthy once: it does what it can.
    say("this version is not on trial: it stays, with its faults");
    Ok(())
}
