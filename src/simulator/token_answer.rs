//! The org's answer at the token endpoint: what `oauth` decided, the endpoint's own bucket, and faults.

use jiff::Timestamp;

use super::error_body::OktaError;
use super::faults::FaultKind;
use super::oauth::{OrgTime, TokenRequestRecord};
use super::org::{Answer, Cut, NONCE_HEADER, Org, Request};

impl Org {
    /// Answers a request to the token endpoint of an org that has one, and logs it.
    pub(super) fn answer_token(&mut self, request: &Request, now: Timestamp, time: OrgTime) -> Answer {
        let oauth = self.oauth.as_mut().expect("the caller saw that there is one");
        let admission = oauth.admit(time);
        if let Some(verbatim) = self.verbatim.take(&request.path) {
            let mut answer = self.new_answer(time, admission.state);
            answer.serve(verbatim);
            self.log_token_request(request, now, &answer, None, admission.in_rate_limit_window);
            return answer;
        }
        // A fault is not spent on a request that is refused anyway.
        let fault = if admission.refused { None } else { self.injected_at_token_endpoint.pop_front() };
        let mut answer = self.new_answer(time, admission.state);
        let refused = match fault {
            _ if request.method != "POST" => Some(OktaError::MethodNotSupported),
            _ if request.too_many_at_once => {
                answer.rate_limit.limit = 0;
                answer.rate_limit.remaining = 0;
                answer.rate_limit.reset = time.org + self.rate_limit_wait;
                Some(OktaError::RateLimited)
            }
            _ if admission.refused => Some(OktaError::RateLimited),
            Some(FaultKind::RateLimit | FaultKind::Concurrency) => {
                answer.rate_limit.remaining = 0;
                answer.rate_limit.reset = time.org + self.rate_limit_wait;
                if fault == Some(FaultKind::Concurrency) {
                    answer.rate_limit.limit = 0;
                }
                Some(OktaError::RateLimited)
            }
            Some(FaultKind::Http500) => Some(OktaError::Internal),
            Some(FaultKind::Timeout) => Some(OktaError::TookTooLong),
            Some(FaultKind::Http503) => Some(OktaError::ReadOnly),
            _ => None,
        };
        let mut error = None;
        if let Some(refused) = refused {
            answer.status = refused.status();
            answer.body = refused.body(&mut self.rng);
            let (_, code, summary) = refused.code_and_summary();
            error = Some((code.to_owned(), summary));
        } else {
            let origin = self.origin.as_deref().unwrap_or(&request.origin);
            let oauth = self.oauth.as_mut().expect("the caller saw that there is one");
            let token = oauth.answer(request, origin, time);
            answer.status = token.status;
            answer.body = token.body;
            answer.headers.extend(token.nonce.map(|nonce| (NONCE_HEADER.to_owned(), nonce)));
            error = token.error.or(error);
        }
        match fault {
            Some(FaultKind::Slow) => answer.delay += self.slow_delay,
            // The token is made and lost.
            Some(FaultKind::Cut) => answer.cut = Some(Cut::AfterBytes(0)),
            Some(FaultKind::Truncate) => answer.cut = Some(Cut::AfterBodyBytes(answer.body.len() / 2)),
            Some(FaultKind::DateOff) => {
                answer.date += self.date_offset;
                answer.rate_limit.reset += self.date_offset;
            }
            _ => {}
        }
        self.log_token_request(request, now, &answer, error, admission.in_rate_limit_window);
        answer
    }

    fn log_token_request(
        &mut self,
        request: &Request,
        now: Timestamp,
        answer: &Answer,
        error: Option<(String, String)>,
        in_rate_limit_window: bool,
    ) {
        let cut_before_status = matches!(answer.cut, Some(Cut::AfterBytes(_)));
        let record = TokenRequestRecord {
            at: now,
            dpop: !request.proofs.is_empty(),
            status: (!cut_before_status).then_some(answer.status),
            error,
            in_rate_limit_window,
        };
        self.oauth.as_mut().expect("the caller saw that there is one").push(record);
    }
}
