//! What can go wrong with a request, and whether asking again can help.

use std::time::Duration;

use thiserror::Error;

use super::auth::token_error::TokenError;
use super::link::LinkError;
use super::page::SplitError;
use super::page_url::PageUrlError;

pub use answer::RefusedAnswer;
pub(super) use answer::redirected_to;
pub use okta_error::{OktaError, request_id, told_request_id};

mod advice;
mod answer;
mod okta_error;

/// Why a request brought no page. No such request ever moves the cursor (I8).
///
/// The message of each fatal one ends in what the operator can do. Texts of Okta's are shortened and escaped, and none
/// of them holds the credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The answer was not complete in time, be it for the server or the body.
    #[error("no complete answer within {} s", .limit.as_secs_f64())]
    Timeout {
        /// The time-out that ran out.
        limit: Duration,
    },
    /// There was no connection in time.
    #[error("no connection within {} s", .limit.as_secs_f64())]
    ConnectTimeout {
        /// The time-out that ran out.
        limit: Duration,
        /// What to do about it.
        advice: String,
    },
    /// The server, or something in front of it, says 408.
    #[error("the server gave up waiting for the request ({okta})")]
    RequestTimeout {
        /// What the answer says.
        okta: OktaError,
    },
    /// No answer came: name resolution, TCP, TLS, or a connection that ended before the headers.
    #[error("no answer: {problem}")]
    Connection {
        /// The causes, outermost first.
        problem: String,
        /// What to do about it, where that can be told.
        advice: Option<String>,
    },
    /// 407 of the proxy. Asked again at every turn, it might lock the account.
    #[error(
        "the proxy `{proxy}` {} (407): write it into `okta_http.proxy_url`, as `http://USER:PASSWORD@HOST:PORT`, best from \
         `${{env:NAME}}` or `${{file:PATH}}`, with `%40` for `@` and so on",
        if *.has_login { "refuses our login" } else { "wants a login" }
    )]
    ProxyLogin {
        /// Scheme, host and port.
        proxy: String,
        /// Whether we sent one.
        has_login: bool,
    },
    /// The answer began and its body broke off, or cannot be decompressed.
    #[error("the body broke off: {problem}")]
    BrokenBody {
        /// The causes, outermost first.
        problem: String,
    },
    /// The body is longer than the cap, decompressed.
    #[error("the page is longer than {cap} bytes")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
        /// Its `next` link, where it has one that I3 allows: what comes behind it.
        next: Option<String>,
    },
    /// 200, but the elements of the body cannot be told apart.
    #[error("the answer is not a page: {error}")]
    NotAPage {
        /// What is wrong with the body.
        error: SplitError,
    },
    /// 200, but it cannot be said which page comes next.
    #[error("the answer does not say which page comes next: {error}")]
    BadLink {
        /// What is wrong with the header.
        error: LinkError,
    },
    /// 5xx.
    #[error("okta answered with {okta}")]
    Server {
        /// What the answer says.
        okta: OktaError,
    },
    /// 429: this window's requests are used up.
    #[error("the rate limit is used up ({okta})")]
    RateLimited {
        /// Until the window is over, by the server's own clock. The caller adds jitter. `None`: the answer has no rate
        /// limit headers, so back off.
        wait: Option<Duration>,
        /// What the answer says.
        okta: OktaError,
    },
    /// 429 with a limit of 0: the org serves too many requests at this moment. The headers only estimate for how long, by
    /// the window, which a request that ends does not wait for: back off.
    #[error("the org serves too many requests at once ({okta})")]
    Concurrency {
        /// What the answer says.
        okta: OktaError,
    },
    /// Status 401, or 400 with `invalid_token`. A secret that comes from a file is to be read again, an access token asked for anew, before the connector is
    /// failed.
    #[error("okta refused the credential ({okta}): {advice}")]
    Unauthorized {
        /// What the answer says.
        okta: OktaError,
        /// What to do.
        advice: String,
    },
    /// 403.
    #[error("the credential may not read the System Log ({okta}): {advice}")]
    Forbidden {
        /// What the answer says.
        okta: OktaError,
        /// What to do.
        advice: String,
    },
    /// 400 because of the cursor in the URL (`after`).
    #[error(
        "okta refused the checkpoint ({okta}): with `on_lost_cursor: recover` it goes on from the last published event; else \
         set another with `offsets alter NAME --since T`, T a little before the `published` that `offsets get NAME` shows; \
         what the topic holds already is left out"
    )]
    CursorRefused {
        /// What the answer says.
        okta: OktaError,
    },
    /// 400 because `since` in the URL is over 180 days ago.
    #[error(
        "okta refused a `since` of over 180 days ago ({okta}): set a later `since`; if it is an old checkpoint's, it goes on \
         from the last published event with `on_lost_cursor: recover`, else set another with `offsets alter NAME --since T`"
    )]
    SinceTooOld {
        /// What the answer says.
        okta: OktaError,
    },
    /// Any other 400.
    #[error("okta refused {what} ({okta}): {advice}")]
    BadRequest {
        /// The query, or a proof of possession.
        what: &'static str,
        /// What the answer says.
        okta: OktaError,
        /// What to correct, as far as the answer tells.
        advice: &'static str,
    },
    /// 3xx. Never followed, since the credential would be sent along (I3).
    #[error(
        "the server redirects to {} ({okta}), where the credential is not sent: set `org` to the origin that serves \
         the API itself", .to.as_deref().map_or("no readable address".to_owned(), |to| format!("`{to}`"))
    )]
    Redirected {
        /// The origin it points to; nothing more of the address is shown.
        to: Option<String>,
        /// What the answer says.
        okta: OktaError,
    },
    /// Any other status.
    #[error(
        "unexpected answer ({okta}): check that `org` is the origin of an active Okta org and that no proxy answers in \
         its place"
    )]
    Unexpected {
        /// What the answer says.
        okta: OktaError,
    },
    /// The org gives a service app no access token; nothing else was asked.
    #[error("no access token: {0}")]
    Token(TokenError),
    /// The credential cannot stand in a header.
    #[error(
        "the credential holds characters that no header can carry: check the secret in `auth` for line breaks and \
         other control characters"
    )]
    UnusableCredential,
    /// The URL is another org's than the client's (I3); nothing was sent.
    #[error("nothing was sent: {error}: check `org` and the connector's checkpoint")]
    NotSent {
        /// Why the URL is refused.
        error: PageUrlError,
    },
}

/// What to do about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Ask again.
    Retriable {
        /// Why, as the metric has it.
        reason: RetryReason,
        /// How long the server asks us to wait at least; `None`: exponential backoff. Jitter is the caller's in both.
        wait: Option<Duration>,
    },
    /// The connector fails: the same request would fail again until someone acts. The message says how.
    Fatal,
}

/// Why a request is made again: the values of the label `reason` of `retries_total` that concern Okta (contract 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// A 5xx answer.
    Http5xx,
    /// No complete answer in time.
    Timeout,
    /// No answer, or one that is not whole: cut off, not a page, too large.
    Connection,
    /// 429, this window's requests are used up.
    RateLimit,
    /// 429, too many requests at once.
    Concurrency,
}

impl RetryReason {
    /// All of them, for series that exist from the start.
    pub const ALL: [Self; 5] = [Self::Http5xx, Self::Timeout, Self::Connection, Self::RateLimit, Self::Concurrency];

    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http5xx => "http_5xx",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::RateLimit => "rate_limit",
            Self::Concurrency => "concurrency",
        }
    }
}

impl RequestError {
    /// Whether asking again can help.
    pub fn severity(&self) -> Severity {
        let (reason, wait) = match self {
            Self::Timeout { .. } | Self::ConnectTimeout { .. } | Self::RequestTimeout { .. } => {
                (RetryReason::Timeout, None)
            }
            Self::Connection { .. }
            | Self::BrokenBody { .. }
            | Self::TooLarge { .. }
            | Self::NotAPage { .. }
            | Self::BadLink { .. } => (RetryReason::Connection, None),
            Self::Server { .. } => (RetryReason::Http5xx, None),
            Self::RateLimited { wait, .. } => (RetryReason::RateLimit, *wait),
            Self::Concurrency { .. } => (RetryReason::Concurrency, None),
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::CursorRefused { .. }
            | Self::SinceTooOld { .. }
            | Self::BadRequest { .. }
            | Self::Redirected { .. }
            | Self::Unexpected { .. }
            | Self::ProxyLogin { .. }
            | Self::UnusableCredential
            | Self::NotSent { .. } => return Severity::Fatal,
            Self::Token(error) => return error.severity(),
        };
        Severity::Retriable { reason, wait }
    }

    /// What to do about an error that is worth another try, where that can be told and its message does not say it: for
    /// people, once, not with every try.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::ConnectTimeout { advice, .. } => Some(advice),
            Self::Connection { advice, .. } => advice.as_deref(),
            Self::Server { .. } => Some("it is asked again; where that goes on, look at https://status.okta.com"),
            Self::RateLimited { .. } => Some(
                "it is asked again when Okta allows it; where that goes on, find out who else uses this limit, or raise \
                 `interval` or `limit`",
            ),
            Self::Concurrency { .. } => {
                Some("it is asked again a little later; where that goes on, find out who else asks this org")
            }
            Self::Token(TokenError::Request(error)) => match error.as_ref() {
                Self::RateLimited { .. } | Self::Concurrency { .. } => Some(
                    "it is asked again when Okta allows it; all connectors of an app need one access token an hour, so where \
                     that goes on, find out who else asks this org for tokens",
                ),
                error => error.advice(),
            },
            _ => None,
        }
    }

    /// The message, with the advice behind it.
    pub fn with_advice(&self) -> String {
        self.advice().map_or_else(|| self.to_string(), |advice| format!("{self}: {advice}"))
    }

    /// Whether the credential was refused, so that it is to be read again before the connector is failed.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }

    /// What Okta said, where there was a refusing answer.
    pub fn okta(&self) -> Option<&OktaError> {
        match self {
            Self::RequestTimeout { okta }
            | Self::Server { okta }
            | Self::RateLimited { okta, .. }
            | Self::Concurrency { okta, .. }
            | Self::Unauthorized { okta, .. }
            | Self::Forbidden { okta, .. }
            | Self::CursorRefused { okta }
            | Self::SinceTooOld { okta }
            | Self::BadRequest { okta, .. }
            | Self::Redirected { okta, .. }
            | Self::Unexpected { okta } => Some(okta),
            Self::Token(error) => error.okta(),
            Self::Timeout { .. }
            | Self::ConnectTimeout { .. }
            | Self::Connection { .. }
            | Self::BrokenBody { .. }
            | Self::TooLarge { .. }
            | Self::NotAPage { .. }
            | Self::BadLink { .. }
            | Self::ProxyLogin { .. }
            | Self::UnusableCredential
            | Self::NotSent { .. } => None,
        }
    }

    /// Whether somebody gave up waiting for the page, so that a smaller one may get through (I8).
    ///
    /// It is Okta after its 30 s (500 with E0000009; the code stands for other trouble too, and only the code is meant for
    /// decisions), a gateway before it (504, 408), or we ourselves while the page was on its way. A connection that could
    /// not be made in time says nothing of the page.
    pub fn is_page_timeout(&self) -> bool {
        match self {
            Self::Server { okta } => okta.status == 504 || okta.code.as_deref() == Some("E0000009"),
            Self::Timeout { .. } | Self::RequestTimeout { .. } => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
