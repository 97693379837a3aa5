//! From an answer other than 200 to its error: the table of what Okta means by which status.

use jiff::Timestamp;
use url::Url;

use super::{OktaError, RequestError, advice};
use crate::okta::origin::Origin;
use crate::okta::page_url::PageUrl;
use crate::okta::rate_limit::RateLimit;

/// An answer whose status is not 200, as far as it says why.
#[derive(Debug, Clone, Copy)]
pub struct RefusedAnswer<'a> {
    /// What was asked.
    pub asked: &'a PageUrl,
    /// The rate limit headers.
    pub rate_limit: Option<RateLimit>,
    /// The server's own clock (`Date`).
    pub server_date: Option<Timestamp>,
    /// The client ID, where the request had a service app's access token rather than an API token.
    pub app: Option<&'a str>,
    /// The `Location` header.
    pub location: Option<&'a str>,
}

impl RefusedAnswer<'_> {
    /// What the answer means:
    ///
    /// | status | meaning | ask again |
    /// |---|---|---|
    /// | 5xx | Okta's trouble; E0000009 is its 30 s time-out | with backoff |
    /// | 408 | the same, by something in front of it | with backoff |
    /// | 429, limit above 0 | this window is used up | after `reset` - `Date` + 1 s |
    /// | 429, limit 0 | too many requests at once | with backoff; its reset is an estimate, and of the window |
    /// | 429 without the headers | not Okta's own | with backoff |
    /// | 401, 400 with `invalid_token` | the credential | once, after it was read again |
    /// | 400 about `after`, about a `since` of 180 days ago | the checkpoint | no |
    /// | 400, 403 | the query, the role | no |
    /// | 3xx | I3 | no |
    /// | anything else | not the System Log | no |
    pub fn into_error(self, okta: OktaError) -> RequestError {
        match okta.status {
            300..=399 => RequestError::Redirected { to: redirected_to(self.asked.url(), self.location), okta },
            400 if self.is_about_the_cursor(&okta) => RequestError::CursorRefused { okta },
            400 if okta.mentions("since") && okta.mentions("180 days") => RequestError::SinceTooOld { okta },
            400 if okta.code.as_deref() == Some("invalid_token") => {
                RequestError::Unauthorized { advice: advice::unauthorized(&okta, self.app), okta }
            }
            400 => {
                let (what, advice) = advice::bad_request(&okta);
                RequestError::BadRequest { what, advice, okta }
            }
            401 => RequestError::Unauthorized { advice: advice::unauthorized(&okta, self.app), okta },
            403 => RequestError::Forbidden { advice: advice::forbidden(&okta, self.app), okta },
            408 => RequestError::RequestTimeout { okta },
            429 => {
                let wait = self.rate_limit.map(|limit| limit.wait(self.server_date));
                match self.rate_limit {
                    Some(limit) if limit.is_concurrency() => RequestError::Concurrency { okta },
                    _ => RequestError::RateLimited { wait, okta },
                }
            }
            500..=599 => RequestError::Server { okta },
            _ => RequestError::Unexpected { okta },
        }
    }

    /// E0000001 stands for many parameters, and only the text says which one.
    fn is_about_the_cursor(&self, okta: &OktaError) -> bool {
        okta.code.as_deref() == Some("E0000001")
            && okta.mentions("'after'")
            && self.asked.url().query_pairs().any(|(name, _)| name == "after")
    }
}

/// The origin that an answer of `asked` points to.
pub(in crate::okta) fn redirected_to(asked: &Url, location: Option<&str>) -> Option<String> {
    let target = asked.join(location?).ok()?;
    Origin::of(&target).map(|origin| origin.to_string())
}
