use super::{eventually, tell};
use onepress::api;
use onepress::rig::{Programs, Rack};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;

/// The desk, and somebody who is signed in there.
pub(crate) struct Desk {
    rack: Rack,
    seat: api::Desk,
}

impl Desk {
    pub(super) fn start(programs: &Programs, dir: &Path) -> Self {
        // Port 0 is never free, so any that is will do.
        let rack = Rack::start(programs, &dir.join("desk"), 0).expect("the desk opens");
        let seat = rack.set_up().expect("an account and a seat");
        seat.post("/api/sites", &json!({ "id": "school-1", "name": "第一小学" })).expect("a site");
        Self { rack, seat }
    }

    /// A ticket for a box that is new.
    pub(super) fn new_box(&self, name: &str, site: Option<&str>) -> String {
        self.seat.new_box(name, site).expect("a ticket")
    }

    /// Waits until the state at the desk is so.
    pub(crate) fn sees(&self, what: &str, so: impl Fn() -> bool) {
        eventually(&format!("the desk sees {what}"), || so().then_some(()));
    }

    /// Waits for an alarm of this point that is on disk; the incident it is in.
    pub(crate) fn incident_of(&self, point: &str) -> Value {
        eventually(&format!("the desk has an alarm of {point}"), || {
            let of_point = |alarm: &Value| alarm["point"] == point;
            let incidents = self.list("incidents");
            incidents.into_iter().find(|incident| {
                incident["durable"] == true
                    && incident["alarms"].as_array().is_some_and(|alarms| alarms.iter().any(of_point))
            })
        })
    }

    /// Every alarm of this point.
    pub(crate) fn alarms_of(&self, point: &str) -> Vec<Value> {
        let alarms = self.list("incidents").into_iter().flat_map(|incident| list(&incident, "alarms"));
        alarms.filter(|alarm| alarm["point"] == point).collect()
    }

    /// Presses of all buttons together, repeats included.
    pub(crate) fn presses(&self) -> u64 {
        self.list("incidents").iter().map(|incident| incident["presses"].as_u64().expect("a number")).sum()
    }

    /// The standing faults of a point at the school.
    pub(crate) fn faults_of(&self, point: &str) -> Vec<String> {
        let faults = self.list("boxes").into_iter().flat_map(|known| list(&known, "faults"));
        let words = faults.filter(|fault| fault["point"] == point);
        words.map(|fault| fault["fault"].as_str().expect("a word").to_owned()).collect()
    }

    /// What a point at the school has settled on.
    pub(crate) fn state_of(&self, point: &str) -> String {
        let points = self.list("boxes").into_iter().flat_map(|known| list(&known, "points"));
        let state = points.into_iter().find(|known| known["id"] == point).map(|known| known["state"].clone());
        state.and_then(|state| Some(state.as_str()?.to_owned())).unwrap_or_default()
    }

    /// The process stands still, or goes on.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        self.rack.daemon().signal(if frozen { Signal::STOP } else { Signal::CONT });
    }

    fn list(&self, name: &str) -> Vec<Value> {
        list(&self.seat.state().expect("the desk's state"), name)
    }
}

fn list(of: &Value, name: &str) -> Vec<Value> {
    of[name].as_array().cloned().unwrap_or_default()
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- state\n{:#}", self.seat.state().unwrap_or_default());
        }
        tell("desk", &self.rack.daemon().log());
        self.freeze(false);
    }
}
