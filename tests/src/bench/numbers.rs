//! Durations, and what is said of many of them.

use std::time::Duration;

/// Measured times of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Nearest rank; zero when nothing was measured.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    pub(crate) fn min(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }

    pub(crate) fn last(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// Round by round, the sum of several parts.
    pub(crate) fn sum(parts: &[&Self]) -> Self {
        let rounds = parts.iter().map(|part| part.len()).min().unwrap_or(0);
        Self((0..rounds).map(|round| parts.iter().map(|part| part.0[round]).sum()).collect())
    }

    /// Half of each.
    pub(crate) fn halved(&self) -> Self {
        Self(self.0.iter().map(|time| *time / 2).collect())
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// As people read it: three figures.
pub(crate) fn text(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        m if m < 1_000.0 => format!("{m:.0} µs"),
        m if m < 10_000.0 => format!("{:.2} ms", m / 1e3),
        m if m < 1_000_000.0 => format!("{:.1} ms", m / 1e3),
        m => format!("{:.2} s", m / 1e6),
    }
}

/// How many times the floor.
pub(crate) fn ratio(of: Duration, floor: Duration) -> String {
    match floor.is_zero() {
        true => "".into(),
        false => format!("{:.2}", of.as_secs_f64() / floor.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn percentiles_are_measured_values() {
        let times: Times = (1..=200).rev().map(ms).collect();
        assert_eq!((times.percentile(50), times.percentile(99), times.max()), (ms(100), ms(198), ms(200)));
        assert_eq!(Times::default().percentile(99), Duration::ZERO);
    }

    #[test]
    fn a_sum_is_made_round_by_round() {
        let (one, two) = ([1, 10].map(ms).into_iter().collect(), [20, 2].map(ms).into_iter().collect());
        let sum = Times::sum(&[&one, &two]);
        assert_eq!((sum.min(), sum.max()), (ms(12), ms(21)));
    }

    #[test]
    fn three_figures() {
        assert_eq!(
            [123, 1_234, 12_345].map(|m| text(Duration::from_micros(m))),
            ["123 µs", "1.23 ms", "12.3 ms"]
        );
    }
}
