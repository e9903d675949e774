//! Whether the version that runs was started for once and has not been found healthy. Until it is, the other slot is the
//! way back, and nothing may be written there.

use super::decide::Leg;
use super::place::Place;
use super::tryboot::{Pi, plan::State};
use anyhow::Context;
use std::process::Command;

/// systemd-boot leaves this variable when it counts tries of what it started.
const COUNTED: &str = "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// Tells what has become of the count since: "indeterminate" until the boot was found good.
const BLESS: &str = "/usr/lib/systemd/systemd-bless-boot";

/// Whether it is on trial.
///
/// # Errors
/// When that cannot be known.
pub fn on_trial(place: &Place) -> anyhow::Result<bool> {
    match place.leg() {
        Leg::Tryboot => Ok(matches!(Pi::find(place)?.state()?, State::Trial(_))),
        Leg::Uefi if !place.at(COUNTED).exists() => Ok(false),
        Leg::Uefi => {
            let program = place.at(BLESS);
            let told = Command::new(&program).arg("status").output();
            let told = told.with_context(|| format!("starting {}", program.display()))?;
            Ok(String::from_utf8_lossy(&told.stdout).trim() == "indeterminate")
        }
    }
}
