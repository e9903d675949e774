//! Many incidents with live media both ways at once. What is sent is small (see [`Plan`] and [`PICTURE`]), so that two
//! cores carry both ends and the centre; how many streams and sessions there are is not.

pub(crate) mod ends;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, ensure};
use onepress::rig::{Relay, wait_for};
use serde_json::{Value, json};

use crate::bench::enrol;
use crate::centre::{Centre, list};

/// Bytes of a picture, of some 10,000.
pub const PICTURE: usize = 1_000;
/// A press is shown and ACKed within this (DB15/T 3968-2025), whatever the cameras do.
const ACKED_WITHIN: Duration = Duration::from_secs(2);
/// Share of the frames that has to arrive while somebody watches: the others fell before the first subscription.
const ARRIVED: f64 = 0.9;
/// How long the recorder may need to report its last segments.
const RECORDED_WITHIN: Duration = Duration::from_secs(150);

/// How many, how long, how much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Boxes, and incidents.
    pub incidents: usize,
    /// How long everybody sends.
    pub span: Duration,
    /// Pictures a second of each box, of 25.
    pub fps: u64,
    /// Packets of sound a second of each box and each seat, of 50; a multiple of `fps`.
    pub sounds: u64,
}

/// For every day.
pub const SHORT: Plan = Plan { incidents: 20, span: Duration::from_secs(8), fps: 5, sounds: 10 };
/// The 200 of the platforms that came before, for a minute: what two cores carry together with both ends.
pub const LONG: Plan = Plan { incidents: 200, span: Duration::from_secs(60), fps: 2, sounds: 4 };

/// What one end received of another.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Frames.
    pub frames: u64,
    /// From the sender's write to the reader's read, of each group's last frame.
    pub delays: Vec<Duration>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// From sending an alarm to its ACK, of each box.
    pub acked: Vec<Duration>,
    /// From sending an alarm to its ACK, of presses made while all media ran.
    pub acked_under_load: Vec<Duration>,
    /// Pictures at the seats.
    pub pictures: Vec<Heard>,
    /// Voices at the boxes.
    pub voices: Vec<Heard>,
    /// Takes recorded whole.
    pub takes: usize,
}

/// Plays it against a centre of its own.
///
/// # Errors
/// What did not come up, was late, did not arrive or was not recorded whole.
pub fn play(plan: Plan) -> anyhow::Result<Outcome> {
    let centre = Centre::start(0, &onepress::rig::Plan::default());
    let ticket = centre.desk.new_box("relay", None)?;
    let relay = Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = centre.dir.path().join("boxes");
    enrol(&runtime, &centre.desk, plan.incidents, &dir)?;
    let seats = ends::seats(&centre.desk, plan.incidents)?;
    let mut outcome = runtime.block_on(ends::run(plan, &seats, relay.port(), &dir))?;
    let late = worst(&outcome.acked_under_load);
    ensure!(late < ACKED_WITHIN, "an alarm was ACKed after {late:?}\n{}", outcome.told());
    ensure_arrived("pictures", &outcome.pictures, plan.fps * plan.span.as_secs(), &outcome)?;
    ensure_arrived("sounds", &outcome.voices, plan.sounds * plan.span.as_secs(), &outcome)?;
    let recorded = wait_for("everything is recorded", RECORDED_WITHIN, || recorded(&centre.state(), plan));
    outcome.takes = recorded.with_context(|| outcome.told())?;
    Ok(outcome)
}

/// Every incident has the whole take of its box and of its seat, without a gap: how many takes there are.
fn recorded(state: &Value, plan: Plan) -> Option<usize> {
    let long = |take: &Value| {
        let length = take["to"].as_u64().unwrap_or(0) - take["from"].as_u64().unwrap_or(0);
        take["gaps"] == json!([])
            && take["ended"] == json!(true)
            && u128::from(length) * 10 >= plan.span.as_millis() * 9
    };
    let whole = |incident: &Value| list(&incident["takes"]).filter(|take| long(take)).count() >= 2;
    let incidents: Vec<_> = list(&state["incidents"]).collect();
    (incidents.len() == plan.incidents && incidents.iter().all(|incident| whole(incident)))
        .then(|| incidents.iter().map(|incident| list(&incident["takes"]).count()).sum())
}

fn ensure_arrived(what: &str, heard: &[Heard], sent: u64, outcome: &Outcome) -> anyhow::Result<()> {
    for (number, heard) in heard.iter().enumerate() {
        let share = heard.frames as f64 / sent as f64;
        ensure!(share >= ARRIVED, "end {number} got {} {what} of {sent}\n{}", heard.frames, outcome.told());
    }
    Ok(())
}

impl Outcome {
    /// For people.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = format!(
            "{} takes recorded; ACK at worst {:?} before, {:?} under load",
            self.takes,
            worst(&self.acked),
            worst(&self.acked_under_load)
        );
        for (what, heard) in [("pictures", &self.pictures), ("sounds", &self.voices)] {
            let mut delays: Vec<_> = heard.iter().flat_map(|heard| &heard.delays).collect();
            delays.sort();
            let at =
                |share: usize| delays.get((delays.len() * share / 100).min(delays.len().saturating_sub(1)));
            let frames: u64 = heard.iter().map(|heard| heard.frames).sum();
            let _ = write!(text, "; {frames} {what}, p50 {:?}, p99 {:?}", at(50), at(99));
        }
        text
    }
}

/// The longest.
#[must_use]
pub fn worst(times: &[Duration]) -> Duration {
    times.iter().max().copied().unwrap_or_default()
}
