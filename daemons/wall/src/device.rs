//! The thread of one device: waits for a wish, does the steps of its [`Bank`], tells how the device is.

use crate::bank::{Bank, Health, Step, Trouble};
use crate::clock::Clock;
use crate::line::{Lit, Role};
use alarm::Mono;
use hw::{Error, Outputs, Supervision};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use unit::Progress;

/// Longest sleep, so that the watchdog hears of an idle thread.
const SLEEP_LONGEST: Duration = Duration::from_secs(1);

/// Opens the device.
pub(crate) type Open = Box<dyn FnMut() -> Result<Vec<Box<dyn Outputs>>, String> + Send>;

/// Tells how the device is, on every change.
pub(crate) type Tell = Box<dyn FnMut(&Health) + Send>;

/// One device and its state.
pub(crate) struct Device {
    bank: Bank,
    open: Open,
    outputs: Vec<Box<dyn Outputs>>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done; there may be more.
    Again,
    /// Nothing to do before then.
    Wait(Mono),
    /// The device is left for good.
    End,
}

/// What the thread is to make of its outputs. The newest wish counts; none is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Show(Lit),
    Stop,
}

/// Where wishes are left for a device's thread.
#[derive(Debug)]
pub(crate) struct Slot {
    wish: Mutex<Option<Wish>>,
    changed: Condvar,
}

/// A running thread.
#[derive(Debug)]
pub(crate) struct Running {
    slot: Arc<Slot>,
    thread: JoinHandle<()>,
}

impl Device {
    /// A device that carries these outputs.
    pub(crate) fn new(roles: Vec<Role>, open: Open, now: Mono) -> Self {
        Self { bank: Bank::new(roles, now), open, outputs: Vec::new() }
    }

    /// How it is.
    pub(crate) fn health(&self) -> &Health {
        self.bank.health()
    }

    /// Takes what is wanted.
    pub(crate) fn handle_wanted(&mut self, wanted: Lit, now: Mono) {
        self.bank.handle_wanted(wanted, now);
    }

    /// Does the next step. Blocks for as long as the device needs.
    pub(crate) fn turn(&mut self, now: impl Fn() -> Mono) -> Turn {
        match self.bank.next(now()) {
            Step::Wait(until) => return Turn::Wait(until),
            Step::End => return Turn::End,
            Step::Open => {
                let opened = (self.open)().map(|outputs| self.outputs = outputs).map_err(Trouble::Gone);
                self.bank.handle_opened(opened, now());
            }
            Step::Write(lines) => {
                let written = self.write(&lines);
                self.bank.handle_written(&lines, written, now());
            }
            Step::Supervise => {
                let found = self.supervise();
                self.bank.handle_supervised(found, now());
            }
        }
        Turn::Again
    }

    fn write(&mut self, lines: &[(Role, bool)]) -> Result<(), Trouble> {
        let mut outcome = Ok(());
        for outputs in &mut self.outputs {
            let here = outputs.lines();
            let wanted: Vec<_> = lines.iter().map(|(role, on)| (role.name(), *on)).collect();
            let wanted: Vec<_> =
                wanted.into_iter().filter(|(name, _)| here.iter().any(|l| l == name)).collect();
            if !wanted.is_empty() {
                outcome = worse(outcome, outputs.apply(&wanted));
            }
        }
        outcome
    }

    fn supervise(&mut self) -> Result<(), Trouble> {
        let mut outcome = Ok(());
        for outputs in &mut self.outputs {
            let found = outputs.supervise().map(|found| note(outputs.device(), &found));
            outcome = worse(outcome, found);
        }
        outcome
    }

    fn run(mut self, slot: &Slot, clock: Clock, progress: Progress, mut tell: Tell) {
        let mut told = Health::Untried;
        loop {
            progress.beat();
            match slot.take() {
                Some(Wish::Show(lit)) => self.handle_wanted(lit, clock.now()),
                Some(Wish::Stop) => self.bank.handle_stop(clock.now()),
                None => {}
            }
            let turn = self.turn(|| clock.now());
            if *self.health() != told {
                told = self.health().clone();
                tell(&told);
            }
            match turn {
                Turn::Again => {}
                Turn::Wait(until) => slot.wait(until.since(clock.now())),
                Turn::End => return progress.done(),
            }
        }
    }
}

impl Slot {
    fn leave(&self, wish: Wish) {
        let mut slot = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        if *slot != Some(Wish::Stop) {
            *slot = Some(wish);
        }
        self.changed.notify_one();
    }

    fn take(&self) -> Option<Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn wait(&self, limit: Duration) {
        let wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limit.min(SLEEP_LONGEST);
        drop(self.changed.wait_timeout_while(wish, limit, |wish| wish.is_none()));
    }
}

impl Running {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(
        device: Device,
        clock: Clock,
        progress: Progress,
        tell: Tell,
    ) -> std::io::Result<Self> {
        let slot = Arc::new(Slot { wish: Mutex::new(None), changed: Condvar::new() });
        let run = Arc::clone(&slot);
        let thread = std::thread::Builder::new()
            .name("outputs".into())
            .spawn(move || device.run(&run, clock, progress, tell))?;
        Ok(Self { slot, thread })
    }

    /// Wants this shown from now on.
    pub(crate) fn show(&self, lit: Lit) {
        self.slot.leave(Wish::Show(lit));
    }

    /// Wants the outputs left as [`Lit::LEFT`].
    pub(crate) fn stop(&self) {
        self.slot.leave(Wish::Stop);
    }

    /// Whether the outputs have been left, or could not be reached.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

fn note(device: &str, found: &Supervision) {
    if let Supervision::Restored(lines) = found {
        let lines: Vec<_> = lines.iter().map(|line| line.as_str()).collect();
        tracing::warn!(device, ?lines, "the device had lost outputs; they are written again");
    }
}

/// The graver of two outcomes: a device that does not work says more than a line that does not follow.
fn worse(so_far: Result<(), Trouble>, next: Result<(), Error>) -> Result<(), Trouble> {
    match (so_far, next) {
        (Err(Trouble::Gone(why)), _) => Err(Trouble::Gone(why)),
        (so_far, Ok(())) => so_far,
        (so_far, Err(error @ Error::Mismatch { .. })) => so_far.and(Err(Trouble::Stuck(error.to_string()))),
        (_, Err(error)) => Err(Trouble::Gone(error.to_string())),
    }
}
