//! A new position in the place of one that is lost, or of another query (ADR 0062).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::offset::SourceOffset;
use super::old_ground::time_text;
use crate::okta::origin::Origin;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;

/// For so long Okta keeps events.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where a connector goes on, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovery {
    /// The first request.
    pub url: PageUrl,
    /// The time that it begins at.
    pub from: Timestamp,
    /// From and until when events may be missing: Okta no longer has them.
    pub hole: Option<(Timestamp, Timestamp)>,
}

impl Recovery {
    /// From the last published event before the lost position, less the overlap, as far as Okta has events. `now` is the
    /// org's time; `since` is for a checkpoint that says no time at all.
    pub fn of(
        before: &SourceOffset,
        org: &Origin,
        query: &SystemLogQuery,
        since: Timestamp,
        overlap: Duration,
        now: Timestamp,
    ) -> Self {
        let published = before.published.as_deref().and_then(|published| published.parse().ok());
        let begun = || PageUrl::checked(&before.checkpoint_url, org).ok()?.since();
        let last = published.or_else(begun).unwrap_or(since);
        let wanted = SignedDuration::try_from(overlap).ok().and_then(|overlap| last.checked_sub(overlap).ok());
        let wanted = wanted.unwrap_or(last);
        let oldest = now.checked_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let from = wanted.max(oldest);
        let hole = (wanted < oldest).then_some((wanted, oldest));
        Self { url: query.cold_start_url(org, from), from, hole }
    }

    /// What is committed before the first request: the last event stays that of before, so that another recovery finds the
    /// same position, should this one be cut short.
    pub fn offset(
        &self,
        before: &SourceOffset,
        query: &SystemLogQuery,
        suppress_until: Option<String>,
    ) -> SourceOffset {
        let mut offset = SourceOffset {
            checkpoint_url: self.url.as_str().to_owned(),
            query: query.hash(),
            suppress_until,
            ..before.clone()
        };
        if let Some((from, until)) = self.hole {
            offset.missing_from = Some(time_text(from));
            offset.missing_until = Some(time_text(until));
        }
        offset
    }
}
