//! Who an event is of and which one it is, and the mark by which its frame is recognised.

/// Begins every mark.
const BEGINNING: &[u8] = b"ZB";
const USER_DIGITS: usize = 5;
const NUMBER_DIGITS: usize = 9;

/// One event of one user; numbers of a user rise by one from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub user: usize,
    pub number: usize,
}

impl Event {
    /// What stands in the event in place of a recorded id.
    pub fn mark(self) -> String {
        format!("{}{:0USER_DIGITS$}{:0NUMBER_DIGITS$}", "ZB", self.user, self.number)
    }

    /// The event that a frame is about; `None` for hellos, pings and whatever else has no mark.
    pub fn in_frame(frame: &[u8]) -> Option<Self> {
        // A code's image may happen to have the two letters as well.
        memchr::memmem::find_iter(frame, BEGINNING).find_map(|at| Self::after(&frame[at + BEGINNING.len()..]))
    }

    fn after(beginning: &[u8]) -> Option<Self> {
        let (user, rest) = beginning.split_at_checked(USER_DIGITS)?;
        Some(Self { user: digits(user)?, number: digits(rest.get(..NUMBER_DIGITS)?)? })
    }
}

fn digits(text: &[u8]) -> Option<usize> {
    text.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0')))
}

/// What the SaaS calls the user.
pub fn user_id(user: usize) -> String {
    format!("bench{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_by_its_mark_in_whatever_stands_around_it() {
        let event = Event { user: 7, number: 123_456 };

        for frame in [event.mark(), format!("{{\"a\":\"iZBORw0ZB1\",\"id\":\"{}@g.us\"}}", event.mark())] {
            assert_eq!(Event::in_frame(frame.as_bytes()), Some(event), "{frame}");
        }
        for frame in ["{\"type\":\"hello\"}", "ZB", "ZB0000700012345"] {
            assert_eq!(Event::in_frame(frame.as_bytes()), None, "{frame}");
        }
    }
}
