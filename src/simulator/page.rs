//! One page: which events answer a query, and where the next page begins.

use super::error_body::OktaError;
use super::query::{LogsQuery, Parameters, Range};
use super::store::{EventStore, StoredEvent};

/// Events older than this are no longer returned, although asking for them is no error.
const RETENTION_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;

/// A page of the System Log.
#[derive(Debug)]
pub(super) struct Page {
    /// A compact JSON array of the events' own bytes.
    pub(super) body: Vec<u8>,
    /// How many events it holds.
    pub(super) events: usize,
    /// The number of its first event in persistence order, where the page polls.
    pub(super) first: Option<usize>,
    /// From the first event to the last, how many there are in persistence order, with those that a filter leaves out.
    pub(super) span: usize,
    /// The parameters of the `next` link, if there is one.
    pub(super) next: Option<Parameters>,
}

impl Page {
    /// Answers `query`, which was made from `asked`; `now` is in milliseconds since the Unix epoch. `selected` says of each
    /// event in persistence order whether the query's filter selects it.
    pub(super) fn of(
        store: &mut EventStore,
        asked: &Parameters,
        query: &LogsQuery,
        selected: Option<&[bool]>,
        now: i64,
    ) -> Result<Self, OktaError> {
        let oldest = now - RETENTION_MILLIS;
        let page = match &query.range {
            Range::Polling { since, after } => {
                let from_since = store.persisted_since((*since).max(oldest));
                let events = match after {
                    // A cursor from before the retention goes on with the oldest event that is left.
                    Some(cursor) if cursor.millis >= oldest => store.persisted_after(*cursor),
                    Some(_) => store.persisted_since(oldest),
                    None => from_since,
                };
                // Both are what is left of all events from some place on.
                let start = store.events().len() - events.len();
                let is_selected = |number: &usize| selected.is_none_or(|selected| selected[*number]);
                let numbers: Vec<usize> = (start..store.events().len()).filter(is_selected).take(query.limit).collect();
                let events = numbers.iter().map(|number| &store.events()[*number]);
                // There is always a next link. On an empty page it repeats the link that was asked.
                let last = events.clone().next_back();
                let after = last.map(|event| event.cursor.to_string()).or_else(|| asked.after.clone());
                let first = numbers.first().copied().unwrap_or(start);
                Self {
                    body: body(events),
                    events: numbers.len(),
                    first: Some(first),
                    span: numbers.last().map_or(0, |last| last + 1 - first),
                    next: Some(Parameters { after, ..asked.clone() }),
                }
            }
            Range::BoundedAscending { since, until, after } => {
                let mut range = store.published_between((*since).max(oldest), *until).selecting(selected);
                if let Some(cursor) = after {
                    range.skip_to_after(*cursor);
                }
                let mut rest = range.ascending();
                let events: Vec<&StoredEvent> = rest.by_ref().take(query.limit).collect();
                let more = rest.next().is_some();
                let next = events.last().filter(|_| more);
                let next =
                    next.map(|last| Parameters { after: Some(range.cursor_of(last).to_string()), ..asked.clone() });
                Self { body: body(events.iter().copied()), events: events.len(), first: None, span: events.len(), next }
            }
            Range::BoundedDescending { since, until, after } => {
                let range = store.published_between((*since).max(oldest), *until).selecting(selected);
                let mut rest = range.descending();
                if let Some(uuid) = after {
                    // An unknown cursor is refused since 2017, rather than answered with nothing.
                    rest.by_ref().find(|event| event.uuid.as_deref() == Some(uuid)).ok_or(OktaError::BadCursor)?;
                }
                let events: Vec<&StoredEvent> = rest.by_ref().take(query.limit).collect();
                let more = rest.next().is_some();
                // Okta moves `until` to the last event and gives its uuid as the cursor. An event without a uuid cannot
                // be one, so there the pages end.
                let next = events.last().filter(|_| more).and_then(|last| {
                    let until = jiff::Timestamp::from_millisecond(last.published_millis).ok()?;
                    Some(Parameters {
                        until: Some(format!("{until:.3}")),
                        after: Some(last.uuid.as_deref()?.to_owned()),
                        ..asked.clone()
                    })
                });
                Self { body: body(events.iter().copied()), events: events.len(), first: None, span: events.len(), next }
            }
        };
        Ok(page)
    }
}

/// Joins the events' bytes into an array, whatever they are.
fn body<'a>(events: impl Iterator<Item = &'a StoredEvent> + Clone) -> Vec<u8> {
    let length: usize = events.clone().map(|event| event.raw.len() + 1).sum();
    let mut body = Vec::with_capacity(length + 2);
    body.push(b'[');
    for (index, event) in events.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.raw);
    }
    body.push(b']');
    body
}
