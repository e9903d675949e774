//! Wrong passwords and codes: after some tries the same user from the same address waits. Other addresses do not,
//! so that nobody can lock a call-taker out of another workplace.

use alarm::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// Wrong tries before the first wait.
const TRIES: u32 = 5;
/// The first wait; it doubles with each further wrong try.
const WAIT_FIRST: Duration = Duration::from_secs(30);
/// The longest wait.
const WAIT_LONGEST: Duration = Duration::from_secs(15 * 60);
/// Sources remembered; beyond it the one that waited longest ago is forgotten.
const SOURCES_MAX: usize = 4_096;

/// Who tries: user and address.
pub(crate) type Source = (String, String);

#[derive(Debug, Default)]
pub(crate) struct Lockout {
    wrong: BTreeMap<Source, (u32, Mono)>,
}

impl Lockout {
    /// How long this source has to wait before the next try.
    pub(crate) fn wait(&self, source: &Source, now: Mono) -> Option<Duration> {
        let (_, until) = self.wrong.get(source)?;
        (now < *until).then(|| until.since(now))
    }

    /// A wrong try.
    pub(crate) fn wrong(&mut self, source: Source, now: Mono) {
        if self.wrong.len() >= SOURCES_MAX && !self.wrong.contains_key(&source) {
            let oldest =
                self.wrong.iter().min_by_key(|(_, (_, until))| *until).map(|(source, _)| source.clone());
            if let Some(source) = oldest {
                self.wrong.remove(&source);
            }
        }
        let (tries, until) = self.wrong.entry(source).or_insert((0, now));
        *tries += 1;
        if *tries >= TRIES {
            let doubled = WAIT_FIRST.saturating_mul(1 << (*tries - TRIES).min(10));
            *until = now + doubled.min(WAIT_LONGEST);
        } else {
            *until = now;
        }
    }

    /// A right one.
    pub(crate) fn right(&mut self, source: &Source) {
        self.wrong.remove(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn li(address: &str) -> Source {
        ("li".into(), address.into())
    }

    #[test]
    fn the_fifth_wrong_try_waits_and_only_from_there() {
        let (mut lockout, now) = (Lockout::default(), Mono::default());
        for _ in 0..4 {
            lockout.wrong(li("a"), now);
            assert_eq!(lockout.wait(&li("a"), now), None);
        }
        lockout.wrong(li("a"), now);
        assert_eq!(lockout.wait(&li("a"), now), Some(WAIT_FIRST));
        assert_eq!(lockout.wait(&li("b"), now), None);
        assert_eq!(lockout.wait(&li("a"), now + WAIT_FIRST), None);
        lockout.wrong(li("a"), now + WAIT_FIRST);
        assert_eq!(lockout.wait(&li("a"), now + WAIT_FIRST), Some(WAIT_FIRST * 2));
        lockout.right(&li("a"));
        assert_eq!(lockout.wait(&li("a"), now), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut lockout = Lockout::default();
        (0..10_000).for_each(|n| lockout.wrong(li(&n.to_string()), Mono::from_micros(n)));
        assert_eq!(lockout.wrong.len(), SOURCES_MAX);
    }
}
