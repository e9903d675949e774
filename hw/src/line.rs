//! What a line is called and what it says. No devices here.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The role name of one line, as the board file gives it: `button-1-no`, `red`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(Arc<str>);

impl Line {
    /// A line of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl From<&str> for Line {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Borrow<str> for Line {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Line {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Line {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// The level of one line at the moment it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which line.
    pub line: Line,
    /// Closed contact or switched output, after `active-low` has been applied.
    pub active: bool,
}

/// Whether a line is held as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which line.
    pub line: Line,
    /// What is not as it was asked for, in words for a technician.
    pub wrong: Option<String>,
}

/// A line changed, or may have changed unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which line.
    pub line: Line,
    /// The level after the edge.
    pub active: bool,
    /// When: the kernel's timestamp where the device has one (GPIO), else the arrival here.
    pub at: Instant,
    /// At least one earlier edge of this line, or of an unknown line on the same device, was lost.
    /// `active` is then the level read afterwards, which may equal the last one known:
    /// a press and its release can both lie in the gap.
    pub missed: bool,
}
