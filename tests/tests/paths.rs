//! Two ways from a school to its rack, each a pair of virtual interfaces between two network namespaces; the box
//! holds each path's socket to its interface. Needs root.

use std::time::{Duration, Instant};

use onepress::rig::{Button, Plan, Rack, Way};
use onepress_tests::cable::{ip, run};
use onepress_tests::centre::{Centre, SHOWN_WITHIN, folder, list, programs, until};
use onepress_tests::keeper::Keeper;
use onepress_tests::record::Record;
use onepress_tests::stranger::now;
use serde_json::json;

/// The loss of a path is reported within this (EN 50136-1 allows 20 s and more).
const LOST_WITHIN: Duration = Duration::from_secs(10);
/// A path that carries one way only falls silent in two steps: the box hears nothing and gives up, then the desk hears
/// nothing. EN 50136-1 has 90 s for DP4.
const ONE_WAY_LOST_WITHIN: Duration = Duration::from_secs(30);
/// A path that works again is found within this: SP6 of EN 50136-1.
const FOUND_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_cable_that_is_pulled() {
    alarms_pass_whatever_is_cut(Cut::Down);
}

#[test]
fn a_network_that_drops_everything_without_a_word() {
    alarms_pass_whatever_is_cut(Cut::Silent);
}

#[test]
fn a_network_that_carries_one_way_only() {
    let (ways, mut centre) = school_over_two_ways();
    let cut = Instant::now();
    ways.cut(0, Cut::OneWay);
    press_and_see(&centre, 1);
    until("the loss is told", || centre.has_fault("box-1 wired path-lost").then_some(()));
    eprintln!("told after {:?}", cut.elapsed());
    assert!(cut.elapsed() < ONE_WAY_LOST_WITHIN, "told after {:?}", cut.elapsed());
    ways.heal(0, Cut::OneWay);
    centre.settle();
    assert_eq!(recorded(&mut centre), 1);
}

/// How a way is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The rack's interface goes down: the other end loses its carrier.
    Down,
    /// The rack has lost its address: every interface is up, and nothing comes of what is sent.
    Silent,
    /// What the rack sends is thrown away; what the box sends arrives.
    OneWay,
}

fn alarms_pass_whatever_is_cut(how: Cut) {
    let (ways, mut centre) = school_over_two_ways();

    let cut = now();
    ways.cut(0, how);
    press_and_see(&centre, 1);
    let state = centre.state();
    let alarm = list(&state["incidents"][0]["alarms"]).last().expect("an alarm");
    assert_eq!(alarm["path"], json!("cellular"), "over the path that is left");
    told_as_lost(&centre, "wired", cut);

    let cut = now();
    ways.cut(1, how);
    told_as_lost(&centre, "cellular", cut);
    press(&centre);
    until("the press is kept", || {
        centre.schools[0].status().ok().filter(|status| status["waiting"].as_u64() >= Some(1))
    });
    assert_eq!(centre.presses(), 1, "nobody has heard of it");

    let healed = Instant::now();
    ways.heal(0, how);
    until("the kept press arrives", || (centre.presses() == 2).then_some(()));
    until("the wired path is found", || (!centre.has_fault("box-1 wired path-lost")).then_some(()));
    assert!(healed.elapsed() < FOUND_WITHIN, "found after {:?}", healed.elapsed());
    assert!(centre.has_fault("box-1 cellular path-lost"), "{:?}", centre.faults());

    let healed = Instant::now();
    ways.heal(1, how);
    centre.settle();
    assert!(healed.elapsed() < FOUND_WITHIN, "all well after {:?}", healed.elapsed());
    assert_eq!(recorded(&mut centre), 2, "presses in the journal");
}

/// Two ways; way `n` is 10.110.`n`.0/24, the rack `.1`, the school `.2`.
struct Ways {
    school: Keeper,
    _rack: Keeper,
}

const NAMES: [&str; 2] = ["wired", "cellular"];

fn school_over_two_ways() -> (Ways, Centre) {
    let ways = Ways::lay();
    let (programs, dir) = (programs(), folder());
    let rack = Rack::start_at(&programs, &dir.path().join("desk"), 0, &["10.110.0.1", "10.110.1.1"])
        .expect("a rack");
    let plan = Plan { ways: ways.plan(rack.link_port()), gate_repeat_s: 0, ..Plan::default() };
    let space = format!("--net={}", ways.school.space("net").display());
    let inside = programs.through(&["nsenter", &space, "--"]);
    let school = dir.path().join("school-1");
    let centre = Centre::around(rack, programs, dir).with_school_at(&school, &plan, &inside);
    centre.settle();
    (ways, centre)
}

impl Ways {
    /// This thread is in the rack's network from here on.
    fn lay() -> Self {
        let rack = Keeper::start(&["--net"], "ip link set lo up");
        let school = Keeper::start(&["--net"], "ip link set lo up");
        rack.enter_network();
        let ways = Self { school, _rack: rack };
        for (n, name) in NAMES.iter().enumerate() {
            ip(&format!("link add {name} type veth peer name {name} netns {}", ways.school.id()));
            ip(&format!("addr add 10.110.{n}.1/24 dev {name}"));
            ip(&format!("link set {name} up"));
            ways.at_school(&format!("addr add 10.110.{n}.2/24 dev {name}"));
            ways.at_school(&format!("link set {name} up"));
        }
        ways
    }

    fn plan(&self, port: u16) -> Vec<Way> {
        let way = |n: usize, id, kind| {
            let rack = Some(format!("10.110.{n}.1:{port}"));
            Way { id, kind, held_to: ("interface", id), rack }
        };
        vec![way(0, NAMES[0], "wired"), way(1, NAMES[1], "metered")]
    }

    fn cut(&self, n: usize, how: Cut) {
        match how {
            Cut::Down => ip(&format!("link set {} down", NAMES[n])),
            Cut::Silent => ip(&format!("addr del 10.110.{n}.1/24 dev {}", NAMES[n])),
            Cut::OneWay => ip(&format!("route add blackhole 10.110.{n}.2/32")),
        }
    }

    fn heal(&self, n: usize, how: Cut) {
        match how {
            Cut::Down => ip(&format!("link set {} up", NAMES[n])),
            Cut::Silent => ip(&format!("addr add 10.110.{n}.1/24 dev {}", NAMES[n])),
            Cut::OneWay => ip(&format!("route del blackhole 10.110.{n}.2/32")),
        }
    }

    fn at_school(&self, order: &str) {
        let space = format!("--net={}", self.school.space("net").display());
        run("nsenter", &format!("{space} -- ip {order}"));
    }
}

fn press(centre: &Centre) {
    let school = &centre.schools[0];
    school.press(Button::Gate);
    until("the box has seen the press", || school.is("gate", "active").then_some(()));
    school.release(Button::Gate);
    until("the box has seen the release", || school.is("gate", "rest").then_some(()));
}

/// The press goes out on both paths at once, so a path that is dead and not yet known to be costs no time.
fn press_and_see(centre: &Centre, presses: u64) {
    let pressed = Instant::now();
    press(centre);
    until("the press is shown", || (centre.presses() == presses).then_some(()));
    assert!(pressed.elapsed() < SHOWN_WITHIN, "shown after {:?}", pressed.elapsed());
}

/// By the desk's own clock, which is ours.
fn told_as_lost(centre: &Centre, path: &str, cut: alarm::Wall) {
    let since = until(&format!("{path} is told as lost"), || {
        let state = centre.state();
        let lost =
            |fault: &&serde_json::Value| fault["path"] == json!(path) && fault["fault"] == json!("path-lost");
        state["boxes"][0]["faults"].as_array()?.iter().find(lost)?["since"].as_i64()
    });
    let after = since - cut.millis();
    assert!(after <= LOST_WITHIN.as_millis() as i64, "{path} was told as lost after {after} ms");
}

fn recorded(centre: &mut Centre) -> usize {
    let record = Record::of(&mut centre.rack, &centre.programs);
    record.assert_nothing_twice();
    record.presses("box-1", "gate")
}
