//! Putting an update on, and what a boot makes of it. Order matters here: whatever is cut off, what runs now goes on
//! running and starts again.

use super::bundle::{Bundle, Scratch};
use super::contents::{Contents, Part};
use super::decide::{Appliance, Leg, Refusal, decide};
use super::place::Place;
use super::record::{Outcome, Record, Settled};
use super::trial::on_trial;
use super::tryboot::{self, Pi};
use super::version::{Release, Version};
use super::{Failure, sysupdate};
use alarm::rollout::{Cause, State, Why};
use anyhow::Context;
use std::path::Path;

/// Whether a bundle could be put on here, and what is in it: nothing is written.
pub struct Shown {
    /// What it holds.
    pub contents: Contents,
    /// Why it would not be put on; none when it would.
    pub against: Option<Failure>,
}

/// Looks at a bundle: its signature, every sum, and whether it is for this appliance.
///
/// # Errors
/// [`Failure`] when it is no good bundle.
pub fn show(place: &Place, file: &Path, keys: &Path) -> anyhow::Result<Shown> {
    let scratch = tempfile::tempdir().context("making a temporary folder")?;
    let contents = Bundle::open(file, keys, scratch.path())?.unpack(None)?;
    let against = match verdict(place, &contents) {
        Ok(_) => None,
        Err(error) => Some(error.downcast::<Failure>()?),
    };
    Ok(Shown { contents, against })
}

/// Puts a bundle into the other slot. What runs goes on running until somebody restarts the appliance.
///
/// # Errors
/// [`Failure`] when the bundle, the space or the slot is to blame. What was begun is undone.
pub fn apply(place: &Place, file: &Path, keys: &Path) -> anyhow::Result<Release> {
    let _lock = place.lock()?;
    let result = put_on(place, file, keys);
    let bundle = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let refused = result.as_ref().err().map(|error| format!("{error:#}"));
    let (mut record, _) = place.record()?;
    let version = result.as_ref().ok().map(|release| release.version.clone()).or_else(|| named(&bundle));
    if let Some(version) = version {
        let lies_there = result.is_ok() || result.as_ref().is_err_and(is_staged);
        let state = if lies_there { State::Staged } else { State::Refused };
        let cause = result.as_ref().err().and_then(|error| error.downcast_ref::<Failure>());
        let cause = cause.map_or(Cause::Other, Failure::cause);
        record.tell(&version, state, Why::new(cause, refused.as_deref().unwrap_or_default()));
    }
    record.last = Some(Outcome { bundle, refused });
    match (&result, place.remember(&record)) {
        (Ok(_), Err(error)) => Err(error),
        (Ok(_) | Err(_), Ok(()) | Err(_)) => result,
    }
}

/// It lies in the other slot already, and what was missing is the restart.
pub fn is_staged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Failure>(), Some(Failure::Refused(Refusal::Staged(_))))
}

/// The version in a bundle's own name, `onepress-<profile>_<version>.bundle`: what was meant, when nothing could be read.
fn named(bundle: &str) -> Option<Version> {
    bundle.strip_suffix(".bundle")?.rsplit_once('_')?.1.parse().ok()
}

fn put_on(place: &Place, file: &Path, keys: &Path) -> anyhow::Result<Release> {
    if on_trial(place)? {
        return Err(Failure::OnTrial.into());
    }
    let scratch = Scratch::make(&place.stage())?;
    let bundle = Bundle::open(file, keys, scratch.path())?;
    let mut record = verdict(place, &bundle.contents)?;
    // A boot partition that cannot be written is found before a slot is.
    let pi = match place.leg() {
        Leg::Tryboot => Some(Pi::find(place)?),
        Leg::Uefi => None,
    };
    let contents = bundle.unpack(Some(scratch.path()))?;
    record.begin(&contents.release.version, &place.boot()?);
    place.remember(&record)?;
    let written = write_slots(place, scratch.path(), &contents, pi);
    match &written {
        Ok(()) => record.complete(),
        Err(_) => record.abandon(),
    }
    place.remember(&record)?;
    written.map(|()| contents.release)
}

fn write_slots(place: &Place, stage: &Path, contents: &Contents, pi: Option<Pi>) -> anyhow::Result<()> {
    sysupdate::update(place, stage, &contents.release)?;
    // Last: a kernel whose root is not there must not be what is tried.
    if let Some(mut pi) = pi {
        let boot = contents.file(Part::Boot).map(|file| stage.join(&file.name)).unwrap_or_default();
        pi.stage(&boot).map_err(|error| Failure::Slot(format!("the boot partition: {error:#}")))?;
    }
    Ok(())
}

/// The record, when the appliance takes this update.
fn verdict(place: &Place, contents: &Contents) -> anyhow::Result<Record> {
    let (record, _) = place.record()?;
    let appliance = Appliance { running: place.running()?, leg: place.leg(), record: &record };
    decide(contents, &appliance).map_err(Failure::Refused)?;
    Ok(record)
}

/// What a healthy boot does: it is the version to come back to from now on.
///
/// # Errors
/// When it cannot be remembered or the boot partition cannot be written; the appliance then comes back to the version
/// before.
pub fn settle(place: &Place) -> anyhow::Result<(Settled, Option<tryboot::Commit>)> {
    let _lock = place.lock()?;
    let (mut record, _) = place.record()?;
    let settled = record.settle(&place.running()?.version, &place.boot()?);
    // Remembered first: a cut before the boot partition is written then looks like an update that is still to come, and
    // not like one that failed.
    place.remember(&record)?;
    let commit = match place.leg() {
        Leg::Tryboot => Some(Pi::find(place)?.commit()?),
        Leg::Uefi => None,
    };
    Ok((settled, commit))
}
