//! A new position in the place of one that is lost, or of another query (ADR 0062).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::alteration::position;
use super::offset::SourceOffset;
use super::old_ground::time_text;
use crate::okta::origin::Origin;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;

/// For so long Okta keeps events.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// By the org's clock and ours; the earlier one counts, since whichever is ahead would leave events out.
    Told(Timestamp),
    /// By ours alone: before the org has answered.
    Ours(Timestamp),
}

impl Time {
    /// Of an answer with that `Date`.
    pub fn of(date: Option<Timestamp>, ours: Timestamp) -> Self {
        Self::Told(date.map_or(ours, |date| date.min(ours)))
    }
}

/// Where a connector goes on, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The first request.
    pub url: PageUrl,
    /// The time that it begins at.
    pub from: Timestamp,
    /// How far the connector had got.
    pub last: Timestamp,
    /// From and until when events may be missing: Okta no longer has them.
    pub hole: Option<(Timestamp, Timestamp)>,
}

impl Recovery {
    /// From the last published event before the lost position, less the overlap, as far as Okta has events. Where only our clock
    /// says what that is, Okta gives what it has, and its first answer tells the hole ([`hole_before`]). `since` is for a
    /// checkpoint that says no time at all.
    pub fn of(
        before: &SourceOffset,
        org: &Origin,
        query: &SystemLogQuery,
        since: Timestamp,
        overlap: Duration,
        now: Time,
    ) -> Self {
        let (Time::Told(latest) | Time::Ours(latest)) = now;
        let published = before.published.as_deref().and_then(|published| published.parse().ok());
        let begun = PageUrl::checked(&before.checkpoint_url, org).ok().and_then(|url| url.since());
        // An event of the future is no reason to begin there.
        let last = published.or(begun).unwrap_or(since).min(latest);
        let wanted = SignedDuration::try_from(overlap).ok().and_then(|overlap| last.checked_sub(overlap).ok());
        // Not before the lost position's own `since`, which a link keeps: where the overlap is more than a page, a recovery that is
        // lost as well would else begin earlier than the one before, and so on.
        let wanted = wanted.unwrap_or(last).max(begun.unwrap_or(Timestamp::MIN));
        let oldest = if matches!(now, Time::Told(_)) { oldest(latest) } else { Timestamp::MIN };
        let from = wanted.max(oldest);
        let hole = (wanted < oldest).then_some((wanted, oldest));
        Self { url: query.cold_start_url(org, from), from, last, hole }
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
        if let Some(hole) = self.hole {
            note(&mut offset, hole);
        }
        offset
    }
}

/// The hole that the first answer to a recovery shows, by the org's `date`, where the recovery could not know it. `before` is the
/// offset that was asked from: a cold start, which has no event behind it, begins where it was told to, and has no hole.
pub(super) fn hole_before(before: &SourceOffset, asked: &PageUrl, date: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let from = position(Some(asked), None).filter(|_| before.published.is_some())?;
    let oldest = oldest(date);
    let noted: Option<Timestamp> = before.missing_until.as_deref().and_then(|until| until.parse().ok());
    (from < oldest && noted.is_none_or(|noted| noted < from)).then_some((from, oldest))
}

/// Writes a hole into an offset.
pub(super) fn note(offset: &mut SourceOffset, (from, until): (Timestamp, Timestamp)) {
    offset.missing_from = Some(time_text(from));
    offset.missing_until = Some(time_text(until));
}

/// What Okta has no longer at a time ends there.
fn oldest(now: Timestamp) -> Timestamp {
    now.checked_sub(RETENTION).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Lost when this was its last event and this the `since` of its link.
    fn lost(since: &str, published: &str) -> Recovery {
        let org = "https://acme.okta.com".parse::<Origin>().unwrap();
        let query = SystemLogQuery { filter: None, q: None, limit: 100 };
        let url = format!("https://acme.okta.com/api/v1/logs?since={since}&limit=100&after=1_1");
        let before = SourceOffset { published: Some(published.to_owned()), ..SourceOffset::cold(url, query.hash()) };
        Recovery::of(
            &before,
            &org,
            &query,
            at("2026-01-01T00:00:00Z"),
            Duration::from_secs(600),
            Time::of(Some(at("2026-11-22T12:00:00Z")), at("2027-11-22T12:00:00Z")),
        )
    }

    #[test]
    fn it_begins_at_the_last_event_less_the_overlap_as_far_as_okta_has_it() {
        let recovery = lost("2026-11-15T00:00:00.000Z", "2026-11-22T11:00:00.000Z");
        assert_eq!((recovery.from, recovery.hole), (at("2026-11-22T10:50:00Z"), None));
        let recovery = lost("2026-01-01T00:00:00.000Z", "2026-08-01T00:00:00.000Z");
        let oldest = at("2026-08-24T12:00:00Z");
        assert_eq!((recovery.from, recovery.hole), (oldest, Some((at("2026-07-31T23:50:00Z"), oldest))));
        // An event of the future, as by a clock that was wrong.
        let recovery = lost("2026-11-15T00:00:00.000Z", "2027-11-22T11:00:00.000Z");
        assert_eq!((recovery.from, recovery.hole), (at("2026-11-22T11:50:00Z"), None));
    }

    /// A page of the overlap has events of before it, and its link may be lost, too.
    #[test]
    fn one_that_is_lost_again_does_not_walk_backwards() {
        let first = lost("2026-11-15T00:00:00.000Z", "2026-11-22T11:00:00.000Z");
        let since = first.url.since().expect("it has one");
        let second = lost(&format!("{since:.3}"), "2026-11-22T10:50:07.000Z");
        assert_eq!(second.from, first.from);
        let later = lost(&format!("{since:.3}"), "2026-11-22T11:30:00.000Z");
        assert_eq!(later.from, at("2026-11-22T11:20:00Z"));
    }
}
