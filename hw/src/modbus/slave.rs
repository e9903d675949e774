//! A unit's own side of the bus: a relay board with inputs, for the demo and tests.
//! Pure: bytes and time in, actions out.

use std::time::{Duration, Instant};

use super::frame::{ADU_MAX, BROADCAST, ENVELOPE, Look, look, wrap};
use super::pdu::{Exception, Request, Response, refusal};

/// A frame broken off this long ago is not continued. Far above t3.5, because a pseudo-terminal
/// and a busy machine stretch time; far below a master's patience.
const FRAME_GAP: Duration = Duration::from_millis(50);

/// A relay board.
#[derive(Debug)]
pub struct Slave {
    unit: u8,
    coils: Vec<Coil>,
    inputs: Vec<bool>,
    heard: Vec<u8>,
    heard_at: Option<Instant>,
    reply: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Coil {
    on: bool,
    stuck: bool,
}

impl Slave {
    /// A board at this address with so many coils and discrete inputs, all off.
    #[must_use]
    pub fn new(unit: u8, coils: usize, inputs: usize) -> Self {
        Self {
            unit,
            coils: vec![Coil::default(); coils],
            inputs: vec![false; inputs],
            heard: Vec::new(),
            heard_at: None,
            reply: None,
        }
    }

    /// Whether the coil is on; `false` for one that does not exist.
    #[must_use]
    pub fn coil(&self, coil: usize) -> bool {
        self.coils.get(coil).is_some_and(|coil| coil.on)
    }

    /// Every coil, in the order of addresses.
    #[must_use]
    pub fn coils(&self) -> Vec<bool> {
        self.coils.iter().map(|coil| coil.on).collect()
    }

    /// Closes or opens a contact. One that does not exist is ignored.
    pub fn set_input(&mut self, input: usize, closed: bool) {
        if let Some(level) = self.inputs.get_mut(input) {
            *level = closed;
        }
    }

    /// A welded contact: the coil acknowledges writes and stays as it is. `false` heals it.
    pub fn stick(&mut self, coil: usize, stuck: bool) {
        if let Some(coil) = self.coils.get_mut(coil) {
            coil.stuck = stuck;
        }
    }

    /// The supply failed for a moment: every coil that is not stuck is off.
    pub fn power_cut(&mut self) {
        self.coils.iter_mut().filter(|coil| !coil.stuck).for_each(|coil| coil.on = false);
        self.heard.clear();
        self.reply = None;
    }

    /// Takes what came from the wire, in pieces of any size.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        if self.heard_at.is_some_and(|at| now.saturating_duration_since(at) > FRAME_GAP) {
            self.heard.clear();
        }
        self.heard_at = Some(now);
        for &byte in bytes {
            self.heard.push(byte);
            self.take_frame();
        }
    }

    /// The reply to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.reply.take()
    }

    /// Looks for a request that ends with the last byte. Noise before it is dropped with it.
    fn take_frame(&mut self) {
        let start = self.heard.len().saturating_sub(ADU_MAX);
        let found = (start..self.heard.len()).find_map(|start| request_at(&self.heard[start..]));
        if let Some((unit, pdu)) = found {
            self.heard.clear();
            self.handle_request(unit, &pdu);
        } else if self.heard.len() > ADU_MAX {
            self.heard.drain(..start);
        }
    }

    fn handle_request(&mut self, unit: u8, pdu: &[u8]) {
        if unit != self.unit && unit != BROADCAST {
            return;
        }
        let reply = match Request::decode(pdu) {
            Ok(request) => {
                let response = self.act(&request);
                request.encode_reply(&response)
            }
            Err(exception) => refusal(pdu[0], exception),
        };
        self.reply = (unit != BROADCAST).then(|| wrap(unit, &reply));
    }

    fn act(&mut self, request: &Request) -> Response {
        let outcome = match request {
            Request::ReadCoils { first, count } => slice(&self.coils(), *first, *count).map(Response::Bits),
            Request::ReadInputs { first, count } => slice(&self.inputs, *first, *count).map(Response::Bits),
            Request::WriteCoil { coil, on } => self.write(*coil, &[*on]),
            Request::WriteCoils { first, on } => self.write(*first, on),
        };
        outcome.unwrap_or(Response::Exception(Exception::ILLEGAL_ADDRESS))
    }

    fn write(&mut self, first: u16, on: &[bool]) -> Option<Response> {
        let first = usize::from(first);
        let coils = self.coils.get_mut(first..first + on.len())?;
        for (coil, &on) in coils.iter_mut().zip(on).filter(|(coil, _)| !coil.stuck) {
            coil.on = on;
        }
        Some(Response::Written)
    }
}

fn slice(bits: &[bool], first: u16, count: u16) -> Option<Vec<bool>> {
    let first = usize::from(first);
    bits.get(first..first + usize::from(count)).map(<[bool]>::to_vec)
}

fn request_at(bytes: &[u8]) -> Option<(u8, Vec<u8>)> {
    let len = Request::expected_len(bytes.get(1..)?)?;
    // A frame that ended earlier was looked at when its last byte came.
    if len + ENVELOPE != bytes.len() {
        return None;
    }
    match look(bytes, len) {
        Look::Whole { pdu } => Some((bytes[0], pdu.to_vec())),
        Look::Short | Look::Wrong => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(slave: &mut Slave, unit: u8, pdu: &[u8]) -> Option<Vec<u8>> {
        slave.handle_bytes(&wrap(unit, pdu), Instant::now());
        slave.poll_transmit()
    }

    #[test]
    fn a_write_is_echoed_and_seen_by_a_read() {
        let mut slave = Slave::new(1, 8, 8);
        let write = [0x05, 0, 3, 0xFF, 0];
        assert_eq!(ask(&mut slave, 1, &write), Some(wrap(1, &write)));
        assert_eq!(ask(&mut slave, 1, &[0x01, 0, 0, 0, 8]), Some(wrap(1, &[0x01, 1, 0b1000])));
    }

    #[test]
    fn refusals() {
        let mut slave = Slave::new(1, 8, 8);
        let cases: &[(&[u8], [u8; 2])] = &[
            (&[0x05, 0, 8, 0xFF, 0], [0x85, 2]),
            (&[0x01, 0, 1, 0, 8], [0x81, 2]),
            (&[0x03, 0, 0, 0, 1], [0x83, 1]),
            (&[0x0F, 0xFF, 0xFF, 0, 2, 1, 3], [0x8F, 2]),
        ];
        for (pdu, reply) in cases {
            assert_eq!(ask(&mut slave, 1, pdu), Some(wrap(1, reply)), "{pdu:02x?}");
        }
    }

    #[test]
    fn a_broadcast_acts_and_is_not_answered_and_another_unit_is_not_ours() {
        let mut slave = Slave::new(1, 8, 8);
        assert_eq!(ask(&mut slave, 0, &[0x05, 0, 0, 0xFF, 0]), None);
        assert_eq!(ask(&mut slave, 2, &[0x05, 0, 1, 0xFF, 0]), None);
        assert_eq!(slave.coils()[..2], [true, false]);
    }

    #[test]
    fn a_broken_off_frame_is_forgotten_after_a_gap() {
        let mut slave = Slave::new(1, 8, 8);
        let (now, frame) = (Instant::now(), wrap(1, &[0x05, 0, 0, 0xFF, 0]));
        slave.handle_bytes(&frame[..4], now);
        slave.handle_bytes(&frame[4..], now + FRAME_GAP * 2);
        assert_eq!(slave.poll_transmit(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_the_next_request_is_heard(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut slave = Slave::new(1, 8, 8);
            let now = Instant::now();
            slave.handle_bytes(&noise, now);
            let _ = slave.poll_transmit();
            slave.handle_bytes(&wrap(1, &[0x02, 0, 0, 0, 8]), now);
            prop_assert!(slave.poll_transmit().is_some());
        }
    }
}
