//! Many incidents with live media both ways at once: all is recorded, and nothing is late on the alarm path. The short
//! form has 20 incidents; `CROWD=200 SECONDS=60` (what `make crowd` says) is the long one.

use std::time::Duration;

use onepress::rig::Relay;
use onepress_tests::bench::enrol;
use onepress_tests::centre::{Centre, list, until};
use onepress_tests::crowd::{self, FPS, Heard, Plan, SOUNDS};
use serde_json::{Value, json};

/// A press is shown and ACKed within this (DB15/T 3968-2025), whatever the cameras do.
const ACKED_WITHIN: Duration = Duration::from_secs(2);
/// Share of the frames that has to arrive while somebody watches: the others fell before the first subscription.
const ARRIVED: f64 = 0.9;

#[test]
fn incidents_with_pictures_and_voices_at_once() {
    let plan = Plan { incidents: from_env("CROWD", 20), span: Duration::from_secs(from_env("SECONDS", 8)) };
    let centre = Centre::start(0, &onepress::rig::Plan::default());
    let ticket = centre.desk.new_box("relay", None).expect("a ticket");
    let relay = Relay::start(&centre.programs, &centre.dir.path().join("relay"), &ticket).expect("a relay");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let dir = centre.dir.path().join("boxes");
    enrol(&runtime, &centre.desk, plan.incidents, &dir).expect("enrolled");

    let seats = crowd::seats(&centre.desk, plan.incidents).expect("signed in");
    let outcome = runtime.block_on(crowd::run(plan, &seats, relay.port(), &dir)).expect("it comes up");
    eprintln!(
        "ACK before {:?}, ACK under load {:?}",
        worst(&outcome.acked),
        worst(&outcome.acked_under_load)
    );
    eprintln!("pictures {}; voices {}", told(&outcome.pictures), told(&outcome.voices));
    assert!(worst(&outcome.acked_under_load) < ACKED_WITHIN, "an alarm was late");
    assert_arrived(&outcome.pictures, FPS * plan.span.as_secs());
    assert_arrived(&outcome.voices, SOUNDS * plan.span.as_secs());

    let recorded = until("everything is recorded", || all_recorded(&centre.state(), plan));
    eprintln!("{recorded} takes recorded");
}

/// Every incident has the whole take of its box and of its seat, without a gap.
fn all_recorded(state: &Value, plan: Plan) -> Option<usize> {
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

fn assert_arrived(heard: &[Heard], sent: u64) {
    for (number, heard) in heard.iter().enumerate() {
        let share = heard.frames as f64 / sent as f64;
        assert!(share >= ARRIVED, "end {number} heard {} of {sent}", heard.frames);
    }
}

fn told(heard: &[Heard]) -> String {
    let mut delays: Vec<_> = heard.iter().flat_map(|heard| &heard.delays).collect();
    delays.sort();
    let at = |share: usize| delays.get((delays.len() * share / 100).min(delays.len().saturating_sub(1)));
    format!(
        "{} frames, p50 {:?}, p99 {:?}",
        heard.iter().map(|heard| heard.frames).sum::<u64>(),
        at(50),
        at(99)
    )
}

fn worst(times: &[Duration]) -> Duration {
    times.iter().max().copied().unwrap_or_default()
}

fn from_env<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
