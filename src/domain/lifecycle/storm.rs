//! Folding: a `connecting` within 10 s of a stored one, with no other connection or QR event between, gets no row of its
//! own (DESIGN "Storms"). Without it an outage costs 50 rows a second and instance (CONTRACT §5.9).
//! What is between is judged by arrival, since it is about rows; so this memory is no fact and is kept apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Input;
use crate::domain::time::Millis;

const FOLD_WITHIN: Duration = Duration::from_secs(10);

/// The last log row of an instance's connection that was stored, not folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Storm {
    /// That row's position on the user's channel and its emission, when it was a `connecting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    connecting: Option<(i64, Millis)>,
}

impl Storm {
    /// The `seq` of the row on which this input is counted instead of being stored. It still goes through `step`.
    pub fn folds_into(&self, input: &Input, emitted: Millis) -> Option<i64> {
        let (seq, first) = self.connecting.filter(|_| *input == Input::Connecting)?;
        let apart = emitted.since(first).unsigned_abs();
        (u128::from(apart) <= FOLD_WITHIN.as_millis()).then_some(seq)
    }

    /// Remembers that this input was stored as row `seq`.
    pub fn stored(&mut self, input: &Input, seq: i64, emitted: Millis) {
        match input {
            Input::Tick | Input::Own(_) => {}
            Input::Connecting => self.connecting = Some((seq, emitted)),
            _ => self.connecting = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm_after(rows: &[(Input, i64)]) -> Storm {
        let mut storm = Storm::default();
        for (seq, (input, emitted)) in (1..).zip(rows) {
            storm.stored(input, seq, Millis(*emitted));
        }
        storm
    }

    #[test]
    fn repeats_of_connecting_are_counted_on_the_first_for_ten_seconds() {
        let storm = storm_after(&[(Input::Created, 0), (Input::Connecting, 300)]);

        assert_eq!(storm.folds_into(&Input::Connecting, Millis(350)), Some(2));
        assert_eq!(storm.folds_into(&Input::Connecting, Millis(10_300)), Some(2));
        assert_eq!(storm.folds_into(&Input::Connecting, Millis(10_301)), None);
    }

    #[test]
    fn a_connecting_after_any_other_connection_event_is_a_row_of_its_own() {
        for between in [Input::Qr { hash: "a".into() }, Input::Closed { code: None }, Input::LoggedOut] {
            let storm = storm_after(&[(Input::Connecting, 0), (between, 10)]);

            assert_eq!(storm.folds_into(&Input::Connecting, Millis(20)), None);
        }
    }

    #[test]
    fn only_connecting_is_ever_folded() {
        let storm = storm_after(&[(Input::Connecting, 0)]);

        assert_eq!(storm.folds_into(&Input::LoggedOut, Millis(1)), None);
        assert_eq!(Storm::default().folds_into(&Input::Connecting, Millis(1)), None);
    }

    #[test]
    fn extreme_times_fold_nothing_and_break_nothing() {
        let storm = storm_after(&[(Input::Connecting, i64::MAX)]);

        assert_eq!(storm.folds_into(&Input::Connecting, Millis(i64::MIN)), None);
    }
}
