//! The line protocol of button boxes: edges always lead to the levels that are read, and a frame is heard after noise.

#![no_main]

use hw::Wired;
use hw::serialbox::{Frame, Receiver, SILENCE};
use libfuzzer_sys::fuzz_target;
use onepress_fuzz::{number, span, steps};
use std::collections::BTreeMap;
use std::time::Instant;

fuzz_target!(|bytes: &[u8]| {
    let wired = |number: u16| Wired {
        line: format!("input-{number}").as_str().into(),
        number,
        active_low: number % 2 == 1,
    };
    let mut now = Instant::now();
    let mut receiver = Receiver::new("box0", (0..8).map(wired).collect(), now);
    let mut known = BTreeMap::new();
    // Whoever has asked for levels is told of them by these, not by edges.
    let mut asked = false;
    for (what, with) in steps(bytes) {
        match what % 5 {
            0 => receiver.handle_bytes(with, now),
            1 => receiver.handle_bytes(&frame(with).encode(), now),
            2 => now += span(with),
            3 if receiver.readings().is_none() => {
                receiver.expect_first();
                asked = true;
            }
            _ => {
                let unreadable = receiver.handle_timeout(now).is_err();
                assert_eq!(unreadable, now >= receiver.deadline().0);
                asked &= !unreadable;
            }
        }
        known.extend(receiver.take_edges().into_iter().map(|edge| (edge.line, edge.active)));
        if let Some(readings) = receiver.readings() {
            for reading in readings {
                let known = known.insert(reading.line, reading.active);
                assert!(asked || known == Some(reading.active), "a level was not told");
            }
            asked = false;
        }
    }
    receiver.handle_bytes(&Frame { levels: 0, changes: 0 }.encode(), now);
    let active = receiver.readings().expect("a frame is heard after any noise").into_iter().map(|r| r.active);
    assert!(active.eq([false, true].repeat(4)));
    assert!(receiver.handle_timeout(now + SILENCE).is_err());
});

fn frame(with: &[u8]) -> Frame {
    let number = u32::try_from(number(with)).expect("three bytes");
    let [_, levels, changes @ ..] = number.to_be_bytes();
    Frame { levels, changes: u16::from_be_bytes(changes) }
}
