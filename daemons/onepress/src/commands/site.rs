//! `onepress site`: makes the running system what site.toml says. Runs at every start, before network and daemons.

use crate::appliance::site::{Rendered, Site, TECHNICIANS};
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Args)]
pub struct Arguments {
    /// The site's file
    #[arg(long, default_value = "/etc/onepress/site.toml")]
    file: PathBuf,
    /// The daemons' configuration
    #[arg(long, default_value = "/etc/onepress")]
    config: PathBuf,
    /// The box's identity, whose racks tell the time
    #[arg(long, default_value = "/var/lib/onepress/button")]
    state: PathBuf,
    /// Check the file, and say what it stands for
    #[arg(long)]
    check: bool,
}

/// Applies it. Without a file nothing is done but the time.
///
/// # Errors
/// What is wrong with the file; nothing has been changed then.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = match fs::read_to_string(&arguments.file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", arguments.file.display())),
    };
    let site = Site::parse(&text).with_context(|| format!("{}", arguments.file.display()))?;
    let mut files = site.system(&racks(&arguments.state));
    files.extend(site.daemons(&arguments.config)?);
    if arguments.check {
        files.iter().for_each(|file| super::say(format!("# {}\n{}", file.path.display(), file.text)));
        return Ok(());
    }
    files.iter().try_for_each(put)?;
    if files.iter().all(|file| file.path != Path::new(TECHNICIANS)) {
        // Nobody may come in any more; there mostly was nobody.
        let _ = fs::remove_file(TECHNICIANS);
    }
    if let Some(name) = site.hostname() {
        fs::write("/proc/sys/kernel/hostname", name).context("naming this computer")?;
    }
    Ok(())
}

/// As the certificate's file has them, else the ticket; none before either is there.
fn racks(state: &Path) -> Vec<String> {
    let identity = fs::read_to_string(state.join("identity.json")).ok();
    let identity = identity.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if let Some(racks) = identity.as_ref().and_then(|identity| identity["racks"].as_array()) {
        return racks.iter().filter_map(|rack| rack.as_str().map(str::to_owned)).collect();
    }
    let ticket = fs::read_to_string(state.join("ticket")).ok();
    let ticket = ticket.and_then(|text| alarm::ticket::Ticket::from_text(&text).ok());
    ticket.map(|ticket| ticket.addresses).unwrap_or_default()
}

/// Whole or not at all, and only when it is otherwise: the disk is not worn at every start.
fn put(file: &Rendered) -> anyhow::Result<()> {
    let path = &file.path;
    if fs::read_to_string(path).is_ok_and(|there| there == file.text) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = path.with_extension("new");
        fs::write(&new, &file.text)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(root: &Path) -> Arguments {
        let config = root.join("config");
        Arguments { file: config.join("site.toml"), config, state: root.join("state"), check: false }
    }

    #[test]
    fn the_daemons_files_are_what_the_site_says_and_a_wrong_file_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let arguments = arguments(root.path());
        fs::create_dir_all(&arguments.config).unwrap();
        run(&arguments).unwrap();
        fs::write(&arguments.file, "[wall]\nboard = '/b.toml'\n").unwrap();
        run(&arguments).unwrap();
        let wall = arguments.config.join("wall.toml");
        assert!(fs::read_to_string(&wall).unwrap().ends_with("board = \"/b.toml\"\n"));
        fs::write(&arguments.file, "[wall]\nboard = '/other.toml'\n[nonsense]\n").unwrap();
        let error = format!("{:#}", run(&arguments).unwrap_err());
        assert!(error.contains("site.toml") && error.contains("nonsense"), "{error}");
        assert!(fs::read_to_string(&wall).unwrap().contains("/b.toml"));
    }

    #[test]
    fn the_racks_of_the_certificate_tell_the_time() {
        let root = tempfile::tempdir().unwrap();
        assert!(racks(root.path()).is_empty());
        fs::write(root.path().join("identity.json"), r#"{"racks":["10.0.0.1:4110"]}"#).unwrap();
        assert_eq!(racks(root.path()), ["10.0.0.1:4110"]);
    }
}
