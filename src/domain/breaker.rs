//! The circuit breaker (source 004): a server that failed too often is left alone for a while, then asked once.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Millis;

/// When it opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Failures within the window that open it.
    pub failures: usize,
    pub window: Duration,
    /// How long nothing is asked; and how long a probe may take before the next one.
    pub open: Duration,
}

/// How it stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Closed,
    /// Nothing is asked until then.
    Open {
        until: Millis,
    },
    /// One call finds out whether it works again.
    Probing,
}

/// Whether a call may be made, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Which probe it is, if it is one.
    probe: Option<u64>,
}

/// What a call said of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered as a sound server does, be it with a refusal.
    Sound,
    Outage,
    /// It says nothing of the server.
    Neither,
}

#[derive(Clone, Debug)]
pub struct Breaker {
    rules: Rules,
    failures: VecDeque<Millis>,
    standing: Standing,
    /// When a probe is given up, so that another may be sent.
    probe_until: Millis,
    /// How many probes there were: the last one is the one that counts.
    probes: u64,
}

impl Breaker {
    pub fn new(rules: Rules) -> Self {
        Self { rules, failures: VecDeque::new(), standing: Standing::Closed, probe_until: Millis(i64::MIN), probes: 0 }
    }

    /// Asks whether to call.
    ///
    /// # Errors
    /// When not before.
    pub fn admit(&mut self, now: Millis) -> Result<Admission, Millis> {
        match self.standing {
            Standing::Closed => Ok(Admission { probe: None }),
            Standing::Open { until } if self.holds(until, now) => Err(until),
            Standing::Probing if self.holds(self.probe_until, now) => Err(self.probe_until),
            Standing::Open { .. } | Standing::Probing => {
                self.standing = Standing::Probing;
                self.probe_until = now + self.rules.open;
                self.probes += 1;
                Ok(Admission { probe: Some(self.probes) })
            }
        }
    }

    /// Notes what came of an admitted call, be it that nobody waited for it. Calls begun before it opened say nothing
    /// about now, and of a probe that was given up only a sound answer is news.
    pub fn note(&mut self, admission: Admission, outcome: Outcome, now: Millis) {
        let is_probe = admission.probe == Some(self.probes);
        match (self.standing, outcome) {
            (Standing::Probing, Outcome::Sound) if admission.probe.is_some() => {
                self.failures.clear();
                self.standing = Standing::Closed;
            }
            (Standing::Probing, Outcome::Outage) if is_probe => self.open(now),
            // Of no use as a probe: the next call is one.
            (Standing::Probing, Outcome::Neither) if is_probe => self.probe_until = now,
            (Standing::Closed, Outcome::Sound) => self.failures.clear(),
            (Standing::Closed, Outcome::Outage) => self.count(now),
            _ => {}
        }
    }

    /// Farther ahead than it ever waits is a clock that was set back.
    fn holds(&self, until: Millis, now: Millis) -> bool {
        now < until && until <= now + self.rules.open
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    fn count(&mut self, now: Millis) {
        let window = self.rules.window;
        self.failures.retain(|at| *at <= now && now < *at + window);
        self.failures.push_back(now);
        if self.failures.len() >= self.rules.failures.max(1) {
            self.open(now);
        }
    }

    fn open(&mut self, now: Millis) {
        self.failures.clear();
        self.standing = Standing::Open { until: now + self.rules.open };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { failures: 5, window: Duration::from_mins(1), open: Duration::from_secs(30) };

    fn call(breaker: &mut Breaker, at: i64, outcome: Outcome) -> bool {
        let now = Millis(at);
        breaker.admit(now).map(|admission| breaker.note(admission, outcome, now)).is_ok()
    }

    fn failing(times: &[i64]) -> Breaker {
        let mut breaker = Breaker::new(RULES);
        for at in times {
            call(&mut breaker, *at, Outcome::Outage);
        }
        breaker
    }

    #[test]
    fn five_failures_within_a_minute_open_it_for_thirty_seconds_and_then_one_call_probes() {
        let mut breaker = failing(&[0, 1, 2, 3, 59_999]);

        assert_eq!(breaker.admit(Millis(89_998)), Err(Millis(89_999)));
        let probe = breaker.admit(Millis(89_999)).unwrap();
        assert!(breaker.admit(Millis(90_000)).is_err(), "one at a time");
        breaker.note(probe, Outcome::Sound, Millis(90_100));
        assert_eq!(breaker.standing(), Standing::Closed);
    }

    #[test]
    fn five_failures_over_more_than_a_minute_do_not() {
        assert_eq!(failing(&[0, 1, 2, 3, 60_000]).standing(), Standing::Closed);
    }

    #[test]
    fn an_answer_between_forgets_the_failures() {
        let mut breaker = failing(&[0, 1, 2, 3]);
        call(&mut breaker, 4, Outcome::Sound);

        call(&mut breaker, 5, Outcome::Outage);

        assert_eq!(breaker.standing(), Standing::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_never_ends_is_replaced() {
        let mut failed = failing(&[0, 0, 0, 0, 0]);
        assert!(call(&mut failed, 30_000, Outcome::Outage));
        assert_eq!(failed.standing(), Standing::Open { until: Millis(60_000) });

        let mut lost = failing(&[0, 0, 0, 0, 0]);
        lost.admit(Millis(30_000)).unwrap();
        assert!(lost.admit(Millis(59_999)).is_err());
        assert!(lost.admit(Millis(60_000)).is_ok());
    }

    #[test]
    fn a_probe_that_was_given_up_is_heard_only_if_it_brings_good_news() {
        let mut breaker = failing(&[0, 0, 0, 0, 0]);
        let old = breaker.admit(Millis(30_000)).unwrap();
        breaker.admit(Millis(60_000)).unwrap();

        breaker.note(old, Outcome::Neither, Millis(60_001));
        assert!(breaker.admit(Millis(60_001)).is_err(), "its successor is on the way");
        breaker.note(old, Outcome::Outage, Millis(60_002));
        assert_eq!(breaker.standing(), Standing::Probing);

        breaker.note(old, Outcome::Sound, Millis(60_003));
        assert_eq!(breaker.standing(), Standing::Closed);
    }

    #[test]
    fn a_clock_that_is_set_back_an_hour_keeps_nobody_out_for_an_hour() {
        let now = Millis(-3_600_000);
        let mut open = failing(&[0, 0, 0, 0, 0]);
        let mut probing = failing(&[0, 0, 0, 0, 0]);
        probing.admit(Millis(30_000)).unwrap();
        let mut nearly = failing(&[0, 0, 0, 0]);

        call(&mut nearly, now.0, Outcome::Outage);

        assert!(open.admit(now).is_ok() && probing.admit(now).is_ok());
        assert_eq!(nearly.standing(), Standing::Closed);
    }

    #[test]
    fn a_call_from_before_says_nothing_about_now() {
        let mut breaker = Breaker::new(RULES);
        let old = breaker.admit(Millis(0)).unwrap();
        for _ in 0..5 {
            call(&mut breaker, 1, Outcome::Outage);
        }

        breaker.note(old, Outcome::Sound, Millis(2));

        assert_eq!(breaker.standing(), Standing::Open { until: Millis(30_001) });
    }

    proptest! {
        #[test]
        fn whatever_happens_it_lets_somebody_through_within_the_time_it_names(
            steps in proptest::collection::vec((0_i64..40_000, 0_u8..3), 0..60),
        ) {
            let mut breaker = Breaker::new(RULES);
            let mut now = 0;
            for (pause, outcome) in steps {
                now += pause;
                call(&mut breaker, now, [Outcome::Sound, Outcome::Outage, Outcome::Neither][usize::from(outcome)]);
                if let Err(until) = breaker.clone().admit(Millis(now)) {
                    prop_assert!(until > Millis(now) && until <= Millis(now) + RULES.open);
                    prop_assert!(breaker.clone().admit(until).is_ok());
                }
            }
        }
    }
}
