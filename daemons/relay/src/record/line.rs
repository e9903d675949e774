//! Puts the groups of one track in order and knows what is missing. Pure.
//!
//! ```text
//!  number = next, successor known ──▶ Write          number < next ──▶ Fill
//!  number > next ──▶ held ──GAP_AFTER──▶ Gap, then Write; what is missing is asked for until it came
//! ```

use media::Frame;
use media::follow::Group;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long a group may be later than its successor: two losses and a slow uplink.
const GAP_AFTER: Duration = Duration::from_secs(3);
/// Groups held while one is missing, at most: beyond it the gap is stated at once.
const HELD_MAX: usize = 64;
/// Groups of one track that are missing and asked for, at most: half an hour of sound.
const MISSING_MAX: usize = 10_000;

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Write this group; its last frame lasts until `until`, if that is known.
    Write {
        /// Its number.
        number: u64,
        /// Its frames.
        frames: Vec<Frame>,
        /// Where the next group begins.
        until: Option<Duration>,
    },
    /// Something is missing between these times.
    Gap {
        /// Where it begins.
        from: Duration,
        /// Where it goes on.
        to: Duration,
    },
    /// Write what was missing apart.
    Fill {
        /// Its number.
        number: u64,
        /// Its frames.
        frames: Vec<Frame>,
    },
}

/// One gap that was stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    numbers: BTreeSet<u64>,
}

/// The groups of one track.
#[derive(Debug)]
pub(crate) struct Line {
    next: Option<u64>,
    end: Duration,
    held: BTreeMap<u64, Vec<Frame>>,
    waiting: Option<Instant>,
    gaps: Vec<Gap>,
    partial: BTreeMap<u64, Vec<Frame>>,
    ready: std::collections::VecDeque<Outcome>,
}

fn begin(frames: &[Frame]) -> Duration {
    frames.iter().map(|frame| frame.time).min().unwrap_or_default()
}

fn end(frames: &[Frame]) -> Duration {
    frames.iter().map(|frame| frame.time).max().unwrap_or_default()
}

impl Line {
    /// Expects group `next` first, at time `end`; without a number, whatever comes first.
    pub(crate) fn new(next: Option<u64>, end: Duration) -> Self {
        Self {
            next,
            end,
            held: BTreeMap::new(),
            waiting: None,
            gaps: Vec::new(),
            partial: BTreeMap::new(),
            ready: std::collections::VecDeque::new(),
        }
    }

    /// The number that is expected next.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Gaps of an earlier life that may still be filled.
    pub(crate) fn handle_known_gap(&mut self, numbers: Range<u64>, from: Duration, to: Duration) {
        self.gaps.push(Gap { from, to, numbers: numbers.take(MISSING_MAX).collect() });
    }

    /// A group has come.
    pub(crate) fn handle(&mut self, group: Group, now: Instant) {
        let Group { number, frames, broken } = group;
        if broken || frames.is_empty() {
            if !frames.is_empty() {
                self.partial.insert(number, frames);
            }
            return;
        }
        self.partial.remove(&number);
        let next = *self.next.get_or_insert(number);
        if number >= next {
            self.held.insert(number, frames);
            self.advance(now);
        } else if self.is_missing(number) {
            self.ready.push_back(Outcome::Fill { number, frames });
        }
    }

    /// A group could not be written: it is missing now.
    pub(crate) fn handle_unwritten(&mut self, number: u64, from: Duration, to: Duration) {
        match self.gaps.last_mut().filter(|gap| gap.to == from) {
            Some(gap) => {
                gap.to = to;
                gap.numbers.insert(number);
            }
            None => self.gaps.push(Gap { from, to, numbers: BTreeSet::from([number]) }),
        }
    }

    /// Time has passed.
    pub(crate) fn handle_time(&mut self, now: Instant) {
        self.advance(now);
    }

    /// The track has broken off or ended: what is held is written. With `over`, also what is in pieces.
    pub(crate) fn handle_end(&mut self, over: bool) {
        while let Some((first, _)) = self.held.first_key_value() {
            let first = *first;
            self.skip_to(first);
            self.release();
        }
        if !over {
            return;
        }
        for (number, frames) in std::mem::take(&mut self.partial) {
            match self.next {
                Some(next) if number < next => self.ready.push_back(Outcome::Fill { number, frames }),
                Some(_) | None => {
                    self.skip_to(number);
                    self.write(number, frames, None);
                }
            }
        }
    }

    /// What is due. Call until `None`.
    pub(crate) fn poll(&mut self) -> Option<Outcome> {
        self.ready.pop_front()
    }

    /// When [`Line::handle_time`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.map(|since| since + GAP_AFTER)
    }

    /// A number that is missing, to be asked for, after `after`.
    pub(crate) fn missing(&self, after: Option<u64>) -> Option<u64> {
        let numbers = self.gaps.iter().flat_map(|gap| gap.numbers.iter().copied());
        numbers.filter(|number| after.is_none_or(|after| *number > after)).min()
    }

    /// A missing group is on the disk; the gap that it closes, if it was the last one of it.
    pub(crate) fn handle_filled(&mut self, number: u64) -> Option<Gap> {
        let place = self.gaps.iter().position(|gap| gap.numbers.contains(&number))?;
        self.gaps[place].numbers.remove(&number);
        self.gaps[place].numbers.is_empty().then(|| self.gaps.remove(place))
    }

    /// Whether the gap of this group would be closed by those that are `collected`.
    pub(crate) fn is_whole_with(&self, number: u64, collected: impl Fn(u64) -> bool) -> bool {
        let gap = self.gaps.iter().find(|gap| gap.numbers.contains(&number));
        gap.is_some_and(|gap| gap.numbers.iter().all(|number| collected(*number)))
    }

    /// Whether this group is missing.
    pub(crate) fn is_missing(&self, number: u64) -> bool {
        self.gaps.iter().any(|gap| gap.numbers.contains(&number))
    }

    fn advance(&mut self, now: Instant) {
        while let Some((first, _)) = self.held.first_key_value() {
            let first = *first;
            if Some(first) == self.next {
                if !self.held.contains_key(&(first + 1)) {
                    break;
                }
                self.waiting = None;
                self.release();
                continue;
            }
            let since = *self.waiting.get_or_insert(now);
            if now < since + GAP_AFTER && self.held.len() < HELD_MAX {
                return;
            }
            self.skip_to(first);
        }
        // Held without a successor for long: the camera has paused, and what there is must reach the disk.
        match self.held.is_empty() {
            true => self.waiting = None,
            false => {
                let since = *self.waiting.get_or_insert(now);
                if now >= since + GAP_AFTER {
                    self.release();
                    self.waiting = (!self.held.is_empty()).then_some(now);
                }
            }
        }
    }

    /// States the gap before group `first`, if there is one.
    fn skip_to(&mut self, first: u64) {
        let next = self.next.unwrap_or(first);
        if next < first {
            let frames = self.held.get(&first).or_else(|| self.partial.get(&first));
            let to = frames.map_or(self.end, |frames| begin(frames)).max(self.end);
            let from = self.end;
            self.gaps.push(Gap { from, to, numbers: (next..first).take(MISSING_MAX).collect() });
            self.ready.push_back(Outcome::Gap { from, to });
        }
        self.next = Some(first.max(next));
        self.waiting = None;
    }

    fn release(&mut self) {
        let Some((number, frames)) = self.held.pop_first() else { return };
        let until = self.held.get(&(number + 1)).map(|frames| begin(frames));
        self.write(number, frames, until);
    }

    fn write(&mut self, number: u64, frames: Vec<Frame>, until: Option<Duration>) {
        self.next = Some(number + 1);
        self.end = until.unwrap_or_else(|| end(&frames)).max(self.end);
        self.ready.push_back(Outcome::Write { number, frames, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::{Bytes, Kind};

    /// Group `n` has one frame at second `n`.
    fn group(number: u64, broken: bool) -> Group {
        let time = Duration::from_secs(number);
        let frame = Frame { kind: Kind::Video, time, key: true, data: Bytes::from_static(b"x") };
        Group { number, frames: vec![frame], broken }
    }

    fn said(line: &mut Line) -> Vec<String> {
        std::iter::from_fn(|| line.poll())
            .map(|outcome| match outcome {
                Outcome::Write { number, until, .. } => match until {
                    Some(until) => format!("{number} until {}", until.as_secs()),
                    None => format!("{number}"),
                },
                Outcome::Gap { from, to } => format!("gap {}-{}", from.as_secs(), to.as_secs()),
                Outcome::Fill { number, .. } => format!("fill {number}"),
            })
            .collect()
    }

    #[test]
    fn groups_that_come_out_of_order_are_written_in_order() {
        let now = Instant::now();
        let mut line = Line::new(Some(0), Duration::ZERO);
        [1, 0, 3, 2].into_iter().for_each(|number| line.handle(group(number, false), now));
        assert_eq!(said(&mut line), ["0 until 1", "1 until 2", "2 until 3"]);
        line.handle_end(true);
        assert_eq!(said(&mut line), ["3"]);
    }

    #[test]
    fn a_gap_is_stated_after_its_time_and_filled_when_it_comes() {
        let now = Instant::now();
        let mut line = Line::new(Some(0), Duration::ZERO);
        [0, 1, 4, 5].into_iter().for_each(|number| line.handle(group(number, false), now));
        assert_eq!(said(&mut line), ["0 until 1"]);
        line.handle_time(now + GAP_AFTER - Duration::from_millis(1));
        assert_eq!(said(&mut line), Vec::<String>::new());
        // The first deadline was the last group's without a successor, the second is the gap's.
        line.handle_time(now + GAP_AFTER);
        line.handle_time(now + GAP_AFTER * 2);
        line.handle_time(now + GAP_AFTER * 3);
        assert_eq!(said(&mut line), ["1", "gap 1-4", "4 until 5", "5"]);
        assert_eq!(line.missing(None), Some(2));
        assert_eq!(line.missing(Some(2)), Some(3));
        line.handle(group(2, false), now);
        line.handle(group(2, false), now);
        assert_eq!(line.handle_filled(2), None);
        line.handle(group(3, false), now);
        assert_eq!(said(&mut line), ["fill 2", "fill 2", "fill 3"]);
        let gap = line.handle_filled(3).unwrap();
        assert_eq!((gap.from.as_secs(), gap.to.as_secs(), line.missing(None)), (1, 4, None));
    }

    #[test]
    fn a_group_in_pieces_is_kept_until_the_whole_one_came() {
        let now = Instant::now();
        let mut line = Line::new(Some(0), Duration::ZERO);
        [0, 1].into_iter().for_each(|number| line.handle(group(number, false), now));
        line.handle(group(2, true), now);
        line.handle_end(false);
        assert_eq!(said(&mut line), ["0 until 1", "1"]);
        line.handle_end(true);
        assert_eq!(said(&mut line), ["2"], "what came of the last group is evidence too");
        let mut line = Line::new(Some(0), Duration::ZERO);
        line.handle(group(0, true), now);
        line.handle(group(0, false), now);
        line.handle_end(true);
        assert_eq!(said(&mut line), ["0"]);
    }
}
