//! When an event happened, in true UTC (DESIGN "Time"). Deliveries are late, repeated and out of order, so nothing is
//! ordered by arrival; and `date_time` is Evolution's wall clock written with a `Z`, right only where that is UTC
//! (CONTRACT §1.2). Who stores what an [`Offset`] remembers is not decided here.

use serde::{Deserialize, Serialize};

use super::time::Millis;
use super::webhook::Emission;

/// How far true UTC lies after an instance's `date_time`, in milliseconds: a whole number of quarter hours, as every
/// time zone is. Learnt by the first event without proof, kept in the instance's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

const MINUTE_MS: i64 = 60_000;
const QUARTER_HOUR_MS: i64 = 15 * MINUTE_MS;

/// Evolution stamps `date_time` and `iat` moments apart, and `iat` drops the fraction of its second.
const STAMPS_APART_MS: i64 = 2_000;

/// Evolution's last try comes at most this long after the first (CONTRACT §1.1): what looks older is a changed clock.
const LATEST_TRY_MS: i64 = 35 * MINUTE_MS;

/// A proof may be dated this far ahead of our clock (INTERFACE §3); nothing is believed to come from later.
const AHEAD_MS: i64 = 60 * MINUTE_MS;

/// The instant of an event that was `received` then, and what to remember of this instance's clock from now on.
///
/// With a proof: `issued_at`, sharpened to the millisecond by `date_time` where the two agree but for a time zone.
/// Without: `date_time` against the remembered offset. With neither: `received`. Never later than `received` + 1 h.
pub fn settle(emission: &Emission, offset: Option<Offset>, received: Millis) -> (Millis, Option<Offset>) {
    let (at, offset) = match (emission.issued_at, emission.date_time) {
        (Some(issued), Some(local)) => (sharpened(issued, local), offset),
        (Some(issued), None) => (issued, offset),
        (None, Some(local)) => {
            let offset = relearnt(offset, nearest_zone(received.since(local)));
            (Millis(local.0.saturating_add(offset.0)), Some(offset))
        }
        (None, None) => (received, offset),
    };
    (at.min(Millis(received.0.saturating_add(AHEAD_MS))), offset)
}

fn sharpened(issued: Millis, local: Millis) -> Millis {
    let shifted = Millis(local.0.saturating_add(nearest_zone(issued.since(local)).0));
    if shifted.since(issued).saturating_abs() <= STAMPS_APART_MS { shifted } else { issued }
}

/// Lateness only ever makes the difference larger, so the smallest seen is the zone; but one larger than any late
/// event explains is a clock set back.
fn relearnt(known: Option<Offset>, seen: Offset) -> Offset {
    match known {
        Some(known) if seen > known && seen.0.saturating_sub(known.0) <= LATEST_TRY_MS => known,
        _ => seen,
    }
}

fn nearest_zone(difference_ms: i64) -> Offset {
    let quarters = difference_ms.saturating_add(QUARTER_HOUR_MS / 2).div_euclid(QUARTER_HOUR_MS);
    Offset(quarters.saturating_mul(QUARTER_HOUR_MS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Millis = Millis(1_795_262_400_000);
    const SAO_PAULO: Offset = Offset(3 * 60 * MINUTE_MS);

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

            let (at, offset) = settle(&proven(NOON.0, written), None, after(0));

            assert_eq!((at, offset), (Millis(NOON.0 + 308), None));
        }
    }

    #[test]
    fn a_date_time_that_no_time_zone_explains_is_not_believed_against_a_proof() {
        let (at, _) = settle(&proven(NOON.0, NOON.0 + 4 * MINUTE_MS), None, after(0));

        assert_eq!(at, NOON);
    }

    #[test]
    fn a_re_send_keeps_the_instant_of_its_first_try() {
        let emission = proven(NOON.0, NOON.0 + 308);

        assert_eq!(settle(&emission, None, after(0)).0, settle(&emission, None, after(34)).0);
    }

    #[test]
    fn without_a_proof_the_first_event_teaches_the_zone_and_a_late_one_does_not_change_it() {
        let local = NOON.0 - SAO_PAULO.0;

        let (first, learnt) = settle(&bare(local), None, Millis(NOON.0 + 40));
        let (late, kept) = settle(&bare(local + MINUTE_MS), learnt, after(31));

        assert_eq!((first, learnt), (NOON, Some(SAO_PAULO)));
        assert_eq!((late, kept), (after(1), Some(SAO_PAULO)));
    }

    #[test]
    fn a_first_event_that_came_late_is_corrected_by_the_next_prompt_one() {
        let (_, wrong) = settle(&bare(NOON.0), None, after(20));

        let (at, right) = settle(&bare(after(21).0), wrong, after(21));

        assert_eq!(wrong, Some(Offset(QUARTER_HOUR_MS)));
        assert_eq!((at, right), (after(21), Some(Offset(0))));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_is_a_new_zone_and_not_a_late_event() {
        let (at, offset) = settle(&bare(NOON.0 - 60 * MINUTE_MS), Some(Offset(0)), after(0));

        assert_eq!((at, offset), (NOON, Some(Offset(60 * MINUTE_MS))));
    }

    #[test]
    fn an_event_that_tells_no_time_happened_when_it_came() {
        assert_eq!(settle(&Emission::default(), Some(SAO_PAULO), NOON), (NOON, Some(SAO_PAULO)));
    }

    fn any_emission() -> impl Strategy<Value = Emission> {
        let time = || proptest::option::of(any::<i64>().prop_map(Millis));
        (time(), time()).prop_map(|(issued_at, date_time)| Emission { issued_at, date_time })
    }

    proptest! {
        #[test]
        fn no_event_is_from_more_than_an_hour_ahead(
            emission in any_emission(), offset in proptest::option::of(any::<i64>().prop_map(Offset)), received: i64,
        ) {
            let (at, _) = settle(&emission, offset, Millis(received));

            prop_assert!(at.0 <= received.saturating_add(AHEAD_MS));
        }

        #[test]
        fn proven_events_of_one_clock_are_ordered_as_they_happened(
            early in 0_i64..100_000_000, gap in 0_i64..100_000_000, quarters in -48_i64..57, delays in any::<(u16, u16)>(),
        ) {
            let settled = |true_utc: i64, delay: u16| {
                let at = NOON.0 + true_utc;
                let emission = proven(at - at.rem_euclid(1000), at + quarters * QUARTER_HOUR_MS);
                settle(&emission, None, Millis(at + i64::from(delay))).0
            };

            prop_assert_eq!(settled(early, delays.0), Millis(NOON.0 + early));
            prop_assert!(settled(early, delays.0) <= settled(early + gap, delays.1));
        }

        #[test]
        fn unproven_events_are_exact_once_a_prompt_one_was_seen(
            quarters in -48_i64..57, lateness_ms in 0..LATEST_TRY_MS,
        ) {
            let local = |utc: i64| bare(utc + quarters * QUARTER_HOUR_MS);
            let (_, learnt) = settle(&local(NOON.0), None, NOON);

            let (at, kept) = settle(&local(NOON.0 + 5), learnt, Millis(NOON.0 + 5 + lateness_ms));

            prop_assert_eq!((at, kept), (Millis(NOON.0 + 5), learnt));
        }
    }
}
