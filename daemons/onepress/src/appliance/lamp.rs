//! The status lamp while a stick installs: for whoever stands before a cabinet without a screen.
//!
//! | it shows | pattern |
//! |---|---|
//! | what will be done; switch off to stop it | slow: a second on, a second off |
//! | that it is being written; do not switch off | fast: four times a second |
//! | that it is done | steady, until it switches off |
//! | that nothing was installed; screen and serial line say why | three short, a pause |
//!
//! It is a light of the kernel's LED class (`/sys/class/leds`): the one that site.toml names, else a status light, else on
//! a computer without any that of a key. The kernel blinks by itself where it can (`timer`, `pattern`), so that the light
//! is true also while a disk holds up every program; else a thread does. No light is never an error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where the kernel has its lights.
pub const LEDS: &str = "/sys/class/leds";
/// Status lights, the best first: exact names, or what a name ends with (`green:status`, `input3::capslock`).
const KNOWN: [&str; 10] = [
    "ACT",
    "led0",
    ":status",
    ":indicator",
    ":activity",
    ":heartbeat",
    ":power",
    "::scrolllock",
    "::capslock",
    "::numlock",
];

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// What will be done is on the screen.
    Announcing,
    /// It is being written.
    Writing,
    /// It is done.
    Done,
    /// Nothing was installed.
    Refused,
    /// Another light is the one.
    Dark,
}

/// On or off, and for how many milliseconds.
type Step = (bool, u64);

impl Pattern {
    /// Repeated; a single one stays.
    fn steps(self) -> &'static [Step] {
        match self {
            Self::Announcing => &[(true, 1000), (false, 1000)],
            Self::Writing => &[(true, 125), (false, 125)],
            Self::Done => &[(true, 1000)],
            Self::Dark => &[(false, 1000)],
            Self::Refused => {
                &[(true, 200), (false, 200), (true, 200), (false, 200), (true, 200), (false, 1400)]
            }
        }
    }
}

/// The light, if there is one.
pub struct Lamp {
    led: Option<Led>,
    blinking: Option<Blinking>,
}

#[derive(Clone, Debug)]
struct Led {
    folder: PathBuf,
    name: String,
    /// As bright as it gets.
    bright: String,
    /// What the kernel can do with it.
    triggers: String,
}

struct Blinking {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Lamp {
    /// The light of this name below `leds`, else the first that is known.
    pub fn find(leds: &Path, wanted: Option<&str>) -> Self {
        let entries = fs::read_dir(leds).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        let named = wanted.and_then(|wanted| names.iter().find(|name| *name == wanted));
        let known = || KNOWN.iter().find_map(|known| names.iter().find(|name| is(name, known)));
        let led = named.or_else(known).map(|name| Led::at(leds, name));
        Self { led, blinking: None }
    }

    /// Nothing is to be shown.
    pub fn none() -> Self {
        Self { led: None, blinking: None }
    }

    /// Which one it is.
    pub fn name(&self) -> Option<&str> {
        self.led.as_ref().map(|led| led.name.as_str())
    }

    /// Shows it from now on.
    pub fn show(&mut self, pattern: Pattern) {
        if let Some(Blinking { stop, thread }) = self.blinking.take() {
            drop(stop);
            // A light that has gone has ended it already.
            let _ = thread.join();
        }
        let Some(led) = &self.led else { return };
        if led.by_kernel(pattern).is_err() {
            self.blinking = led.by_thread(pattern);
        }
    }

    /// Goes on showing it: for ever, where that needs this program; else the kernel does.
    pub fn hold(self) {
        if let Some(Blinking { stop, thread }) = self.blinking {
            let _ = thread.join();
            drop(stop);
        }
    }
}

/// `ACT` is a name, `:status` what one ends with.
fn is(name: &str, known: &str) -> bool {
    name == known || known.starts_with(':') && name.ends_with(known)
}

impl Led {
    fn at(leds: &Path, name: &str) -> Self {
        let folder = leds.join(name);
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let bright = read("max_brightness").trim().to_owned();
        let bright = if bright.is_empty() { "1".into() } else { bright };
        Self { name: name.to_owned(), bright, triggers: read("trigger"), folder }
    }

    /// The kernel's own blinking.
    ///
    /// # Errors
    /// When it cannot do it with this light.
    fn by_kernel(&self, pattern: Pattern) -> io::Result<()> {
        match pattern.steps() {
            [(on, _)] => {
                self.write("trigger", "none")?;
                self.write("brightness", self.level(*on))
            }
            [(true, on), (false, off)] => {
                self.pull("timer")?;
                self.write("delay_on", &on.to_string())?;
                self.write("delay_off", &off.to_string())
            }
            steps => {
                self.pull("pattern")?;
                self.write("pattern", &self.tuples(steps))
            }
        }
    }

    /// A brightness for a time, and then the next at once (Documentation/ABI/testing/sysfs-class-led-trigger-pattern).
    fn tuples(&self, steps: &[Step]) -> String {
        let tuple = |(on, ms): &Step| format!("{0} {ms} {0} 0", self.level(*on));
        steps.iter().map(tuple).collect::<Vec<_>>().join(" ")
    }

    fn level(&self, on: bool) -> &str {
        if on { &self.bright } else { "0" }
    }

    fn pull(&self, trigger: &str) -> io::Result<()> {
        let mut there = self.triggers.split_whitespace().map(|name| name.trim_matches(['[', ']']));
        if !there.any(|name| name == trigger) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.write("trigger", trigger)
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), text)
    }

    fn by_thread(&self, pattern: Pattern) -> Option<Blinking> {
        let (stop, stopped) = channel();
        let led = self.clone();
        let blink = move || led.blink(pattern.steps(), &stopped);
        let thread = std::thread::Builder::new().name("lamp".into()).spawn(blink).ok()?;
        Some(Blinking { stop, thread })
    }

    /// Until it is told to stop, or the light has gone.
    fn blink(&self, steps: &[Step], stopped: &Receiver<()>) {
        let _ = self.write("trigger", "none");
        for (on, ms) in steps.iter().cycle() {
            if self.write("brightness", self.level(*on)).is_err() {
                return;
            }
            let waited = stopped.recv_timeout(Duration::from_millis(*ms));
            if waited != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Lights as the kernel shows them.
    fn leds(names: &[&str], triggers: &str) -> tempfile::TempDir {
        let leds = tempfile::tempdir().unwrap();
        for name in names {
            let led = leds.path().join(name);
            fs::create_dir(&led).unwrap();
            fs::write(led.join("max_brightness"), "255\n").unwrap();
            fs::write(led.join("brightness"), "0\n").unwrap();
            fs::write(led.join("trigger"), triggers).unwrap();
        }
        leds
    }

    fn read(leds: &tempfile::TempDir, file: &str) -> String {
        fs::read_to_string(leds.path().join(file)).unwrap()
    }

    #[test]
    fn the_named_light_is_taken_else_the_best_that_is_known() {
        let pi = leds(&["ACT", "PWR", "input0::capslock"], "[none]");
        let found =
            |leds: &tempfile::TempDir, wanted| Lamp::find(leds.path(), wanted).name().map(str::to_owned);
        assert_eq!(found(&pi, None).as_deref(), Some("ACT"));
        assert_eq!(found(&pi, Some("PWR")).as_deref(), Some("PWR"));
        assert_eq!(found(&pi, Some("gone")).as_deref(), Some("ACT"));
        let pc = leds(&["input3::capslock", "input3::numlock", "input3::scrolllock", "mmc0::"], "[none]");
        assert_eq!(found(&pc, None).as_deref(), Some("input3::scrolllock"));
        let panel = leds(&["green:power", "green:status", "red:lan"], "[none]");
        assert_eq!(found(&panel, None).as_deref(), Some("green:status"));
        assert_eq!(found(&leds(&["wlan0"], "[none]"), None), None);
    }

    #[test]
    fn no_light_is_no_error() {
        let mut lamps = [Lamp::none(), Lamp::find(Path::new("/no/such/folder"), Some("x"))];
        for lamp in &mut lamps {
            assert_eq!(lamp.name(), None);
            for pattern in
                [Pattern::Announcing, Pattern::Writing, Pattern::Done, Pattern::Refused, Pattern::Dark]
            {
                lamp.show(pattern);
            }
        }
        lamps.into_iter().for_each(Lamp::hold);
        let gone = leds(&["ACT"], "[none]");
        let mut lamp = Lamp::find(gone.path(), None);
        drop(gone);
        lamp.show(Pattern::Refused);
        lamp.hold();
    }

    #[test]
    fn the_kernel_blinks_where_it_can() {
        let leds = leds(&["ACT"], "none [mmc0] timer pattern");
        let mut lamp = Lamp::find(leds.path(), None);
        lamp.show(Pattern::Announcing);
        let blinking =
            |leds: &_| (read(leds, "ACT/trigger"), read(leds, "ACT/delay_on"), read(leds, "ACT/delay_off"));
        assert_eq!(blinking(&leds), ("timer".into(), "1000".into(), "1000".into()));
        lamp.show(Pattern::Writing);
        assert_eq!(blinking(&leds), ("timer".into(), "125".into(), "125".into()));
        lamp.show(Pattern::Refused);
        assert_eq!(read(&leds, "ACT/trigger"), "pattern");
        let short = "255 200 255 0 0 200 0 0";
        assert_eq!(read(&leds, "ACT/pattern"), format!("{short} {short} 255 200 255 0 0 1400 0 0"));
        lamp.show(Pattern::Done);
        assert_eq!(
            (read(&leds, "ACT/trigger"), read(&leds, "ACT/brightness")),
            ("none".into(), "255".into())
        );
        assert!(lamp.blinking.is_none());
        lamp.show(Pattern::Dark);
        assert_eq!(read(&leds, "ACT/brightness"), "0");
        lamp.hold();
    }

    #[test]
    fn a_thread_blinks_where_the_kernel_cannot_and_stops_for_the_next() {
        let leds = leds(&["ACT"], "[none] mmc0");
        let mut lamp = Lamp::find(leds.path(), None);
        lamp.show(Pattern::Writing);
        for level in ["255", "0", "255"] {
            let end = Instant::now() + Duration::from_secs(10);
            while read(&leds, "ACT/brightness") != level {
                assert!(Instant::now() < end, "never {level}");
                std::thread::yield_now();
            }
        }
        lamp.show(Pattern::Done);
        assert_eq!(read(&leds, "ACT/brightness"), "255");
        assert!(lamp.blinking.is_none());
    }
}
