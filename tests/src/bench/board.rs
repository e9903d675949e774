//! A relay board on a pseudo-terminal that tells when its siren coil moves, and the other end of its wire.

use anyhow::Context;
use hw::modbus::{ADU_MAX, Bus, Contacts, Request, Slave, Timing};
use hw::pty;
use hw::serial::{Port, Settings, Wire};
use hw::{Inputs, Wired};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The simulated board: address, coils, inputs, and which coil the siren hangs on.
const UNIT: u8 = 1;
const PLACES: usize = 8;
const SIREN: u16 = 4;
const BAUD: u32 = 9600;
/// How long the board's thread may outlive its owner.
const TICK: Duration = Duration::from_millis(20);
/// Far above anything that is measured.
const LIMIT: Duration = Duration::from_secs(20);

/// A board with its clock.
pub(crate) struct Board {
    path: PathBuf,
    moves: Receiver<(Instant, bool)>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Board {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let wire = pty::open().context("opening a pseudo-terminal")?;
        let path = wire.path().to_owned();
        let (tell, moves) = channel();
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || answer(wire, &tell, &until));
        Ok(Self { path, moves, ended, thread: Some(thread) })
    }

    /// The device file of the other end.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// When the siren coil next became as wanted.
    pub(crate) fn siren(&self, wanted: bool) -> anyhow::Result<Instant> {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, on) = self.moves.recv_timeout(left).context("the siren coil did not move")?;
            if on == wanted {
                return Ok(at);
            }
        }
    }

    /// Forgets moves that nobody waited for.
    pub(crate) fn forget(&self) {
        while self.moves.try_recv().is_ok() {}
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut wire: pty::End, tell: &Sender<(Instant, bool)>, ended: &AtomicBool) {
    let mut slave = Slave::new(UNIT, PLACES, PLACES);
    let mut chunk = [0; ADU_MAX];
    let mut siren = false;
    while !ended.load(Ordering::Relaxed) {
        let Ok(count) = wire.receive(&mut chunk, TICK) else { return };
        if count == 0 {
            continue;
        }
        slave.handle_bytes(&chunk[..count], Instant::now());
        let now = slave.coil(SIREN.into());
        if std::mem::replace(&mut siren, now) != now && tell.send((Instant::now(), now)).is_err() {
            return;
        }
        if let Some(reply) = slave.poll_transmit()
            && wire.send(&reply).is_err()
        {
            return;
        }
    }
}

/// A wall without a daemon: what a subscriber of a broker has in its hands. Its acknowledge button is read as the
/// wall daemon reads it, so that the siren's request finds the bus as busy.
#[derive(Clone)]
pub(crate) struct Siren(Bus);

impl Siren {
    pub(crate) fn open(board: &Board) -> anyhow::Result<Self> {
        let port = Port::open(Settings::new(board.path()))?;
        let bus = Bus::new(port, Timing::of_baud(BAUD));
        let button = Wired { line: "wall-ack".into(), number: 0, active_low: false };
        let mut contacts = Contacts::open(bus.clone(), UNIT, vec![button])?;
        // Ends with the board, whose silence is an error.
        std::thread::spawn(move || while contacts.wait(Duration::from_millis(500)).is_ok() {});
        Ok(Self(bus))
    }

    pub(crate) fn switch(&self, on: bool) -> anyhow::Result<()> {
        Ok(self.0.write(UNIT, &Request::WriteCoil { coil: SIREN, on })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_tells_when_its_siren_moves() {
        let board = Board::start().unwrap();
        let siren = Siren::open(&board).unwrap();
        let begun = Instant::now();
        siren.switch(true).unwrap();
        let on = board.siren(true).unwrap();
        siren.switch(false).unwrap();
        let off = board.siren(false).unwrap();
        assert!(begun < on && on < off);
    }
}
