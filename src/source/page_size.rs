//! How many events a page is asked for: the configured size, and less where a page does not get through (I8).
//!
//! | what happens | the page is asked again |
//! |---|---|
//! | a page over the size cap | with half of what was asked |
//! | a time-out, the first since the last page, at the configured size | as it was |
//! | any further time-out, or the first one at a smaller size | with half of what was asked |
//! | either of them at 1 | with 1 |
//!
//! A size that was halved is doubled again after [`MIN_PATIENCE`] full pages, until it is the configured one. A size
//! that was doubled and fails is halved again, and the next doubling then waits for twice as many pages: so one bad page
//! is behind us in a few requests, and a long stretch of them does not cost a failure for every second page. A short
//! page ends it at once: there is nothing more that could be too much.

use crate::okta::page_url::PageUrl;

/// Full pages at a smaller size before it is doubled.
const MIN_PATIENCE: u32 = 2;
/// The most of them, after doublings that failed.
const MAX_PATIENCE: u32 = 64;

/// The page size of one connector, for as long as its task lives: a restart begins at the configured size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageSize {
    configured: u16,
    /// In place of the configured one; below it.
    reduced: Option<u16>,
    /// Full pages in a row since the size last changed.
    pages: u32,
    /// How many of them are needed before it is doubled.
    patience: u32,
    /// The size was doubled, and has not yet lasted for `patience` pages.
    on_trial: bool,
    /// Since the last page.
    timeouts: u32,
    /// The link to ask next has the size of a page that was made smaller, and not the configured one.
    link_is_reduced: bool,
}

/// What became of the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// From the configured size to this one.
    Reduced(u16),
    /// From a smaller size to an even smaller one.
    Smaller,
    /// Back to this, the configured one.
    Restored(u16),
}

/// A page of one event cannot be made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Smallest;

impl PageSize {
    pub fn new(configured: u16) -> Self {
        Self {
            configured,
            reduced: None,
            pages: 0,
            patience: MIN_PATIENCE,
            on_trial: false,
            timeouts: 0,
            link_is_reduced: false,
        }
    }

    /// A link that has the configured size, from before any request: of a start.
    pub fn begin(&mut self) {
        self.link_is_reduced = false;
    }

    /// `link` as it is to be sent: verbatim, but for the one edit that I3 allows.
    ///
    /// Okta's links repeat the `limit` of the request. One that came with a smaller page gets the configured size back;
    /// any other keeps what it says, should Okta once say less than was asked.
    pub fn url(&self, link: &PageUrl) -> PageUrl {
        let limit = match self.reduced {
            Some(reduced) if self.link_is_reduced => reduced,
            // A link that says even less is not raised.
            Some(reduced) => reduced.min(u16::try_from(link.limit()).unwrap_or(reduced)),
            None if self.link_is_reduced => self.configured,
            None => return link.clone(),
        };
        if link.limit() == usize::from(limit) { link.clone() } else { link.with_limit(limit) }
    }

    /// A page came; `full` by the limit of the URL that was `asked`. `next` is its link, where that is used: the next to ask.
    pub fn on_page(&mut self, asked: &PageUrl, next: Option<&PageUrl>, full: bool) -> Option<Change> {
        self.timeouts = 0;
        if let Some(next) = next {
            self.link_is_reduced = self.reduced.is_some() && next.limit() == asked.limit();
        }
        if !full {
            return self.restore();
        }
        self.pages += 1;
        if self.pages < self.patience {
            return None;
        }
        self.pages = 0;
        let Some(reduced) = self.reduced else {
            self.on_trial = false;
            self.patience = MIN_PATIENCE;
            return None;
        };
        self.on_trial = true;
        self.reduced = reduced.checked_mul(2).filter(|doubled| *doubled < self.configured);
        self.reduced.is_none().then_some(Change::Restored(self.configured))
    }

    /// Okta, or we, gave up waiting for a page; `None` where it is asked again as it was.
    pub fn on_timeout(&mut self, asked: &PageUrl) -> Option<Change> {
        self.timeouts += 1;
        if self.timeouts < 2 && self.reduced.is_none() {
            return None;
        }
        self.halve(asked).ok()
    }

    /// The page is over the size cap.
    pub fn on_too_large(&mut self, asked: &PageUrl) -> Result<Change, Smallest> {
        self.halve(asked)
    }

    fn halve(&mut self, asked: &PageUrl) -> Result<Change, Smallest> {
        let half = u16::try_from(asked.limit() / 2).unwrap_or(u16::MAX);
        if half == 0 {
            return Err(Smallest);
        }
        let was_configured = self.reduced.replace(half).is_none();
        self.patience = if self.on_trial { (self.patience * 2).min(MAX_PATIENCE) } else { MIN_PATIENCE };
        self.on_trial = false;
        self.pages = 0;
        Ok(if was_configured { Change::Reduced(half) } else { Change::Smaller })
    }

    fn restore(&mut self) -> Option<Change> {
        let was_reduced = self.reduced.is_some();
        *self = Self { link_is_reduced: self.link_is_reduced, ..Self::new(self.configured) };
        was_reduced.then_some(Change::Restored(self.configured))
    }
}
