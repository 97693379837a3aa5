//! What one page becomes: events for the topic, dead letters for theirs, and the offset after it.

use bytes::Bytes;
use jiff::Timestamp;

use crate::dead_letter::DeadLetter;
use crate::okta::page::RawEvent;
use crate::source::known::{Fingerprint, Identity};
use crate::source::offset::SourceOffset;

/// Place of a page among those of its connector: pages are committed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence {
    /// Counts the roll-backs: pages of an older generation were given up, and whoever still holds one drops it.
    pub generation: u32,
    /// Number within one run of a task.
    pub number: u64,
}

/// An event with the value of its record: Okta's bytes stay beside it, since what Kafka refuses goes to the dead letter topic
/// as Okta sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// The event.
    pub event: RawEvent,
    /// The value, in the connector's format; none where it is Okta's bytes.
    pub encoded: Option<Bytes>,
    /// How many values of the event stand in its record's `unmapped`.
    pub unmapped: usize,
}

impl SourceRecord {
    /// The record's value.
    pub fn value(&self) -> &[u8] {
        self.encoded.as_ref().unwrap_or(&self.event.bytes)
    }
}

/// One element of a page, converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// For the topic.
    Record(SourceRecord),
    /// For the dead letter topic.
    DeadLetter {
        /// The element as Okta sent it, and why.
        letter: DeadLetter,
        /// Its `published`, as written, where it is an RFC 3339 time.
        published: Option<String>,
    },
}

impl Element {
    /// The `uuid`, where it is usable.
    pub fn uuid(&self) -> Option<&str> {
        match self {
            Self::Record(record) => Some(&record.event.uuid),
            Self::DeadLetter { letter, .. } => letter.uuid.as_deref(),
        }
    }

    /// The `published` as written, where it is an RFC 3339 time.
    pub fn published(&self) -> Option<&str> {
        match self {
            Self::Record(record) => record.event.published.as_ref().map(|published| published.text.as_str()),
            Self::DeadLetter { published, .. } => published.as_deref(),
        }
    }

    /// The key of its record.
    pub fn key(&self) -> String {
        match self {
            Self::Record(record) => record.event.uuid.clone(),
            Self::DeadLetter { letter, .. } => letter.key(),
        }
    }

    /// Which element it is: its record's key decides.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Record(record) => Identity::of(record.event.uuid.as_bytes()),
            Self::DeadLetter { letter, .. } => Identity::of(letter.key().as_bytes()),
        }
    }

    /// What its record holds.
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Record(record) => Fingerprint::of(record.value()),
            Self::DeadLetter { letter, .. } => Fingerprint::of(&letter.bytes),
        }
    }

    /// Its `published` in milliseconds since 1970, where it is an RFC 3339 time.
    pub fn published_millis(&self) -> Option<i64> {
        match self {
            Self::Record(record) => record.event.published.as_ref().map(|published| published.millis),
            Self::DeadLetter { published, .. } => {
                published.as_deref().and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_millisecond)
            }
        }
    }

    /// Bytes that it holds in memory beside the body of its page.
    pub fn own_bytes(&self) -> usize {
        match self {
            Self::Record(SourceRecord { encoded: Some(value), .. }) => value.len(),
            _ => 0,
        }
    }
}

/// A whole page on its way to Kafka (I1): never split, never reordered.
#[derive(Debug, Clone)]
pub struct PageRecords {
    /// Place in the order of this connector's pages.
    pub sequence: Sequence,
    /// Events, in page order.
    pub events: Vec<SourceRecord>,
    /// Elements that cannot be published: in page order, then those that Kafka does not take.
    pub dead_letters: Vec<DeadLetter>,
    /// How many elements the topics hold already.
    pub duplicates: usize,
    /// How many elements the page has: all of them are among the three (I10).
    pub elements: usize,
    /// The source offset after this page.
    pub offset: SourceOffset,
    /// What this page holds in memory, in bytes: its body, and the values that were made of it.
    pub bytes: usize,
}

impl PageRecords {
    /// Of a page whose elements all go somewhere, as [`PageRecords::judged`].
    pub fn new(
        sequence: Sequence,
        elements: Vec<Element>,
        bytes: usize,
        checkpoint_url: String,
        before: &SourceOffset,
    ) -> Self {
        let elements = elements.into_iter().map(|element| (element, false)).collect();
        Self::judged(sequence, elements, bytes, checkpoint_url, before, i64::MAX)
    }

    /// Sorts a page's elements into events, dead letters and what is left out: with each element stands whether the topics
    /// hold it already. `before` is the offset that this page was asked from. The last event that counts for the offset has its
    /// `published` at `latest` (milliseconds since 1970) or before: one of the future says nothing of where a recovery should begin.
    pub fn judged(
        sequence: Sequence,
        elements: Vec<(Element, bool)>,
        bytes: usize,
        checkpoint_url: String,
        before: &SourceOffset,
        latest: i64,
    ) -> Self {
        let count = elements.len();
        let mut offset = SourceOffset { checkpoint_url, ..before.clone() };
        let mut events = Vec::with_capacity(count);
        let mut dead_letters = Vec::new();
        let mut duplicates = 0;
        let told =
            elements.iter().rev().filter(|(element, _)| element.published_millis().is_some_and(|at| at <= latest));
        let last = told.map(|(element, _)| element).find_map(|element| Some((element.published()?, element.uuid()?)));
        if let Some((published, uuid)) = last {
            offset.published = Some(published.to_owned());
            offset.uuid = Some(uuid.to_owned());
        }
        for (element, is_duplicate) in elements {
            match element {
                _ if is_duplicate => duplicates += 1,
                Element::Record(record) => events.push(record),
                Element::DeadLetter { letter, .. } => dead_letters.push(letter),
            }
        }
        // I10: every element of the page goes somewhere, or is there already.
        debug_assert_eq!(events.len() + dead_letters.len() + duplicates, count, "I10");
        Self { sequence, events, dead_letters, duplicates, elements: count, offset, bytes }
    }
}
