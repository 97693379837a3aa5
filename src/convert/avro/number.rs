//! Which numbers a long and a double hold without changing them.

use std::cmp::Ordering;

/// The integer within ±(2^53-1) that is the same number as `written`, a JSON number; `None` where there is none. `16.0` and
/// `1.6e1` are 16, and `-0` is 0.
///
/// A reader in JavaScript has doubles alone, and stops at a record with a long beyond.
pub(super) fn long(written: &str) -> Option<i64> {
    const MAX: u64 = (1 << 53) - 1;
    /// So many digits stay below that.
    const SAFE: usize = 15;
    if written.len() <= SAFE && written.bytes().all(|byte| byte.is_ascii_digit()) {
        return written.parse().ok();
    }
    let Decimal { negative, digits, exponent } = Decimal::of(written)?;
    // The highest has 16 digits. Digits without trailing zeros and a negative exponent are no integer.
    let zeros = usize::try_from(exponent).ok().filter(|zeros| digits.len() + zeros <= 16)?;
    let magnitude =
        digits.iter().chain(std::iter::repeat_n(&0, zeros)).fold(0, |sum: u64, &digit| sum * 10 + u64::from(digit));
    let magnitude = i64::try_from(magnitude).ok().filter(|_| magnitude <= MAX)?;
    Some(if negative { -magnitude } else { magnitude })
}

/// The double whose shortest text is the same number as `written`, a JSON number; `None` where there is none, since the
/// number has more digits than a double or lies outside its range.
pub(super) fn double(written: &str) -> Option<f64> {
    /// So many decimal digits survive the way through a double (C's `DBL_DIG`).
    const SAFE: usize = 15;
    let value: f64 = written.parse().ok()?;
    // With the dot and the sign; without an exponent it is far from the ends of the range.
    if written.len() <= SAFE && !written.contains(['e', 'E']) {
        return Some(value);
    }
    (value.is_finite() && Decimal::of(written)? == Decimal::of(&format!("{value:e}"))?).then_some(value)
}

/// A number exactly: an integer without trailing zeros times a power of ten. Zero has no digits, no sign, and the
/// exponent 0, so that two numbers are the same where all three members are.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// From the highest to the lowest, each 0 to 9.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// `None` where the exponent has more than 15 digits: no long and no double is that number.
    fn of(written: &str) -> Option<Self> {
        let (negative, written) = match written.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let (mantissa, power) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> =
            integer.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').skip_while(|&digit| digit == 0).collect();
        let significant = digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
        let zeros = digits.len() - significant;
        digits.truncate(significant);
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let power = small(power)?;
        let exponent = power - i64::try_from(fraction.len()).ok()? + i64::try_from(zeros).ok()?;
        Some(Self { negative, digits, exponent })
    }
}

/// An exponent as it is written, of 15 significant digits at most.
fn small(power: &str) -> Option<i64> {
    let (negative, digits) = match power.as_bytes() {
        [b'-', ..] => (true, &power[1..]),
        [b'+', ..] => (false, &power[1..]),
        _ => (false, power),
    };
    let digits = digits.trim_start_matches('0');
    let magnitude: i64 = match digits.len().cmp(&0) {
        Ordering::Greater if digits.len() <= 15 => digits.parse().ok()?,
        Ordering::Greater => return None,
        _ => 0,
    };
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_holds_every_way_to_write_its_integer() {
        for (written, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0.000e99999999999999999999", Some(0)),
            ("16", Some(16)),
            ("16.0", Some(16)),
            ("1.6e1", Some(16)),
            ("1.6E+01", Some(16)),
            ("160e-1", Some(16)),
            ("-160000e-4", Some(-16)),
            ("16e00000000000000000000000", Some(16)),
            ("9007199254740991", Some(9_007_199_254_740_991)),
            ("-9007199254740991.000", Some(-9_007_199_254_740_991)),
            ("0.9007199254740991e16", Some(9_007_199_254_740_991)),
            ("9007199254740992", None),
            ("-9007199254740992", None),
            ("900719925474099100e-2", Some(9_007_199_254_740_991)),
            ("9223372036854775807", None),
            ("-9223372036854775808", None),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("123456789012345678901234567890", None),
            ("1e19", None),
            ("1e18", None),
            ("1e15", Some(1_000_000_000_000_000)),
            ("1e16", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("0.5", None),
            ("16.000000000000000000000001", None),
            ("15.9999999999999999999", None),
        ] {
            assert_eq!(long(written), expected, "{written}");
        }
    }

    #[test]
    fn a_double_holds_what_its_shortest_text_gives_back() {
        for (written, expected) in [
            ("43.7114", Some(43.7114)),
            ("-122.39999999999999", Some(-122.39999999999999)),
            ("-79.4462", Some(-79.4462)),
            ("37", Some(37.0)),
            ("3.7e1", Some(37.0)),
            ("-0", Some(0.0)),
            ("0.1", Some(0.1)),
            ("0.1000000000000000055511151231257827", None),
            ("9007199254740993", None),
            ("9007199254740992", Some(9007199254740992.0)),
            ("1e23", Some(1e23)),
            ("1.7976931348623157e308", Some(f64::MAX)),
            ("1.7976931348623159e308", None),
            ("5e-324", Some(5e-324)),
            ("4e-324", None),
            ("0.1e-400", None),
            ("1e400", None),
            ("-1e400", None),
            ("0e400", Some(0.0)),
            ("123456789012345678901234567890", None),
        ] {
            assert_eq!(double(written), expected, "{written}");
        }
    }
}
