//! A technician at the serial line: the real program on a pseudo-terminal, OpenSSH's own signatures, a shell.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use onepress::rig::pause;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;

const PATIENCE: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "onepress-technician";

/// A serial line with the box's program behind it.
struct Visit {
    near: OwnedFd,
    box_: Child,
    dir: tempfile::TempDir,
    heard: String,
    read: usize,
}

impl Visit {
    /// A box that knows the key of `li`; a visit lasts so long.
    fn new(visit_s: u64) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        for who in ["li", "wang"] {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-N", "", "-t", "ed25519", "-C", who, "-f"]).arg(dir.path().join(who));
            assert!(make.status().expect("ssh-keygen").success());
        }
        let near = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pty");
        rustix::pty::grantpt(&near).and_then(|()| rustix::pty::unlockpt(&near)).expect("a pty");
        let far = rustix::pty::ptsname(&near, Vec::new()).expect("its name");
        let far = rustix::fs::open(far.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
            .expect("the far end");
        let line = || Stdio::from(far.try_clone().expect("a descriptor"));
        let log = File::create(dir.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_onepress"));
        command.args(["technician", "--shell", "/bin/sh", "--visit", &visit_s.to_string(), "--keys"]);
        command.arg(dir.path().join("li.pub")).stdin(line()).stdout(line()).stderr(log);
        let box_ = command.spawn().expect("the program");
        rustix::fs::fcntl_setfl(&near, OFlags::RDWR | OFlags::NONBLOCK).expect("not blocking");
        Self { near, box_, dir, heard: String::new(), read: 0 }
    }

    fn types(&self, text: &str) {
        let mut near = File::from(self.near.try_clone().expect("a descriptor"));
        near.write_all(text.as_bytes()).expect("typed");
    }

    /// Waits for a text that has not been read yet; what came up to its line's end.
    fn hears(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            self.listen();
            if let Some(at) = self.heard[self.read..].find(text) {
                let from = self.read;
                self.read += at + text.len();
                return self.heard[from..self.read].to_owned();
            }
            assert!(Instant::now() < end, "never {text:?} in {:?}\n{}", &self.heard[self.read..], self.log());
            pause(Duration::from_millis(20));
        }
    }

    fn listen(&mut self) {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&self.near, &mut piece) {
            self.heard.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    }

    fn challenge(&mut self) -> String {
        self.hears("press Enter");
        self.types("\n");
        self.hears("printf '%s' '");
        let shown = self.hears("' | ssh-keygen -Y sign -n onepress-technician");
        shown.split('\'').next().expect("a challenge").to_owned()
    }

    /// Li signs the first challenge, and is in.
    fn come_in(&mut self) {
        let challenge = self.challenge();
        self.types(&self.sign("li", &challenge));
        self.hears("welcome, li");
    }

    fn sign(&self, who: &str, challenge: &str) -> String {
        sign(&self.dir.path().join(who), challenge)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn ends(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            self.listen();
            if let Some(status) = self.box_.try_wait().expect("asked") {
                return status.success();
            }
            assert!(Instant::now() < end, "it never ends: {}", self.log());
            pause(Duration::from_millis(20));
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let _ = self.box_.kill();
        let _ = self.box_.wait();
    }
}

fn sign(key: &Path, text: &str) -> String {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("ssh-keygen");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("written");
    String::from_utf8(child.wait_with_output().expect("signed").stdout).expect("text")
}

#[test]
fn who_signs_the_challenge_has_a_shell_until_they_leave_and_the_log_says_who() {
    let mut visit = Visit::new(3600);
    visit.come_in();
    visit.hears(": root for 60 minutes");
    visit.types("echo shell-$((6*7))\n");
    visit.hears("shell-42");
    visit.types("exit\n");
    assert!(visit.ends());
    let log = visit.log();
    assert!(
        log.contains("a technician has come in") && log.contains("who=\"li\"") && log.contains("SHA256:"),
        "{log}"
    );
    assert!(log.contains("the technician has gone") && log.contains("how=\"by exit\""), "{log}");
}

#[test]
fn a_strangers_signature_and_a_used_challenge_are_refused_and_the_next_try_is_good() {
    let mut visit = Visit::new(3600);
    let first = visit.challenge();
    visit.types(&visit.sign("wang", &first));
    visit.hears("REFUSED: this key is not in site.toml: SHA256:");
    visit.hears("the next challenge comes in 2 s");
    let second = visit.challenge();
    assert_ne!(first, second);
    visit.types(&visit.sign("li", &first));
    visit.hears("REFUSED: this is no signature of this challenge");
    visit.hears("the next challenge comes in 4 s");
    let third = visit.challenge();
    visit.types(&visit.sign("li", &third));
    visit.hears("welcome, li");
    assert_eq!(visit.log().matches("a technician was refused").count(), 2, "{}", visit.log());
}

#[test]
fn a_visit_ends_when_its_time_is_over() {
    let mut visit = Visit::new(2);
    visit.come_in();
    visit.types("trap '' TERM; echo staying\n");
    visit.hears("staying");
    visit.hears("the time is over");
    assert!(visit.ends());
    assert!(visit.log().contains("how=\"time over\""), "{}", visit.log());
}

#[test]
fn without_a_line_or_keys_it_says_so_and_ends() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let keys = dir.path().join("keys");
    let run = |keys: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onepress"));
        let done =
            command.args(["technician", "--keys"]).arg(keys).stdin(Stdio::null()).output().expect("started");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, said) = run(&keys);
    assert!(code == Some(1) && said.contains("keys"), "{said}");
    fs::write(&keys, "ssh-ed25519 AAAA li\n").expect("written");
    let (_, said) = run(&keys);
    assert!(said.contains("technician.keys") && said.contains("is no key"), "{said}");
    fs::write(&keys, "").expect("written");
    assert_eq!(run(&keys).0, Some(69), "the service manager does not start it anew");
}
