//! Events that make every page fail that holds one of them, until the page is asked for with a small enough `limit`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// What such a page meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoisonKind {
    /// 500 E0000009 in the words that Okta uses when a query took longer than its 30 s.
    Timeout,
    /// 200, and a body made longer than [`LARGE_PAGE_BYTES`] with white space, which JSON allows.
    TooLarge,
}

/// The length of a page that is too large: a little more than 64 MiB, before compression.
pub const LARGE_PAGE_BYTES: usize = 64 * 1024 * 1024 + 1;

/// A stretch of such events, as `--poison` takes it: `timeout:100-119:10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// What goes wrong.
    pub kind: PoisonKind,
    /// The events, counted from 0 in the order in which they are persisted.
    pub events: RangeInclusive<usize>,
    /// A polling page that holds one of them gets through when it is asked for with this `limit` or less.
    pub limit: usize,
}

/// Why a text is no [`Poison`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not KIND:FIRST-LAST:LIMIT: write `timeout` or `too_large`, numbers of events from 0, and a limit")]
pub struct PoisonError {
    /// What was written.
    pub text: String,
}

impl FromStr for Poison {
    type Err = PoisonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.split(':');
            let kind = match parts.next()? {
                "timeout" => PoisonKind::Timeout,
                "too_large" => PoisonKind::TooLarge,
                _ => return None,
            };
            let (first, last) = parts.next()?.split_once('-')?;
            let events = first.parse().ok()?..=last.parse().ok()?;
            let limit = parts.next()?.parse().ok()?;
            (parts.next().is_none() && !events.is_empty()).then_some(Self { kind, events, limit })
        };
        read().ok_or_else(|| PoisonError { text: text.to_owned() })
    }
}

impl Poison {
    /// Whether a page of `count` events from `first` on, asked for with `limit`, meets it.
    pub(super) fn hits(&self, first: usize, count: usize, limit: usize) -> bool {
        count > 0 && limit > self.limit && first <= *self.events.end() && *self.events.start() < first + count
    }
}

/// Makes a page that long; any reader of JSON finds the same events in it.
pub(super) fn swell(body: &mut Vec<u8>) {
    let last = body.pop();
    body.resize(LARGE_PAGE_BYTES - 1, b' ');
    body.extend(last);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_or_refused() {
        let poison: Poison = "too_large:100-119:10".parse().expect("valid");
        assert_eq!(poison, Poison { kind: PoisonKind::TooLarge, events: 100..=119, limit: 10 });
        for text in ["", "timeout", "timeout:1-2", "timeout:2-1:3", "late:1-2:3", "timeout:1:3", "timeout:1-2:3:4"] {
            let message = text.parse::<Poison>().expect_err(text).to_string();
            assert!(message.starts_with(&format!("`{text}` is not KIND:FIRST-LAST:LIMIT: write ")), "{message}");
        }
    }

    #[test]
    fn a_page_is_hit_when_it_holds_one_of_the_events() {
        let poison: Poison = "timeout:100-119:10".parse().expect("valid");
        for (first, count, limit, expected) in [
            (0, 100, 100, false),
            (0, 101, 101, true),
            (119, 1, 11, true),
            (120, 50, 100, false),
            (100, 10, 10, false),
            (50, 200, 200, true),
            (110, 0, 100, false),
        ] {
            assert_eq!(poison.hits(first, count, limit), expected, "{count} from {first}, limit {limit}");
        }
    }
}
