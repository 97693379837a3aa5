//! What a refused request means to the task, and which refusals mean that Okta no longer knows the position.

use jiff::Timestamp;

use super::runner::Runner;
use crate::okta::error::{OktaError, RequestError, Severity, told_request_id};
use crate::okta::page_url::PageUrl;
use crate::source::action::RecoveryReason;
use crate::source::input::{LostPosition, Refusal};

impl Runner {
    /// Counts and remembers what was refused, and gives it in the task's terms. `date` is the answer's.
    pub(super) fn refusal(&mut self, error: &RequestError, asked: &PageUrl, date: Option<Timestamp>) -> Refusal {
        match error.severity() {
            Severity::Retriable { reason, wait } => {
                self.metrics.retry(reason.as_str());
                let advice = error.advice().map(str::to_owned);
                let text =
                    if advice.is_none() || advice == self.advised { error.to_string() } else { error.with_advice() };
                self.advised = advice.or(self.advised.take());
                // Whoever asks `status` has not read the log.
                let id = told_request_id(self.okta_request_id.as_deref());
                self.status.set_trouble(&(error.with_advice() + &id));
                self.refused = Some((reason, text));
                match error {
                    RequestError::TooLarge { next, .. } => {
                        Refusal::TooLarge { problem: error.to_string(), next: next.clone() }
                    }
                    error if error.is_page_timeout() => Refusal::TimedOut,
                    _ => Refusal::Retriable { wait },
                }
            }
            Severity::Fatal if error.is_unauthorized() => Refusal::Unauthorized { message: error.to_string() },
            Severity::Fatal => {
                let message = error.to_string();
                match lost(error, asked) {
                    Some(reason) => {
                        let said = error.okta().map(OktaError::to_string);
                        Refusal::LostCursor(LostPosition { reason, message, said, date })
                    }
                    None => Refusal::Fatal { message },
                }
            }
        }
    }
}

/// What a refusal of a URL says of its position: `Some` where Okta no longer knows it. A link was good when Okta gave it, so
/// whatever else Okta has against it, except for the credential, is taken for that.
pub fn lost(error: &RequestError, asked: &PageUrl) -> Option<RecoveryReason> {
    let has_cursor = || asked.url().query_pairs().any(|(name, _)| name == "after");
    match error {
        RequestError::CursorRefused { .. } => Some(RecoveryReason::CursorRefused),
        RequestError::SinceTooOld { .. } => Some(RecoveryReason::SinceTooOld),
        RequestError::BadRequest { okta, .. } if has_cursor() && !is_about_a_token(okta) => {
            Some(RecoveryReason::CursorRefused)
        }
        _ => None,
    }
}

/// RFC 6750's and RFC 9449's codes, which Okta's own never look like.
fn is_about_a_token(okta: &OktaError) -> bool {
    matches!(okta.code.as_deref(), Some("invalid_request" | "invalid_token" | "invalid_dpop_proof" | "use_dpop_nonce"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::origin::Origin;

    #[test]
    fn which_refusals_mean_a_lost_position() {
        let org: Origin = "https://acme.okta.com".parse().expect("an origin");
        let (link, cold) = ("?since=2026-11-01T00:00:00Z&after=1_1", "?since=2026-11-01T00:00:00Z");
        let okta = |code: &str| {
            OktaError::read(400, format!(r#"{{"errorCode":"{code}","errorSummary":"x"}}"#).as_bytes(), None, &[])
        };
        let bad = |code: &str| RequestError::BadRequest { what: "the query", okta: okta(code), advice: "" };
        let oauth = RequestError::BadRequest {
            what: "the proof of possession",
            okta: OktaError::read(400, br#"{"error":"invalid_dpop_proof"}"#, None, &[]),
            advice: "",
        };
        for (error, url, expected) in [
            (RequestError::CursorRefused { okta: okta("E0000001") }, link, Some(RecoveryReason::CursorRefused)),
            (RequestError::SinceTooOld { okta: okta("E0000053") }, link, Some(RecoveryReason::SinceTooOld)),
            (RequestError::SinceTooOld { okta: okta("E0000053") }, cold, Some(RecoveryReason::SinceTooOld)),
            (bad("E0000001"), link, Some(RecoveryReason::CursorRefused)),
            (bad("E0000001"), cold, None),
            (oauth, link, None),
            (RequestError::Server { okta: okta("E0000009") }, link, None),
            (RequestError::Forbidden { okta: okta("E0000006"), advice: String::new() }, link, None),
        ] {
            let asked = PageUrl::checked(&format!("https://acme.okta.com/api/v1/logs{url}"), &org).expect("a link");
            assert_eq!(lost(&error, &asked), expected, "{error} {url}");
        }
    }
}
