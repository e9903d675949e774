//! A daemon as a process that we started.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Every daemon ends within this after SIGTERM, with nothing lost.
pub const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Where the daemons' binaries and the board files are.
#[derive(Clone, Debug)]
pub struct Programs {
    binaries: PathBuf,
    boards: PathBuf,
    /// What each command line begins with.
    before: Vec<String>,
}

impl Programs {
    /// Binaries in `binaries`, board files in `boards`.
    pub fn new(binaries: impl Into<PathBuf>, boards: impl Into<PathBuf>) -> Self {
        Self { binaries: binaries.into(), boards: boards.into(), before: Vec::new() }
    }

    /// Started by another program that puts itself in their place, such as `nsenter`.
    #[must_use]
    pub fn through(&self, before: &[&str]) -> Self {
        Self { before: before.iter().map(|word| (*word).to_owned()).collect(), ..self.clone() }
    }

    /// Beside the running program, as installed or as built; board files from the source tree or as installed.
    ///
    /// # Errors
    /// Names what is missing, and the remedy.
    pub fn beside_me() -> anyhow::Result<Self> {
        let me = std::env::current_exe().context("finding this program")?;
        // A test's binary lies one folder deeper.
        let folder = me.ancestors().skip(1).take(2).find(|folder| folder.join("onepress-desk").exists());
        let folder = folder
            .context("onepress-desk is not beside this program: build everything with `cargo build`")?;
        let boards =
            [PathBuf::from("/usr/share/onepress/boards"), PathBuf::from("hw/boards"), source_boards()];
        let boards = boards.into_iter().find(|folder| folder.join("simulated.toml").exists());
        Ok(Self::new(folder, boards.context("the board files are neither installed nor in hw/boards")?))
    }

    /// One binary.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// The command that starts one.
    pub fn command(&self, name: &str) -> Command {
        let Some((first, rest)) = self.before.split_first() else { return Command::new(self.binary(name)) };
        let mut command = Command::new(first);
        command.args(rest).arg(self.binary(name));
        command
    }

    /// One board file.
    pub fn board(&self, name: &str) -> PathBuf {
        self.boards.join(format!("{name}.toml"))
    }
}

fn source_boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hw/boards")
}

/// One running daemon. Dropping it asks it to end, and ends it.
pub struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `binary` with a configuration; its log goes to `<name>.log` in `dir`, appended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(programs: &Programs, name: &'static str, config: &Path, dir: &Path) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = programs.command(name);
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        command.process_group(0);
        end_with_us(&mut command);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it without a word, as a power cut would (the kernel's caches stay).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits.
    ///
    /// # Errors
    /// When it has not ended within [`STOP_LIMIT`].
    pub fn stop(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        let begun = Instant::now();
        self.signal(Signal::TERM);
        while begun.elapsed() < STOP_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, begun.elapsed()));
            }
            super::pause(Duration::from_millis(5));
        }
        self.kill();
        anyhow::bail!("{} did not end within {STOP_LIMIT:?} of SIGTERM", self.name)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.stop();
        }
    }
}

/// Ctrl-C, a crash, a killed test: nothing of ours stays behind.
#[expect(
    unsafe_code,
    reason = "pre_exec runs between fork and exec; prctl(2) alone is called there, which is async-signal-safe"
)]
pub(super) fn end_with_us(command: &mut Command) {
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
}
