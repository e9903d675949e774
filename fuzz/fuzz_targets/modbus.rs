//! Modbus RTU, both ends of the wire: no noise panics or blocks either, and both understand each other after it.

#![no_main]

use hw::modbus::{BITS_MAX, Master, Outcome, Request, Slave, Timing};
use libfuzzer_sys::fuzz_target;
use onepress_fuzz::{number, span, steps};
use std::time::{Duration, Instant};

/// A broken-off frame is forgotten by both ends within this time.
const CALM: Duration = Duration::from_secs(1);
/// Timeouts of one request: silence before it, and its answer or the pause after a broadcast.
const TIMEOUTS_MAX: usize = 3;
const UNIT: u8 = 1;
const BOARD: u16 = 8;

fuzz_target!(|bytes: &[u8]| {
    let mut line = Line::new();
    for (what, with) in steps(bytes) {
        line.step(what, with);
    }
    line.ends_well();
});

struct Line {
    master: Master,
    slave: Slave,
    now: Instant,
    /// Bits that the request under way asks for.
    asked: Option<u16>,
}

impl Line {
    fn new() -> Self {
        let master = Master::new(Timing::of_baud(9600));
        Self { master, slave: Slave::new(UNIT, BOARD.into(), BOARD.into()), now: Instant::now(), asked: None }
    }

    fn step(&mut self, what: u8, with: &[u8]) {
        match what % 6 {
            0 => self.ask(with),
            1 => self.master.handle_bytes(with, self.now),
            2 => self.slave.handle_bytes(with, self.now),
            3 => self.now += span(with),
            4 => self.pass_on(with),
            _ => self.due(),
        }
        self.check_outcome();
    }

    fn ask(&mut self, with: &[u8]) {
        let [unit, function, rest @ ..] = with else { return };
        let first = u16::try_from(number(rest) & 0xFFFF).expect("masked");
        let count = 1 + u16::from(*function >> 2) % BITS_MAX;
        let on = (0..count).map(|n| n % 3 == 0).collect();
        let (request, bits) = match function % 4 {
            0 => (Request::ReadCoils { first, count }, Some(count)),
            1 => (Request::ReadInputs { first, count }, Some(count)),
            2 => (Request::WriteCoil { coil: first, on: count % 2 == 0 }, None),
            _ => (Request::WriteCoils { first, on }, None),
        };
        if self.master.send(*unit, request, self.now).is_ok() {
            self.asked = bits;
        }
    }

    /// What the master says reaches the unit, and its reply the master; each may lose bytes and time on the way.
    fn pass_on(&mut self, with: &[u8]) {
        let loss = with.first().copied().unwrap_or(0);
        let Some(frame) = self.master.poll_transmit(self.now) else { return };
        self.slave.handle_bytes(&frame[usize::from(loss >> 4).min(frame.len())..], self.now);
        self.now += span(with.get(1..).unwrap_or_default());
        let reply = self.slave.poll_transmit().unwrap_or_default();
        self.master.handle_bytes(&reply[usize::from(loss & 15).min(reply.len())..], self.now);
    }

    fn due(&mut self) {
        if let Some((due, _)) = self.master.poll_timeout() {
            self.now = self.now.max(due);
        }
        self.master.handle_timeout(self.now);
        assert!(self.master.poll_timeout().is_none_or(|(due, _)| due > self.now), "the loop would spin");
    }

    fn check_outcome(&mut self) {
        if let Some(Outcome::Bits(bits)) = self.master.poll_outcome() {
            assert_eq!(Some(bits.len()), self.asked.map(usize::from));
        }
        assert_eq!(self.slave.coils().len(), usize::from(BOARD));
    }

    fn ends_well(mut self) {
        for _ in 0..TIMEOUTS_MAX {
            let _ = self.master.poll_transmit(self.now);
            self.due();
        }
        let _ = (self.master.poll_outcome(), self.slave.poll_transmit());
        self.now += CALM;
        self.master
            .send(UNIT, Request::ReadInputs { first: 0, count: BOARD }, self.now)
            .expect("idle by now");
        self.pass_on(&[]);
        assert_eq!(self.master.poll_outcome(), Some(Outcome::Bits(vec![false; BOARD.into()])));
    }
}
