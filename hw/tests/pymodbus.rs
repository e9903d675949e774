//! The Modbus master against a real peer: a pymodbus server, reached through two pseudo-terminals
//! with a middleman between them who can spoil answers.
//!
//! ```text
//! Relays, Contacts ── port ══ pty ── middleman ── pty ══ pymodbus
//! ```

#![allow(clippy::unwrap_used, reason = "a test's helpers fail like the test")]

mod peer;

use std::time::{Duration, Instant};

use hw::modbus::{Bus, Contacts, Relays, Request, Timing};
use hw::serial::{Port, Settings};
use hw::{Error, Inputs, Outputs, Severity, Supervision, Wired};
use peer::Peer;

const UNIT: u8 = 1;

/// More than three attempts of 300 ms, the silences between, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

fn bus(peer: &Peer) -> Bus {
    Bus::new(Port::open(Settings::new(peer.path())).unwrap(), Timing::of_baud(9600))
}

fn wired(count: u16) -> Vec<Wired> {
    let wired = |number| Wired { line: (&*format!("line-{number}")).into(), number, active_low: false };
    (0..count).map(wired).collect()
}

fn active(readings: &[hw::Reading]) -> Vec<bool> {
    readings.iter().map(|reading| reading.active).collect()
}

#[test]
fn each_relay_switches_alone_and_reads_back() {
    let peer = Peer::start(UNIT);
    let mut relays = Relays::open(bus(&peer), UNIT, wired(8)).unwrap();
    for line in relays.lines() {
        relays.set(line.as_str(), true).unwrap();
        let on: Vec<_> = relays.read_back().unwrap().into_iter().filter(|r| r.active).collect();
        assert_eq!(on.len(), 1, "{on:?}");
        assert_eq!(on[0].line, line);
        relays.set(line.as_str(), false).unwrap();
    }
    assert_eq!(relays.supervise().unwrap(), Supervision::AsCommanded);
}

#[test]
fn several_relays_switch_in_one_request() {
    let peer = Peer::start(UNIT);
    let mut relays = Relays::open(bus(&peer), UNIT, wired(10)).unwrap();
    let names: Vec<_> = relays.lines();
    let wanted: Vec<_> = names.iter().zip(0..).map(|(line, n)| (line.as_str(), n % 3 == 0)).collect();
    relays.apply(&wanted).unwrap();
    let pattern: Vec<_> = (0..10).map(|n| n % 3 == 0).collect();
    assert_eq!(active(&relays.read_back().unwrap()), pattern);
}

#[test]
fn contacts_read_in_the_order_of_addresses() {
    let peer = Peer::start(UNIT);
    let mut contacts = Contacts::open(bus(&peer), UNIT, wired(10)).unwrap();
    let alternating: Vec<_> = (0..10).map(|n| n % 2 == 0).collect();
    assert_eq!(active(&contacts.read().unwrap()), alternating);
    assert_eq!(contacts.wait(Duration::from_millis(100)).unwrap(), []);
}

#[test]
fn a_broadcast_switches_and_is_not_answered() {
    let peer = Peer::start(UNIT);
    let bus = bus(&peer);
    bus.broadcast(&Request::WriteCoils { first: 0, on: vec![true; 8] }).unwrap();
    assert_eq!(bus.read(UNIT, &Request::ReadCoils { first: 0, count: 8 }).unwrap(), [true; 8]);
}

#[test]
fn a_coil_beyond_the_board_is_refused_and_fatal() {
    let peer = Peer::start(UNIT);
    let error = bus(&peer).write(UNIT, &Request::WriteCoil { coil: 16, on: true }).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("it has no such coil or input (exception 2)"), "{error}");
    assert_eq!(error.severity(), Severity::Fatal);
}

#[test]
fn a_dead_board_is_retryable_within_the_time_limit() {
    let mut peer = Peer::start(UNIT);
    let mut relays = Relays::open(bus(&peer), UNIT, wired(8)).unwrap();
    peer.kill();
    let before = Instant::now();
    let error = relays.supervise().unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    assert_eq!(error.severity(), Severity::Retryable);
    assert!(before.elapsed() < PATIENCE, "took {:?}", before.elapsed());
}

#[test]
fn two_spoiled_answers_are_asked_again() {
    let peer = Peer::start(UNIT);
    let mut relays = Relays::open(bus(&peer), UNIT, wired(8)).unwrap();
    peer.spoil_answers(2);
    relays.set("line-3", true).unwrap();
    assert_eq!(peer.spoiled(), 2);
    assert!(relays.read_back().unwrap()[3].active);
}

#[test]
fn nothing_but_spoiled_answers_is_garbled_and_retryable() {
    let peer = Peer::start(UNIT);
    let mut relays = Relays::open(bus(&peer), UNIT, wired(8)).unwrap();
    peer.spoil_answers(100);
    let error = relays.set("line-3", true).unwrap_err();
    assert!(matches!(error, Error::Garbled { .. }), "{error}");
    assert_eq!(error.severity(), Severity::Retryable);
    assert_eq!(peer.spoiled(), 3);
}
