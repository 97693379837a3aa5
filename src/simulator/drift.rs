//! When the org's events begin to have another shape.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// The moment from which events are as a later version of Okta makes them, as `--drift-from` takes it: `5000` or `30s`.
///
/// Until then events have `securityContext.userBehaviors` with strings; from then on with objects, and with new members
/// at the top, in what the event holds and in the elements of arrays, a new `outcome.result`, without
/// `legacyEventType`, and with numbers in the place of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftFrom {
    /// From this event on, counted from 0 in the order in which events are persisted.
    Event(usize),
    /// For events that are persisted so long after the org's start.
    After(Duration),
}

/// Why a text is no [`DriftFrom`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is neither the number of an event nor a duration: write it as 5000, counted from 0, or as 30s")]
pub struct DriftFromError {
    /// What was written.
    pub text: String,
}

impl FromStr for DriftFrom {
    type Err = DriftFromError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(event) = text.parse() {
            return Ok(Self::Event(event));
        }
        let after = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
        after.map(Self::After).ok_or_else(|| DriftFromError { text: text.to_owned() })
    }
}

impl DriftFrom {
    /// Whether event number `event`, persisted so many milliseconds after the start, has drifted.
    pub(super) fn reached(self, event: usize, millis_after_start: i64) -> bool {
        match self {
            Self::Event(first) => event >= first,
            Self::After(duration) => {
                u128::try_from(millis_after_start).is_ok_and(|millis| millis >= duration.as_millis())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_or_refused() {
        for (text, expected) in [
            ("0", DriftFrom::Event(0)),
            ("5000", DriftFrom::Event(5_000)),
            ("30s", DriftFrom::After(Duration::from_secs(30))),
            ("1m30s", DriftFrom::After(Duration::from_secs(90))),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for text in ["", "-1", "-1s", "soon", "5000 x", "1.5"] {
            let message = text.parse::<DriftFrom>().expect_err(text).to_string();
            assert!(message.starts_with(&format!("`{text}` is neither the number of an event nor")), "{message}");
        }
    }

    #[test]
    fn it_is_reached_by_number_or_by_time() {
        for (from, event, millis, expected) in [
            (DriftFrom::Event(0), 0, -5, true),
            (DriftFrom::Event(2), 1, 1_000_000, false),
            (DriftFrom::Event(2), 2, -5, true),
            (DriftFrom::After(Duration::from_secs(1)), 9, -5, false),
            (DriftFrom::After(Duration::from_secs(1)), 9, 999, false),
            (DriftFrom::After(Duration::from_secs(1)), 0, 1_000, true),
            (DriftFrom::After(Duration::ZERO), 0, -1, false),
        ] {
            assert_eq!(from.reached(event, millis), expected, "{from:?} {event} {millis}");
        }
    }
}
