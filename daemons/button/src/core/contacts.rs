//! From lines to points: which contacts belong to which point, and what a point's contacts show together. No
//! debouncing here; that is `alarm::point`.

use alarm::point::Reading;
use hw::Line;
use std::collections::BTreeMap;

/// The lines that a point is wired to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// An antivalent pair.
    Pair {
        /// The normally open contact.
        open: Line,
        /// The normally closed contact.
        closed: Line,
    },
    /// One contact.
    Single(Line),
}

impl Contacts {
    /// The lines.
    pub fn lines(&self) -> Vec<&Line> {
        match self {
            Self::Pair { open, closed } => vec![open, closed],
            Self::Single(line) => vec![line],
        }
    }
}

/// A point by its place in the configuration.
pub(super) type Place = usize;

/// The levels as last heard.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    contacts: Vec<Contacts>,
    known: BTreeMap<Line, bool>,
}

impl Levels {
    pub(super) fn new(contacts: Vec<Contacts>) -> Self {
        Self { contacts, known: BTreeMap::new() }
    }

    /// Takes levels that were read together, so that a pair is never seen half changed.
    pub(super) fn set(&mut self, levels: impl IntoIterator<Item = (Line, bool)>) -> Vec<(Place, Reading)> {
        let mut touched = Vec::new();
        for (line, level) in levels {
            touched.extend(self.place(&line));
            self.known.insert(line, level);
        }
        self.readings(touched)
    }

    /// These lines cannot be read at present.
    pub(super) fn lose(&mut self, lines: &[Line]) -> Vec<(Place, Reading)> {
        for line in lines {
            self.known.remove(line);
        }
        self.readings(lines.iter().filter_map(|line| self.place(line)).collect())
    }

    /// The point that a line belongs to.
    pub(super) fn place(&self, line: &Line) -> Option<Place> {
        self.contacts.iter().position(|contacts| contacts.lines().contains(&line))
    }

    /// The lines of a point.
    pub(super) fn lines(&self, place: Place) -> Vec<&Line> {
        self.contacts[place].lines()
    }

    fn readings(&self, mut touched: Vec<Place>) -> Vec<(Place, Reading)> {
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().map(|place| (place, self.reading(place))).collect()
    }

    fn reading(&self, place: Place) -> Reading {
        let level = |line: &Line| self.known.get(line).copied();
        match &self.contacts[place] {
            Contacts::Pair { open, closed } => match (level(open), level(closed)) {
                (Some(open), Some(closed)) => Reading::Pair { open, closed },
                (None, _) | (_, None) => Reading::Unreadable,
            },
            Contacts::Single(line) => level(line).map_or(Reading::Unreadable, Reading::Single),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> Levels {
        Levels::new(vec![
            Contacts::Pair { open: "gate-no".into(), closed: "gate-nc".into() },
            Contacts::Single("lid".into()),
        ])
    }

    #[test]
    fn a_pair_read_together_is_one_reading() {
        let told = levels().set([("gate-no".into(), false), ("gate-nc".into(), true), ("lid".into(), true)]);
        let rest = Reading::Pair { open: false, closed: true };
        assert_eq!(told, [(0, rest), (1, Reading::Single(true))]);
    }

    #[test]
    fn half_a_pair_is_unreadable() {
        let mut levels = levels();
        assert_eq!(levels.set([("gate-no".into(), false)]), [(0, Reading::Unreadable)]);
        levels.set([("gate-nc".into(), true)]);
        assert_eq!(levels.lose(&["gate-nc".into()]), [(0, Reading::Unreadable)]);
        assert_eq!(levels.set([("gate-no".into(), true)]), [(0, Reading::Unreadable)]);
    }

    #[test]
    fn a_line_of_no_point_is_nobodys() {
        assert_eq!(levels().set([("spare".into(), true)]), []);
    }
}
