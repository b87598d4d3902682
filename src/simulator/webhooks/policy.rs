//! When Evolution tries a delivery again (§1.3); pure.

use std::time::Duration;

/// The settings `WEBHOOK_…` of Evolution, by default those of its `.env.example`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// A try without an answer ends after this.
    pub timeout: Duration,
    pub tries: u32,
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// Part of a wait by which it differs at most, either way.
    pub jitter: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            tries: 10,
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_mins(5),
            jitter: 0.2,
        }
    }
}

impl Policy {
    /// The wait after the `attempt`-th try, from 1; `chance` in `0.0..1.0`. Doubled each time and capped, then jittered,
    /// and never below the first.
    pub fn wait(&self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.first_wait.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let factor = 1.0 + self.jitter * (2.0 * chance - 1.0);
        doubled.min(self.longest_wait).mul_f64(factor).max(self.first_wait)
    }

    /// Whether a delivery answered so, or not at all, is tried again.
    pub(in crate::simulator) const fn is_tried_again(answered: Option<u16>) -> bool {
        !matches!(answered, Some(200..=299 | 400 | 401 | 403 | 404 | 422))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_differ_by_a_fifth() {
        let policy = Policy::default();
        let waits = |chance| (1..=9).map(|attempt| policy.wait(attempt, chance).as_secs()).collect::<Vec<_>>();

        assert_eq!(waits(0.5), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(waits(0.0), [5, 8, 16, 32, 64, 128, 240, 240, 240]);
        assert_eq!(policy.wait(9, 0.999_999).as_secs(), 359);
    }

    #[test]
    fn what_is_final_and_what_is_not() {
        let again = [None, Some(304), Some(408), Some(413), Some(429), Some(500), Some(503)];

        assert!(again.into_iter().all(Policy::is_tried_again));
        assert!(![200, 204, 400, 401, 403, 404, 422].into_iter().any(|status| Policy::is_tried_again(Some(status))));
    }
}
