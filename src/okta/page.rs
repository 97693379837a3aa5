//! One page of the System Log: its elements, verbatim and in order, and what its headers said.

use bytes::Bytes;
use jiff::Timestamp;

use super::log_event;
use super::page_url::{PageUrl, PageUrlError};
use super::rate_limit::RateLimit;

pub use super::log_event::{Published, RawEvent, RefusalReason, RefusedElement};
pub use split::SplitError;

mod split;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemLogPage {
    /// All that the page holds, in its order. A page is full when these are as many as the URL's `limit`.
    pub elements: Vec<RawElement>,
    /// The `next` link, checked (I3); `None` where the answer has none, as on the last page of a bounded request.
    pub next: Option<Result<PageUrl, PageUrlError>>,
    /// Size of the body after decompression. All elements share this one allocation.
    pub body_bytes: usize,
    /// The rate limit that the headers show.
    pub rate_limit: Option<RateLimit>,
    /// The server's own clock (`Date`).
    pub server_date: Option<Timestamp>,
}

/// One element of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawElement {
    /// An event to publish.
    Event(RawEvent),
    /// A dead letter.
    Refused(RefusedElement),
}

impl From<Result<RawEvent, RefusedElement>> for RawElement {
    fn from(read: Result<RawEvent, RefusedElement>) -> Self {
        match read {
            Ok(event) => Self::Event(event),
            Err(refused) => Self::Refused(refused),
        }
    }
}

impl RawElement {
    /// The element as Okta sent it.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Event(event) => &event.bytes,
            Self::Refused(refused) => &refused.bytes,
        }
    }

    /// The `uuid`, where it is usable.
    pub fn uuid(&self) -> Option<&str> {
        match self {
            Self::Event(event) => Some(&event.uuid),
            Self::Refused(refused) => refused.uuid.as_deref(),
        }
    }

    /// The `published` as written, where it is an RFC 3339 time.
    pub fn published(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.published.as_ref().map(|published| published.text.as_str()),
            Self::Refused(refused) => refused.published.as_deref(),
        }
    }
}

/// Splits a page's body into its elements, and reads each one's envelope.
///
/// Fails only where the elements cannot be told apart (I8). No byte is copied: the elements are slices of `body`.
pub fn split(body: &Bytes) -> Result<Vec<RawElement>, SplitError> {
    match faultless(body) {
        Some(elements) => Ok(elements),
        None => one_by_one(body),
    }
}

/// Every element by its brackets first and then by itself, so that a fault in one is that one's alone.
fn one_by_one(body: &Bytes) -> Result<Vec<RawElement>, SplitError> {
    Ok(split::elements(body)?.iter().map(|bytes| log_event::read(bytes).into()).collect())
}

/// The same in one pass, for a body that is UTF-8, JSON and an array of objects, as nearly every one is; `None` for any
/// other. An object's end is where the parser of its envelope stops, which is where its brackets close.
fn faultless(body: &Bytes) -> Option<Vec<RawElement>> {
    std::str::from_utf8(body).ok()?;
    let mut elements = Vec::new();
    let mut at = split::skip_space(body, 0);
    let mut before = b'[';
    loop {
        if *body.get(at)? != before {
            return None;
        }
        let start = split::skip_space(body, at + 1);
        let (element, length) = log_event::read_first(&body.slice(start..))?;
        elements.push(element.into());
        at = split::skip_space(body, start + length);
        if *body.get(at)? == b']' {
            return (split::skip_space(body, at + 1) == body.len()).then_some(elements);
        }
        before = b',';
    }
}

#[cfg(test)]
mod tests;
