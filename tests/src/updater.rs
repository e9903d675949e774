//! The part of an appliance that puts updates on, played: a folder below which a box finds what runs, and in which its
//! bundles come in.

use bundle::made;
use onepress::api::Desk;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What every box here runs.
pub const IMAGE: &str = "onepress-edge-x86";

/// One box's appliance.
pub struct Appliance {
    root: PathBuf,
    outcomes: u64,
}

impl Appliance {
    /// Of a school that is going to run in `dir`. Before it starts.
    ///
    /// # Panics
    /// If the folders cannot be made.
    #[must_use]
    pub fn at(dir: &Path, version: &str) -> Self {
        let appliance = Self { root: dir.join("appliance"), outcomes: 0 };
        fs::create_dir_all(appliance.root.join("etc")).expect("made");
        fs::create_dir_all(appliance.incoming()).expect("made");
        appliance.boots(version);
        appliance
    }

    /// Another version runs, as soon as the box's daemon is started again.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn boots(&self, version: &str) {
        let text = format!("IMAGE_ID={IMAGE}\nIMAGE_VERSION={version}\n");
        fs::write(self.root.join("etc/os-release"), text).expect("written");
    }

    /// The updater says how it went.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn says(&mut self, version: &str, state: &str, (cause, reason): (&str, &str)) {
        self.outcomes += 1;
        let outcome = json!({ "number": self.outcomes, "version": version, "state": state, "cause": cause, "reason": reason });
        let text = json!({ "outcome": outcome }).to_string();
        let (new, path) = (self.updates().join("state.new"), self.updates().join("state.json"));
        fs::write(&new, text).and_then(|()| fs::rename(new, path)).expect("written");
    }

    /// Part of a bundle has come.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.incoming().join(".link.part").exists()
    }

    /// The bundle that has come in whole, which the updater takes away.
    #[must_use]
    pub fn takes(&self, version: &str) -> Option<Vec<u8>> {
        let path = self.incoming().join(format!("{IMAGE}_{version}.bundle"));
        let bytes = fs::read(&path).ok()?;
        fs::remove_file(path).ok()?;
        Some(bytes)
    }

    fn updates(&self) -> PathBuf {
        self.root.join("var/lib/onepress/update")
    }

    fn incoming(&self) -> PathBuf {
        self.updates().join("incoming")
    }
}

/// A bundle of so many bytes and some more, which nobody has signed.
#[must_use]
pub fn bundle(version: &str, bytes: usize) -> Vec<u8> {
    let root: Vec<u8> = (0..251).cycle().take(bytes).collect();
    made::unsigned(&format!("{IMAGE}_{version}"), &root)
}

/// The roll-out, as a seat sees it.
///
/// # Panics
/// If the desk does not answer.
#[must_use]
pub fn rollout(desk: &Desk) -> Value {
    desk.state().expect("the state")["rollout"].clone()
}

/// What a box is at.
#[must_use]
pub fn fares(desk: &Desk, name: &str) -> String {
    let rollout = rollout(desk);
    let mut boxes = rollout["boxes"].as_array().into_iter().flatten();
    let found = boxes.find(|entry| entry["box"] == json!(name));
    found.and_then(|entry| entry["is"].as_str()).unwrap_or_default().to_owned()
}
