//! What the appliance makes of a box's frames. Pure: bytes and time in, edges out.

use std::time::{Duration, Instant};

use super::{Decoder, Frame, SILENCE};
use crate::bank::Bank;
use crate::edges::Edges;
use crate::{Edge, Reading, Wired};

/// Listens to one box.
///
/// ```text
///             frame: every line, missed            frame: lines that changed
///   Unknown ─────────────────────────────▶ Known ─────────────────────────────▶ Known
///      ▲        (not announced to `read`)    │     count grew by more: every line, missed
///      └─────────────── forget ◀─────────────┘ silence
/// ```
#[derive(Debug)]
pub struct Receiver {
    bank: Bank,
    decoder: Decoder,
    last: Option<Frame>,
    /// Of the last frame, or of the start.
    heard: Instant,
    bytes_since: usize,
    announce_first: bool,
    edges: Edges,
}

/// Why a box can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Not one byte for this long.
    Silent(Duration),
    /// Bytes, but no frame.
    Garbled {
        /// How many bytes came since the last frame.
        bytes: usize,
    },
}

impl Receiver {
    /// Starts to listen for these inputs of the box.
    #[must_use]
    pub fn new(device: &str, wired: Vec<Wired>, now: Instant) -> Self {
        Self {
            bank: Bank::new(device, wired),
            decoder: Decoder::default(),
            last: None,
            heard: now,
            bytes_since: 0,
            announce_first: true,
            edges: Edges::default(),
        }
    }

    pub(super) fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Takes what came from the wire, in pieces of any size.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        for &byte in bytes {
            self.bytes_since = self.bytes_since.saturating_add(1);
            if let Some(frame) = self.decoder.push(byte) {
                self.handle_frame(frame, now);
            }
        }
    }

    /// The edges found so far, oldest first.
    pub fn take_edges(&mut self) -> Vec<Edge> {
        self.edges.take()
    }

    /// Whether [`Receiver::take_edges`] would give any.
    #[must_use]
    pub fn has_edges(&self) -> bool {
        !self.edges.is_empty()
    }

    /// The levels of the last frame, `None` while no frame is known.
    #[must_use]
    pub fn readings(&self) -> Option<Vec<Reading>> {
        self.last.map(|frame| self.bank.readings(|number| bit(frame.levels, number)))
    }

    /// The next frame's levels are being asked for: do not also announce them as edges.
    pub fn expect_first(&mut self) {
        self.announce_first = false;
    }

    /// When the box becomes unreadable, if nothing comes.
    #[must_use]
    pub fn deadline(&self) -> (Instant, &'static str) {
        (self.heard + SILENCE, "a box repeats its frame every 500 ms")
    }

    /// Whether the box is unreadable by now, and why. The levels known are then forgotten:
    /// the first frame after it reports every line as missed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Unreadable> {
        if now < self.deadline().0 {
            return Ok(());
        }
        self.last = None;
        self.announce_first = true;
        match std::mem::take(&mut self.bytes_since) {
            0 => Err(Unreadable::Silent(now - self.heard)),
            bytes => Err(Unreadable::Garbled { bytes }),
        }
    }

    fn handle_frame(&mut self, frame: Frame, now: Instant) {
        let before = self.last.replace(frame);
        self.heard = now;
        self.bytes_since = 0;
        match before {
            Some(before) if is_whole(before, frame) => self.note_differences(before, frame, now),
            Some(_) => self.note_every_line(frame, now),
            None if self.announce_first => self.note_every_line(frame, now),
            None => {}
        }
    }

    fn note_differences(&mut self, before: Frame, frame: Frame, at: Instant) {
        let differs = |w: &&Wired| bit(before.levels ^ frame.levels, w.number);
        for wired in self.bank.wired().iter().filter(differs) {
            self.edges.push(edge(wired, frame, at, false));
        }
    }

    fn note_every_line(&mut self, frame: Frame, at: Instant) {
        for wired in self.bank.wired() {
            self.edges.push(edge(wired, frame, at, true));
        }
    }
}

/// Whether every change between two frames is visible in their levels.
fn is_whole(before: Frame, frame: Frame) -> bool {
    let seen = (before.levels ^ frame.levels).count_ones();
    u32::from(frame.changes.wrapping_sub(before.changes)) == seen
}

fn edge(wired: &Wired, frame: Frame, at: Instant, missed: bool) -> Edge {
    Edge { line: wired.line.clone(), active: wired.invert(bit(frame.levels, wired.number)), at, missed }
}

fn bit(levels: u8, number: u16) -> bool {
    levels >> number & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn receiver(now: Instant) -> Receiver {
        let wired = |(line, number): (&str, u16)| Wired { line: line.into(), number, active_low: false };
        Receiver::new("box0", [("no", 0), ("nc", 1)].map(wired).to_vec(), now)
    }

    fn hear(receiver: &mut Receiver, levels: u8, changes: u16, now: Instant) -> Vec<(String, bool, bool)> {
        receiver.handle_bytes(&Frame { levels, changes }.encode(), now);
        let plain = |e: Edge| (e.line.to_string(), e.active, e.missed);
        receiver.take_edges().into_iter().map(plain).collect()
    }

    fn edges(list: &[(&str, bool, bool)]) -> Vec<(String, bool, bool)> {
        list.iter().map(|&(line, active, missed)| (line.to_owned(), active, missed)).collect()
    }

    #[test]
    fn a_press_is_two_edges_of_an_antivalent_pair() {
        let now = Instant::now();
        let mut receiver = receiver(now);
        receiver.expect_first();
        assert_eq!(hear(&mut receiver, 0b10, 0, now), []);
        assert_eq!(hear(&mut receiver, 0b01, 2, now), edges(&[("no", true, false), ("nc", false, false)]));
    }

    #[test]
    fn a_lost_heartbeat_is_nothing_but_a_lost_press_and_release_is_missed() {
        let now = Instant::now();
        let mut receiver = receiver(now);
        receiver.expect_first();
        hear(&mut receiver, 0b10, 65_535, now);
        assert_eq!(hear(&mut receiver, 0b10, 65_535, now), []);
        assert_eq!(hear(&mut receiver, 0b10, 3, now), edges(&[("no", false, true), ("nc", true, true)]));
    }

    #[test]
    fn without_a_read_the_first_frame_tells_every_line() {
        let now = Instant::now();
        assert_eq!(hear(&mut receiver(now), 0b01, 9, now), edges(&[("no", true, true), ("nc", false, true)]));
    }

    #[test]
    fn two_seconds_without_a_frame_are_unreadable_and_not_a_millisecond_less() {
        let start = Instant::now();
        let mut receiver = receiver(start);
        receiver.handle_bytes(&Frame { levels: 0, changes: 0 }.encode(), start);
        assert_eq!(receiver.handle_timeout(start + SILENCE - MS), Ok(()));
        assert_eq!(receiver.handle_timeout(start + SILENCE), Err(Unreadable::Silent(SILENCE)));
        assert_eq!(receiver.readings(), None);
    }

    #[test]
    fn noise_is_told_from_silence() {
        let start = Instant::now();
        let mut receiver = receiver(start);
        receiver.handle_bytes(b"\xff\x00??", start + SILENCE - MS);
        assert_eq!(receiver.handle_timeout(start + SILENCE), Err(Unreadable::Garbled { bytes: 4 }));
    }

    #[test]
    fn after_silence_every_line_is_told_as_missed() {
        let start = Instant::now();
        let mut receiver = receiver(start);
        hear(&mut receiver, 0b10, 4, start);
        receiver.handle_timeout(start + SILENCE).unwrap_err();
        let later = start + 2 * SILENCE;
        assert_eq!(hear(&mut receiver, 0b10, 4, later), edges(&[("no", false, true), ("nc", true, true)]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(chunks: Vec<Vec<u8>>) {
            let now = Instant::now();
            let mut receiver = receiver(now);
            chunks.iter().for_each(|chunk| receiver.handle_bytes(chunk, now));
        }

        /// Replaying the edges over the first levels always ends at the last levels.
        #[test]
        fn edges_lead_to_the_last_levels(frames: Vec<(u8, u16)>) {
            let now = Instant::now();
            let mut receiver = receiver(now);
            let mut known = std::collections::BTreeMap::new();
            for (levels, changes) in frames {
                receiver.handle_bytes(&Frame { levels, changes }.encode(), now);
                known.extend(receiver.take_edges().into_iter().map(|e| (e.line, e.active)));
            }
            for reading in receiver.readings().unwrap_or_default() {
                prop_assert_eq!(known.get(&reading.line), Some(&reading.active));
            }
        }
    }
}
