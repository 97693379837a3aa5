//! The query of `GET /api/v1/logs`: which parameters there are, which are refused, and whether it polls or is bounded.

use jiff::Timestamp;
use url::form_urlencoded;

use super::cursor::Cursor;
use super::error_body::OktaError;
use super::selection::Selector;

/// What Okta returns when no `limit` is given.
const DEFAULT_LIMIT: usize = 100;
/// The greatest `limit` that Okta takes.
const MAX_LIMIT: usize = 1000;
/// A missing `since` means so long before `until`.
const DEFAULT_SINCE_DAYS: i64 = 7;
/// An older `since` is refused.
const MAX_SINCE_DAYS: i64 = 180;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The parameters as they were sent, decoded; a parameter that is given twice counts once, as first given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) q: Option<String>,
    pub(super) sort_order: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) after: Option<String>,
}

impl Parameters {
    /// Decodes a query string. Parameters that the endpoint does not have are left out.
    pub(super) fn decode(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "since" => &mut parameters.since,
                "until" => &mut parameters.until,
                "filter" => &mut parameters.filter,
                "q" => &mut parameters.q,
                "sortOrder" => &mut parameters.sort_order,
                "limit" => &mut parameters.limit,
                "after" => &mut parameters.after,
                _ => continue,
            };
            if place.is_none() {
                *place = Some(value.into_owned());
            }
        }
        parameters
    }

    /// The parameters in the order in which Okta writes them into its links, with spaces as `+`.
    pub(super) fn encode(&self) -> String {
        let in_order = [
            ("since", &self.since),
            ("until", &self.until),
            ("filter", &self.filter),
            ("q", &self.q),
            ("sortOrder", &self.sort_order),
            ("limit", &self.limit),
            ("after", &self.after),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in in_order {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

/// What the query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// No `until`, ascending: events by persistence time, and always a `next` link.
    Polling {
        /// Persisted at this time or later (milliseconds since the Unix epoch).
        since: i64,
        /// Behind this event; goes before `since`.
        after: Option<Cursor>,
    },
    /// From `since` to `until`, by `published`, oldest first; the last page has no `next` link.
    BoundedAscending {
        /// Milliseconds since the Unix epoch.
        since: i64,
        /// Milliseconds since the Unix epoch.
        until: i64,
        /// Behind this place in `published` order.
        after: Option<Cursor>,
    },
    /// The same, newest first.
    BoundedDescending {
        /// Milliseconds since the Unix epoch.
        since: i64,
        /// Milliseconds since the Unix epoch.
        until: i64,
        /// Behind the event with this uuid.
        after: Option<String>,
    },
}

/// A query that is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogsQuery {
    pub(super) range: Range,
    pub(super) limit: usize,
    /// What selects events besides, if anything does.
    pub(super) selector: Option<Selector>,
}

impl LogsQuery {
    /// Checks the parameters; `now` is in milliseconds since the Unix epoch.
    pub(super) fn check(parameters: &Parameters, now: i64) -> Result<Self, OktaError> {
        let limit = match &parameters.limit {
            None => DEFAULT_LIMIT,
            Some(text) => text.parse().ok().filter(|limit| *limit <= MAX_LIMIT).ok_or(OktaError::BadLimit)?,
        };
        let selector = Selector::parse(parameters.filter.as_deref(), parameters.q.as_deref())?;
        let descending = match parameters.sort_order.as_deref() {
            None | Some("" | "ASCENDING") => false,
            Some("DESCENDING") => true,
            Some(_) => return Err(OktaError::BadSortOrder),
        };
        let given_since = date(parameters.since.as_deref(), "since")?;
        let given_until = date(parameters.until.as_deref(), "until")?;
        let since = given_since.unwrap_or(given_until.unwrap_or(now) - DEFAULT_SINCE_DAYS * DAY_MILLIS);
        // Links keep the `since` they began with, so a client that follows them for half a year meets this too.
        if since < now - MAX_SINCE_DAYS * DAY_MILLIS {
            return Err(OktaError::SinceTooOld);
        }
        let after = parameters.after.as_deref();
        let cursor = || after.map(|text| Cursor::parse(text).ok_or(OktaError::BadCursor)).transpose();
        let range = match (given_until, descending) {
            (None, false) => Range::Polling { since, after: cursor()? },
            (Some(until), false) => Range::BoundedAscending { since, until, after: cursor()? },
            (until, true) => {
                Range::BoundedDescending { since, until: until.unwrap_or(now), after: after.map(str::to_owned) }
            }
        };
        Ok(Self { range, limit, selector })
    }
}

/// Reads an RFC 3339 date-time with its offset; empty counts as absent ("must be a valid date-time or empty").
fn date(text: Option<&str>, parameter: &'static str) -> Result<Option<i64>, OktaError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // The library reads more forms than RFC 3339 has. A raw `+` in an offset has become a space by now, as at Okta.
    let rfc_3339 = text.len() >= "2026-01-01T00:00:00Z".len() && text.as_bytes()[10] == b'T' && !text.contains(' ');
    match text.parse::<Timestamp>() {
        Ok(time) if rfc_3339 => Ok(Some(time.as_millisecond())),
        _ => Err(OktaError::BadDate { parameter }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T00:00:00Z.
    const NOW: i64 = 1_772_323_200_000;

    fn check(query: &str) -> Result<LogsQuery, OktaError> {
        LogsQuery::check(&Parameters::decode(query), NOW)
    }

    #[test]
    fn links_are_normalised_as_recorded() {
        let asked = "filter=eventType%20eq%20%22a%22&since=2022-05-29T00%3A00%3A00.000Z&after=1658862453660_1&other=x";
        let expected = "since=2022-05-29T00%3A00%3A00.000Z&filter=eventType+eq+%22a%22&after=1658862453660_1";
        assert_eq!(Parameters::decode(asked).encode(), expected);
        assert_eq!(Parameters::decode("q=&limit=1").encode(), "q=&limit=1");
    }

    #[test]
    fn polling_is_ascending_without_until() {
        let polling = |range: &Range| matches!(range, Range::Polling { .. });
        for (query, expected) in [
            ("", true),
            ("until=", true),
            ("sortOrder=ASCENDING", true),
            ("sortOrder=DESCENDING", false),
            ("until=2026-03-01T00:00:00Z", false),
        ] {
            assert_eq!(polling(&check(query).expect(query).range), expected, "{query}");
        }
        let since = NOW - 7 * DAY_MILLIS;
        assert_eq!(
            check("").expect("valid"),
            LogsQuery { range: Range::Polling { since, after: None }, limit: 100, selector: None }
        );
    }

    #[test]
    fn refusals() {
        let bad_since = OktaError::BadDate { parameter: "since" };
        for (query, error) in [
            ("limit=1001", OktaError::BadLimit),
            ("limit=-1", OktaError::BadLimit),
            ("limit=ten", OktaError::BadLimit),
            ("sortOrder=newest", OktaError::BadSortOrder),
            ("q=12345678901234567890123456789012345678901", OktaError::LongKeyword),
            ("q=a+%2212345678901234567890+12345678901234567890%22", OktaError::LongKeyword),
            ("q=1+2+3+4+5+6+7+8+9+10+11", OktaError::TooManyKeywords),
            ("since=yesterday", bad_since.clone()),
            ("since=2026-02-28", bad_since.clone()),
            ("since=2026-02-28T00:00:00", bad_since.clone()),
            ("since=2026-02-28T00:00:00+00:00", bad_since),
            ("until=2026-02-31T00:00:00Z", OktaError::BadDate { parameter: "until" }),
            ("since=2025-08-01T00:00:00Z", OktaError::SinceTooOld),
            ("since=2025-08-01T00:00:00Z&after=1772323100000_1", OktaError::SinceTooOld),
            ("after=349996bd-5091-45dc-a39f-d357867a30d7", OktaError::BadCursor),
            ("after=", OktaError::BadCursor),
        ] {
            assert_eq!(check(query), Err(error), "{query}");
        }
        for accepted in [
            "limit=0",
            "limit=1000",
            "q=1234567890123456789012345678901234567890+123456789012345678901",
            "since=2026-02-28T00:00:00%2B00:00",
            "since=2025-09-03T00:00:00.5Z",
        ] {
            assert!(check(accepted).is_ok(), "{accepted}");
        }
    }
}
