//! When an event happened, in true UTC (DESIGN "Time"). Deliveries are late, repeated and out of order, so nothing is
//! ordered by arrival; and `date_time` is Evolution's wall clock written with a `Z`, right only where that is UTC
//! (CONTRACT §1.2). Who stores what an [`EvolutionClock`] remembers is not decided here.

use serde::{Deserialize, Serialize};

use super::time::Millis;
use super::webhook::Emission;

/// What is known of the clock that writes an instance's `date_time`; kept in the instance's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EvolutionClock {
    /// How far true UTC lies after it, in milliseconds, as events without proof show: the least difference to their
    /// reception that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_ms: Option<i64>,
    /// The last `issued_at` and `date_time` that no time zone brings together: the order of events issued within
    /// 2 s of it is read off their `date_time` all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<(Millis, Millis)>,
}

const MINUTE_MS: i64 = 60_000;
const QUARTER_HOUR_MS: i64 = 15 * MINUTE_MS;

/// Evolution stamps `date_time` and `iat` moments apart, and `iat` drops the fraction of its second: within this,
/// `date_time` decides the order (DESIGN "Time").
const STAMPS_APART_MS: i64 = 2_000;

/// Evolution's last try comes at most this long after the first (CONTRACT §1.1): what looks older is a changed clock.
const LATEST_TRY_MS: i64 = 35 * MINUTE_MS;

/// A proof may be dated this far ahead of our clock (INTERFACE §3); nothing is believed to come from later.
const AHEAD_MS: i64 = 60 * MINUTE_MS;

/// The instant of an event that was `received` then, and what is known of its clock from now on.
///
/// With a proof: `issued_at`, sharpened to the millisecond by `date_time` where the two agree but for a time zone.
/// Without: `date_time` against what is known of its clock. With neither: `received`. Never later than `received` + 1 h.
pub fn settle(emission: &Emission, known: EvolutionClock, received: Millis) -> (Millis, EvolutionClock) {
    let (at, known) = match (emission.issued_at, emission.date_time) {
        (Some(issued), Some(local)) => match in_some_zone(issued, local) {
            Some(sharp) => (sharp, known),
            None => anchored(issued, local, known),
        },
        (Some(issued), None) => (issued, known),
        (None, Some(local)) => {
            let behind_ms = relearnt(known.behind_ms, received.since(local));
            (Millis(local.0.saturating_add(behind_ms)), EvolutionClock { behind_ms: Some(behind_ms), ..known })
        }
        (None, None) => (received, known),
    };
    (at.min(Millis(received.0.saturating_add(AHEAD_MS))), known)
}

/// `local` in true UTC, if it is `issued` written in some time zone. All zones are whole quarter hours.
fn in_some_zone(issued: Millis, local: Millis) -> Option<Millis> {
    let quarters = issued.since(local).saturating_add(QUARTER_HOUR_MS / 2).div_euclid(QUARTER_HOUR_MS);
    let shifted = Millis(local.0.saturating_add(quarters.saturating_mul(QUARTER_HOUR_MS)));
    (shifted.since(issued).saturating_abs() <= STAMPS_APART_MS).then_some(shifted)
}

/// A proven instant whose `date_time` is of no use as a time, but still tells who came first.
fn anchored(issued: Millis, local: Millis, known: EvolutionClock) -> (Millis, EvolutionClock) {
    let near = known.anchor.filter(|(anchor, _)| issued.since(*anchor).saturating_abs() <= STAMPS_APART_MS);
    let (anchor, anchor_local) = near.unwrap_or((issued, local));
    let at = Millis(anchor.0.saturating_add(squeezed(local.since(anchor_local))));
    (at, EvolutionClock { anchor: Some((anchor, anchor_local)), ..known })
}

/// Any difference squeezed into less than two seconds, the order kept: up to one second as it is, what is above ever
/// more tightly.
fn squeezed(difference_ms: i64) -> i64 {
    const STRAIGHT: u64 = 1000;
    let size = difference_ms.unsigned_abs();
    // 2^53 doublings of a second fit below 999 at 18 each.
    let above = size.checked_div(STRAIGHT).filter(|seconds| *seconds > 0).map_or(0, |seconds| {
        let whole = u64::from(seconds.ilog2());
        let part = (size - (STRAIGHT << whole)).saturating_mul(18) / (STRAIGHT << whole);
        whole * 18 + part
    });
    let squeezed = i64::try_from(size.min(STRAIGHT) + above).unwrap_or(i64::MAX);
    if difference_ms < 0 { -squeezed } else { squeezed }
}

/// Lateness only ever makes the difference larger, so the smallest seen is the clock's; but one larger than any late
/// event explains is a clock set back.
fn relearnt(known: Option<i64>, seen: i64) -> i64 {
    match known {
        Some(known) if seen > known && seen.saturating_sub(known) <= LATEST_TRY_MS => known,
        _ => seen,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Millis = Millis(1_795_262_400_000);
    const SAO_PAULO_MS: i64 = 3 * 60 * MINUTE_MS;
    const NOTHING: EvolutionClock = EvolutionClock { behind_ms: None, anchor: None };

    fn behind(ms: i64) -> EvolutionClock {
        EvolutionClock { behind_ms: Some(ms), anchor: None }
    }

    fn proven(issued: i64, date_time: i64) -> Emission {
        Emission { issued_at: Some(Millis(issued)), date_time: Some(Millis(date_time)) }
    }

    fn bare(date_time: i64) -> Emission {
        Emission { issued_at: None, date_time: Some(Millis(date_time)) }
    }

    fn after(minutes: i64) -> Millis {
        Millis(NOON.0 + minutes * MINUTE_MS)
    }

    #[test]
    fn a_proof_gives_the_second_and_date_time_the_millisecond_in_any_time_zone() {
        for zone_minutes in [-720, -210, -180, 0, 330, 345, 840] {
            let written = NOON.0 + 308 + zone_minutes * MINUTE_MS;

            let (at, known) = settle(&proven(NOON.0, written), NOTHING, after(0));

            assert_eq!((at, known), (Millis(NOON.0 + 308), NOTHING));
        }
    }

    #[test]
    fn a_date_time_that_no_time_zone_explains_is_no_time_but_tells_the_order_within_two_seconds() {
        let wrong = NOON.0 + 4 * MINUTE_MS;
        let (first, known) = settle(&proven(NOON.0, wrong), NOTHING, after(0));

        let (before, known) = settle(&proven(NOON.0 + 1000, wrong - 300), known, after(0));
        let (long_after, known) = settle(&proven(NOON.0, wrong + 30 * MINUTE_MS), known, after(0));
        let (next, _) = settle(&proven(NOON.0 + 3000, wrong - MINUTE_MS), known, after(0));

        assert_eq!(first, NOON);
        assert!(before < first && first < long_after && long_after < next);
        assert_eq!(next, Millis(NOON.0 + 3000));
    }

    #[test]
    fn a_re_send_keeps_the_instant_of_its_first_try() {
        let emission = proven(NOON.0, NOON.0 + 308);

        assert_eq!(settle(&emission, NOTHING, after(0)).0, settle(&emission, NOTHING, after(34)).0);
    }

    #[test]
    fn without_a_proof_the_first_event_sets_the_clock_and_a_late_one_does_not_change_it() {
        let local = NOON.0 - SAO_PAULO_MS;

        let (first, learnt) = settle(&bare(local), NOTHING, Millis(NOON.0 + 40));
        let (late, kept) = settle(&bare(local + MINUTE_MS), learnt, after(31));

        assert_eq!((first, learnt), (Millis(NOON.0 + 40), behind(SAO_PAULO_MS + 40)));
        assert_eq!((late, kept), (Millis(after(1).0 + 40), learnt));
    }

    #[test]
    fn a_first_event_that_came_late_is_corrected_by_the_next_prompt_one() {
        let (_, wrong) = settle(&bare(NOON.0), NOTHING, after(20));

        let (at, right) = settle(&bare(after(21).0), wrong, after(21));

        assert_eq!(wrong, behind(20 * MINUTE_MS));
        assert_eq!((at, right), (after(21), behind(0)));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_is_a_new_zone_and_not_a_late_event() {
        let (at, known) = settle(&bare(NOON.0 - 60 * MINUTE_MS), behind(0), after(0));

        assert_eq!((at, known), (NOON, behind(60 * MINUTE_MS)));
    }

    #[test]
    fn an_event_that_tells_no_time_happened_when_it_came() {
        assert_eq!(settle(&Emission::default(), behind(SAO_PAULO_MS), NOON), (NOON, behind(SAO_PAULO_MS)));
    }

    fn any_emission() -> impl Strategy<Value = Emission> {
        let time = || proptest::option::of(any::<i64>().prop_map(Millis));
        (time(), time()).prop_map(|(issued_at, date_time)| Emission { issued_at, date_time })
    }

    proptest! {
        #[test]
        fn no_event_is_from_more_than_an_hour_ahead(
            emission in any_emission(), behind_ms: Option<i64>, anchor: Option<(i64, i64)>, received: i64,
        ) {
            let anchor = anchor.map(|(issued, local)| (Millis(issued), Millis(local)));
            let (at, _) = settle(&emission, EvolutionClock { behind_ms, anchor }, Millis(received));

            prop_assert!(at.0 <= received.saturating_add(AHEAD_MS));
        }

        #[test]
        fn proven_events_of_one_clock_are_ordered_as_they_happened(
            early in 0_i64..100_000_000, gap in 0_i64..100_000_000, quarters in -48_i64..57, delays in any::<(u16, u16)>(),
        ) {
            let settled = |true_utc: i64, delay: u16| {
                let at = NOON.0 + true_utc;
                let emission = proven(at - at.rem_euclid(1000), at + quarters * QUARTER_HOUR_MS);
                settle(&emission, NOTHING, Millis(at + i64::from(delay))).0
            };

            prop_assert_eq!(settled(early, delays.0), Millis(NOON.0 + early));
            prop_assert!(settled(early, delays.0) <= settled(early + gap, delays.1));
        }

        #[test]
        fn unproven_events_are_exact_once_a_prompt_one_was_seen(
            quarters in -48_i64..57, lateness_ms in 0..LATEST_TRY_MS,
        ) {
            let local = |utc: i64| bare(utc + quarters * QUARTER_HOUR_MS);
            let (_, learnt) = settle(&local(NOON.0), NOTHING, NOON);

            let (at, kept) = settle(&local(NOON.0 + 5), learnt, Millis(NOON.0 + 5 + lateness_ms));

            prop_assert_eq!((at, kept), (Millis(NOON.0 + 5), learnt));
        }

        #[test]
        fn squeezing_keeps_the_order_and_stays_below_two_seconds(one: i64, other: i64) {
            prop_assert!(squeezed(one).abs() < 2000);
            prop_assert_eq!(squeezed(one).min(squeezed(other)), squeezed(one.min(other)));
        }
    }
}
