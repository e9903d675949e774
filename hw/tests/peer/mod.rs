//! The peer and the middleman. Ends both when dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hw::pty::{self, End};
use hw::serial::Wire;

/// How long one direction may keep the other waiting.
const TICK: Duration = Duration::from_millis(1);

/// The pause that ends an answer on a pseudo-terminal, where bytes have no length in time.
const GAP: Duration = Duration::from_millis(15);

pub(crate) struct Peer {
    path: PathBuf,
    server: Child,
    middleman: Option<JoinHandle<()>>,
    control: Arc<Control>,
}

#[derive(Default)]
struct Control {
    ended: AtomicBool,
    to_spoil: AtomicU32,
    spoiled: AtomicU32,
}

impl Peer {
    /// A board at this address, ready to answer.
    pub(crate) fn start(unit: u8) -> Self {
        let (near, far) = (pty::open().unwrap(), pty::open().unwrap());
        let (path, control) = (near.path().to_owned(), Arc::new(Control::default()));
        let server = serve(far.path(), unit);
        let run = Arc::clone(&control);
        let middleman = Some(std::thread::spawn(move || run.carry(near, far)));
        Self { path, server, middleman, control }
    }

    /// The device file for the master.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Flips a bit in the CRC of the next answers.
    pub(crate) fn spoil_answers(&self, count: u32) {
        self.control.to_spoil.store(count, Ordering::SeqCst);
    }

    pub(crate) fn spoiled(&self) -> u32 {
        self.control.spoiled.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.control.ended.store(true, Ordering::SeqCst);
        let _ = self.middleman.take().map(JoinHandle::join);
    }
}

impl Control {
    fn carry(&self, mut master: End, mut board: End) {
        while !self.ended.load(Ordering::SeqCst) {
            let asked = receive(&mut master, TICK);
            board.send(&asked).unwrap();
            let answer = receive(&mut board, TICK);
            master.send(&self.spoil(answer)).unwrap();
        }
    }

    fn spoil(&self, mut answer: Vec<u8>) -> Vec<u8> {
        let one_less = |left: u32| left.checked_sub(1);
        let Some(last) = answer.last_mut() else { return answer };
        if self.to_spoil.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            *last ^= 1;
            self.spoiled.fetch_add(1, Ordering::SeqCst);
        }
        answer
    }
}

/// A whole frame: everything until a gap.
fn receive(wire: &mut End, timeout: Duration) -> Vec<u8> {
    let (mut all, mut chunk, mut patience) = (Vec::new(), [0; 256], timeout);
    loop {
        match wire.receive(&mut chunk, patience).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&chunk[..count]),
        }
        patience = GAP;
    }
}

fn serve(path: &Path, unit: u8) -> Child {
    let script = root().join("tests/peers/modbus_server.py");
    let mut command = Command::new(python());
    command.arg(script).arg(path).arg(unit.to_string());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "the pymodbus server did not start; run tests/setup/python.sh");
    server
}

/// The Python that has pymodbus. Never skipped: a peer that is missing is a failure.
fn python() -> PathBuf {
    let python = std::env::var_os("ONEPRESS_PYTHON")
        .map_or_else(|| root().join(".cache/venv/bin/python3"), PathBuf::from);
    assert!(python.exists(), "{} is missing; run tests/setup/python.sh", python.display());
    python
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
