//! A kernel of our own with GPIO chips that are pulled and read through sysfs: user-mode Linux and gpio-sim.
//!
//! It sees the host's files, read-only, and a scratch directory. Time there is real but latency is odd: use it
//! for behaviour, never for timing. Scripts may use the functions of `tests/uml/lib.sh`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::install;

/// A kernel boots in a second; this is for a script that hangs on a machine that is busy.
const USUAL_PATIENCE: Duration = Duration::from_secs(60);

/// Enough for two daemons and a shell; taken from the host only as it is touched.
const MEMORY: &str = "mem=256M";

/// Where init.sh shows the host's files, also those that lie below a directory kept in memory.
const HOST: &str = "/media";

/// How often a running kernel is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// One run to be: a script, and what it needs to know.
pub struct Uml {
    script: String,
    environment: Vec<(String, String)>,
    patience: Duration,
}

/// What came out of a run.
#[derive(Debug)]
pub struct Output {
    /// Exit code of the script; `None` when the kernel ended or was ended before it.
    pub code: Option<i32>,
    /// What the script and all it started printed, both streams.
    pub text: String,
    /// What the kernel printed: for failures.
    pub console: String,
    /// From power-on to power-off.
    pub took: Duration,
}

impl Uml {
    /// The script runs with `set -eu`, as root, in an empty /tmp; `lib.sh` is there already.
    #[must_use]
    pub fn script(script: &str) -> Self {
        Self { script: script.to_owned(), environment: Vec::new(), patience: USUAL_PATIENCE }
    }

    /// An environment variable for the script.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file or directory of the host, whose path in there becomes an environment variable.
    #[must_use]
    pub fn path(self, name: &str, path: &Path) -> Self {
        self.env(name, &format!("{HOST}{}", path.display()))
    }

    /// A program, likewise.
    ///
    /// # Panics
    /// If it is not there, with how to build it.
    #[must_use]
    pub fn program(self, name: &str, path: &Path) -> Self {
        assert!(path.exists(), "{} is not built: cargo build --workspace --all-targets", path.display());
        self.path(name, path)
    }

    /// How long the whole run may take; a minute unless said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Boots, runs the script, powers off.
    ///
    /// # Panics
    /// If there is no kernel and none can be built.
    #[must_use]
    pub fn run(&self) -> Output {
        let kernel = kernel();
        let scratch = tempfile::tempdir().expect("temporary directory");
        self.provide(&scratch);
        let started = Instant::now();
        self.boot(&kernel, &scratch);
        Output {
            code: read(&scratch, "status").trim().parse().ok(),
            text: read(&scratch, "output"),
            console: read(&scratch, "console"),
            took: started.elapsed(),
        }
    }

    fn provide(&self, scratch: &TempDir) {
        let library = harness("lib.sh").display().to_string();
        let mut environment = format!("export LIB='{HOST}{library}'\n");
        for (name, value) in &self.environment {
            environment += &format!("export {name}='{}'\n", value.replace('\'', r"'\''"));
        }
        std::fs::write(scratch.path().join("environment"), environment).expect("written");
        std::fs::write(scratch.path().join("script"), &self.script).expect("written");
    }

    fn boot(&self, kernel: &Path, scratch: &TempDir) {
        let console = std::fs::File::create(scratch.path().join("console")).expect("console");
        let mut command = Command::new(kernel);
        command.args([
            MEMORY,
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "con=null",
            "con0=null,fd:1",
            "ssl=null",
        ]);
        command.arg(format!("init={}", harness("init.sh").display()));
        command.arg(format!("SCRATCH={}", scratch.path().display()));
        command.arg(format!("uml_dir={}/", scratch.path().display()));
        command.stdin(Stdio::null()).stdout(console.try_clone().expect("console")).stderr(console);
        // Every process in there is a process of the host too: one group, so that none outlives the kernel.
        let child = command.process_group(0).spawn().expect("the kernel starts");
        wait(child, self.patience);
    }
}

impl Output {
    /// What was printed, when the script succeeded.
    ///
    /// # Panics
    /// When it did not, with all there is to know.
    #[must_use]
    pub fn success(self) -> String {
        let Self { code, text, console, took } = self;
        assert_eq!(code, Some(0), "in {took:?}\n--- script\n{text}\n--- kernel\n{console}");
        text
    }
}

/// The kernel, built if need be: `tests/setup/uml.sh` as root beforehand, five minutes, once.
fn kernel() -> PathBuf {
    let (good, said) = install::output(&mut Command::new(harness("build.sh")));
    assert!(good, "tests/setup/uml.sh installs what the build needs; tests/uml/build.sh: {said}");
    install::workspace().join(".cache/uml/linux")
}

fn harness(file: &str) -> PathBuf {
    install::workspace().join("tests/uml").join(file)
}

fn read(scratch: &TempDir, file: &str) -> String {
    let bytes = std::fs::read(scratch.path().join(file)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A kernel that runs on is killed, with all that runs in it. Its exit code says nothing of the script's.
#[allow(clippy::disallowed_methods, reason = "no runtime to block here")]
fn wait(mut kernel: Child, patience: Duration) {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if kernel.try_wait().expect("waited").is_some() {
            return;
        }
        std::thread::sleep(GLANCE);
    }
    let group = format!("-{}", kernel.id());
    let (good, said) = install::output(Command::new("kill").args(["-s", "KILL", "--", &group]));
    assert!(good, "{said}");
    kernel.wait().expect("killed");
}
