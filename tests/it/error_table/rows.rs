//! What Okta answers instead of a page: its documented and recorded refusals, word for word.

use okta_kafka_source::okta::error::RetryReason;
use okta_kafka_source::simulator::FaultKind;

use super::{Means, Reason};

/// One refusal.
pub struct Row {
    pub name: &'static str,
    pub status: u16,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
    /// What of the query the answer is about; asked of the real client.
    pub query: &'static str,
    /// How the simulated org comes to say the same by itself.
    pub condition: Option<Condition>,
    pub means: Means,
}

/// What makes the simulated org refuse.
#[derive(Clone, Copy)]
pub enum Condition {
    /// The row's query.
    Query,
    /// A fault.
    Fault(FaultKind),
    /// A token that is not the org's.
    Token,
    /// Another path.
    Path,
    /// Another method.
    Method,
    /// A body in the request.
    Body,
    /// A window's requests are used up.
    Window,
}

const BACKOFF: Means = Means::Retry { reason: Reason(RetryReason::Http5xx), wait: None };

const fn wait(reason: RetryReason, seconds: u64) -> Means {
    Means::Retry { reason: Reason(reason), wait: Some(seconds) }
}

const fn row(name: &'static str, status: u16, body: &'static str, means: Means) -> Row {
    Row { name, status, headers: &[], body, query: "since=2026-11-01T00%3A00%3A00.000Z", condition: None, means }
}

/// The table "Errors" of what is known of the System Log API, and what is known besides of each of its rows.
pub const ROWS: &[Row] = &[
    Row {
        query: "since=2026-11-01T00%3A00%3A00.000Z&until=tomorrow",
        condition: Some(Condition::Query),
        ..row(
            "bad until",
            400,
            r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'until': The date format in your query is not recognized. Please enter dates using ISO8601 string format. 'until': must be a valid date-time or empty.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9","errorCauses":[{"errorSummary":"until: The date format in your query is not recognized. Please enter dates using ISO8601 string format."},{"errorSummary":"until: must be a valid date-time or empty."}]}"#,
            Means::Fail,
        )
    },
    row(
        "bad date, as a live org said it in 2018",
        400,
        r#"{"errorCode":"E0000030","errorSummary":"Bad request. Invalid date. Dates must be of the form yyyy-MM-dd'T'HH:mm:ss.SSSZZ, e.g. 2013-01-01T12:00:00.000-07:00.","errorLink":"E0000030","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        Means::Fail,
    ),
    Row {
        query: "filter=display_message+eqq+%22Create+okta+user%22",
        condition: Some(Condition::Query),
        ..row(
            "bad filter, operator",
            400,
            r#"{"errorCode":"E0000053","errorSummary":"Invalid filter 'display_message eqq \"Create okta user\"': Unrecognized attribute operator 'eqq' at position 16. Expected: eq,co,sw,pr,gt,ge,lt,le","errorId":"eb83dfe1-6d76-458c-8c0c-f8df8fb7a24b"}"#,
            Means::Fail,
        )
    },
    Row {
        query: "filter=some_invalid_field+eq+%22x%22",
        condition: Some(Condition::Query),
        ..row(
            "bad filter, field",
            400,
            r#"{"errorCode":"E0000053","errorSummary":"field is not valid: some_invalid_field","errorId":"ec93dbe2-6d76-458c-8c0c-f8df8fb7a24b"}"#,
            Means::Fail,
        )
    },
    Row {
        query: "filter=debugContext.debugData.url+co+%22x%22",
        condition: Some(Condition::Query),
        ..row(
            "operator and field",
            400,
            r#"{"errorCode":"E0000031","errorSummary":"The supplied combination of operator and field is not currently supported. Operator: co, Field: debugContext.debugData.url","errorId":"ec93dbe2-6d76-458c-8c0c-f8df8fb7a24b"}"#,
            Means::Fail,
        )
    },
    row(
        "filter, as Okta's catalogue of errors has it",
        400,
        r#"{"errorCode":"E0000031","errorSummary":"Invalid search criteria.","errorLink":"E0000031","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        Means::Fail,
    ),
    row(
        "filter, another one of the catalogue",
        400,
        r#"{"errorCode":"E0000053","errorSummary":"Invalid SCIM filter.","errorLink":"E0000053","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        Means::Fail,
    ),
    Row {
        query: "since=2001-01-01T00%3A00%3A00.000Z",
        condition: Some(Condition::Query),
        ..row(
            "since too old",
            400,
            r#"{"errorCode":"E0000053","errorSummary":"Invalid parameter: The since parameter is over 180 days prior to the current day.","errorId":"55166534-b7d8-45a5-a4f6-3b38a5507046"}"#,
            Means::Recover,
        )
    },
    Row {
        query: "since=2001-01-01T00%3A00%3A00.000Z&after=1658862453660_1",
        condition: Some(Condition::Query),
        ..row(
            "since too old, of a link with a cursor",
            400,
            r#"{"errorCode":"E0000053","errorSummary":"Invalid parameter: The since parameter is over 180 days prior to the current day.","errorId":"55166534-b7d8-45a5-a4f6-3b38a5507046"}"#,
            Means::Recover,
        )
    },
    Row {
        query: "q=aKeywordOfMoreThanFortyCharactersIsNotTaken",
        condition: Some(Condition::Query),
        ..row(
            "q",
            400,
            r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'q': Freeform search cannot contain items longer than 40 characters. Please shorten the items in your search or use an advanced filter to query by specific fields.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
            Means::Fail,
        )
    },
    Row {
        query: "after=349996bd-5091-45dc-a39f-d357867a30d7",
        condition: Some(Condition::Query),
        ..row(
            "after",
            400,
            r#"{"errorCode":"E0000001","errorSummary":"API validation failed: 'after': must be a valid value.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
            Means::Recover,
        )
    },
    Row {
        query: "after=349996bd-5091-45dc-a39f-d357867a30d7",
        ..row(
            "after, in a cause",
            400,
            r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: logs","errorLink":"E0000001","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[{"errorSummary":"'after': must be a valid value."}]}"#,
            Means::Recover,
        )
    },
    row(
        "after, where none was sent",
        400,
        r#"{"errorCode":"E0000001","errorSummary":"API validation failed: 'after': must be a valid value.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
        Means::Fail,
    ),
    Row {
        query: "limit=1001",
        condition: Some(Condition::Query),
        ..row(
            "limit; that it is refused was seen, its words were not",
            400,
            r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'limit': must be an integer between 0 and 1000.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
            Means::Fail,
        )
    },
    row(
        "a validation of another kind",
        400,
        r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: logs","errorLink":"E0000001","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[{"errorSummary":"first cause"},{},{"errorSummary":null},{"errorSummary":"second cause"}]}"#,
        Means::Fail,
    ),
    Row {
        condition: Some(Condition::Token),
        ..row(
            "SSWS",
            401,
            r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            Means::Renew,
        )
    },
    Row {
        condition: Some(Condition::Fault(FaultKind::Http403)),
        ..row(
            "role",
            403,
            r#"{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action","errorLink":"E0000006","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            Means::Fail,
        )
    },
    row(
        "nothing there",
        404,
        r#"{"errorCode":"E0000007","errorSummary":"Not found: Resource not found: 00u1 (User)","errorLink":"E0000007","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
        Means::Fail,
    ),
    Row {
        condition: Some(Condition::Path),
        ..row(
            "unknown path",
            404,
            r#"{"errorCode":"E0000008","errorSummary":"The requested path was not found","errorLink":"E0000008","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            Means::Fail,
        )
    },
    Row {
        condition: Some(Condition::Body),
        ..row(
            "a GET with a body",
            405,
            r#"{"errorCode":"E0000022","errorSummary":"HTTP 405 Method Not Allowed","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
            Means::Fail,
        )
    },
    Row {
        condition: Some(Condition::Method),
        ..row(
            "another method",
            405,
            r#"{"errorCode":"E0000022","errorSummary":"The endpoint does not support the provided HTTP method","errorLink":"E0000022","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            Means::Fail,
        )
    },
    Row {
        headers: &[
            ("date", "Wed, 27 Jul 2022 15:35:30 GMT"),
            ("x-rate-limit-limit", "10"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1658936188"),
        ],
        condition: Some(Condition::Window),
        ..row("window used up", 429, TOO_MANY, wait(RetryReason::RateLimit, 59))
    },
    Row {
        headers: &[
            ("date", "Wed, 27 Jul 2022 15:35:30 GMT"),
            ("x-rate-limit-limit", "0"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1658936132"),
        ],
        condition: Some(Condition::Fault(FaultKind::Concurrency)),
        ..row("too many at once", 429, TOO_MANY, Means::Retry { reason: Reason(RetryReason::Concurrency), wait: None })
    },
    Row {
        headers: &[("x-rate-limit-limit", ""), ("x-rate-limit-remaining", ""), ("x-rate-limit-reset", "")],
        ..row("without Okta's headers, so of something in front of it", 429, "", {
            Means::Retry { reason: Reason(RetryReason::RateLimit), wait: None }
        })
    },
    Row {
        condition: Some(Condition::Fault(FaultKind::Timeout)),
        ..row(
            "Okta's own time-out",
            500,
            r#"{"errorCode":"E0000009","errorSummary":"Your last request took too long to complete. This is likely due to a load issue on our side. We've logged this and will work to address it. Please either simplify your query or wait a few minutes and try again."}"#,
            BACKOFF,
        )
    },
    row(
        "unknown cause",
        500,
        r#"{"errorCode":"E0000053","errorSummary":"Sorry, there's been an error. We aren't sure what caused it, but we've logged this and will work to address it. Please try your request again.","errorId":"dd4998a1-2267-499b-9e4d-ec821fcc5ca9"}"#,
        BACKOFF,
    ),
    Row {
        condition: Some(Condition::Fault(FaultKind::Http500)),
        ..row(
            "internal",
            500,
            r#"{"errorCode":"E0000009","errorSummary":"Internal Server Error","errorLink":"E0000009","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            BACKOFF,
        )
    },
    Row {
        condition: Some(Condition::Fault(FaultKind::Http503)),
        ..row(
            "read only",
            503,
            r#"{"errorCode":"E0000010","errorSummary":"Service is in read only mode","errorLink":"E0000010","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#,
            BACKOFF,
        )
    },
];

const TOO_MANY: &str = r#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests.","errorLink":"E0000047","errorId":"oae_A2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#;
