//! This machine: systemctl, the control sockets, the disk.

use super::facts::{Asked, Machine};
use crate::control;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is asked of a unit.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,MainPID,Wants,Listen";

/// This machine.
pub struct Local {
    /// Where a file is written to see whether that can be done.
    pub disk: PathBuf,
}

impl Machine for Local {
    fn unit(&self, name: &str) -> Result<BTreeMap<String, String>, String> {
        let output = Command::new("systemctl").args(["show", PROPERTIES, name]).output();
        let output = output.map_err(|error| format!("systemctl: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let unit: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        match unit.get("LoadState").map(String::as_str) {
            Some("loaded") => Ok(unit),
            Some(state) => Err(format!("systemd says {state}")),
            None => Err("systemd does not say how it is".into()),
        }
    }

    fn ask(&self, socket: &Path) -> Asked {
        control::ask(socket, &json!({ "do": "status" })).map_err(|error| format!("{error:#}"))
    }

    fn write(&self) -> Result<(), String> {
        let probe = self.disk.join(".probe");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&probe)?;
            file.write_all(b"onepress")?;
            file.sync_all()
        };
        let written = write().map_err(|error| format!("it cannot be written: {error}"));
        let _ = std::fs::remove_file(&probe);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_can_be_written_and_one_that_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let there = Local { disk: folder.path().to_owned() };
        assert_eq!(there.write(), Ok(()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let gone = Local { disk: folder.path().join("none") };
        assert!(gone.write().unwrap_err().contains("cannot be written"));
    }
}
