//! The opaque cursor of the `after` parameter, as recorded from a real org: `<epoch ms>_<n>`.

use std::fmt;

/// A place in an order of events: the millisecond, and which event of that millisecond, from 1.
///
/// In polling the millisecond is the *persistence* time, in an ascending bounded query it is `published`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor {
    /// Milliseconds since the Unix epoch.
    pub millis: i64,
    /// The event's number within its millisecond, from 1.
    pub number: u32,
}

impl Cursor {
    /// Reads an `after` parameter; anything but `<digits>_<digits>` is no cursor.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('_')?;
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(millis) || !all_digits(number) {
            return None;
        }
        Some(Self { millis: millis.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.millis, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_numbers_make_a_cursor() {
        let recorded = "1658862453660_1";
        assert_eq!(Cursor::parse(recorded).map(|cursor| cursor.to_string()).as_deref(), Some(recorded));
        for refused in [
            "",
            "_",
            "1_",
            "_1",
            "1",
            "-1_1",
            "1_+1",
            "1_1_1",
            "99999999999999999999_1",
            "1_99999999999",
            "349996bd-5091-45dc-a39f-d357867a30d7",
        ] {
            assert_eq!(Cursor::parse(refused), None, "{refused}");
        }
    }
}
