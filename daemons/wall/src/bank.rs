//! One device with outputs: what to do with it next. Pure: the thread in `device` does it.
//!
//! ```text
//!            opened               written or supervised, and failed
//!  Closed ──────────▶ Working ──────────────────────────────────────▶ Failed
//!   ▲  │                ▲ │ a line is stuck: told, the others go on     │ after its wait: everything again
//!   └──┘ wait doubles   └─┘                                             │
//!                       ▲                                               │
//!                       └──────────── all lines read as commanded ──────┘
//! ```
//!
//! A new wish for the siren does not wait: an alarm is worth a try at a device that failed a moment ago.

use crate::line::{Lit, Role};
use alarm::Mono;
use std::time::Duration;

/// How often the outputs are read back (hardware practice for relay boards: at least 1 Hz).
pub(crate) const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
/// First wait after a failure: an adapter that was bumped is back by then.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(500);
/// Longest wait: a board that was plugged in again is lit before the technician doubts it.
pub(crate) const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// What to do with the device now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Open it.
    Open,
    /// Switch these lines and read them back.
    Write(Vec<(Role, bool)>),
    /// Read all lines back.
    Supervise,
    /// Nothing before then, unless something else is wanted.
    Wait(Mono),
    /// Nothing any more: it is left as it should be, or cannot be reached.
    End,
}

/// How a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not tried yet.
    Untried,
    /// Every line reads as commanded.
    Good,
    /// The device does not answer, or a line does not follow: the technician's sentence.
    Failed(String),
}

/// How a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The device works; one of its lines does not follow.
    Stuck(String),
    /// The device does not work.
    Gone(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed { try_at: Mono },
    Working { supervise_at: Mono },
    Failed { try_at: Mono },
    Ended,
}

/// One device and what is wanted of it.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    roles: Vec<Role>,
    wanted: Lit,
    commanded: [Option<bool>; Role::ALL.len()],
    phase: Phase,
    wait: Duration,
    health: Health,
    stopping: bool,
}

impl Bank {
    /// A device that carries these outputs and is not open yet.
    pub(crate) fn new(mut roles: Vec<Role>, now: Mono) -> Self {
        roles.sort_unstable();
        Self {
            roles,
            wanted: Lit::default(),
            commanded: Default::default(),
            phase: Phase::Closed { try_at: now },
            wait: RETRY_FIRST,
            health: Health::Untried,
            stopping: false,
        }
    }

    /// How it is.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Takes what is wanted from now on; nothing after [`Bank::handle_stop`].
    pub(crate) fn handle_wanted(&mut self, wanted: Lit, now: Mono) {
        if self.stopping {
            return;
        }
        let siren = self.carries(Role::Siren) && wanted.is_on(Role::Siren) != self.wanted.is_on(Role::Siren);
        self.wanted = wanted;
        if siren {
            self.hurry(now);
        }
    }

    /// The end: leaves the outputs as [`Lit::LEFT`], with one try only.
    pub(crate) fn handle_stop(&mut self, now: Mono) {
        self.wanted = Lit::LEFT;
        self.stopping = true;
        self.hurry(now);
    }

    /// What to do at `now`.
    pub(crate) fn next(&self, now: Mono) -> Step {
        match self.phase {
            Phase::Ended => return Step::End,
            Phase::Closed { try_at } if now >= try_at => return Step::Open,
            Phase::Closed { try_at } => return Step::Wait(try_at),
            Phase::Failed { try_at } if now < try_at => return Step::Wait(try_at),
            Phase::Failed { .. } | Phase::Working { .. } => {}
        }
        let (siren, lamps) = self.differing().partition::<Vec<_>, _>(|(role, _)| *role == Role::Siren);
        if !siren.is_empty() {
            return Step::Write(siren);
        }
        if !lamps.is_empty() {
            return Step::Write(lamps);
        }
        match self.phase {
            Phase::Working { supervise_at } if now < supervise_at && !self.stopping => {
                Step::Wait(supervise_at)
            }
            Phase::Working { .. } | Phase::Failed { .. } if !self.stopping => Step::Supervise,
            Phase::Working { .. } | Phase::Failed { .. } | Phase::Closed { .. } | Phase::Ended => Step::End,
        }
    }

    /// [`Step::Open`] was done.
    pub(crate) fn handle_opened(&mut self, result: Result<(), Trouble>, now: Mono) {
        match result {
            // Looked at once more before it counts as good.
            Ok(()) => self.phase = Phase::Working { supervise_at: now },
            Err(Trouble::Gone(why) | Trouble::Stuck(why)) => {
                let try_at = self.later(now);
                self.phase = if self.stopping { Phase::Ended } else { Phase::Closed { try_at } };
                self.health = Health::Failed(why);
            }
        }
    }

    /// [`Step::Write`] was done.
    pub(crate) fn handle_written(&mut self, lines: &[(Role, bool)], result: Result<(), Trouble>, now: Mono) {
        for (role, on) in lines {
            self.commanded[*role as usize] = Some(*on);
        }
        if let Err(trouble) = result {
            self.failed(trouble, now);
        }
    }

    /// [`Step::Supervise`] was done.
    pub(crate) fn handle_supervised(&mut self, result: Result<(), Trouble>, now: Mono) {
        match result {
            Ok(()) => {
                self.phase = Phase::Working { supervise_at: now + SUPERVISE_EVERY };
                self.wait = RETRY_FIRST;
                self.health = Health::Good;
            }
            Err(trouble) => self.failed(trouble, now),
        }
    }

    fn failed(&mut self, trouble: Trouble, now: Mono) {
        let (phase, why) = match trouble {
            Trouble::Stuck(why) => (Phase::Working { supervise_at: now + SUPERVISE_EVERY }, why),
            Trouble::Gone(why) if self.stopping => (Phase::Ended, why),
            Trouble::Gone(why) => {
                self.commanded = Default::default();
                (Phase::Failed { try_at: self.later(now) }, why)
            }
        };
        self.phase = phase;
        self.health = Health::Failed(why);
    }

    /// When to try again.
    fn later(&mut self, now: Mono) -> Mono {
        let wait = self.wait;
        self.wait = (wait * 2).min(RETRY_LONGEST);
        now + wait
    }

    fn hurry(&mut self, now: Mono) {
        match &mut self.phase {
            Phase::Closed { try_at } | Phase::Failed { try_at } => *try_at = now,
            Phase::Working { .. } | Phase::Ended => {}
        }
    }

    fn carries(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    fn differing(&self) -> impl Iterator<Item = (Role, bool)> {
        let wanted = self.roles.iter().map(|role| (*role, self.wanted.is_on(*role)));
        wanted.filter(|(role, on)| self.commanded[*role as usize] != Some(*on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::panel::{Light, Outputs};

    fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1000)
    }

    fn gone() -> Result<(), Trouble> {
        Err(Trouble::Gone("silent".into()))
    }

    fn hold_up() -> Lit {
        Lit::of(&Outputs { red: Light::Steady, siren: true, ..Outputs::default() }, at(0))
    }

    fn bank() -> Bank {
        Bank::new(vec![Role::Red, Role::Amber, Role::Siren], at(0))
    }

    /// Opened, everything written, supervised at 0 ms.
    fn working() -> Bank {
        let mut bank = bank();
        bank.handle_opened(Ok(()), at(0));
        settle(&mut bank, at(0));
        assert_eq!((bank.next(at(0)), bank.health()), (Step::Wait(at(1000)), &Health::Good));
        bank
    }

    /// Does every step well until it waits; the steps.
    fn settle(bank: &mut Bank, now: Mono) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let step = bank.next(now);
            match &step {
                Step::Open => bank.handle_opened(Ok(()), now),
                Step::Write(lines) => bank.handle_written(lines, Ok(()), now),
                Step::Supervise => bank.handle_supervised(Ok(()), now),
                Step::Wait(_) | Step::End => return steps,
            }
            steps.push(step);
        }
    }

    #[test]
    fn the_siren_is_written_before_the_lamps() {
        let mut bank = working();
        bank.handle_wanted(hold_up(), at(10));
        let steps = settle(&mut bank, at(10));
        assert_eq!(steps, [Step::Write(vec![(Role::Siren, true)]), Step::Write(vec![(Role::Red, true)])]);
    }

    #[test]
    fn a_new_device_gets_every_line_and_is_looked_at_before_it_is_good() {
        let mut bank = bank();
        assert_eq!((bank.next(at(0)), bank.health()), (Step::Open, &Health::Untried));
        let steps = settle(&mut bank, at(0));
        let lamps = vec![(Role::Red, false), (Role::Amber, false)];
        let siren = vec![(Role::Siren, false)];
        assert_eq!(steps, [Step::Open, Step::Write(siren), Step::Write(lamps), Step::Supervise]);
    }

    #[test]
    fn the_waits_double_and_a_siren_does_not_wait() {
        let mut bank = working();
        let mut now = 1000;
        for wait in [500, 1000, 2000, 4000, 5000, 5000] {
            let step = bank.next(at(now));
            match step {
                Step::Supervise => bank.handle_supervised(gone(), at(now)),
                Step::Write(lines) => bank.handle_written(&lines, gone(), at(now)),
                Step::Open | Step::Wait(_) | Step::End => panic!("{step:?}"),
            }
            assert_eq!(bank.next(at(now)), Step::Wait(at(now + wait)));
            now += wait;
        }
        bank.handle_written(&[(Role::Siren, false)], gone(), at(now));
        bank.handle_wanted(hold_up(), at(now + 1));
        assert_eq!(bank.next(at(now + 1)), Step::Write(vec![(Role::Siren, true)]));
    }

    #[test]
    fn a_stuck_line_is_told_and_the_others_go_on() {
        let mut bank = working();
        bank.handle_wanted(hold_up(), at(10));
        let stuck = || Err(Trouble::Stuck("siren".into()));
        bank.handle_written(&[(Role::Siren, true)], stuck(), at(10));
        assert_eq!(bank.next(at(10)), Step::Write(vec![(Role::Red, true)]));
        bank.handle_written(&[(Role::Red, true)], Ok(()), at(20));
        assert_eq!(bank.health(), &Health::Failed("siren".into()));
        assert_eq!(bank.next(at(1010)), Step::Supervise);
        bank.handle_supervised(stuck(), at(1010));
        assert_eq!(bank.next(at(1010)), Step::Wait(at(2010)));
        bank.handle_supervised(Ok(()), at(2010));
        assert_eq!(bank.health(), &Health::Good);
    }

    #[test]
    fn the_end_is_silent_and_amber_and_does_not_hang_on_a_dead_device() {
        let mut bank = working();
        bank.handle_wanted(hold_up(), at(10));
        settle(&mut bank, at(10));
        let mut dead = bank.clone();
        bank.handle_stop(at(20));
        let left = [
            Step::Write(vec![(Role::Siren, false)]),
            Step::Write(vec![(Role::Red, false), (Role::Amber, true)]),
        ];
        assert_eq!(settle(&mut bank, at(20)), left);
        assert_eq!(bank.next(at(20)), Step::End);
        dead.handle_stop(at(20));
        dead.handle_written(&[(Role::Siren, false)], gone(), at(20));
        assert_eq!(dead.next(at(20)), Step::End);
        let mut closed = Bank::new(vec![Role::Red], at(0));
        closed.handle_stop(at(0));
        closed.handle_opened(gone(), at(0));
        assert_eq!(closed.next(at(0)), Step::End);
    }
}
