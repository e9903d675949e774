//! Plays the service manager: a notification socket, a descriptor to pass, a log file to point at.

use std::fs::File;
use std::io::{Read, Seek};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Far beyond what any step takes, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the fork of a process keeps: number and watchdog are bound to the id that only the shell knows.
const AS_MAIN_PROCESS: &str = "WATCHDOG_PID=$$ LISTEN_PID=$$ exec \"$0\" \"$@\"";

pub(crate) struct Manager {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
}

pub(crate) struct Daemon {
    child: Child,
    log: File,
}

impl Manager {
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        std::fs::write(directory.path().join("minimal.toml"), config).expect("written");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("bound");
        Self { directory, socket }
    }

    pub(crate) fn start(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        self.spawn(command)
    }

    /// Passes a UDP socket as descriptor 3, named.
    pub(crate) fn start_with_socket(&self, name: &str) -> (Daemon, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("udp");
        let address = socket.local_addr().expect("bound");
        let mut command = Command::new("sh");
        // Descriptors opened by Rust close on exec: the shell opens this one again, through its owner.
        let inherited = format!("exec 3<&0 0</dev/null; {AS_MAIN_PROCESS}");
        command.args(["-c", &inherited]).arg(binary()).arg("--config").arg(self.config());
        command.env("NOTIFY_SOCKET", self.notify_path()).env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", name);
        assert!(socket.as_raw_fd() > 2);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
        (self.spawn(command), address)
    }

    /// The log as the journal would get it, of a daemon that is stopped as soon as it is ready.
    pub(crate) fn journal_of_a_short_life(&self) -> String {
        let log = self.log_file();
        let metadata = log.metadata().expect("metadata");
        let stream = format!("{}:{}", metadata.dev(), metadata.ino());
        let mut command = self.command();
        command.env("JOURNAL_STREAM", stream);
        let mut daemon = self.spawn(command);
        self.hears("READY=1");
        daemon.signal("TERM");
        daemon.end().1
    }

    pub(crate) fn hears(&self, expected: &str) {
        assert!(self.hears_within(expected, PATIENCE), "never heard {expected:?}");
    }

    pub(crate) fn hears_within(&self, expected: &str, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 4096];
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            self.socket.set_read_timeout(Some(left)).expect("timeout set");
            let Ok(length) = self.socket.recv(&mut buffer) else { return false };
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == expected) {
                return true;
            }
        }
        false
    }

    /// Whatever is said meanwhile.
    pub(crate) fn forget_for(&self, time: Duration) {
        assert!(!self.hears_within("nobody says this", time));
    }

    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", AS_MAIN_PROCESS]).arg(binary()).arg("--config").arg(self.config());
        command.env("NOTIFY_SOCKET", self.notify_path()).env_remove("JOURNAL_STREAM");
        command.stdin(Stdio::null());
        command
    }

    fn spawn(&self, mut command: Command) -> Daemon {
        let log = self.log_file();
        let child = command.stderr(log.try_clone().expect("cloned")).spawn().expect("started");
        Daemon { child, log }
    }

    fn log_file(&self) -> File {
        let path = self.directory.path().join("log");
        File::options().read(true).append(true).create(true).open(path).expect("log")
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("minimal.toml")
    }

    fn notify_path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }
}

impl Daemon {
    pub(crate) fn signal(&mut self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Exit code and log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("waited").code();
        let mut log = String::new();
        self.log.rewind().expect("rewound");
        self.log.read_to_string(&mut log).expect("read");
        (code, log)
    }
}

impl Drop for Daemon {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Exit code, output and errors of a run that ends by itself.
pub(crate) fn run(config: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let manager = Manager::new(config);
    let output =
        Command::new(binary()).arg("--config").arg(manager.config()).args(args).output().expect("run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Cargo builds examples beside the tests: `target/<profile>/{deps,examples}/`.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("profile directory");
    let binary = profile.join("examples/minimal");
    assert!(binary.exists(), "run `cargo build -p unit --example minimal`: a filtered test run does not");
    binary
}
