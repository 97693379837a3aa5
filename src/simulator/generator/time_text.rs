//! Times as Okta writes them: RFC 3339 in UTC with three decimals.

use jiff::Timestamp;

/// `2026-01-31T12:00:00.000Z`. A time that has no such form is written as the epoch.
pub(super) fn rfc_3339_millis(millis: i64) -> String {
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_decimals_always() {
        assert_eq!(rfc_3339_millis(1_605_550_512_862), "2020-11-16T18:15:12.862Z");
        assert_eq!(rfc_3339_millis(1_605_550_512_000), "2020-11-16T18:15:12.000Z");
    }
}
