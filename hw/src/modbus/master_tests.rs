//! The master against the slave and against every kind of bad weather, in invented time.

use proptest::prelude::*;

use super::super::Slave;
use super::*;

const UNIT: u8 = 1;
const MS: Duration = Duration::from_millis(1);

fn read() -> Request {
    Request::ReadCoils { first: 0, count: 8 }
}

/// A master that has just put `request` on the wire at `now`.
fn asked(unit: u8, request: Request, now: Instant) -> (Master, Vec<u8>) {
    let mut master = Master::new(Timing::of_baud(9600));
    master.send(unit, request, now).unwrap();
    let frame = master.poll_transmit(now).expect("a quiet bus needs no settling");
    (master, frame)
}

fn answer_to(frame: &[u8], now: Instant) -> Vec<u8> {
    let mut slave = Slave::new(UNIT, 8, 8);
    slave.handle_bytes(frame, now);
    slave.poll_transmit().expect("the slave answers")
}

#[test]
fn an_answer_ends_the_request_at_once() {
    let now = Instant::now();
    let (mut master, frame) = asked(UNIT, read(), now);
    master.handle_bytes(&answer_to(&frame, now), now);
    assert_eq!(master.poll_outcome(), Some(Outcome::Bits(vec![false; 8])));
    assert_eq!(master.poll_timeout(), None);
}

#[test]
fn silence_ends_it_at_the_deadline_and_not_before() {
    let now = Instant::now();
    let (mut master, _) = asked(UNIT, read(), now);
    let (deadline, _) = master.poll_timeout().unwrap();
    master.handle_timeout(deadline - MS);
    assert_eq!(master.poll_outcome(), None);
    master.handle_timeout(deadline);
    assert_eq!(master.poll_outcome(), Some(Outcome::Silent));
}

#[test]
fn a_wrong_crc_is_garbled_and_not_silent() {
    let now = Instant::now();
    let (mut master, frame) = asked(UNIT, read(), now);
    let mut answer = answer_to(&frame, now);
    answer[3] ^= 1;
    master.handle_bytes(&answer, now);
    assert_eq!(master.poll_outcome(), None);
    master.handle_timeout(master.poll_timeout().unwrap().0);
    assert_eq!(master.poll_outcome(), Some(Outcome::Garbled { bytes: answer.len() }));
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let now = Instant::now();
    let (mut master, frame) = asked(UNIT, Request::WriteCoil { coil: 8, on: true }, now);
    master.handle_bytes(&answer_to(&frame, now), now);
    assert_eq!(master.poll_outcome(), Some(Outcome::Refused(Exception::ILLEGAL_ADDRESS)));
}

#[test]
fn another_units_answer_is_not_ours() {
    let now = Instant::now();
    let (mut master, _) = asked(2, read(), now);
    master.handle_bytes(&wrap(UNIT, &[0x01, 1, 0xFF]), now);
    assert_eq!(master.poll_outcome(), None);
}

#[test]
fn a_frame_waits_for_silence_after_the_last_byte_on_the_bus() {
    let now = Instant::now();
    let mut master = Master::new(Timing::of_baud(9600));
    master.handle_bytes(b"late", now);
    master.send(UNIT, read(), now).unwrap();
    assert_eq!(master.poll_transmit(now), None);
    master.handle_bytes(b"later", now + 3 * MS);
    master.handle_timeout(now + 5 * MS);
    assert_eq!(master.poll_transmit(now + 5 * MS), None);
    master.handle_timeout(now + 8 * MS);
    assert!(master.poll_transmit(now + 8 * MS).is_some());
}

#[test]
fn a_bus_that_never_falls_silent_ends_the_request() {
    let start = Instant::now();
    let mut master = Master::new(Timing::of_baud(9600));
    master.handle_bytes(b"?", start);
    master.send(UNIT, read(), start).unwrap();
    for ms in 0..SETTLE_MAX.as_millis() as u32 {
        master.handle_bytes(b"?", start + ms * MS);
        master.handle_timeout(start + ms * MS);
        assert_eq!(master.poll_outcome(), None, "at {ms} ms");
    }
    master.handle_timeout(start + SETTLE_MAX);
    assert_eq!(master.poll_outcome(), Some(Outcome::Garbled { bytes: 0 }));
}

#[test]
fn a_broadcast_ends_after_the_turnaround_without_an_answer() {
    let now = Instant::now();
    let (mut master, _) = asked(BROADCAST, Request::WriteCoil { coil: 0, on: true }, now);
    master.handle_timeout(now + 99 * MS);
    assert_eq!(master.poll_outcome(), None);
    master.handle_timeout(now + 100 * MS);
    assert_eq!(master.poll_outcome(), Some(Outcome::Broadcast));
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let now = Instant::now();
    let (mut master, frame) = asked(UNIT, read(), now);
    let late = now + 400 * MS;
    master.handle_timeout(late);
    assert_eq!(master.poll_outcome(), Some(Outcome::Silent));
    master.handle_bytes(&answer_to(&frame, now), late);
    master.send(UNIT, read(), late).unwrap();
    master.handle_timeout(late + 10 * MS);
    master.poll_transmit(late + 10 * MS).unwrap();
    assert_eq!(master.poll_outcome(), None);
}

#[test]
fn one_request_at_a_time() {
    let now = Instant::now();
    let (mut master, _) = asked(UNIT, read(), now);
    assert_eq!(master.send(UNIT, read(), now), Err(Busy));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let now = Instant::now();
        let (mut master, _) = asked(UNIT, read(), now);
        for chunk in chunks {
            master.handle_bytes(&chunk, now);
        }
        master.handle_timeout(now + Duration::from_secs(1));
        prop_assert!(master.poll_outcome().is_some());
    }

    #[test]
    fn noise_before_the_answer_and_any_cutting_do_not_hide_it(noise in proptest::collection::vec(2_u8.., 0..600), cut in 0_usize..9) {
        let now = Instant::now();
        let (mut master, frame) = asked(UNIT, read(), now);
        let answer = answer_to(&frame, now);
        let stream = [noise, answer].concat();
        let cut = stream.len().saturating_sub(cut);
        master.handle_bytes(&stream[..cut], now);
        master.handle_bytes(&stream[cut..], now);
        prop_assert_eq!(master.poll_outcome(), Some(Outcome::Bits(vec![false; 8])));
    }

    #[test]
    fn one_wrong_bit_is_never_an_answer(at in 0_usize..6, bit in 0_u32..8) {
        let now = Instant::now();
        let (mut master, frame) = asked(UNIT, read(), now);
        let mut answer = answer_to(&frame, now);
        answer[at] ^= 1_u8 << bit;
        master.handle_bytes(&answer, now);
        prop_assert_eq!(master.poll_outcome(), None);
    }
}
