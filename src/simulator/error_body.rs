//! Okta's error answers, word for word.
//!
//! Sources: the examples of developer.okta.com/docs/reference/system-log-query ("Errors"), recorded answers, and Okta's
//! catalogue of error codes. There are two forms: the *standard* one of errors made in front of the log service
//! (`errorLink`, `errorId` beginning with `oae`, `errorCauses` always there), and the *log service's own* (`errorId` a
//! UUID, no `errorLink`, `errorCauses` only with a failed validation).

use serde_json::json;

/// An error that the org answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OktaError {
    /// `since` or `until` is no date.
    BadDate { parameter: &'static str },
    /// `limit` is not from 0 to 1000. That 1001 is refused was seen on a live org; its words were not.
    BadLimit,
    /// `sortOrder` is neither ASCENDING nor DESCENDING. Words not seen.
    BadSortOrder,
    /// A keyword of `q` is too long.
    LongKeyword,
    /// `q` has more than ten keywords. Words not seen.
    TooManyKeywords,
    /// A filter is none, in other ways. Words not seen; the form is that of an unknown operator.
    InvalidFilter { filter: String, reason: String },
    /// A filter's operator is none.
    UnknownOperator { filter: String, operator: String, position: usize },
    /// A filter's field is none.
    InvalidField { field: String },
    /// `after` is no cursor of this kind of query.
    BadCursor,
    /// `since` is older than 180 days.
    SinceTooOld,
    /// A filter that is understood but not supported.
    UnsupportedFilter { field: String },
    /// The token is not the org's.
    InvalidToken,
    /// The token's owner may not read the System Log.
    AccessDenied,
    /// There is nothing at this path.
    NoSuchPath,
    /// Any method but GET.
    MethodNotSupported,
    /// A GET with a body.
    GetWithBody,
    /// Too many requests, of both limits.
    RateLimited,
    /// Something broke.
    Internal,
    /// The query took longer than 30 s.
    TookTooLong,
    /// The org cannot write.
    ReadOnly,
}

/// Which of the two forms an error has.
pub(super) enum Form {
    Standard,
    LogService,
}

impl OktaError {
    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        match self {
            OktaError::BadDate { .. }
            | OktaError::BadLimit
            | OktaError::BadSortOrder
            | OktaError::BadCursor
            | OktaError::SinceTooOld
            | OktaError::LongKeyword
            | OktaError::TooManyKeywords
            | OktaError::InvalidFilter { .. }
            | OktaError::UnknownOperator { .. }
            | OktaError::InvalidField { .. }
            | OktaError::UnsupportedFilter { .. } => 400,
            OktaError::InvalidToken => 401,
            OktaError::AccessDenied => 403,
            OktaError::NoSuchPath => 404,
            OktaError::MethodNotSupported | OktaError::GetWithBody => 405,
            OktaError::RateLimited => 429,
            OktaError::Internal | OktaError::TookTooLong => 500,
            OktaError::ReadOnly => 503,
        }
    }

    pub(super) fn code_and_summary(&self) -> (Form, &'static str, String) {
        use Form::{LogService, Standard};
        match self {
            OktaError::BadDate { parameter } => (
                LogService,
                "E0000001",
                format!(
                    "Api validation failed: '{parameter}': The date format in your query is not recognized. \
                     Please enter dates using ISO8601 string format. '{parameter}': must be a valid date-time or empty."
                ),
            ),
            OktaError::BadLimit => (
                LogService,
                "E0000001",
                "Api validation failed: 'limit': must be an integer between 0 and 1000.".to_owned(),
            ),
            OktaError::BadSortOrder => (
                LogService,
                "E0000001",
                "Api validation failed: 'sortOrder': must be ASCENDING or DESCENDING.".to_owned(),
            ),
            OktaError::BadCursor => {
                (LogService, "E0000001", "API validation failed: 'after': must be a valid value.".to_owned())
            }
            OktaError::SinceTooOld => (
                LogService,
                "E0000053",
                "Invalid parameter: The since parameter is over 180 days prior to the current day.".to_owned(),
            ),
            OktaError::LongKeyword => (
                LogService,
                "E0000001",
                "Api validation failed: 'q': Freeform search cannot contain items longer than 40 characters. \
                 Please shorten the items in your search or use an advanced filter to query by specific fields."
                    .to_owned(),
            ),
            OktaError::UnknownOperator { filter, operator, position } => (
                LogService,
                "E0000053",
                format!(
                    "Invalid filter '{filter}': Unrecognized attribute operator '{operator}' at position {position}. \
                     Expected: eq,co,sw,pr,gt,ge,lt,le"
                ),
            ),
            OktaError::TooManyKeywords => (
                LogService,
                "E0000001",
                "Api validation failed: 'q': Freeform search cannot contain more than 10 items. \
                 Please remove items from your search or use an advanced filter to query by specific fields."
                    .to_owned(),
            ),
            OktaError::InvalidFilter { filter, reason } => {
                (LogService, "E0000053", format!("Invalid filter '{filter}': {reason}"))
            }
            OktaError::InvalidField { field } => (LogService, "E0000053", format!("field is not valid: {field}")),
            OktaError::UnsupportedFilter { field } => (
                LogService,
                "E0000031",
                format!(
                    "The supplied combination of operator and field is not currently supported. \
                     Operator: co, Field: {field}"
                ),
            ),
            OktaError::InvalidToken => (Standard, "E0000011", "Invalid token provided".to_owned()),
            OktaError::AccessDenied => {
                (Standard, "E0000006", "You do not have permission to perform the requested action".to_owned())
            }
            OktaError::NoSuchPath => (Standard, "E0000008", "The requested path was not found".to_owned()),
            OktaError::MethodNotSupported => {
                (Standard, "E0000022", "The endpoint does not support the provided HTTP method".to_owned())
            }
            OktaError::GetWithBody => (LogService, "E0000022", "HTTP 405 Method Not Allowed".to_owned()),
            OktaError::RateLimited => {
                (Standard, "E0000047", "API call exceeded rate limit due to too many requests.".to_owned())
            }
            OktaError::Internal => (Standard, "E0000009", "Internal Server Error".to_owned()),
            OktaError::TookTooLong => (
                LogService,
                "E0000009",
                "Your last request took too long to complete. This is likely due to a load issue on our side. \
                 We've logged this and will work to address it. \
                 Please either simplify your query or wait a few minutes and try again."
                    .to_owned(),
            ),
            OktaError::ReadOnly => (Standard, "E0000010", "Service is in read only mode".to_owned()),
        }
    }

    /// The JSON body, with a fresh error id.
    pub(super) fn body(&self, rng: &mut fastrand::Rng) -> Vec<u8> {
        let (form, code, summary) = self.code_and_summary();
        // Objects are written out by hand because the member order is Okta's, not the alphabet's.
        let text = |value: &str| json!(value).to_string();
        let (code, summary) = (text(code), text(&summary));
        match form {
            Form::Standard => format!(
                r#"{{"errorCode":{code},"errorSummary":{summary},"errorLink":{code},"errorId":"oae{}","errorCauses":[]}}"#,
                token_text(rng, 22)
            ),
            // The documented example of a time-out has no errorId.
            Form::LogService if *self == OktaError::TookTooLong => {
                format!(r#"{{"errorCode":{code},"errorSummary":{summary}}}"#)
            }
            Form::LogService => {
                let causes: Vec<String> = match self {
                    OktaError::BadDate { parameter } => vec![
                        format!("{parameter}: The date format in your query is not recognized. \
                                 Please enter dates using ISO8601 string format."),
                        format!("{parameter}: must be a valid date-time or empty."),
                    ],
                    _ => Vec::new(),
                };
                let id = random_uuid(rng);
                let mut body = format!(r#"{{"errorCode":{code},"errorSummary":{summary},"errorId":"{id}""#);
                if !causes.is_empty() {
                    let causes: Vec<String> =
                        causes.iter().map(|cause| format!(r#"{{"errorSummary":{}}}"#, text(cause))).collect();
                    body.push_str(&format!(r#","errorCauses":[{}]"#, causes.join(",")));
                }
                body.push('}');
                body
            }
        }
        .into_bytes()
    }
}

/// `length` characters of the URL-safe base64 alphabet, as Okta's ids have them.
pub(super) fn token_text(rng: &mut fastrand::Rng, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length).map(|_| ALPHABET[rng.usize(..ALPHABET.len())] as char).collect()
}

/// A random (version 4) UUID, for error ids.
pub(super) fn random_uuid(rng: &mut fastrand::Rng) -> String {
    let bits = rng.u128(..);
    let hex = format!("{bits:032x}");
    format!("{}-{}-4{}-9{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_oktas_words() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (error, before_id, after_id) in [
            (
                OktaError::RateLimited,
                r#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests.","errorLink":"E0000047","errorId":"oae"#,
                r#"","errorCauses":[]}"#,
            ),
            (
                OktaError::BadDate { parameter: "until" },
                r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'until': The date format in your query is not recognized. Please enter dates using ISO8601 string format. 'until': must be a valid date-time or empty.","errorId":""#,
                r#"","errorCauses":[{"errorSummary":"until: The date format in your query is not recognized. Please enter dates using ISO8601 string format."},{"errorSummary":"until: must be a valid date-time or empty."}]}"#,
            ),
            (
                OktaError::SinceTooOld,
                r#"{"errorCode":"E0000053","errorSummary":"Invalid parameter: The since parameter is over 180 days prior to the current day.","errorId":""#,
                r#""}"#,
            ),
            (
                OktaError::TookTooLong,
                r#"{"errorCode":"E0000009","errorSummary":"Your last request took too long to complete. This is likely due to a load issue on our side. We've logged this and will work to address it. Please either simplify your query or wait a few minutes and try again."}"#,
                "}",
            ),
        ] {
            let body = String::from_utf8(error.body(&mut rng)).expect("text");
            assert!(body.starts_with(before_id), "{body}");
            assert!(body.ends_with(after_id), "{body}");
            serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
        }
    }
}
