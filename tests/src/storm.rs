//! Fingers on the buttons of all schools at once, while daemons are struck down around them.
//!
//! What counts as a press: a finger that stays down until the box has the press in its spool, and away until the
//! box has the release there. A press that comes and goes while the button daemon is down is seen by nobody, and a
//! release that does so makes one press of two; no program can know better. Everything else has to be counted,
//! whenever a daemon dies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alarm::PointId;
use alarm::spool::Spool;
use onepress::api::Desk;
use onepress::rig::{Button, Daemon, School, pause};

use crate::centre::{Centre, tail, until};
use crate::dice::Dice;
use crate::record::Record;

/// Pause of a finger between two presses, at most.
const BETWEEN: Duration = Duration::from_millis(40);
/// Pause between two blows, at most.
const NEXT_BLOW: Duration = Duration::from_millis(250);
/// How long a killed daemon stays down, at most: systemd's first restart comes after some hundred milliseconds.
const DOWN: Duration = Duration::from_millis(300);

/// What befalls a daemon.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM; it has to end well and in time.
    Stop,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    presses: BTreeMap<(usize, &'static str), usize>,
    blows: BTreeMap<&'static str, usize>,
}

/// Presses buttons of all schools so many times in all; meanwhile desk, wall and boxes are struck.
///
/// # Panics
/// If a press does not reach a spool, or a daemon does not stop as it should.
pub fn storm(centre: &mut Centre, presses: usize, blow: Blow, seed: u64) -> Done {
    let mut dice = Dice::new(seed);
    let share = presses / centre.schools.len();
    let Centre { schools, rack, wall, .. } = centre;
    let schools: Vec<_> = schools.iter_mut().map(Mutex::new).collect();
    let mut done = Done::default();
    std::thread::scope(|scope| {
        let finger = |school| {
            let dice = Dice::new(dice.below(u64::MAX));
            scope.spawn(move || press_often(school, share, dice))
        };
        let fingers: Vec<_> = schools.iter().map(finger).collect();
        while !fingers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            pause(dice.up_to(NEXT_BLOW));
            let down = dice.up_to(DOWN);
            // Everybody has a turn; then as many blows for the desk as for all the boxes: everything hangs on it.
            let lot = match done.blows.values().sum() {
                0 => 0,
                1 => 2,
                2 => 4,
                _more => dice.below(5),
            };
            let struck = match lot {
                0 | 1 => {
                    wait_up(blow, || Desk::at(&rack.url()).get("/healthz").is_ok());
                    strike(rack.daemon(), blow);
                    pause(down);
                    rack.start_again().expect("started");
                    "desk"
                }
                2 => {
                    let wall = wall.as_mut().expect("a wall");
                    wait_up(blow, || wall.status().is_ok());
                    strike(wall.daemon(), blow);
                    pause(down);
                    wall.start_again().expect("started");
                    "wall"
                }
                _ => {
                    let school = &schools[usize::try_from(dice.below(schools.len() as u64)).expect("small")];
                    wait_up(blow, || lock(school).status().is_ok());
                    strike(lock(school).daemon(), blow);
                    pause(down);
                    lock(school).start_again().expect("started");
                    "box"
                }
            };
            *done.blows.entry(struck).or_default() += 1;
        }
        for (number, finger) in fingers.into_iter().enumerate() {
            let pressed = finger.join().expect("the finger got its presses through");
            done.presses.extend(pressed.into_iter().map(|(point, times)| ((number + 1, point), times)));
        }
    });
    done
}

impl Done {
    /// All presses.
    #[must_use]
    pub fn presses(&self) -> usize {
        self.presses.values().sum()
    }

    /// Every kind of daemon was struck at least so many times, or the storm showed nothing.
    ///
    /// # Panics
    /// If not.
    pub fn assert_blows(&self, least: usize) {
        for who in ["desk", "wall", "box"] {
            let times = self.blows.get(who).copied().unwrap_or(0);
            assert!(times >= least, "{who} was struck {times} times only: press more often");
        }
    }

    /// Every press stands in the journal once, and nothing else does.
    ///
    /// # Panics
    /// If not; names the points.
    pub fn assert_recorded_once(&self, record: &Record) {
        record.assert_nothing_twice();
        let of = |(number, point): &(usize, &'static str)| record.presses(&format!("box-{number}"), point);
        let wrong: Vec<_> = self.presses.iter().filter(|(at, pressed)| of(at) != **pressed).collect();
        let recorded: Vec<_> = wrong.iter().map(|(at, _)| of(at)).collect();
        assert!(wrong.is_empty(), "pressed {wrong:?}, recorded {recorded:?}");
    }
}

/// Death comes at any moment. Who is told to stop while it still starts ends by the signal, having done nothing yet.
fn wait_up(blow: Blow, mut is_up: impl FnMut() -> bool) {
    match blow {
        Blow::Kill => {}
        Blow::Stop => until("the daemon is up", || is_up().then_some(())),
    }
}

fn strike(daemon: &mut Daemon, blow: Blow) {
    match blow {
        Blow::Kill => daemon.kill(),
        Blow::Stop => ends_well(daemon),
    }
}

/// Tells a daemon to stop.
///
/// # Panics
/// If it does not end in time, or not well; its log ends the message.
pub fn ends_well(daemon: &mut Daemon) {
    let (status, took) = daemon.stop().expect("it ends in time");
    assert_eq!(status.code(), Some(0), "{status} after {took:?}: {}", tail(&daemon.log()));
}

fn press_often(school: &Mutex<&mut School>, times: usize, mut dice: Dice) -> BTreeMap<&'static str, usize> {
    let mut pressed = BTreeMap::new();
    for _ in 0..times {
        let button = dice.one_of(&[Button::Gate, Button::Office]);
        press_once(school, button);
        *pressed.entry(button.point()).or_default() += 1;
        pause(dice.up_to(BETWEEN));
    }
    pressed
}

fn press_once(school: &Mutex<&mut School>, button: Button) {
    let mut spool = SpoolFile::of(&lock(school).spool(), button);
    lock(school).press(button);
    until("the press is in the spool", || spool.is_held().then_some(()));
    lock(school).release(button);
    until("the release is in the spool", || (!spool.is_held()).then_some(()));
}

fn lock<'a, 'b>(school: &'a Mutex<&'b mut School>) -> MutexGuard<'a, &'b mut School> {
    school.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A box's spool as it lies on the disk. Read only when its length has changed.
struct SpoolFile {
    path: PathBuf,
    point: PointId,
    read: Option<(u64, bool)>,
}

impl SpoolFile {
    fn of(path: &Path, button: Button) -> Self {
        let point = PointId::new(button.point()).expect("a point");
        Self { path: path.to_owned(), point, read: None }
    }

    /// Whether the last word about the point is that it is pressed.
    fn is_held(&mut self) -> bool {
        let length = std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        if let Some((known, held)) = self.read
            && known == length
        {
            return held;
        }
        let replay = Spool::replay(&std::fs::read(&self.path).unwrap_or_default());
        let held = replay.spool.held(&self.point).is_some();
        self.read = Some((replay.good as u64, held));
        held
    }
}
