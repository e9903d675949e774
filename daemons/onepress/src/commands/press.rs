//! `onepress press`: a press by software, through the same spool and link as a finger's.

use super::say;
use crate::control;
use alarm::PointId;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::PathBuf;

/// What to press.
#[derive(Args)]
pub struct Arguments {
    /// The point, as the box's configuration names it
    point: PointId,
    /// How the site is treated; by default as the point's configuration says
    #[arg(long)]
    mode: Option<Mode>,
    /// Control socket of the button daemon
    #[arg(long, default_value = "/run/onepress/button.sock")]
    socket: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Silent,
    Ordinary,
}

/// Presses; returns when the press is in the box's spool.
///
/// # Errors
/// What the daemon refused.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut request = json!({ "do": "press", "point": arguments.point });
    match arguments.mode {
        Some(Mode::Silent) => request["mode"] = json!("silent"),
        Some(Mode::Ordinary) => request["mode"] = json!("ordinary"),
        None => {}
    }
    let answer = control::ask(&arguments.socket, &request)?;
    say(format!("pressed: {answer}"));
    Ok(())
}
