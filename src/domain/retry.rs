//! When a call that failed is made again (source 004): a few tries, each wait a multiple of the one before.

use std::time::Duration;

/// The rule. Waits are exact: one gateway asks one server, so there is no crowd to scatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    pub initial: Duration,
    pub factor: u32,
    pub longest: Duration,
}

impl Retry {
    /// How long to wait after the `attempt`th try failed, counted from 1; `None` when that was the last.
    pub fn after(&self, attempt: u32) -> Option<Duration> {
        let more = attempt < self.attempts;
        let factor = self.factor.saturating_pow(attempt.saturating_sub(1));
        more.then(|| self.initial.saturating_mul(factor).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(attempts: u32) -> Vec<u64> {
        let rule = Retry { attempts, initial: SECOND, factor: 2, longest: SECOND * 30 };
        (1..).map_while(|attempt| rule.after(attempt)).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_last_try() {
        assert_eq!(waits(3), [1, 2]);
        assert_eq!(waits(8), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(1), [0_u64; 0]);
    }

    #[test]
    fn no_number_of_tries_overflows() {
        let rule = Retry { attempts: u32::MAX, initial: Duration::MAX, factor: u32::MAX, longest: SECOND };

        assert_eq!(rule.after(u32::MAX - 1), Some(SECOND));
    }
}
