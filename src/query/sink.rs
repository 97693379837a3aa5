//! Where the results of an ad hoc query go.

use jiff::Timestamp;

use super::error::QueryError;
use crate::okta::ad_hoc::AdHocQuery;
use crate::okta::page::RawElement;
use crate::okta::page_url::PageUrl;

/// A page of results: whole, but for what `--max-events` leaves out of the last one.
#[derive(Debug, Clone)]
pub struct ResultPage {
    /// Counted from 1.
    pub number: u64,
    /// The URL that was asked for it.
    pub asked: PageUrl,
    /// In Okta's order.
    pub elements: Vec<RawElement>,
    /// Size of the body that the elements are slices of.
    pub body_bytes: usize,
    /// The org's clock.
    pub server_date: Option<Timestamp>,
}

/// Why a query asked no further page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is no more: the last page has no `next` link, or is short.
    NoMore,
    /// `--max-pages`.
    MaxPages,
    /// `--max-events`.
    MaxEvents,
    /// A signal.
    Interrupted,
    /// Okta, or a sink, does not go on.
    Failed,
}

impl Ended {
    /// What a summary says of it.
    pub fn note(self) -> &'static str {
        match self {
            Self::NoMore => "",
            Self::MaxPages => "; --max-pages ends it here, and there may be more",
            Self::MaxEvents => "; --max-events ends it here, and there may be more",
            Self::Interrupted => "; interrupted before its end",
            Self::Failed => "; failed before its end",
        }
    }

    /// Whether the answer is what was asked for.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::NoMore | Self::MaxPages | Self::MaxEvents)
    }
}

/// What came of a query; what a summary is written from.
#[derive(Debug, Clone)]
pub struct QueryResult {
    /// The connector's name.
    pub connector: String,
    /// The org's origin.
    pub org: String,
    /// What was asked.
    pub request: AdHocQuery,
    /// Pages that came.
    pub pages: u64,
    /// Results that went into the sinks.
    pub events: u64,
    /// How many of them are dead letters, and not in the topic.
    pub dead_letters: u64,
    /// `published` of the first result, as Okta wrote it.
    pub first: Option<String>,
    /// `published` of the last result.
    pub last: Option<String>,
    /// Why it ended.
    pub ended: Ended,
}

/// Takes the results page by page. Both calls block; [`end`](Self::end) is called once, whatever happened before.
pub trait Sink: Send {
    /// Takes a page: when this is `Ok`, all of it is where it belongs.
    ///
    /// # Errors
    /// It can't be taken: nothing more is asked.
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError>;

    /// There is no more: finishes what was begun, where the [`Ended`] of the result says that it is whole, and leaves nothing
    /// half done that looks finished where it is not.
    ///
    /// # Errors
    /// It can't be finished.
    fn end(&mut self, result: &QueryResult) -> Result<(), QueryError>;

    /// How many of the results that it took are dead letters.
    fn dead_letters(&self) -> u64 {
        0
    }
}

/// All sinks of a query.
#[derive(Default)]
pub struct Sinks(pub Vec<Box<dyn Sink>>);

impl Sinks {
    pub(super) fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        self.0.iter_mut().try_for_each(|sink| sink.page(page))
    }

    pub(super) fn dead_letters(&self) -> u64 {
        self.0.iter().map(|sink| sink.dead_letters()).sum()
    }

    /// Every one, also after one that fails; gives the first error.
    pub(super) fn end(&mut self, result: &QueryResult) -> Result<(), QueryError> {
        let mut ended = Ok(());
        for sink in &mut self.0 {
            ended = ended.and(sink.end(result));
        }
        ended
    }
}
