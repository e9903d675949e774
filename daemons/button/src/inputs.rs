//! A thread for each bank of inputs: it waits for edges, reads the levels in between, and goes on through every
//! trouble of its device. What a level means is decided in [`crate::core`].
//!
//! ```text
//!            opened             error
//!   Shut ───────────▶ Reading ──────────▶ Unreadable ─┐
//!    ▲ │                 ▲                    │       │ tried again after the back-off
//!    └─┘ tried again     └──── levels read ───┘ ◀─────┘
//! ```

use hw::{Board, Edge, Error, Held, Inputs, Line, OpenError, Severity};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use unit::{Progress, Watchdog};

/// How often the levels are read besides the edges: twice in the second in which a cut wire has to be found.
pub const POLL_EVERY: Duration = Duration::from_millis(500);
/// How often they are read while the points are tested: a press that a test relay hides is an alarm this much later.
pub const LOOK_EVERY: Duration = Duration::from_millis(40);
/// Reports that wait for the core: it takes each in microseconds, so a full queue is a stuck core.
pub const REPORTS_MAX: usize = 64;
/// First wait after an error.
pub const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait after an error: whoever plugs in the adapter stands there and looks.
pub const RETRY_LONGEST: Duration = Duration::from_secs(2);
/// Longest silence of a thread: a serial read of 2 s and a retry.
const SILENCE: Duration = Duration::from_secs(9);
/// As others see the daemon on a held line.
const CONSUMER: &str = "onepress-button";

/// Opens the banks of one device.
pub type Opener = Box<dyn FnMut() -> Result<Vec<Box<dyn Inputs>>, OpenError> + Send>;

/// One device with inputs.
pub struct Source {
    /// The lines that it carries.
    pub lines: Vec<Line>,
    /// How it is opened.
    pub open: Opener,
}

/// What a thread tells.
#[derive(Debug)]
pub enum Report {
    /// The levels of a bank, read together.
    Levels {
        /// When.
        at: Instant,
        /// Each line and whether it is active.
        levels: Vec<(Line, bool)>,
    },
    /// What changed, oldest first.
    Edges(Vec<Edge>),
    /// How the kernel holds the lines of a bank. Their levels were told before.
    Held(Vec<Held>),
    /// These lines cannot be read.
    Unreadable {
        /// Since when.
        at: Instant,
        /// Which.
        lines: Vec<Line>,
    },
}

/// What the threads are to do beside watching.
#[derive(Clone, Debug, Default)]
pub struct Looker(Arc<Look>);

#[derive(Debug, Default)]
struct Look {
    /// Each number is one question.
    asked: AtomicU64,
    often: AtomicBool,
}

impl Looker {
    /// Every bank is to say how its lines are held, and to look often from now on.
    pub fn look(&self) {
        self.0.often.store(true, Ordering::Relaxed);
        self.0.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// As ever.
    pub fn rest(&self) {
        self.0.often.store(false, Ordering::Relaxed);
    }

    fn every(&self) -> Duration {
        if self.0.often.load(Ordering::Relaxed) { LOOK_EVERY } else { POLL_EVERY }
    }

    fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::Relaxed)
    }
}

/// The devices of a board that carry these lines.
///
/// # Errors
/// When the board has no such line.
pub fn sources(board: &Board, lines: &[&str]) -> Result<Vec<Source>, OpenError> {
    let source = |(_, names): (String, Vec<String>)| {
        let lines = names.iter().map(|name| Line::new(name)).collect();
        let board = board.clone();
        let open = move || {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            board.open_inputs(CONSUMER, &names)
        };
        Source { lines, open: Box::new(open) as Opener }
    };
    Ok(board.inputs_by_device(lines)?.into_iter().map(source).collect())
}

/// Starts the threads. They end when the receiver is dropped.
///
/// # Errors
/// When there can be no thread.
pub fn start(
    sources: Vec<Source>,
    watchdog: &Watchdog,
    looker: &Looker,
) -> std::io::Result<mpsc::Receiver<Report>> {
    let (reports, heard) = mpsc::channel(REPORTS_MAX);
    for source in sources {
        let scan = Scan { reports: reports.clone(), watchdog: watchdog.clone(), looker: looker.clone() };
        std::thread::Builder::new().name("inputs".into()).spawn(move || scan.run(source))?;
    }
    Ok(heard)
}

/// Nobody listens any more.
struct Stop;

#[derive(Clone)]
struct Scan {
    reports: mpsc::Sender<Report>,
    watchdog: Watchdog,
    looker: Looker,
}

impl Scan {
    fn run(&self, mut source: Source) {
        let progress = self.watchdog.expects("input scan", SILENCE);
        let Ok(banks) = self.open(&mut source, &progress) else { return progress.done() };
        progress.done();
        std::thread::scope(|scope| {
            for bank in banks {
                scope.spawn(move || self.watch(bank));
            }
        });
    }

    fn open(&self, source: &mut Source, progress: &Progress) -> Result<Vec<Box<dyn Inputs>>, Stop> {
        let mut trouble = Trouble::default();
        loop {
            match (source.open)() {
                Ok(banks) => return Ok(banks),
                Err(error) => {
                    if trouble.begins() {
                        tracing::warn!(lines = ?source.lines, %error, "inputs cannot be opened");
                        self.unreadable(source.lines.clone())?;
                    }
                    self.pause(&mut trouble, progress)?;
                }
            }
        }
    }

    /// Until nobody listens.
    fn watch(&self, mut bank: Box<dyn Inputs>) {
        let progress = self.watchdog.expects("input scan", SILENCE);
        while self.read_well(&mut *bank, &progress).is_ok() {}
        progress.done();
    }

    /// From the first levels to the next trouble, and through it.
    fn read_well(&self, bank: &mut dyn Inputs, progress: &Progress) -> Result<(), Stop> {
        let mut trouble = Trouble::default();
        loop {
            match bank.read() {
                Ok(levels) => {
                    if trouble.told {
                        tracing::info!(device = bank.device(), "inputs are read again");
                    }
                    trouble = Trouble::default();
                    self.levels(Instant::now(), levels)?;
                    let error = self.listen(bank, progress)?;
                    self.begin(&mut trouble, bank, &error)?;
                }
                Err(error) => self.begin(&mut trouble, bank, &error)?,
            }
            self.pause(&mut trouble, progress)?;
        }
    }

    /// Edges as they come and levels in between, until an error.
    fn listen(&self, bank: &mut dyn Inputs, progress: &Progress) -> Result<Error, Stop> {
        let mut polled = Instant::now();
        let mut answered = self.looker.asked();
        loop {
            progress.beat();
            let every = self.looker.every();
            match bank.wait(every) {
                Ok(edges) => self.edges(edges)?,
                Err(error) => return Ok(error),
            }
            if polled.elapsed() >= every {
                polled = Instant::now();
                if let Err(error) = self.poll(bank)? {
                    return Ok(error);
                }
            }
            let asked = self.looker.asked();
            if std::mem::replace(&mut answered, asked) != asked
                && let Err(error) = self.tell_held(bank)?
            {
                return Ok(error);
            }
        }
    }

    /// Levels that were overtaken by an edge are not told: they would make a short press shorter.
    fn poll(&self, bank: &mut dyn Inputs) -> Result<Result<(), Error>, Stop> {
        let at = Instant::now();
        let polled = bank.read().and_then(|levels| Ok((levels, bank.wait(Duration::ZERO)?)));
        match polled {
            Ok((levels, edges)) if edges.is_empty() => Ok(Ok(self.levels(at, levels)?)),
            Ok((_, edges)) => Ok(Ok(self.edges(edges)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn tell_held(&self, bank: &mut dyn Inputs) -> Result<Result<(), Error>, Stop> {
        if let Err(error) = self.poll(bank)? {
            return Ok(Err(error));
        }
        let held = match bank.held() {
            Ok(held) => held,
            Err(error) => return Ok(Err(error)),
        };
        for held in held.iter().filter(|held| held.wrong.is_some()) {
            tracing::warn!(device = bank.device(), line = %held.line, wrong = ?held.wrong, "a line is not held as it was asked for");
        }
        self.tell(Report::Held(held))?;
        Ok(Ok(()))
    }

    fn begin(&self, trouble: &mut Trouble, bank: &dyn Inputs, error: &Error) -> Result<(), Stop> {
        if !trouble.begins() {
            return Ok(());
        }
        match error.severity() {
            Severity::Retryable => tracing::warn!(device = bank.device(), %error, "inputs cannot be read"),
            Severity::Fatal => tracing::error!(device = bank.device(), %error, "inputs cannot be read"),
        }
        self.unreadable(bank.lines())
    }

    fn pause(&self, trouble: &mut Trouble, progress: &Progress) -> Result<(), Stop> {
        progress.beat();
        let end = Instant::now() + trouble.wait();
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.reports.is_closed() {
                return Err(Stop);
            }
            // Short steps, so that the daemon's end is not held up.
            std::thread::park_timeout(left.min(RETRY_FIRST));
        }
        Ok(())
    }

    fn levels(&self, at: Instant, levels: Vec<hw::Reading>) -> Result<(), Stop> {
        let levels = levels.into_iter().map(|reading| (reading.line, reading.active)).collect();
        self.tell(Report::Levels { at, levels })
    }

    fn edges(&self, edges: Vec<Edge>) -> Result<(), Stop> {
        match edges.is_empty() {
            true if self.reports.is_closed() => Err(Stop),
            true => Ok(()),
            false => self.tell(Report::Edges(edges)),
        }
    }

    fn unreadable(&self, lines: Vec<Line>) -> Result<(), Stop> {
        self.tell(Report::Unreadable { at: Instant::now(), lines })
    }

    fn tell(&self, report: Report) -> Result<(), Stop> {
        self.reports.blocking_send(report).map_err(|_| Stop)
    }
}

/// One spell of trouble with a device.
#[derive(Debug, Default)]
struct Trouble {
    told: bool,
    tries: u32,
}

impl Trouble {
    /// Whether it has not been told yet.
    fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    fn wait(&mut self) -> Duration {
        let wait = RETRY_FIRST.saturating_mul(1 << self.tries.min(8)).min(RETRY_LONGEST);
        self.tries = self.tries.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hw::fake::{self, Failure};

    fn source(mut bank: Option<fake::Inputs>, lines: &[&str]) -> Source {
        let lines = lines.iter().map(|line| Line::new(line)).collect();
        let mut late = 2;
        let open = move || {
            late -= 1;
            match (late, bank.take()) {
                (1.., absent) => {
                    bank = absent;
                    Err(Error::Absent { device: "usb".into() }.into())
                }
                (_, Some(bank)) => Ok(vec![Box::new(bank) as Box<dyn Inputs>]),
                (_, None) => Err(Error::Absent { device: "usb".into() }.into()),
            }
        };
        Source { lines, open: Box::new(open) }
    }

    fn next(heard: &mut mpsc::Receiver<Report>) -> String {
        match heard.blocking_recv() {
            Some(Report::Levels { levels, .. }) => {
                levels.iter().map(|(line, level)| format!("{line}={level} ")).collect()
            }
            Some(Report::Edges(edges)) => {
                edges.iter().map(|edge| format!("{}->{} ", edge.line, edge.active)).collect()
            }
            Some(Report::Unreadable { lines, .. }) => format!("unreadable {lines:?}"),
            None => "end".into(),
        }
    }

    #[test]
    fn a_device_that_comes_late_goes_and_comes_back() {
        let (bank, hand) = fake::inputs("usb", &["no"]);
        let watchdog = Watchdog::new();
        let mut heard = start(vec![source(Some(bank), &["no"])], &watchdog, &Looker::default()).unwrap();
        assert_eq!(next(&mut heard), "unreadable [\"no\"]");
        assert_eq!(next(&mut heard), "no=false ");
        hand.set("no", true);
        assert_eq!(next(&mut heard), "no->true ");
        assert_eq!(next(&mut heard), "no=true ");
        hand.fail(Failure::Absent);
        assert_eq!(next(&mut heard), "unreadable [\"no\"]");
        hand.heal();
        assert_eq!(next(&mut heard), "no=true ");
    }
}
