//! `onepress technician`: the serial line behind which a technician's key opens a root shell. The service manager gives it
//! the line as its standard input (appliance-technician.service), and starts it anew after each visit.

use crate::appliance::technician::{
    Challenge, Key, Keys, NAMESPACE, NOTICE, Paste, Pasted, Refused, Tries, VISIT,
};
use anyhow::Context;
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// How often a shell is looked at.
const GLANCE: Duration = Duration::from_millis(200);
/// Between a hang-up and the end that no program can put off.
const GOODBYE: Duration = Duration::from_secs(2);
/// As the kernel's own limit of a line has it.
const LINE_MAX: usize = 4096;

/// Where the keys are.
#[derive(Args)]
pub struct Arguments {
    /// The keys that site.toml names, one a line, as `onepress site` writes them
    #[arg(long, default_value = "/run/onepress/technician.keys")]
    keys: PathBuf,
    /// The shell
    #[arg(long, default_value = "/bin/bash")]
    shell: PathBuf,
    /// How long a visit lasts, in seconds
    #[arg(long, default_value_t = VISIT.as_secs(), value_name = "SECONDS")]
    visit: u64,
}

/// There is no serial line behind the device: nothing to start anew for.
#[derive(Debug, thiserror::Error)]
#[error("there is nothing at this line")]
struct NoLine;

/// Exit code when there is no line: EX_UNAVAILABLE of sysexits.h, which the unit knows.
pub fn code(error: &anyhow::Error) -> Option<u8> {
    error.is::<NoLine>().then_some(69)
}

/// Lets one technician in, and returns when they have gone.
///
/// # Errors
/// When the keys cannot be read, or there is no line.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    unit::log::start(None);
    let text = fs::read_to_string(&arguments.keys)
        .with_context(|| format!("reading {}", arguments.keys.display()))?;
    let keys = Keys::parse(text.lines()).with_context(|| format!("{}", arguments.keys.display()))?;
    let mut line = Line::default();
    let mut tries = Tries::default();
    loop {
        show(&format!("onepress {}: press Enter for a technician's challenge", name()))?;
        line.next(None)?;
        match ask(&mut line, &keys)? {
            Ok(key) => return visit(key, arguments),
            Err(why) => {
                let pause = tries.handle_wrong();
                tracing::warn!(%why, "a technician was refused");
                show(&format!("REFUSED: {why}"))?;
                show(&format!("the next challenge comes in {} s", pause.as_secs()))?;
                crate::rig::pause(pause);
                line.forget();
            }
        }
    }
}

/// Shows a challenge and hears the answer.
fn ask<'a>(line: &mut Line, keys: &'a Keys) -> anyhow::Result<Result<&'a Key, Refused>> {
    let challenge = challenge()?;
    show("Sign this within five minutes, where your key is, and paste what is printed:")?;
    show(&format!(
        "\r\n  printf '%s' '{challenge}' | ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519\r\n"
    ))?;
    let mut paste = Paste::default();
    let signature = loop {
        match line.next(Some(challenge.until()))? {
            None => return Ok(Err(Refused::Late)),
            Some(text) => {
                if let Pasted::Whole(signature) = paste.handle_line(&text) {
                    break signature;
                }
            }
        }
    };
    Ok(challenge.judge(&signature, keys, now()))
}

fn challenge() -> anyhow::Result<Challenge> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("reading this start's id")?;
    let mut random = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .context("reading /dev/urandom")?;
    let unix_s = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    Ok(Challenge::new(&name(), boot.trim(), random, unix_s, now()))
}

fn visit(key: &Key, arguments: &Arguments) -> anyhow::Result<()> {
    let (who, fingerprint, limit) = (key.name(), key.fingerprint(), Duration::from_secs(arguments.visit));
    tracing::warn!(who, fingerprint, limit_s = limit.as_secs(), "a technician has come in, as root");
    show(&format!("welcome, {who}: root for {} minutes; `exit` ends it", limit.as_secs().div_ceil(60)))?;
    let begun = now();
    let ended = shell(&arguments.shell).and_then(|child| attend(child, begun, limit));
    let stayed_s = begun.elapsed().as_secs();
    match &ended {
        Ok(how) => tracing::warn!(who, fingerprint, stayed_s, how, "the technician has gone"),
        Err(error) => tracing::error!(who, %error, "the shell failed"),
    }
    ended.map(drop)
}

/// On the line itself, also its errors, which the service manager would take for the log.
fn shell(program: &Path) -> anyhow::Result<Child> {
    let line = || io::stdin().as_fd().try_clone_to_owned().map(Stdio::from);
    let mut command = Command::new(program);
    command.stdin(line()?).stdout(line()?).stderr(line()?);
    command.env_clear().env("HOME", "/root").env("USER", "root").env("SHELL", program);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
    command.env("TERM", std::env::var("TERM").unwrap_or_else(|_| "vt220".into()));
    command.arg("-i").current_dir("/").spawn().with_context(|| format!("starting {}", program.display()))
}

/// Until the shell ends, or the time does. What it leaves running ends with the unit.
fn attend(mut child: Child, begun: Instant, limit: Duration) -> anyhow::Result<&'static str> {
    let mut told = limit <= NOTICE;
    loop {
        if child.try_wait()?.is_some() {
            return Ok("by exit");
        }
        let stayed = begun.elapsed();
        if !told && stayed + NOTICE >= limit {
            told = true;
            show(&format!("\r\nonepress: {} minutes are left", NOTICE.as_secs() / 60))?;
        }
        if stayed >= limit {
            show("\r\nonepress: the time is over")?;
            if let Some(process) = Pid::from_raw(i32::try_from(child.id())?) {
                kill_process(process, Signal::HUP)?;
            }
            crate::rig::pause(GOODBYE);
            child.kill()?;
            child.wait()?;
            return Ok("time over");
        }
        crate::rig::pause(GLANCE);
    }
}

/// Standard input, a line at a time.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// The next line; none at the end of the wait.
    fn next(&mut self, until: Option<Instant>) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(end) = self.0.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                let line: Vec<u8> = self.0.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            // Nobody types so much without a line's end: noise on the wire.
            if self.0.len() > LINE_MAX {
                self.0.clear();
            }
            if !ready(until)? {
                return Ok(None);
            }
            let mut piece = [0; 512];
            match rustix::io::read(io::stdin().as_fd(), &mut piece) {
                Ok(0) | Err(rustix::io::Errno::IO) => return Err(NoLine.into()),
                Ok(count) => self.0.extend_from_slice(&piece[..count]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(error).context("reading the line"),
            }
        }
    }

    /// What was typed while nobody listened.
    fn forget(&mut self) {
        self.0.clear();
        // It is a terminal but in tests; one that is none has nothing to forget.
        let _ = rustix::termios::tcflush(io::stdin().as_fd(), rustix::termios::QueueSelector::IFlush);
    }
}

fn ready(until: Option<Instant>) -> anyhow::Result<bool> {
    let stdin = io::stdin();
    let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = until.map(|until| until.saturating_duration_since(now()));
    let wait = wait.map(Timespec::try_from).transpose().context("a wait")?;
    match poll(&mut wanted, wait.as_ref()) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error).context("waiting for the line"),
    }
}

fn show(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}\r\n").and_then(|()| out.flush()).context("writing to the line")
}

fn name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "box".into(), |name| name.trim().to_owned())
}

fn now() -> Instant {
    Instant::now()
}
