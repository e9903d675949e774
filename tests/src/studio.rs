//! A centre with a relay, and a school with played cameras.

use std::path::PathBuf;
use std::time::Duration;

use onepress::rig::{Button, Camera, Cameras, Plan, Relay, pause};
use serde_json::{Value, json};

use crate::centre::{Centre, list, until};
use crate::stranger::now;

/// A finger stays this long.
const PRESS: Duration = Duration::from_millis(300);

/// A centre with a relay, and a school with cameras.
pub struct Studio {
    /// Desk, wall and school.
    pub centre: Centre,
    /// The relay.
    pub relay: Relay,
    /// The camera daemon.
    pub camera: Camera,
    /// What it looks at.
    pub cameras: Cameras,
}

impl Studio {
    /// Starts everything: names of cameras and their streams, and more lines of the camera daemon's configuration.
    ///
    /// # Panics
    /// If something does not come up.
    #[must_use]
    pub fn open(streams: &[(&str, &str)], more: &str) -> Self {
        let centre = Centre::start(1, &Plan::default());
        let ticket = centre.desk.new_box("relay", None).expect("a ticket");
        let relay =
            Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket).expect("a relay");
        let cameras = Cameras::start().expect("cameras");
        let listed: Vec<_> = streams.iter().map(|(id, stream)| (*id, cameras.url(stream))).collect();
        let (dir, at) = (centre.dir.path().join("camera"), format!("127.0.0.1:{}", relay.port()));
        let camera =
            Camera::start(&centre.programs, &dir, &centre.schools[0], &at, &listed, more).expect("a camera");
        Self { centre, relay, camera, cameras }
    }

    /// Presses a button for a moment; when, in Unix milliseconds.
    pub fn press(&self, button: Button) -> i64 {
        let at = now().millis();
        self.centre.schools[0].press(button);
        pause(PRESS);
        self.centre.schools[0].release(button);
        at
    }

    /// Waits until every camera has so much in memory.
    ///
    /// # Panics
    /// If that does not come.
    pub fn wait_ring(&self, span: Duration) {
        until("the rings fill", || {
            let status = self.camera.status().ok()?;
            let full = |camera: &Value| camera["ring-s"].as_u64() >= Some(span.as_secs());
            list(&status["cameras"]).all(full).then_some(())
        });
    }

    /// What is recorded of open incidents.
    #[must_use]
    pub fn takes(&self) -> Vec<Value> {
        list(&self.centre.state()["incidents"])
            .flat_map(|incident| list(&incident["takes"]))
            .cloned()
            .collect()
    }

    /// The take of a camera, recorded up to this moment.
    ///
    /// # Panics
    /// If it does not come to that.
    pub fn recorded_to(&self, camera: &str, wall: i64) -> Value {
        until(&format!("{camera} is recorded"), || {
            self.takes().into_iter().find(|take| {
                let to = take["began"].as_i64().unwrap_or(0) + take["to"].as_i64().unwrap_or(0);
                take["camera"] == json!(camera) && to >= wall
            })
        })
    }

    /// A pass for the first open incident.
    ///
    /// # Panics
    /// If the desk gives none.
    #[must_use]
    pub fn pass(&self) -> Value {
        let incident = self.centre.state()["incidents"][0]["id"].clone();
        // Only who sits at a seat gets one, and a seat without a console is lost after a while.
        let desk = self.centre.rack.sign_in(onepress::rig::SEAT).expect("signed in");
        desk.post(&format!("/api/incidents/{incident}/pass"), &json!({})).expect("a pass")
    }

    /// A take as the relay serves it to a player.
    ///
    /// # Panics
    /// If the relay does not serve it.
    #[must_use]
    pub fn fetch(&self, take: &Value) -> PathBuf {
        let pass = self.pass();
        let (take, pass) = (take["take"].as_str().expect("named"), pass["pass"].as_str().expect("signed"));
        let url = format!("{}/recordings/{take}.mp4?pass={pass}", self.relay.url());
        let file = self.centre.dir.path().join("take.mp4");
        let mut answer = ureq::get(&url).call().expect("the recording");
        let mut out = std::fs::File::create(&file).expect("a file");
        std::io::copy(&mut answer.body_mut().as_reader(), &mut out).expect("the whole recording");
        file
    }
}
