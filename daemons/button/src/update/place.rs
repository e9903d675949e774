use alarm::rollout::Outcome;
use bundle::Release;
use serde::Deserialize;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest record of the updater: its lists are bounded.
const RECORD_MAX: u64 = 64 << 10;

/// Where an appliance has what its updates need.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
    state_dir: PathBuf,
}

/// The part of the updater's record that is for the centre.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    outcome: Option<Outcome>,
}

impl Place {
    /// An appliance below `root`, which is `/` but in tests; what has to be remembered of a fetch lies in `state_dir`.
    pub fn new(root: &Path, state_dir: &Path) -> Self {
        Self { root: root.to_owned(), state_dir: state_dir.to_owned() }
    }

    /// What runs; `None` on a computer that runs no image of ours.
    pub fn release(&self) -> Option<Release> {
        let places = ["etc/os-release", "usr/lib/os-release"];
        let text = places.iter().find_map(|path| fs::read_to_string(self.root.join(path)).ok())?;
        Release::of_os(&text).ok()
    }

    /// How the last update went, if the updater has said so.
    pub fn outcome(&self) -> Option<Outcome> {
        let mut text = String::new();
        let file = fs::File::open(self.updates().join("state.json")).ok()?;
        file.take(RECORD_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str::<Record>(&text).ok()?.outcome
    }

    /// Where bundles come in.
    pub fn incoming(&self) -> PathBuf {
        self.updates().join("incoming")
    }

    /// What has been begun is remembered here.
    pub(super) fn note(&self) -> PathBuf {
        self.state_dir.join("fetch.json")
    }

    fn updates(&self) -> PathBuf {
        self.root.join("var/lib/onepress/update")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::rollout::{Cause, State, Why};

    #[test]
    fn what_runs_and_how_the_last_update_went() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), dir.path());
        assert!(place.release().is_none() && place.outcome().is_none());
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        fs::create_dir_all(place.updates()).unwrap();
        fs::write(dir.path().join("etc/os-release"), "ID=debian\n").unwrap();
        assert!(place.release().is_none(), "somebody's workstation");
        fs::write(dir.path().join("etc/os-release"), "IMAGE_ID=onepress-edge-x86\nIMAGE_VERSION=2.1\n")
            .unwrap();
        assert_eq!(place.release().unwrap().to_string(), "onepress-edge-x86 2.1");
        let record = place.updates().join("state.json");
        fs::write(&record, r#"{"floor":"1","last":{"bundle":"b"}}"#).unwrap();
        assert_eq!(place.outcome(), None);
        let told = r#"{"outcome":{"number":3,"version":"2","state":"refused","cause":"not-newer","reason":"old"},"newer":1}"#;
        fs::write(&record, told).unwrap();
        let outcome = place.outcome().unwrap();
        assert_eq!((outcome.number, outcome.state), (3, State::Refused));
        assert_eq!(outcome.why, Why::new(Cause::NotNewer, "old"));
        fs::write(&record, "{").unwrap();
        assert_eq!(place.outcome(), None);
    }
}
