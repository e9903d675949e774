//! When a test is due: at a time of day, spread over the boxes by their names, so that a rack of thousands hears one
//! after the other. A clock that is wrong or jumps never lets a box go untested: the time since the last test counts
//! as well.

use super::Cause;
use crate::{Mono, Wall};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The boxes of a centre begin within this time.
pub const SPREAD: Duration = Duration::from_secs(60 * 60);
/// No box is untested for longer, whatever its clock says: a day, the spread, and time for a test that waits.
pub const LONGEST_BETWEEN: Duration = Duration::from_secs(25 * 60 * 60 + 30 * 60);
/// A test that was broken off, or that failed, is done again after this: half of the time for which a box keeps
/// silent after a silent alarm has passed by then, and a technician at the button has gone.
pub const AGAIN_AFTER: Duration = Duration::from_secs(20 * 60);
/// After a fault of a point is over, a test that had failed is done again: what was mended is proved at once.
const MENDED_AFTER: Duration = Duration::from_secs(5);
/// Tests that are done again in a row: a fault that stays is told three times, and then once a day.
const AGAIN_MAX: u32 = 3;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;
const MINUTES: u32 = 24 * 60;

/// A time of day with its distance from UTC, as in `03:30+08:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    minutes: u32,
    offset: i32,
}

/// Not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time of day: give hours, minutes and the distance from UTC, as in 03:30+08:00")]
pub struct BadAt(String);

impl Default for At {
    /// Half past three at night in China: no lesson is disturbed, and a fault is known before school begins.
    fn default() -> Self {
        Self { minutes: 3 * 60 + 30, offset: 8 * 60 }
    }
}

impl FromStr for At {
    type Err = BadAt;

    fn from_str(text: &str) -> Result<Self, BadAt> {
        let bad = || BadAt(text.chars().take(40).collect());
        let sign = text.find(['+', '-']).ok_or_else(bad)?;
        let (time, distance) = text.split_at(sign);
        let minutes = clock(time).filter(|minutes| *minutes < MINUTES).ok_or_else(bad)?;
        let distance_min = clock(&distance[1..]).filter(|minutes| *minutes <= 14 * 60).ok_or_else(bad)?;
        let offset = i32::try_from(distance_min).map_err(|_| bad())?;
        Ok(Self { minutes, offset: if distance.starts_with('-') { -offset } else { offset } })
    }
}

fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let minutes = minutes.parse().ok().filter(|n: &u32| two(minutes) && *n < 60)?;
    let hours: u32 = hours.parse().ok().filter(|_| two(hours))?;
    Some(hours * 60 + minutes)
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let offset = self.offset.unsigned_abs();
        let (hours, minutes) = (self.minutes / 60, self.minutes % 60);
        write!(f, "{hours:02}:{minutes:02}{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

/// Decides when a test begins.
#[derive(Clone, Debug)]
pub struct Schedule {
    at: At,
    /// Milliseconds after the time of day.
    late_ms: i64,
    /// The day of the last test, counted from its time of day.
    day: Option<i64>,
    last: Option<Mono>,
    again: Option<Mono>,
    tries: u32,
    failed: bool,
    asked: bool,
}

impl Schedule {
    /// Tests at `at`, later by what `name` says.
    pub fn new(at: At, name: &str) -> Self {
        Self {
            at,
            late_ms: spread_ms(name),
            day: None,
            last: None,
            again: None,
            tries: 0,
            failed: false,
            asked: false,
        }
    }

    /// The box has a name now, and should be tested under it.
    pub fn named(&mut self, name: &str) {
        self.late_ms = spread_ms(name);
        self.last = None;
    }

    /// Somebody wants one now.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Why a test is to begin now, if one is. `sure`: the wall clock can be trusted.
    pub fn due(&self, now: Mono, wall: Wall, sure: bool) -> Option<Cause> {
        let Some(last) = self.last else { return Some(Cause::Started) };
        let day = sure && self.day.is_none_or(|day| self.day_of(wall) > day);
        let long = now.since(last) >= LONGEST_BETWEEN;
        let again = self.again.is_some_and(|at| now >= at);
        match (self.asked, day || long || again) {
            (true, _) => Some(Cause::Asked),
            (false, true) => Some(Cause::Daily),
            (false, false) => None,
        }
    }

    /// When one that is to be done again is due.
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    /// One begins. A clock that cannot be trusted does not say that this was the day's.
    pub fn handle_begun(&mut self, now: Mono, wall: Wall, sure: bool) {
        self.last = Some(now);
        self.day = sure.then(|| self.day_of(wall));
        self.again = None;
        self.asked = false;
    }

    /// One has ended, and is to be done again soon when it was not `whole`.
    pub fn handle_ended(&mut self, whole: bool, now: Mono) {
        self.failed = !whole;
        self.tries = if whole || self.tries >= AGAIN_MAX { 0 } else { self.tries + 1 };
        self.again = (self.tries > 0).then(|| now + AGAIN_AFTER);
    }

    /// A fault of a point is over.
    pub fn handle_mended(&mut self, now: Mono) {
        if self.failed {
            self.again = Some(now + MENDED_AFTER);
        }
    }

    fn day_of(&self, wall: Wall) -> i64 {
        let (at, offset) = (i64::from(self.at.minutes), i64::from(self.at.offset));
        (wall.millis() + (offset - at) * MINUTE_MS - self.late_ms).div_euclid(DAY_MS)
    }
}

/// FNV-1a: the same on every machine and in every version.
fn spread_ms(name: &str) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let spread = u64::try_from(SPREAD.as_millis()).unwrap_or(1);
    i64::try_from((hash >> 16) % spread).unwrap_or(0)
}
