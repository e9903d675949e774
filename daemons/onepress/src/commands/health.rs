//! `onepress health`: whether this appliance does its work, by local facts only.

use super::say;
use crate::health::{Local, wait};
use crate::update::place::Place;
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What to look at.
#[derive(Args)]
pub struct Arguments {
    /// edge or rack; by default what the image is
    #[arg(long, value_parser = ["edge", "rack"])]
    role: Option<String>,
    /// Wait so long, in seconds, for everything to be well and stay so
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
    /// JSON for other programs
    #[arg(long)]
    json: bool,
}

/// Looks.
///
/// # Errors
/// When something is wrong; everything that is has been printed.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let place = Place::below(Path::new("/"));
    let role = match &arguments.role {
        Some(role) => role.clone(),
        None => place.running()?.profile.role().to_owned(),
    };
    let local = Local { disk: place.at("/var/lib/onepress") };
    let facts = wait(&local, &role, Duration::from_secs(arguments.wait));
    if arguments.json {
        let each = facts.iter().map(|fact| json!({ "what": fact.what, "wrong": fact.wrong }));
        say(serde_json::to_string_pretty(&each.collect::<Vec<_>>())?);
    } else {
        for fact in &facts {
            say(format!("{}: {}", fact.what, fact.wrong.as_deref().unwrap_or("good")));
        }
    }
    let wrong = facts.iter().filter(|fact| fact.wrong.is_some()).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} facts are wrong", facts.len());
    Ok(())
}
