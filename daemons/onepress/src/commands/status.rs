//! `onepress status`: how the daemons on this computer are.

use super::say;
use crate::api::Desk;
use crate::control;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Where to ask.
#[derive(Args)]
pub struct Arguments {
    /// Control socket of the button daemon
    #[arg(long, default_value = "/run/onepress/button.sock")]
    button: PathBuf,
    /// Control socket of the wall daemon
    #[arg(long, default_value = "/run/onepress/wall.sock")]
    wall: PathBuf,
    /// The desk's address, http only, such as http://127.0.0.1:8110
    #[arg(long)]
    desk: Option<String>,
    /// JSON for other programs
    #[arg(long)]
    json: bool,
}

/// Asks whoever is there.
///
/// # Errors
/// When no daemon answers.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut found = serde_json::Map::new();
    let mut missing = Vec::new();
    for (name, socket) in [("button", &arguments.button), ("wall", &arguments.wall)] {
        match control::ask(socket, &json!({ "do": "status" })) {
            Ok(status) => drop(found.insert(name.into(), status)),
            Err(error) => missing.push(format!("{name}: {error:#}")),
        }
    }
    if let Some(url) = &arguments.desk {
        match Desk::at(url).get("/healthz") {
            Ok(health) => drop(found.insert("desk".into(), health)),
            Err(error) => missing.push(format!("desk: {error:#}")),
        }
    }
    if arguments.json {
        say(serde_json::to_string_pretty(&found)?);
    } else {
        found.iter().for_each(|(name, status)| print(name, status));
        missing.iter().for_each(|line| say(format!("-- {line}")));
    }
    anyhow::ensure!(!found.is_empty(), "no daemon answers on this computer");
    Ok(())
}

fn print(name: &str, status: &serde_json::Value) {
    say(format!("{name}:"));
    for (key, value) in status.as_object().into_iter().flatten() {
        say(format!("  {key}: {value}"));
    }
}
