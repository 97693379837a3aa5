//! Numbers as they are written, compared exactly.

/// Whether `text` is a number by JSON's grammar (RFC 8259, section 6).
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, power) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && fraction.is_none_or(digits)
        && power.is_none_or(|power| digits(power.strip_prefix(['+', '-']).unwrap_or(power)))
}

/// Whether both texts are the same number.
pub fn same(a: &str, b: &str) -> bool {
    a == b || scientific(a).is_some_and(|scientific_a| Some(scientific_a) == scientific(b))
}

/// A sign, the digits from the first to the last that is not 0, and the power of ten of the first one; `None` where that
/// power is too large for a computation, so that only the same text is known to be the same number.
fn scientific(text: &str) -> Option<(bool, String, i128)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let text = text.to_ascii_lowercase();
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let integer = mantissa.split('.').next()?;
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let Some(first) = all.find(|digit| digit != '0') else { return Some((false, String::new(), 0)) };
    let power: i128 = power.parse().ok()?;
    let power = power.checked_add(i128::try_from(integer.len()).ok()? - i128::try_from(first).ok()?)?;
    Some((negative, all[first..].trim_end_matches('0').to_owned(), power))
}

/// The integer of 64 bits that `number` is, if it is one.
pub fn as_long(number: &str) -> Option<i64> {
    let (negative, digits, power) = scientific(number)?;
    let zeros = usize::try_from(power - i128::try_from(digits.len()).ok()?).ok();
    let (digits, zeros) =
        if digits.is_empty() { ("0".to_owned(), 0) } else { (digits, zeros.filter(|zeros| *zeros < 20)?) };
    format!("{}{digits}{}", if negative { "-" } else { "" }, "0".repeat(zeros)).parse().ok()
}
