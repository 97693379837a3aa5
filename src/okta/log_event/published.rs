//! When an event happened, as Okta writes it.

use std::ops::Range;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, datetime};

/// An event's `published`: an RFC 3339 time after 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// As Okta wrote it, whatever its fraction: the record's `ce_time`.
    pub text: String,
    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down, at least 1: a record's timestamp. (To librdkafka 0 means
    /// "now", and the broker refuses less.)
    pub millis: i64,
}

impl Published {
    /// Reads an RFC 3339 time (section 5.6) with any number of fractional digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let millis = Self::instant(text).filter(|&millis| millis > 0)?;
        Some(Self { text: text.to_owned(), millis })
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down, negative for a time before that; `None` for what is no RFC
    /// 3339 time, and outside the years 1 to 9999 of UTC: readers in Python and SQL have no others, and stop at one.
    ///
    /// A leap second is the second before it once more, as in the time of POSIX. It ends a month of UTC (ITU-R TF.460); of
    /// which months is not known beforehand.
    pub fn instant(text: &str) -> Option<i64> {
        const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);
        let Parts { date_time, millisecond, offset } = Parts::of(text)?;
        let number = |digits: Range<usize>| date_time[digits].parse::<i8>().ok();
        let is_leap = &date_time[17..] == "60";
        let second = if is_leap { 59 } else { number(17..19)? };
        let date = Date::new(date_time[..4].parse().ok()?, number(5..7)?, number(8..10)?).ok()?;
        let time = Time::new(number(11..13)?, number(14..16)?, second, i32::from(millisecond) * 1_000_000).ok()?;
        // It overflows behind the year 9999.
        let utc = date.to_datetime(time).checked_sub(offset).ok()?;
        let ends_month = (utc.hour(), utc.minute()) == (23, 59) && utc.date() == utc.date().last_of_month();
        if utc.year() < 1 || (is_leap && !ends_month) {
            return None;
        }
        i64::try_from(utc.duration_since(EPOCH).as_millis()).ok()
    }
}

/// A text that looks like an RFC 3339 time (section 5.6), taken apart.
struct Parts<'a> {
    /// `0000-00-00T00:00:00`, with any digits.
    date_time: &'a str,
    /// Of the second. Finer digits are cut off.
    millisecond: u16,
    /// What the clock there was ahead of UTC.
    offset: SignedDuration,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
        let (date_time, rest) = text.split_at_checked(SHAPE.len())?;
        let fits = |(byte, shape): (u8, &u8)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't'),
            _ => byte == *shape,
        };
        if !date_time.bytes().zip(SHAPE).all(fits) {
            return None;
        }
        let (fraction, offset) = match rest.strip_prefix('.') {
            Some(rest) => match rest.bytes().take_while(u8::is_ascii_digit).count() {
                0 => return None,
                digits => rest.split_at(digits),
            },
            None => ("", rest),
        };
        let millisecond =
            fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        let minutes = match offset.as_bytes() {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let two = |a: &u8, b: &u8| {
                    let number = i64::from(a.checked_sub(b'0')?) * 10 + i64::from(b.checked_sub(b'0')?);
                    (a.is_ascii_digit() && b.is_ascii_digit()).then_some(number)
                };
                let (hour, minute) = (two(h1, h2)?, two(m1, m2)?);
                if hour > 23 || minute > 59 {
                    return None;
                }
                (hour * 60 + minute) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        Some(Self { date_time, millisecond, offset: SignedDuration::from_mins(minutes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_fraction_is_read_and_the_text_is_kept() {
        for (text, millis) in [
            ("2024-08-13T15:58:20.353Z", 1_723_564_700_353),
            ("2024-08-13T15:58:20.35Z", 1_723_564_700_350),
            ("2024-08-13T15:58:20Z", 1_723_564_700_000),
            ("2024-08-13T15:58:20.3539Z", 1_723_564_700_353),
            ("2024-08-13T15:58:20.353999999999999999Z", 1_723_564_700_353),
            ("2024-08-13t15:58:20.353z", 1_723_564_700_353),
            ("2024-08-13T08:58:20.353-07:00", 1_723_564_700_353),
            ("2024-08-13T15:58:20.353+00:00", 1_723_564_700_353),
            ("1970-01-01T00:00:00.001Z", 1),
            // RFC 3339 allows a leap second.
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            let published = Published::parse(text).expect(text);
            assert_eq!(published, Published { text: text.to_owned(), millis });
        }
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in [
            "",
            "yesterday",
            "2024-08-13",
            "2024-08-13T15:58Z",
            "2024-08-13T15:58:20",
            "2024-08-13T15:58:20.Z",
            "2024-08-13T15:58:20,353Z",
            "2024-08-13 15:58:20Z",
            "2024-08-13T15:58:20+0000",
            "2024-08-13T15:58:20Z[UTC]",
            "2024-08-13T15:58:20+25:59",
            "2024-08-13T15:58:60Z",
            "2024-08-13T25:58:20Z",
            "2024-02-30T15:58:20Z",
            " 2024-08-13T15:58:20Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2024-08-13T15:58:2é",
            "1723564700353",
        ] {
            assert_eq!(Published::parse(text), None, "{text}");
        }
    }
}
