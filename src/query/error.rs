//! Why a query ends before its end.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::topic::TopicSinkError;
use crate::kafka::transaction::InitError;
use crate::okta::ad_hoc;
use crate::okta::client::ClientError;
use crate::okta::error::{RequestError, told_request_id};
use crate::okta::page_url::PageUrlError;

/// What came until then has gone to the sinks. Each message ends in the next thing to do.
#[derive(Debug, Error)]
pub enum QueryError {
    /// No HTTPS client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Okta refuses the query: Okta's complaint, and the place in the filter where it names one.
    #[error("{complaint}{}", .marked.as_deref().map_or_else(String::new, |marked| format!("\n{marked}")))]
    Refused {
        /// Ends in what to do.
        complaint: String,
        /// The filter, with a caret under the place.
        marked: Option<String>,
    },
    /// No answer, or none that can be used, for too long.
    #[error(
        "no page for {} s: {problem}; the query is given up: run it again later, or with a longer --retry-for",
        .after.as_secs()
    )]
    GivenUp {
        /// From the first failure on.
        after: Duration,
        /// The last one.
        problem: String,
    },
    /// The `next` link leads elsewhere (I3).
    #[error(
        "the page's `next` link is refused: {error}; no further page was asked for: look at what answers for `{org}`"
    )]
    Link {
        /// Why.
        error: PageUrlError,
        /// The org.
        org: String,
    },
    /// The `next` link is the one that was asked: polling requests have that, and bounded ones would never end.
    #[error(
        "the full page's `next` link is the page itself; no further page was asked for: look at what answers for `{org}`"
    )]
    SameLink {
        /// The org.
        org: String,
    },
    /// The thread that writes ended; a bug.
    #[error("the thread that writes the results ended early; this is a bug: please report it")]
    Panicked,
    /// A result can't be written.
    #[error("the results can't be written")]
    Output(#[from] io::Error),
    /// A result can't be published.
    #[error(transparent)]
    Topic(TopicSinkError),
    /// Told to stop.
    #[error("stopped before its end")]
    Stopped,
}

impl From<TopicSinkError> for QueryError {
    fn from(error: TopicSinkError) -> Self {
        match error {
            TopicSinkError::Init(InitError::Stopped) => Self::Stopped,
            other => Self::Topic(other),
        }
    }
}

impl QueryError {
    /// Of an answer that no retry changes. `filter`: as it was sent.
    pub(super) fn refused(error: &RequestError, filter: Option<&str>) -> Self {
        let said = match error {
            RequestError::BadRequest { okta, .. }
            | RequestError::SinceTooOld { okta }
            | RequestError::CursorRefused { okta } => okta,
            error => {
                let id = error.okta().and_then(|okta| okta.request_id.as_deref());
                return Self::Refused { complaint: error.with_advice() + &told_request_id(id), marked: None };
            }
        };
        let complaint = match error {
            RequestError::SinceTooOld { .. } => {
                format!(
                    "okta refused --since ({said}): it takes none of more than 180 days ago, and keeps events for 90"
                )
            }
            RequestError::CursorRefused { .. } => {
                format!(
                    "okta refused its own link to the next page ({said}): ask for the rest with the command that is printed"
                )
            }
            error => error.to_string(),
        };
        let marked = filter.and_then(|filter| {
            let texts = said.causes.iter().rev().chain(&said.summary);
            texts.into_iter().find_map(|text| ad_hoc::marked(filter, text))
        });
        Self::Refused { complaint: complaint + &told_request_id(said.request_id.as_deref()), marked }
    }
}
