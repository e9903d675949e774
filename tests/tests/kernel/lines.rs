//! The wires of one box, on a chip of gpio-sim. Levels are physical.

use gpiocdev::Request;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::scene::{eventually, pause};

const SIMULATORS: &str = "/sys/kernel/config/gpio-sim";
const PLATFORM: &str = "/sys/devices/platform";

/// In the order of the board file `gpio-sim.toml`.
const INPUTS: [&str; 8] =
    ["BTN1_NO", "BTN1_NC", "BTN2_NO", "BTN2_NC", "TAMPER", "MAINS_OK", "BATT_LOW", "WALL_ACK"];
const OUTPUTS: [&str; 6] = ["RED", "AMBER", "BLUE", "GREEN", "SIREN", "LAMP"];

/// How often outputs are looked at: a lamp that lights for less is not seen by people either.
const LOOK: Duration = Duration::from_millis(2);
/// The button daemon writes its lamp again every second.
const TWO_SUPERVISIONS: Duration = Duration::from_millis(2200);

/// All lines of one chip.
pub(crate) struct Lines {
    chip: String,
    directories: BTreeMap<&'static str, PathBuf>,
}

/// A watch over the outputs, from its making.
pub(crate) struct Outputs {
    changes: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// A new chip with this label, every input pulled low.
    pub(crate) fn new(label: &str) -> Self {
        let simulator = PathBuf::from(SIMULATORS).join(label);
        let bank = simulator.join("bank0");
        std::fs::create_dir_all(&bank).expect("a simulator");
        let write = |file: PathBuf, text: &str| std::fs::write(file, text).expect("configured");
        let read = |file: PathBuf| std::fs::read_to_string(file).expect("read").trim().to_owned();
        let names = || INPUTS.into_iter().chain(OUTPUTS).enumerate();
        write(bank.join("label"), label);
        write(bank.join("num_lines"), &names().count().to_string());
        for (offset, name) in names() {
            let line = bank.join(format!("line{offset}"));
            std::fs::create_dir(&line).expect("a line");
            write(line.join("name"), name);
        }
        write(simulator.join("live"), "1");
        let chip = read(bank.join("chip_name"));
        let device = PathBuf::from(PLATFORM).join(read(simulator.join("dev_name"))).join(&chip);
        let directories = names().map(|(offset, name)| (name, device.join(format!("sim_gpio{offset}"))));
        Self { chip, directories: directories.collect() }
    }

    /// As the kernel names it: `gpiochip0`.
    pub(crate) fn chip(&self) -> &str {
        &self.chip
    }

    /// What hangs on an input pulls it.
    pub(crate) fn pull(&self, line: &str, high: bool) {
        let word = if high { "pull-up" } else { "pull-down" };
        std::fs::write(self.directories[line].join("pull"), word).expect("pulled");
    }

    /// What an output drives.
    pub(crate) fn is_high(&self, line: &str) -> bool {
        is_high(&self.directories[line])
    }

    /// Takes a line away from whoever comes later.
    pub(crate) fn hold(&self, line: &str, as_whom: &str) -> Request {
        let offset = INPUTS.iter().position(|name| *name == line).expect("an input");
        let mut request = Request::builder();
        request.on_chip(format!("/dev/{}", self.chip)).with_consumer(as_whom);
        request.with_line(u32::try_from(offset).expect("few lines")).as_input();
        request.request().expect("held")
    }

    /// Looks at every output from now on.
    pub(crate) fn watch_outputs(&self) -> Outputs {
        let mut known = OUTPUTS.map(|name| (name, self.directories[name].clone(), self.is_high(name)));
        let (changes, ended) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (told, stop) = (Arc::clone(&changes), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for (name, directory, before) in &mut known {
                    let now = is_high(directory);
                    if std::mem::replace(before, now) != now {
                        let level = if now { "high" } else { "low" };
                        told.lock().expect("no panic").push(format!("{name} {level}"));
                    }
                }
                pause(LOOK);
            }
        });
        Outputs { changes, ended, thread: Some(thread) }
    }
}

impl Outputs {
    /// What has changed so far, oldest first.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.changes.lock().expect("no panic").clone()
    }

    /// Waits until this is the newest change.
    pub(crate) fn awaits(&self, change: &str) {
        eventually(change, || self.changes().last().is_some_and(|last| last == change).then_some(()));
    }

    /// Time in which a daemon would do again what it wants done.
    pub(crate) fn go_on_for_two_supervisions(&self) {
        pause(TWO_SUPERVISIONS);
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn is_high(directory: &std::path::Path) -> bool {
    std::fs::read_to_string(directory.join("value")).expect("a level").trim() == "1"
}
