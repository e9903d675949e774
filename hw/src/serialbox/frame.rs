//! Frames of a button box, to and from bytes. Pure.

use crate::crc::crc16;

/// Every frame has this length.
pub const FRAME_LEN: usize = 20;

const START: u8 = b'$';
const END: u8 = b'\n';

/// What a box says. Shape in [`crate::serialbox`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bit n is input n; 1 = contact closed.
    pub levels: u8,
    /// Level changes of all inputs since power-on, modulo 65536.
    pub changes: u16,
}

impl Frame {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let body = self.body();
        format!("${body}*{:04X}\r\n", crc16(body.as_bytes())).into_bytes()
    }

    fn body(self) -> String {
        format!("OPB1,{:02X},{:04X}", self.levels, self.changes)
    }

    /// Only what [`Frame::encode`] makes is a frame: lower case, spaces and signs are not.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (levels, changes) = text.strip_prefix("$OPB1,")?.split_once('*')?.0.split_once(',')?;
        let frame = Self {
            levels: u8::from_str_radix(levels, 16).ok()?,
            changes: u16::from_str_radix(changes, 16).ok()?,
        };
        (frame.encode() == bytes).then_some(frame)
    }
}

/// Finds frames in a stream of bytes. Holds at most one frame; garbage is skipped to the next `$`.
#[derive(Debug, Default)]
pub struct Decoder {
    started: Vec<u8>,
}

impl Decoder {
    /// Takes one byte; gives the frame that it completes.
    pub fn push(&mut self, byte: u8) -> Option<Frame> {
        if byte == START {
            self.started.clear();
        } else if self.started.is_empty() || self.started.len() == FRAME_LEN {
            self.started.clear();
            return None;
        }
        self.started.push(byte);
        if byte != END {
            return None;
        }
        Frame::decode(&std::mem::take(&mut self.started))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|&byte| decoder.push(byte)).collect()
    }

    #[test]
    fn the_documented_frame() {
        let bytes = Frame { levels: 0xA5, changes: 0x00C3 }.encode();
        assert_eq!(bytes.len(), FRAME_LEN);
        assert_eq!(String::from_utf8(bytes).unwrap(), "$OPB1,A5,00C3*A733\r\n");
    }

    #[test]
    fn near_misses_are_not_frames() {
        let good = String::from_utf8(Frame { levels: 0xA5, changes: 0x00C3 }.encode()).unwrap();
        let cases = [
            good.to_lowercase(),
            good.replace("OPB1", "OPB2"),
            good.replace("A5", "A4"),
            good.replace("A5", "+5"),
            good.replace('\r', " "),
            good.replace('$', ""),
            good.replace('*', "*0"),
        ];
        for case in cases {
            assert_eq!(frames(case.as_bytes()), [], "{case:?}");
        }
    }

    #[test]
    fn a_cut_frame_costs_no_other() {
        let frame = Frame { levels: 1, changes: 1 };
        for cut in 0..FRAME_LEN {
            let stream = [&frame.encode()[..cut], &frame.encode()].concat();
            assert_eq!(frames(&stream), [frame], "cut after {cut} bytes");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(levels: u8, changes: u16) {
            let frame = Frame { levels, changes };
            prop_assert_eq!(frames(&frame.encode()), [frame]);
        }

        #[test]
        fn any_bytes_are_survived_and_the_next_frame_is_heard(noise: Vec<u8>, levels: u8, changes: u16) {
            let frame = Frame { levels, changes };
            let stream = [&noise[..], &frame.encode()].concat();
            prop_assert_eq!(frames(&stream).last().copied(), Some(frame));
        }

        #[test]
        fn one_wrong_bit_is_no_frame(levels: u8, changes: u16, at in 0..FRAME_LEN, bit in 0_u32..8) {
            let frame = Frame { levels, changes };
            let mut bytes = frame.encode();
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(frames(&bytes), []);
        }
    }
}
