//! Gaps in the kernel's event numbers. Pure.

use std::collections::BTreeMap;

/// Follows the numbers of one request: one for all lines, one per line, both starting at 1 and wrapping.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    all: u32,
    lines: BTreeMap<u32, u32>,
}

/// What an event's numbers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// Nothing was lost before it.
    Whole,
    /// Events were lost, of other lines.
    LostElsewhere,
    /// Events were lost, of this line too.
    LostHere,
}

impl Sequence {
    pub(super) fn note(&mut self, offset: u32, all: u32, line: u32) -> Continuity {
        let before = self.lines.insert(offset, line).unwrap_or(0);
        let expected = self.all.wrapping_add(1);
        self.all = all;
        if line != before.wrapping_add(1) {
            Continuity::LostHere
        } else if all != expected {
            Continuity::LostElsewhere
        } else {
            Continuity::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Continuity::{LostElsewhere, LostHere, Whole};

    #[test]
    fn gaps_are_told_by_place() {
        // (offset, number of all, number of the line) in the order of arrival
        let table = [
            ((17, 1, 1), Whole),
            ((27, 2, 1), Whole),
            ((17, 5, 2), LostElsewhere),
            ((27, 6, 3), LostHere),
            ((17, 7, 3), Whole),
        ];
        let mut sequence = Sequence::default();
        for ((offset, all, line), continuity) in table {
            assert_eq!(sequence.note(offset, all, line), continuity, "event {all}");
        }
    }

    #[test]
    fn the_very_first_event_can_be_the_lost_one() {
        assert_eq!(Sequence::default().note(17, 2, 2), LostHere);
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        let mut sequence = Sequence { all: u32::MAX, lines: [(17, u32::MAX)].into() };
        assert_eq!(sequence.note(17, 0, 0), Whole);
    }
}
