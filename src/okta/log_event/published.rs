//! When an event happened, as Okta writes it.

use jiff::Timestamp;

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
    /// 3339 time.
    pub fn instant(text: &str) -> Option<i64> {
        let timestamp: Timestamp = comparable(text)?.parse().ok()?;
        i64::try_from(timestamp.as_nanosecond().div_euclid(1_000_000)).ok()
    }
}

/// The time in the form that jiff reads, which is stricter than jiff in all but the number of fractional digits: an ISO
/// 8601 time of another profile would not be a valid `ce_time`.
fn comparable(text: &str) -> Option<String> {
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
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            // Milliseconds are wanted and jiff reads nanoseconds at most: the rest is cut off.
            (&rest[..digits.min(9)], &rest[digits..])
        }
        None => ("0", rest),
    };
    let is_offset = match offset.as_bytes() {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_offset.then(|| format!("{date_time}.{fraction}{offset}"))
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
