//! Restarting into another version: not while somebody may be in danger, and not for ever later.

use super::decide::Leg;
use super::failure::Failure;
use super::place::Place;
use crate::control;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// An incident is over by then, or it is one in which nobody restarts a box; whoever rolls updates out asks again.
pub const PATIENCE: Duration = Duration::from_secs(3_600);
/// Between two questions.
const STEP: Duration = Duration::from_secs(5);

/// Why now is no time to restart, by what the daemons of a box say. One that does not answer has no say: it may be why
/// an update is wanted. A box that has not been enrolled has nobody to tell anything.
pub fn against(button: Option<&Value>, camera: Option<&Value>) -> Option<String> {
    let enrolled = button.filter(|status| status["enrolled"] != false);
    let waiting = enrolled.and_then(|status| status["waiting"].as_u64()).unwrap_or(0);
    if waiting > 0 {
        return Some(format!("{waiting} notices have not reached the desk"));
    }
    let open = camera.is_some_and(|status| status["open"] == true);
    open.then(|| "an incident is open, and the cameras are seen".into())
}

/// Waits until nothing speaks against a restart; `tell` hears what does, once for each reason.
///
/// # Errors
/// [`Failure::NotNow`] after [`PATIENCE`].
#[expect(clippy::disallowed_methods, reason = "a command has no runtime whose worker could be held up")]
pub fn wait_for_quiet(place: &Place, mut tell: impl FnMut(&str)) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut told = String::new();
    let ask =
        |name: &str| control::ask(&place.at("/run/onepress").join(name), &json!({ "do": "status" })).ok();
    while let Some(why) = against(ask("button.sock").as_ref(), ask("camera.sock").as_ref()) {
        if Instant::now() >= end {
            return Err(Failure::NotNow(why).into());
        }
        if told != why {
            tell(&why);
            told = why;
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Restarts. With `trial` a Raspberry Pi starts its other slot, once; systemd-boot starts the newest by itself.
///
/// # Errors
/// When systemd refuses.
pub fn restart(leg: Leg, trial: bool) -> anyhow::Result<()> {
    let mut systemctl = Command::new("systemctl");
    if trial && leg == Leg::Tryboot {
        systemctl.arg("--reboot-argument=0 tryboot");
    }
    let done = systemctl.arg("reboot").status().context("starting systemctl")?;
    ensure!(done.success(), "systemctl reboot did not succeed: restart by hand");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_waits_for_alarms_and_incidents_and_for_nobody_who_is_silent() {
        let button = |waiting: u32| Some(json!({ "waiting": waiting }));
        let camera = |open: bool| Some(json!({ "open": open }));
        let table = [
            (None, None, None),
            (button(0), camera(false), None),
            (button(2), camera(false), Some("2 notices")),
            (button(0), camera(true), Some("an incident is open")),
            (None, camera(true), Some("an incident is open")),
            (button(1), None, Some("1 notices")),
            (Some(json!({ "waiting": 2, "enrolled": true })), camera(false), Some("2 notices")),
            (Some(json!({ "waiting": 2, "enrolled": false })), camera(false), None),
        ];
        for (button, camera, why) in table {
            let found = against(button.as_ref(), camera.as_ref());
            assert_eq!(found.is_some(), why.is_some());
            assert!(found.unwrap_or_default().starts_with(why.unwrap_or_default()));
        }
    }
}
