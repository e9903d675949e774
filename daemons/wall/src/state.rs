//! What the wall knows and what follows from it. Pure.
//!
//! The panel (`alarm::panel`) decides about light and sound; here are the parts around it: the acknowledge button,
//! the health of the devices, and when the desk is told.

use crate::bank::Health;
use crate::control::{Failure, Status};
use crate::line::Lit;
use alarm::panel::{Acknowledged, FLASH_HALF, Light, Outputs, Panel, Report, Signals, covers};
use alarm::point::{self, Before, Kind, Outcome, Point, Timing, Wiring};
use alarm::wire::ToRack;
use alarm::{Fault, Mode, Mono, PointId};
use std::collections::VecDeque;
use std::time::Duration;

/// How often the desk hears of an unchanged wall.
pub(crate) const REPORT_EVERY: Duration = Duration::from_secs(10);
/// How long a press of the acknowledge button speaks for what its presser saw and heard: until then it is repeated
/// when the desk does not seem to have it.
pub(crate) const ACKNOWLEDGED_FOR: Duration = Duration::from_secs(30);

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Drive the outputs so.
    Show(Lit),
    /// Tell the desk, over every path.
    Tell(ToRack),
}

/// One wall.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    panel: Panel,
    button: point::Watch,
    devices: Vec<(String, Health)>,
    acknowledged: Option<(u64, Mono)>,
    shown: Option<Lit>,
    reported: Option<(Report, Mono)>,
    to_tell: VecDeque<ToRack>,
}

impl Wall {
    /// A wall whose siren sounds for at most `siren_limit`, with these devices.
    pub(crate) fn new(siren_limit: Duration, devices: Vec<String>) -> Self {
        Self {
            panel: Panel::new(siren_limit),
            button: button(),
            devices: devices.into_iter().map(|device| (device, Health::Untried)).collect(),
            acknowledged: None,
            shown: None,
            reported: None,
            to_tell: VecDeque::new(),
        }
    }

    /// The desk has spoken.
    pub(crate) fn handle_signals(&mut self, signals: Signals, now: Mono) {
        self.panel.handle_signals(signals, now);
        if let Some((newest, at)) = self.acknowledged {
            let unheard = signals.unacknowledged > 0 && covers(newest, signals.newest);
            if unheard && now.since(at) < ACKNOWLEDGED_FOR {
                self.to_tell.push_back(ToRack::Acknowledge { newest });
            } else {
                self.acknowledged = None;
            }
        }
    }

    /// The acknowledge button was read.
    pub(crate) fn handle_button(&mut self, reading: point::Reading, now: Mono) {
        let outcomes = self.button.handle_reading(reading, now);
        self.pressed(outcomes, now);
    }

    /// A device has told how it is.
    pub(crate) fn handle_device(&mut self, place: usize, health: Health) {
        if let Some((_, known)) = self.devices.get_mut(place) {
            *known = health;
        }
    }

    /// Does what is due.
    pub(crate) fn handle_time(&mut self, now: Mono) {
        let outcomes = self.button.handle_time(now);
        self.pressed(outcomes, now);
        self.panel.handle_time(now);
    }

    /// The next thing to do. Call until `None`.
    pub(crate) fn poll(&mut self, now: Mono) -> Option<Action> {
        let lit = Lit::of(&self.panel.outputs(now), now);
        if self.shown != Some(lit) {
            self.shown = Some(lit);
            return Some(Action::Show(lit));
        }
        if let Some(told) = self.to_tell.pop_front() {
            return Some(Action::Tell(told));
        }
        let report = self.report(now);
        let due = |(known, at): &(Report, Mono)| *known != report || now.since(*at) >= REPORT_EVERY;
        if self.reported.as_ref().is_none_or(due) {
            self.reported = Some((report.clone(), now));
            return Some(Action::Tell(ToRack::Wall(report)));
        }
        None
    }

    /// When [`Wall::handle_time`] or [`Wall::poll`] has something to do by itself.
    pub(crate) fn deadline(&self, now: Mono) -> Mono {
        let flashes = is_flashing(&self.panel.outputs(now)).then(|| next_flash(now));
        let report = self.reported.as_ref().map_or(now, |(_, at)| *at + REPORT_EVERY);
        let due = [self.panel.deadline(now), self.button.deadline(), flashes];
        due.into_iter().flatten().fold(report, Mono::min)
    }

    /// What the desk is told.
    pub(crate) fn report(&self, now: Mono) -> Report {
        let broken = self.devices.iter().any(|(_, health)| matches!(health, Health::Failed(_)));
        let unreadable = self.button.state() == point::State::Faulty;
        let output = broken.then_some(Fault::OutputFailed);
        let input = unreadable.then_some(Fault::InputUnreadable);
        Report {
            shown: self.panel.outputs(now),
            siren_cut: self.panel.siren_cut(),
            faults: output.into_iter().chain(input).collect(),
        }
    }

    /// What the control socket answers.
    pub(crate) fn status(&self, now: Mono) -> Status {
        let Report { shown, siren_cut, .. } = self.report(now);
        let failed = |(device, health): &(String, Health)| match health {
            Health::Failed(reason) => {
                Some(Failure { fault: Fault::OutputFailed, device: device.clone(), reason: reason.clone() })
            }
            Health::Untried | Health::Good => None,
        };
        let button = (self.button.state() == point::State::Faulty).then(|| Failure {
            fault: Fault::InputUnreadable,
            device: BUTTON.into(),
            reason: "the acknowledge button cannot be read".into(),
        });
        Status {
            shown,
            desk_lost: self.panel.desk_lost(now),
            siren_cut,
            faults: self.devices.iter().filter_map(failed).chain(button).collect(),
        }
    }

    /// Whether every device has been written once, or has failed.
    pub(crate) fn all_tried(&self) -> bool {
        self.devices.iter().all(|(_, health)| *health != Health::Untried)
    }

    fn pressed(&mut self, outcomes: Vec<Outcome>, now: Mono) {
        if !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Pressed { .. })) {
            return;
        }
        if let Acknowledged::Tell { newest } = self.panel.handle_acknowledge(now) {
            self.acknowledged = Some((newest, now));
            self.to_tell.push_back(ToRack::Acknowledge { newest });
        }
    }
}

/// The line of the acknowledge button in the board file.
pub(crate) const BUTTON: &str = "wall-ack";

/// Every press counts for itself. One that was down at the start is a stuck button, not somebody's decision.
fn button() -> point::Watch {
    let point = Point {
        id: PointId::new(BUTTON).expect("a well-formed name"),
        kind: Kind::HoldUp { mode: Mode::Ordinary, latching: false },
        wiring: Wiring::NormallyOpen,
        timing: Timing { repeat: Duration::ZERO, ..Timing::default() },
    };
    point::Watch::new(point, Before::Active)
}

fn is_flashing(outputs: &Outputs) -> bool {
    [outputs.red, outputs.amber, outputs.blue, outputs.green].contains(&Light::Flashing)
}

fn next_flash(now: Mono) -> Mono {
    let half = u64::try_from(FLASH_HALF.as_micros()).unwrap_or(u64::MAX);
    Mono::from_micros((now.micros() / half + 1).saturating_mul(half))
}
