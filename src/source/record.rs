//! What one page becomes: events for the topic, dead letters for theirs, and the offset after it.

use crate::dead_letter::DeadLetter;
use crate::okta::page::{RawElement, RawEvent};
use crate::source::offset::SourceOffset;

/// Place of a page among those of its connector: pages are committed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence {
    /// Counts the roll-backs: pages of an older generation were given up, and whoever still holds one drops it.
    pub generation: u32,
    /// Number within one run of a task.
    pub number: u64,
}

/// A whole page on its way to Kafka (I1): never split, never reordered.
#[derive(Debug, Clone)]
pub struct PageRecords {
    /// Place in the order of this connector's pages.
    pub sequence: Sequence,
    /// Events, in page order.
    pub events: Vec<RawEvent>,
    /// Elements that cannot be published: in page order, then those that Kafka does not take.
    pub dead_letters: Vec<DeadLetter>,
    /// The source offset after this page.
    pub offset: SourceOffset,
    /// Size of the page's body in bytes: what this page holds in memory.
    pub bytes: usize,
}

impl PageRecords {
    /// Sorts a page's elements into events and dead letters; `before` is the offset that this page was asked from.
    pub fn new(
        sequence: Sequence,
        elements: Vec<RawElement>,
        bytes: usize,
        checkpoint_url: String,
        before: &SourceOffset,
    ) -> Self {
        let count = elements.len();
        let mut offset = SourceOffset { checkpoint_url, ..before.clone() };
        let mut events = Vec::with_capacity(count);
        let mut dead_letters = Vec::new();
        let last = elements.iter().rev().find_map(|element| Some((element.published()?, element.uuid()?)));
        if let Some((published, uuid)) = last {
            offset.published = Some(published.to_owned());
            offset.uuid = Some(uuid.to_owned());
        }
        for element in elements {
            match element {
                RawElement::Event(event) => events.push(event),
                RawElement::Refused(element) => dead_letters.push(element.into()),
            }
        }
        // I10: every element of the page goes somewhere.
        debug_assert_eq!(events.len() + dead_letters.len(), count, "I10");
        Self { sequence, events, dead_letters, offset, bytes }
    }
}
