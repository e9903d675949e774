//! The hash chain of the journal: each line's hash covers its number, its time, its text and the hash before it
//! (SHA-256, FIPS 180-4). Whoever alters, cuts out, swaps or inserts a line breaks the chain at that place; a
//! signed head says where it must end.

use crate::Wall;
use sha2::{Digest, Sha256};
use std::fmt;

/// Separates these hashes from any other use of SHA-256.
const DOMAIN: &[u8] = b"onepress journal 1\n";

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One line of the journal as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When the desk wrote it.
    pub at: Wall,
    /// The event, JSON.
    pub text: String,
    /// Its link in the chain.
    pub hash: Hash,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Head {
    /// Number of the last line; 0 of an empty journal.
    pub seq: u64,
    /// Its hash; zeroes of an empty journal.
    pub hash: Hash,
}

impl Head {
    /// The line that follows this head.
    pub fn next(self, at: Wall, text: String) -> Line {
        let seq = self.seq + 1;
        Line { hash: link(self.hash, seq, at, &text), seq, at, text }
    }

    /// The head after `line`.
    pub fn after(line: &Line) -> Self {
        Self { seq: line.seq, hash: line.hash }
    }

    /// The bytes that a signature over this head covers.
    pub fn to_sign(self) -> Vec<u8> {
        [b"onepress head 1\n".as_slice(), &self.seq.to_be_bytes(), &self.hash.0].concat()
    }
}

fn link(before: Hash, seq: u64, at: Wall, text: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(before.0);
    hasher.update(seq.to_be_bytes());
    hasher.update(at.millis().to_be_bytes());
    hasher.update(text.as_bytes());
    Hash(hasher.finalize().into())
}

/// What is wrong with a chain, and at which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A number is missing, doubled or out of order.
    #[error("line {expected} is missing: line {found} stands in its place")]
    Order {
        /// The number that should follow.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The line, or one before it, is not what was written.
    #[error("line {0} is not what was written: its hash does not follow from its text and the line before")]
    Altered(u64),
    /// The end has been cut off.
    #[error("the journal ends at line {found}, but its signed head is line {head}: the end has been cut off")]
    Cut {
        /// Last line found.
        found: u64,
        /// What the head says.
        head: u64,
    },
    /// There are more lines than the head says.
    #[error("line {0} was added after the signed head")]
    Added(u64),
    /// The head does not belong to these lines.
    #[error("the signed head does not belong to line {0}")]
    Head(u64),
}

/// Walks a chain and stops at the first place that does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    head: Head,
}

impl Walk {
    /// Takes the next line.
    ///
    /// # Errors
    /// [`Broken`] names the line.
    pub fn step(&mut self, line: &Line) -> Result<(), Broken> {
        let expected = self.head.seq + 1;
        if line.seq != expected {
            return Err(Broken::Order { expected, found: line.seq });
        }
        if link(self.head.hash, line.seq, line.at, &line.text) != line.hash {
            return Err(Broken::Altered(line.seq));
        }
        self.head = Head::after(line);
        Ok(())
    }

    /// Compares the end with the head that was signed.
    ///
    /// # Errors
    /// [`Broken`] when lines are missing or added at the end.
    pub fn end(self, signed: Head) -> Result<Head, Broken> {
        match self.head.seq.cmp(&signed.seq) {
            std::cmp::Ordering::Less => Err(Broken::Cut { found: self.head.seq, head: signed.seq }),
            std::cmp::Ordering::Greater => Err(Broken::Added(signed.seq + 1)),
            std::cmp::Ordering::Equal if self.head.hash != signed.hash => Err(Broken::Head(signed.seq)),
            std::cmp::Ordering::Equal => Ok(self.head),
        }
    }

    /// Where the walk stands.
    pub fn head(&self) -> Head {
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn journal(lines: u64) -> Vec<Line> {
        let mut head = Head::default();
        (0..lines)
            .map(|n| {
                let line = head.next(Wall::from_millis(i64::try_from(n).unwrap()), format!(r#"{{"n":{n}}}"#));
                head = Head::after(&line);
                line
            })
            .collect()
    }

    fn verify(lines: &[Line], signed: Head) -> Result<Head, Broken> {
        let mut walk = Walk::default();
        lines.iter().try_for_each(|line| walk.step(line))?;
        walk.end(signed)
    }

    #[test]
    fn a_whole_journal_holds() {
        let lines = journal(9);
        assert!(verify(&lines, Head::after(&lines[8])).is_ok());
        assert!(verify(&[], Head::default()).is_ok());
    }

    #[test]
    fn cut_swapped_and_inserted_lines_are_named() {
        let lines = journal(9);
        let head = Head::after(&lines[8]);
        assert_eq!(verify(&lines[..5], head), Err(Broken::Cut { found: 5, head: 9 }));
        let mut cut_out = lines.clone();
        cut_out.remove(3);
        assert_eq!(verify(&cut_out, head), Err(Broken::Order { expected: 4, found: 5 }));
        let mut swapped = lines.clone();
        swapped.swap(3, 4);
        assert_eq!(verify(&swapped, head), Err(Broken::Order { expected: 4, found: 5 }));
        let mut renumbered = swapped;
        (renumbered[3].seq, renumbered[4].seq) = (4, 5);
        assert_eq!(verify(&renumbered, head), Err(Broken::Altered(4)));
        let mut longer = lines.clone();
        longer.push(head.next(Wall::from_millis(9), "{}".into()));
        assert_eq!(verify(&longer, head), Err(Broken::Added(10)));
        let mut inserted = lines;
        inserted.insert(3, inserted[3].clone());
        assert_eq!(verify(&inserted, head), Err(Broken::Order { expected: 5, found: 4 }));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found_at_its_line(place in 0usize..9, field in 0u8..4, bit in 0u32..64, byte in any::<usize>()) {
            let lines = journal(9);
            let head = Head::after(&lines[8]);
            let mut bad = lines.clone();
            let line = &mut bad[place];
            match field {
                0 => line.seq ^= 1 << (bit % 20),
                1 => line.at = Wall::from_millis(line.at.millis() ^ (1 << (bit % 40))),
                2 => line.hash.0[byte % 32] ^= 1 << (bit % 8),
                _ => {
                    let mut text = line.text.clone().into_bytes();
                    let at = byte % text.len();
                    text[at] ^= 1 << (bit % 7);
                    line.text = String::from_utf8(text).unwrap();
                }
            }
            let broken = verify(&bad, head).unwrap_err();
            let expected = u64::try_from(place).unwrap() + 1;
            let named = match broken {
                Broken::Order { expected, .. } => expected,
                Broken::Altered(seq) | Broken::Added(seq) | Broken::Head(seq) => seq,
                Broken::Cut { found, .. } => found,
            };
            prop_assert_eq!(named, expected);
        }
    }
}
