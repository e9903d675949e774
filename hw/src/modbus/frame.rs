//! RTU frames and their timing (Modbus over Serial Line V1.02, chapter 2.5). Pure.

use std::time::Duration;

use crate::crc::crc16;

/// The longest frame: unit, 253 bytes of PDU, CRC (2.5.1).
pub const ADU_MAX: usize = 256;

/// Requests to this unit are taken by all and answered by none.
pub const BROADCAST: u8 = 0;

/// Unit and CRC around a PDU.
pub(super) const ENVELOPE: usize = 3;

pub(super) fn wrap(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = [&[unit][..], pdu].concat();
    frame.extend(crc16(&frame).to_le_bytes());
    frame
}

/// What a look at the start of a buffer shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<'a> {
    /// A frame with a right CRC.
    Whole { pdu: &'a [u8] },
    /// So far so good.
    Short,
    /// Not a frame.
    Wrong,
}

/// Looks for a frame whose PDU has this length at the start of `bytes`.
pub(super) fn look(bytes: &[u8], pdu_len: usize) -> Look<'_> {
    let end = pdu_len + ENVELOPE;
    let Some(frame) = bytes.get(..end) else {
        return if end > ADU_MAX { Look::Wrong } else { Look::Short };
    };
    // A CRC over a frame and its own CRC is zero.
    if crc16(frame) == 0 { Look::Whole { pdu: &frame[1..=pdu_len] } } else { Look::Wrong }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Silence that separates two frames.
    pub silence: Duration,
    /// From the end of a request to the end of its answer.
    pub answer: Duration,
    /// After a broadcast, so that every unit can act.
    pub turnaround: Duration,
}

/// Above 19200 baud the standard fixes t3.5 at this value (2.5.1.1).
const SILENCE_FAST: Duration = Duration::from_micros(1750);

/// Start bit, eight data bits, parity or second stop bit, stop bit.
const BITS_PER_CHARACTER: u64 = 11;

/// Small boards answer within 20 ms; USB adapters hold bytes back for another 16 ms.
const ANSWER: Duration = Duration::from_millis(300);

/// The standard's typical range is 100 to 200 ms (2.4.1).
const TURNAROUND: Duration = Duration::from_millis(100);

impl Timing {
    /// For this many bits per second; at least 1 is assumed.
    #[must_use]
    pub fn of_baud(baud: u32) -> Self {
        Self { silence: silence(baud), answer: ANSWER, turnaround: TURNAROUND }
    }
}

/// t3.5: three and a half characters of silence.
fn silence(baud: u32) -> Duration {
    if baud > 19_200 {
        return SILENCE_FAST;
    }
    let bits_doubled = 7 * BITS_PER_CHARACTER;
    Duration::from_micros(bits_doubled * 1_000_000 / (2 * u64::from(baud.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_three_and_a_half_characters_and_never_below_the_fixed_value() {
        let cases = [(1200, 32_083), (9600, 4_010), (19_200, 2_005), (38_400, 1_750), (115_200, 1_750)];
        for (baud, micros) in cases {
            assert_eq!(silence(baud), Duration::from_micros(micros), "{baud} baud");
        }
        assert!(silence(0) > Duration::from_secs(30));
    }

    #[test]
    fn a_frame_is_seen_only_whole_and_right() {
        let frame = wrap(0x11, &[0x01, 0x00, 0x13, 0x00, 0x25]);
        assert_eq!(frame[6..], [0x0E, 0x84], "the CRC of the well-known example");
        assert_eq!(look(&frame, 5), Look::Whole { pdu: &frame[1..6] });
        assert_eq!(look(&frame[..7], 5), Look::Short);
        assert_eq!(look(&frame, 4), Look::Wrong);
        assert_eq!(look(&frame, 300), Look::Wrong);
    }
}
