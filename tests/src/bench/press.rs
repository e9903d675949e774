//! One press at a time, in rounds: the daemons, the floors and the brokers take turns.

use super::board::{Board, Siren};
use super::boxes::{self, Client};
use super::centre::{Centre, Wall};
use super::floor::{Disk, Echo, Server};
use super::numbers::Times;
use super::peers::Peer;
use alarm::wire::ToRack;
use onepress::control;
use onepress::rig::{Button, School, pause};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Rounds between two fingers: the button's repeat window is 2 s.
const FINGER_EVERY: usize = 4;
/// How long a finger stays.
const HELD: Duration = Duration::from_millis(100);
/// Before a press the wall's lamps have come to rest: some exchanges with 4 ms of silence after each. The pauses are
/// spread over the wall's poll of its button (20 ms), so as not to be in step with it.
const PAUSE: Duration = Duration::from_millis(60);
const PAUSE_SPREAD: u32 = 40;

/// Everything that takes its turn.
pub(crate) struct Stage<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) dir: &'a Path,
    pub(crate) centre: &'a Centre,
    pub(crate) wall: &'a Wall,
    pub(crate) school: &'a School,
    /// Folder of an enrolled box without a daemon.
    pub(crate) client: &'a Path,
    pub(crate) server: &'a Server,
    pub(crate) peers: Vec<Peer>,
}

/// How long it took until the siren, until a seat saw it, and until the ACK.
#[derive(Default)]
pub(crate) struct Pressed {
    pub(crate) siren: Times,
    pub(crate) seat: Times,
    pub(crate) acked: Times,
}

/// A broker's times.
pub(crate) struct PeerTimes {
    pub(crate) name: String,
    pub(crate) promise: &'static str,
    pub(crate) times: Pressed,
}

/// All rounds.
#[derive(Default)]
pub(crate) struct Rounds {
    /// A finger on the button of the simulated button box.
    pub(crate) finger: Pressed,
    /// A press by the button daemon's control socket.
    pub(crate) daemon: Pressed,
    /// A notice from a link client.
    pub(crate) client: Pressed,
    pub(crate) peers: Vec<PeerTimes>,
    pub(crate) fsync: Times,
    pub(crate) round_trip: Times,
    pub(crate) coil: Times,
}

struct Turn<'a> {
    stage: Stage<'a>,
    client: Client,
    echo: Echo,
    disk: Disk,
    board: Board,
    siren: Siren,
    newest: u64,
    presses: u64,
    random: u32,
}

/// Runs so many rounds; `tell` hears of each.
pub(crate) fn rounds(stage: Stage<'_>, count: usize, mut tell: impl FnMut(usize)) -> anyhow::Result<Rounds> {
    let mut turn = Turn::new(stage)?;
    let mut rounds = Rounds::default();
    let peer =
        |peer: &Peer| PeerTimes { name: peer.name.clone(), promise: peer.promise, times: Pressed::default() };
    rounds.peers = turn.stage.peers.iter().map(peer).collect();
    // The first one warms caches, and is thrown away.
    turn.once(&mut Rounds::default(), 0)?;
    for round in 0..count {
        turn.once(&mut rounds, round)?;
        tell(round + 1);
    }
    Ok(rounds)
}

impl<'a> Turn<'a> {
    fn new(stage: Stage<'a>) -> anyhow::Result<Self> {
        let bytes = boxes::press_bytes()?;
        let (client, echo) = stage.runtime.block_on(async {
            let client = Client::open(stage.client).await?;
            anyhow::Ok((client, Echo::open(stage.dir, stage.server, bytes).await?))
        })?;
        let disk = Disk::open(stage.dir, "fsync", bytes)?;
        let board = Board::start()?;
        let siren = Siren::open(&board)?;
        Ok(Self { stage, client, echo, disk, board, siren, newest: 0, presses: 0, random: 1 })
    }

    fn once(&mut self, rounds: &mut Rounds, round: usize) -> anyhow::Result<()> {
        self.floors(rounds)?;
        self.by_daemon(&mut rounds.daemon)?;
        self.by_client(&mut rounds.client)?;
        for (place, peer) in rounds.peers.iter_mut().enumerate() {
            self.pause();
            let pressed = self.stage.peers[place].press()?;
            peer.times.siren.push(pressed.siren);
            peer.times.acked.push(pressed.acked);
        }
        if round.is_multiple_of(FINGER_EVERY) {
            self.by_finger(&mut rounds.finger)?;
        }
        Ok(())
    }

    fn floors(&mut self, rounds: &mut Rounds) -> anyhow::Result<()> {
        self.pause();
        rounds.fsync.push(self.disk.append(1)?);
        rounds.round_trip.push(self.stage.runtime.block_on(self.echo.round_trip())?);
        self.pause();
        let begun = Instant::now();
        self.siren.switch(true)?;
        rounds.coil.push(self.board.siren(true)?.duration_since(begun));
        self.siren.switch(false)?;
        self.board.siren(false).map(drop)
    }

    fn by_daemon(&mut self, times: &mut Pressed) -> anyhow::Result<()> {
        self.pause();
        let begun = Instant::now();
        control::ask(&self.stage.school.socket(), &json!({ "do": "press", "point": "gate" }))?;
        self.finish(begun, times)
    }

    fn by_client(&mut self, times: &mut Pressed) -> anyhow::Result<()> {
        self.pause();
        self.presses += 1;
        let notice = boxes::press(self.presses)?;
        let (id, client) = (notice.id, &mut self.client);
        let begun = Instant::now();
        let acked = self.stage.runtime.block_on(async {
            client.sender.send(&ToRack::Notice(notice)).await?;
            client.acked(id).await?;
            anyhow::Ok(begun.elapsed())
        })?;
        times.acked.push(acked);
        self.finish(begun, times)
    }

    fn by_finger(&mut self, times: &mut Pressed) -> anyhow::Result<()> {
        self.pause();
        let begun = Instant::now();
        self.stage.school.press(Button::Office);
        pause(HELD);
        self.stage.school.release(Button::Office);
        self.finish(begun, times)
    }

    /// Waits for siren and seat, and for silence.
    fn finish(&mut self, begun: Instant, times: &mut Pressed) -> anyhow::Result<()> {
        let board = &self.stage.wall.board;
        times.siren.push(board.siren(true)?.duration_since(begun));
        let (seen, incident) = self.stage.centre.ringing(self.newest)?;
        times.seat.push(seen.duration_since(begun));
        self.newest = incident;
        self.stage.centre.close(incident)?;
        board.siren(false).map(drop)
    }

    fn pause(&mut self) {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pause(PAUSE + Duration::from_millis(u64::from((self.random >> 16) % PAUSE_SPREAD)));
    }
}
