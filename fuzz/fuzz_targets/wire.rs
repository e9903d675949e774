//! Messages between box and rack: a stream cut anywhere reads as one in one piece, and what is read is written alike.
//!
//! Text: `r`, `b`, `e` or `a` and the JSON of a message to the rack, to the box, an enrolment or its answer.
//! Anything else is a stream of bytes to the rack.

#![no_main]

use alarm::wire::{self, BadFrame, Decoder, EnrolAnswer, EnrolRequest, ToBox, ToRack};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

fuzz_target!(|bytes: &[u8]| match bytes {
    [b'r', json @ ..] => message::<ToRack>(json),
    [b'b', json @ ..] => message::<ToBox>(json),
    [b'e', json @ ..] => message::<EnrolRequest>(json),
    [b'a', json @ ..] => message::<EnrolAnswer>(json),
    stream => drop(read::<ToRack>(&[stream])),
});

fn message<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &[u8]) {
    let Ok(message) = wire::decode::<T>(json) else { return };
    let frame = match wire::encode(&message) {
        Ok(frame) => frame,
        Err(BadFrame::TooLong(_)) => return,
        Err(error) => panic!("{message:?}: {error}"),
    };
    assert_eq!(wire::decode::<T>(&frame[4..]).expect("reads back"), message);
    let stream = frame.repeat(2);
    let (first, second) = stream.split_at(json.len() % stream.len());
    assert_eq!(read::<T>(&[first, second]), [message, wire::decode(json).expect("read before")]);
}

/// Everything that these pieces hold up to the first error, as they come.
fn read<T: DeserializeOwned>(pieces: &[&[u8]]) -> Vec<T> {
    let mut decoder = Decoder::default();
    let mut read = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Ok(Some(message)) = decoder.next_message() {
            read.push(message);
        }
    }
    read
}
