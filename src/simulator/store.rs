//! The org's events: a store that only grows, ordered by persistence time, with a second order by `published`.

use bytes::{Bytes, BytesMut};

use super::cursor::Cursor;
use super::generator::EventKind;

/// Events are cut from blocks of this size, so that a hundred thousand of them are a few hundred allocations.
const BLOCK_BYTES: usize = 1 << 20;

/// An event of the simulated org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Where it stands in persistence order; also the cursor of a `next` link behind it.
    pub cursor: Cursor,
    /// Its `uuid`, if it has one that is a string.
    pub uuid: Option<Box<str>>,
    /// Its `published`, if it has one that is a string.
    pub published: Option<Box<str>>,
    /// `published` in milliseconds since the Unix epoch, or the persistence time where it has none that is a time.
    pub published_millis: i64,
    /// What kind of event it is.
    pub kind: EventKind,
    /// The very bytes that answers hold.
    pub raw: Bytes,
}

/// What the store is given of an event.
pub(super) struct NewEvent<'a> {
    pub(super) uuid: Option<Box<str>>,
    pub(super) published: Option<Box<str>>,
    pub(super) published_millis: Option<i64>,
    pub(super) kind: EventKind,
    pub(super) raw: &'a [u8],
}

/// All events of the org.
#[derive(Default)]
pub(super) struct EventStore {
    events: Vec<StoredEvent>,
    block: BytesMut,
    /// Indices of `events` by (`published`, persistence); brought up to date when a bounded query needs it.
    by_published: Vec<u32>,
}

impl EventStore {
    /// Adds an event that is persisted at `millis`, or right behind the last one if that is later: persistence order
    /// only ever grows at its end, so that a cursor never has to be read twice.
    pub(super) fn push(&mut self, millis: i64, event: NewEvent<'_>) {
        let cursor = match self.events.last() {
            Some(last) if last.cursor.millis >= millis => {
                Cursor { millis: last.cursor.millis, number: last.cursor.number + 1 }
            }
            _ => Cursor { millis, number: 1 },
        };
        if self.block.capacity() < event.raw.len() {
            self.block = BytesMut::with_capacity(BLOCK_BYTES.max(event.raw.len()));
        }
        self.block.extend_from_slice(event.raw);
        self.events.push(StoredEvent {
            cursor,
            uuid: event.uuid,
            published: event.published,
            published_millis: event.published_millis.unwrap_or(cursor.millis),
            kind: event.kind,
            raw: self.block.split().freeze(),
        });
    }

    /// Every event, in persistence order.
    pub(super) fn events(&self) -> &[StoredEvent] {
        &self.events
    }

    /// The events that were persisted at `millis` or later.
    pub(super) fn persisted_since(&self, millis: i64) -> &[StoredEvent] {
        &self.events[self.events.partition_point(|event| event.cursor.millis < millis)..]
    }

    /// The events behind `cursor`, in persistence order.
    pub(super) fn persisted_after(&self, cursor: Cursor) -> &[StoredEvent] {
        &self.events[self.events.partition_point(|event| event.cursor <= cursor)..]
    }

    /// The events whose `published` is from `since` to `until`, both included, in that order; events of the same
    /// millisecond are in persistence order, so that a late event never comes before one that was served already.
    pub(super) fn published_between(&mut self, since: i64, until: i64) -> PublishedRange<'_> {
        let known = self.by_published.len();
        if known < self.events.len() {
            self.by_published.extend((known..self.events.len()).map(|index| index as u32));
            let events = &self.events;
            // Stable, and quick on what is sorted already but for its end.
            self.by_published.sort_by_key(|&index| events[index as usize].published_millis);
        }
        let position = |bound: &dyn Fn(i64) -> bool| {
            self.by_published.partition_point(|&index| bound(self.events[index as usize].published_millis))
        };
        let start = position(&|published| published < since);
        let end = position(&|published| published <= until).max(start);
        PublishedRange { events: &self.events, order: &self.by_published, start, end, selected: None }
    }
}

/// A stretch of the events in `published` order.
pub(super) struct PublishedRange<'a> {
    events: &'a [StoredEvent],
    order: &'a [u32],
    start: usize,
    end: usize,
    /// Only events whose number in persistence order is selected here.
    selected: Option<&'a [bool]>,
}

impl<'a> PublishedRange<'a> {
    /// Leaves out what is not selected; without a selection, nothing.
    pub(super) fn selecting(mut self, selected: Option<&'a [bool]>) -> Self {
        self.selected = selected;
        self
    }

    fn event(&self, position: usize) -> Option<&'a StoredEvent> {
        let number = self.order[position] as usize;
        let is_selected = self.selected.is_none_or(|selected| selected.get(number).is_some_and(|selected| *selected));
        is_selected.then(|| &self.events[number])
    }

    /// The events of the range, oldest first.
    pub(super) fn ascending(&self) -> impl Iterator<Item = &'a StoredEvent> + use<'a, '_> {
        (self.start..self.end).filter_map(|position| self.event(position))
    }

    /// The events of the range, newest first.
    pub(super) fn descending(&self) -> impl Iterator<Item = &'a StoredEvent> + use<'a, '_> {
        (self.start..self.end).rev().filter_map(|position| self.event(position))
    }

    /// Leaves out everything up to and with the `number`-th event of the cursor's millisecond.
    pub(super) fn skip_to_after(&mut self, cursor: Cursor) {
        let first = self.order.partition_point(|&index| self.events[index as usize].published_millis < cursor.millis);
        let last = self.order.partition_point(|&index| self.events[index as usize].published_millis <= cursor.millis);
        let behind = first.saturating_add(cursor.number as usize).min(last);
        self.start = self.start.max(behind).min(self.end);
    }

    /// The cursor of one of the range's events, in ascending order.
    pub(super) fn cursor_of(&self, event: &StoredEvent) -> Cursor {
        let millis = event.published_millis;
        let first = self.order.partition_point(|&index| self.events[index as usize].published_millis < millis);
        let of_millis = self.order[first..].iter().map(|&index| self.events[index as usize].cursor);
        Cursor { millis, number: of_millis.take_while(|cursor| *cursor != event.cursor).count() as u32 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(events: &[(i64, i64)]) -> EventStore {
        let mut store = EventStore::default();
        for (persisted, published) in events {
            let raw = format!("{published}");
            let event = NewEvent {
                uuid: None,
                published: None,
                published_millis: Some(*published),
                kind: EventKind::Given,
                raw: raw.as_bytes(),
            };
            store.push(*persisted, event);
        }
        store
    }

    #[test]
    fn persistence_order_only_grows_at_its_end() {
        let store = store(&[(10, 1), (10, 2), (9, 3), (12, 4), (11, 5)]);
        let cursors: Vec<String> = store.events().iter().map(|event| event.cursor.to_string()).collect();
        assert_eq!(cursors, ["10_1", "10_2", "10_3", "12_1", "12_2"]);
        assert_eq!(store.persisted_since(10).len(), 5);
        assert_eq!(store.persisted_since(11).len(), 2);
        assert_eq!(store.persisted_after(Cursor { millis: 10, number: 2 }).len(), 3);
        assert_eq!(store.persisted_after(Cursor { millis: 12, number: 2 }).len(), 0);
    }

    #[test]
    fn published_order_survives_late_events() {
        let mut store = store(&[(10, 5), (11, 3), (12, 5)]);
        let texts =
            |range: PublishedRange<'_>| -> Vec<i64> { range.ascending().map(|event| event.cursor.millis).collect() };
        assert_eq!(texts(store.published_between(3, 5)), [11, 10, 12]);
        assert_eq!(texts(store.published_between(4, 4)), [0_i64; 0]);
        let all = store.published_between(3, 5);
        let cursors: Vec<String> = all.ascending().map(|event| all.cursor_of(event).to_string()).collect();
        assert_eq!(cursors, ["3_1", "5_1", "5_2"]);
        assert_eq!(texts(store.published_between(3, 5).selecting(Some(&[false, true, true]))), [11, 12]);
        let cursor = Cursor { millis: 5, number: 1 };
        let late =
            NewEvent { uuid: None, published: None, published_millis: Some(5), kind: EventKind::Given, raw: b"late" };
        store.push(13, late);
        let mut rest = store.published_between(3, 5);
        rest.skip_to_after(cursor);
        assert_eq!(texts(rest), [12, 13]);
    }
}
