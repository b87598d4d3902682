//! How often one may ask (INTERFACE §1, `RATE_*`), per node. Callers are limited as themselves, wherever they come from.
//! An address is limited for failed credentials alone, so that nobody suffers for a neighbour behind the same proxy;
//! guessing is hopeless anyway, the limit saves work and noise. Webhooks are limited by the ingest queue instead.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use clap::Args;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::domain::caller::Caller;
use crate::domain::error::Error;

/// How many seconds' worth of requests a caller may make at once: 200 at the default of 50/s.
const BURST_S: u32 = 4;
/// Keys beyond which a map is swept at once instead of at the next minute.
const MAX_KEYS: usize = 100_000;

/// Requests per caller and failures per address, on this node.
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitsConfig {
    /// Requests per second of one authenticated caller, with a burst of four seconds' worth.
    #[arg(long, env = "RATE_CALLER_PER_S", default_value_t = 50)]
    pub rate_caller_per_s: u32,
    /// Failed authentications per minute of one address (IPv6: one /64) before they are answered with 429.
    #[arg(long, env = "RATE_FAILED_AUTH_PER_MIN", default_value_t = 30)]
    pub rate_failed_auth_per_min: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { rate_caller_per_s: 50, rate_failed_auth_per_min: 30 }
    }
}

impl LimitsConfig {
    /// Everything wrong with it, one line each: the variable, the problem, an example.
    pub fn validate(&self) -> Vec<String> {
        let zero = |value, name, example| {
            (value == 0).then(|| format!("{name}: is 0, so nobody could be served; example: {name}={example}"))
        };
        [
            zero(self.rate_caller_per_s, "RATE_CALLER_PER_S", 50),
            zero(self.rate_failed_auth_per_min, "RATE_FAILED_AUTH_PER_MIN", 30),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The counters. One per process, shared by its workers.
#[derive(Debug)]
pub struct Limits {
    callers: DefaultKeyedRateLimiter<CallerKey>,
    failures: DefaultKeyedRateLimiter<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum CallerKey {
    /// All bearers of `ADMIN_TOKEN` together: the SaaS's own backend.
    Operator,
    User(String),
}

impl Limits {
    pub fn new(config: LimitsConfig) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let per_s = at_least_one(config.rate_caller_per_s);
        let burst = at_least_one(config.rate_caller_per_s.saturating_mul(BURST_S));
        Self {
            callers: RateLimiter::keyed(Quota::per_second(per_s).allow_burst(burst)),
            failures: RateLimiter::keyed(Quota::per_minute(at_least_one(config.rate_failed_auth_per_min))),
        }
    }

    /// Counts one request of `caller`.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`].
    pub fn request_of(&self, caller: &Caller) -> Result<(), Error> {
        let key = caller.user.as_ref().map_or(CallerKey::Operator, |user| CallerKey::User(user.as_str().to_owned()));
        if self.callers.len() > MAX_KEYS {
            self.callers.retain_recent();
        }
        self.callers.check_key(&key).map_err(|until| too_many(&until))
    }

    /// Counts one failure from `address`.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when there were too many: answer this instead of the failure.
    pub fn failure_from(&self, address: IpAddr) -> Result<(), Error> {
        if self.failures.len() > MAX_KEYS {
            self.failures.retain_recent();
        }
        self.failures.check_key(&network_of(address)).map_err(|until| too_many(&until))
    }

    /// Forgets who asked nothing lately. To be called each minute.
    pub fn sweep(&self) {
        self.callers.retain_recent();
        self.failures.retain_recent();
    }
}

fn too_many(until: &governor::NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Error {
    Error::TooManyRequests { retry_after: until.wait_time_from(DefaultClock::default().now()) }
}

/// One household or server: an IPv4 address, or the /64 that an IPv6 host may choose from freely.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;
    use crate::domain::time::Millis;

    fn caller(user: Option<&str>) -> Caller {
        Caller {
            admin: user.is_none(),
            user: user.map(|name| UserId::from_subject(name).unwrap()),
            org: None,
            scopes: None,
            session: None,
            issued_at: Millis(0),
            expires_at: None,
        }
    }

    #[test]
    fn a_caller_has_a_burst_of_their_own_and_is_told_when_to_come_back() {
        let limits = Limits::new(LimitsConfig { rate_caller_per_s: 1, ..LimitsConfig::default() });

        for _ in 0..4 {
            assert!(limits.request_of(&caller(Some("ana"))).is_ok());
        }

        let Err(Error::TooManyRequests { retry_after }) = limits.request_of(&caller(Some("ana"))) else { panic!() };
        assert!(retry_after.as_millis() <= 1000 && !retry_after.is_zero(), "{retry_after:?}");
        assert!(limits.request_of(&caller(Some("bob"))).is_ok());
        assert!(limits.request_of(&caller(None)).is_ok());
    }

    #[test]
    fn failures_are_counted_by_ipv4_address_and_by_ipv6_network() {
        let limits = Limits::new(LimitsConfig { rate_failed_auth_per_min: 1, ..LimitsConfig::default() });
        let fails = |address: &str| limits.failure_from(address.parse().unwrap()).is_err();

        assert!(!fails("2001:db8:1:2::1"));
        assert!(fails("2001:db8:1:2:ffff::9"));
        assert!(!fails("2001:db8:1:3::1"));
        assert!(!fails("192.0.2.1"));
        assert!(fails("::ffff:192.0.2.1"));
        assert!(!fails("192.0.2.2"));
    }

    #[test]
    fn a_sweep_keeps_those_who_are_still_counted() {
        let limits = Limits::new(LimitsConfig { rate_failed_auth_per_min: 1, ..LimitsConfig::default() });
        let address = "192.0.2.1".parse().unwrap();
        limits.failure_from(address).unwrap();

        limits.sweep();

        assert!(limits.failure_from(address).is_err());
    }
}
