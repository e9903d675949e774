use std::time::Duration;

/// After the first wrong answer.
const FIRST: Duration = Duration::from_secs(2);
/// After many: nobody guesses a signature, but a log can be filled.
const LONGEST: Duration = Duration::from_secs(300);

/// Wrong answers since the last good one.
#[derive(Debug, Default)]
pub struct Tries(u32);

impl Tries {
    /// How long to wait after one more.
    pub fn handle_wrong(&mut self) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.0.min(16)).min(LONGEST);
        self.0 += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_answer_doubles_the_pause_up_to_the_longest() {
        let mut tries = Tries::default();
        let pauses: Vec<_> = (0..10).map(|_| tries.handle_wrong().as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }
}
