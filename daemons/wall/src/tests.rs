//! The whole wall under virtual time: fake devices, a desk that is a function call.

use crate::bank::Health;
use crate::device::{Device, Turn};
use crate::line::Role;
use crate::state::{Action, Wall};
use alarm::panel::{DESK_LOST_AFTER, Light, Report, Signals};
use alarm::point::Reading;
use alarm::wire::ToRack;
use alarm::{Fault, Mono};
use hw::Outputs;
use hw::fake::{self, Failure, OutputHand};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

struct Bench {
    wall: Wall,
    device: Device,
    relays: OutputHand,
    now: Mono,
    told: Vec<ToRack>,
    /// The desk repeats these every second.
    desk: Option<Signals>,
    heard: Mono,
}

impl Bench {
    fn new() -> Self {
        let names = Role::ALL.map(Role::name);
        let (bank, relays) = fake::outputs("relay0", &names);
        let mut bank = Some(Box::new(bank) as Box<dyn Outputs>);
        let open = Box::new(move || bank.take().map(|bank| vec![bank]).ok_or_else(|| "opened twice".into()));
        let device = Device::new(Role::ALL.to_vec(), open, Mono::default());
        let wall = Wall::new(LIMIT, vec!["relays".into()]);
        let now = Mono::default();
        let mut bench = Self { wall, device, relays, now, told: vec![], desk: None, heard: now };
        // One whole flash: the button has settled and the lamps that flash are lit.
        bench.button(false);
        bench.wait(500);
        bench
    }

    fn with(signals: Signals) -> Self {
        let mut bench = Self::new();
        bench.signal(signals);
        bench
    }

    fn signal(&mut self, signals: Signals) {
        self.desk = Some(signals);
        self.heard = self.now;
        self.wall.handle_signals(signals, self.now);
        self.settle();
    }

    fn button(&mut self, closed: bool) {
        self.wall.handle_button(Reading::Single(closed), self.now);
        self.settle();
    }

    fn press(&mut self) {
        self.button(true);
        self.wait(100);
        self.button(false);
        self.wait(100);
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.now = self.now + STEP;
            if let Some(signals) = self.desk.filter(|_| self.now.since(self.heard) >= Duration::from_secs(1))
            {
                self.signal(signals);
            }
            self.wall.handle_time(self.now);
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.act();
        while self.device.turn(|| self.now) == Turn::Again {
            self.wall.handle_device(0, self.device.health().clone());
            self.act();
        }
        assert!(self.wall.deadline(self.now) > self.now, "the loop would spin");
    }

    fn act(&mut self) {
        while let Some(action) = self.wall.poll(self.now) {
            match action {
                Action::Show(lit) => self.device.handle_wanted(lit, self.now),
                Action::Tell(told) => self.told.push(told),
            }
        }
    }

    /// The relays that are closed, in the order of writing.
    fn on(&self) -> Vec<&'static str> {
        Role::ALL.map(Role::name).into_iter().filter(|name| self.relays.is_on(name)).collect()
    }

    fn changes(&self) -> Vec<String> {
        self.relays
            .take_changes()
            .into_iter()
            .map(|change| format!("{} {}", change.line, change.active))
            .collect()
    }

    fn last_report(&self) -> &Report {
        let report = |told: &'_ ToRack| matches!(told, ToRack::Wall(_));
        match self.told.iter().rev().find(|told| report(told)) {
            Some(ToRack::Wall(report)) => report,
            _ => panic!("nothing was reported"),
        }
    }

    fn acknowledged(&mut self) -> Vec<u64> {
        let newest =
            |told: &ToRack| if let ToRack::Acknowledge { newest } = told { Some(*newest) } else { None };
        let all = self.told.iter().filter_map(newest).collect();
        self.told.clear();
        all
    }
}

fn hold_up(newest: u64) -> Signals {
    Signals { newest, unacknowledged: 1, ..Signals::default() }
}

/// Every line of the light language: what is on while a lamp that flashes is lit, and while it is dark.
#[test]
fn the_light_language_on_relays() {
    let quiet = Signals::default();
    let all = Signals { open: 1, faults: 1, tests: 1, ..hold_up(7) };
    let table: [(Signals, &[&str], &[&str]); 6] = [
        (quiet, &["green"], &["green"]),
        (hold_up(7), &["siren", "red"], &["siren"]),
        (Signals { open: 1, ..quiet }, &["red"], &["red"]),
        (Signals { faults: 1, ..quiet }, &["amber"], &["amber"]),
        (Signals { tests: 1, ..quiet }, &["blue"], &["blue"]),
        (all, &["siren", "red", "amber", "blue"], &["siren", "amber", "blue"]),
    ];
    for (signals, lit, dark) in table {
        let mut bench = Bench::with(signals);
        assert_eq!(bench.on(), lit, "{signals:?}");
        bench.wait(250);
        assert_eq!(bench.on(), dark, "{signals:?}");
        bench.wait(250);
        assert_eq!(bench.on(), lit, "{signals:?}");
    }
}

#[test]
fn a_wall_that_has_heard_no_desk_flashes_amber() {
    let mut bench = Bench::new();
    assert_eq!(bench.on(), ["amber"]);
    bench.wait(250);
    assert_eq!(bench.on(), [""; 0]);
    assert!(bench.wall.status(bench.now).desk_lost);
}

#[test]
fn a_lost_desk_is_amber_by_itself_and_the_siren_goes_on() {
    let mut bench = Bench::with(hold_up(1));
    bench.desk = None;
    bench.wait(u64::try_from(DESK_LOST_AFTER.as_millis()).unwrap() + 10);
    assert!(bench.relays.is_on("siren"));
    let report = bench.last_report();
    assert_eq!((report.shown.amber, report.shown.red), (Light::Flashing, Light::Flashing));
}

#[test]
fn a_new_alarm_is_heard_before_it_is_seen() {
    let mut bench = Bench::with(Signals::default());
    let _ = bench.relays.take_changes();
    bench.signal(hold_up(3));
    assert_eq!(bench.changes(), ["siren true", "red true", "green false"]);
}

#[test]
fn the_siren_is_cut_at_its_limit_and_the_desk_is_told() {
    let mut bench = Bench::with(hold_up(3));
    bench.wait(59_900);
    assert!(bench.relays.is_on("siren"));
    bench.wait(200);
    assert!(!bench.relays.is_on("siren") && bench.last_report().siren_cut);
    assert_eq!(bench.last_report().shown.red, Light::Flashing);
    bench.signal(hold_up(4));
    assert!(bench.relays.is_on("siren") && !bench.last_report().siren_cut);
}

#[test]
fn an_output_that_sticks_is_a_fault_until_it_moves_again() {
    let mut bench = Bench::with(Signals::default());
    bench.relays.stick("siren");
    bench.signal(hold_up(3));
    assert_eq!(bench.last_report().faults, [Fault::OutputFailed]);
    assert!(bench.relays.is_on("red"), "the lamps do not wait for the siren");
    let [failure] = &bench.wall.status(bench.now).faults[..] else { panic!("one failure, please") };
    assert!(failure.reason.contains("\"siren\""), "{failure:?}");
    bench.relays.unstick("siren");
    bench.wait(1100);
    assert!(bench.relays.is_on("siren"), "supervision writes it again");
    assert_eq!(bench.last_report().faults, []);
}

#[test]
fn a_dead_board_is_a_fault_and_shows_the_present_when_it_is_back() {
    let mut bench = Bench::with(Signals::default());
    bench.relays.fail(Failure::Silent);
    bench.wait(1100);
    assert_eq!(bench.last_report().faults, [Fault::OutputFailed]);
    bench.signal(hold_up(3));
    bench.relays.power_cut();
    bench.relays.heal();
    bench.wait(5_100);
    assert!(bench.relays.is_on("siren") && !bench.relays.is_on("green"));
    assert_eq!((bench.last_report().faults.len(), bench.device.health()), (0, &Health::Good));
}

#[test]
fn what_a_power_cut_took_is_back_within_a_second() {
    let mut bench = Bench::with(hold_up(3));
    bench.wait(100);
    bench.relays.power_cut();
    bench.wait(1100);
    assert!(bench.relays.is_on("siren"));
}

#[test]
fn the_button_stops_the_sound_and_tells_the_desk() {
    let mut bench = Bench::with(hold_up(9));
    bench.wait(100);
    bench.press();
    assert!(!bench.relays.is_on("siren"));
    assert_eq!(bench.last_report().shown.red, Light::Flashing);
    bench.desk = Some(Signals { open: 1, ..Signals::default() });
    assert_eq!(bench.acknowledged(), [9]);
    bench.wait(3000);
    assert_eq!(bench.acknowledged(), [0; 0]);
    bench.press();
    assert_eq!(bench.acknowledged(), [0; 0], "there is nothing to acknowledge");
}

#[test]
fn an_acknowledgement_that_the_desk_did_not_hear_is_repeated_for_a_while() {
    let mut bench = Bench::with(hold_up(9));
    bench.press();
    assert_eq!(bench.acknowledged(), [9]);
    bench.wait(2000);
    assert_eq!(bench.acknowledged(), [9, 9]);
    bench.wait(60_000);
    bench.acknowledged();
    bench.wait(5000);
    assert_eq!(bench.acknowledged(), [0; 0], "a press does not speak for what comes much later");
}

#[test]
fn an_acknowledgement_never_speaks_for_a_newer_alarm() {
    let mut bench = Bench::with(hold_up(9));
    bench.press();
    bench.acknowledged();
    bench.signal(hold_up(10));
    assert!(bench.relays.is_on("siren"));
    bench.wait(3000);
    assert_eq!(bench.acknowledged(), [0; 0]);
}

#[test]
fn a_bounce_is_no_press_and_two_presses_are_two() {
    let mut bench = Bench::with(hold_up(9));
    for closed in [true, false, true, false] {
        bench.button(closed);
        bench.wait(20);
    }
    assert!(bench.relays.is_on("siren"));
    bench.press();
    bench.signal(hold_up(10));
    bench.press();
    assert_eq!(bench.acknowledged(), [9, 10]);
}

#[test]
fn a_button_that_is_stuck_from_the_start_acknowledges_nothing() {
    let mut bench = Bench::new();
    bench.wall = Wall::new(LIMIT, vec!["relays".into()]);
    bench.button(true);
    bench.wait(100);
    bench.signal(hold_up(9));
    bench.wait(1000);
    assert_eq!(bench.acknowledged(), [0; 0]);
    assert!(bench.relays.is_on("siren"));
}

#[test]
fn a_button_that_cannot_be_read_is_a_fault() {
    let mut bench = Bench::with(Signals::default());
    bench.wait(100);
    bench.wall.handle_button(Reading::Unreadable, bench.now);
    bench.wait(600);
    assert_eq!(bench.last_report().faults, [Fault::InputUnreadable]);
    bench.button(false);
    bench.wait(100);
    assert_eq!(bench.last_report().faults, []);
}

#[test]
fn an_unchanged_wall_reports_every_ten_seconds_and_flashing_is_no_change() {
    let mut bench = Bench::with(hold_up(9));
    bench.wait(1000);
    bench.told.clear();
    bench.wait(30_000);
    assert_eq!(bench.told.len(), 3);
}
