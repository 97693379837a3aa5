//! One transaction's records, in the order that I1 asks for: events and dead letters of whole pages, offsets last.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::topic_limits::TopicLimits;
use crate::config::ConnectorConfig;
use crate::convert;
use crate::dead_letter::DeadLetter;
use crate::kafka::deliveries::{RecordKind, Tag};
use crate::kafka::transaction::ProducerRecord;
use crate::offsets::codec;
use crate::okta::page::RawEvent;
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::source::record::{PageRecords, SourceRecord};

/// A page of one of the shard's connectors.
#[derive(Debug)]
pub struct OwnedPage {
    /// Index of the connector within the shard.
    pub owner: usize,
    /// The page.
    pub records: PageRecords,
}

/// What a record needs to know of its connector, made once.
#[derive(Debug)]
pub struct Destination {
    /// `name`.
    pub connector: String,
    /// `ce_source`: the org's origin.
    pub source: String,
    /// `topic.name`.
    pub topic: String,
    /// `dead_letter_topic`.
    pub dead_letter_topic: String,
    /// The offset record's key, as a map.
    pub partition: SourcePartition,
    /// The offset record's key, in bytes.
    pub offset_key: Vec<u8>,
    /// `content-type` of the topic's records.
    pub content_type: &'static str,
    /// What the two topics take.
    pub limits: Arc<TopicLimits>,
    /// `errors_tolerance: all`.
    pub tolerates_errors: bool,
}

/// What Kafka adds to a key, a value and headers at most, by a generous count: record and batch headers.
const OVERHEAD_BYTES: usize = 512;

impl Destination {
    /// Of a configured connector.
    pub fn of(connector: &ConnectorConfig, limits: Arc<TopicLimits>) -> Self {
        let partition = SourcePartition::of(&connector.org);
        Self {
            connector: connector.name.clone(),
            source: connector.org.to_string(),
            topic: connector.topic.name.clone(),
            dead_letter_topic: connector.dead_letter_topic.clone(),
            offset_key: codec::encode_key(&connector.name, &partition),
            partition,
            content_type: convert::content_type(connector.format),
            limits,
            tolerates_errors: connector.tolerates_errors,
        }
    }

    /// What the record of this event counts for, against `max.message.bytes`: key, value, headers and what Kafka adds.
    pub fn event_bytes(&self, record: &SourceRecord) -> u64 {
        let (headers, count) = event_headers(&record.event, self);
        let headers = headers[..count].iter().map(|(name, value)| name.len() + value.len());
        (record.event.uuid.len() + record.value().len() + headers.sum::<usize>() + OVERHEAD_BYTES) as u64
    }

    /// The same of a dead letter.
    pub fn dead_letter_bytes(&self, letter: &DeadLetter, shard: i32, offset: &SourceOffset) -> u64 {
        let headers = letter.headers(&self.topic, &self.connector, shard, &self.partition, offset);
        let headers = headers.iter().map(|(name, value)| name.len() + value.len());
        (letter.key().len() + letter.bytes.len() + headers.sum::<usize>() + OVERHEAD_BYTES) as u64
    }
}

/// Gives every record of a transaction to `send`, until that says no. `monotonic` is the time of the worker's clock.
pub fn each_record(
    pages: &[OwnedPage],
    destinations: &[Destination],
    offsets_topic: &str,
    shard: i32,
    monotonic: Duration,
    send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
) {
    let mut offsets = BTreeMap::new();
    let mut indexes: BTreeMap<usize, u32> = BTreeMap::new();
    for page in pages {
        let to = &destinations[page.owner];
        let index = indexes.entry(page.owner).or_default();
        for event in &page.records.events {
            let tag = Tag { owner: page.owner, kind: RecordKind::Event, index: *index };
            *index += 1;
            if !send_event(event, to, tag, monotonic, send) {
                return;
            }
        }
        if !send_dead_letters(&page.records, to, page.owner, shard, monotonic, send) {
            return;
        }
        // Pages of one connector come in order, so the last one stays.
        let _ = offsets.insert(page.owner, &page.records.offset);
    }
    for (owner, offset) in offsets {
        let record = ProducerRecord {
            topic: offsets_topic,
            partition: Some(shard),
            key: &destinations[owner].offset_key,
            value: Some(&codec::encode_value(offset)),
            timestamp: Some(destinations[owner].limits.sending_time.stamp(monotonic)),
            headers: &[],
            tag: Tag { owner, kind: RecordKind::Offset, index: 0 },
        };
        if !send(record) {
            return;
        }
    }
}

/// Gives a page's dead letters to `send`, until that says no; then `false`.
pub fn send_dead_letters(
    records: &PageRecords,
    to: &Destination,
    owner: usize,
    shard: i32,
    monotonic: Duration,
    send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
) -> bool {
    records.dead_letters.iter().all(|element| {
        let headers = element.headers(&to.topic, &to.connector, shard, &to.partition, &records.offset);
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_bytes()));
        let key = element.key();
        send(ProducerRecord {
            topic: &to.dead_letter_topic,
            partition: None,
            key: key.as_bytes(),
            value: Some(&element.bytes),
            timestamp: Some(to.limits.sending_time.stamp(monotonic)),
            headers: &headers,
            tag: Tag { owner, kind: RecordKind::DeadLetter, index: 0 },
        })
    })
}

/// Gives those events of one connector's pages to `send` whose numbers are `chosen`, until that says no.
pub fn each_chosen_event(
    pages: &VecDeque<OwnedPage>,
    to: &Destination,
    chosen: &BTreeSet<u32>,
    monotonic: Duration,
    send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
) {
    let events = pages.iter().flat_map(|page| page.records.events.iter().map(|event| (page.owner, event)));
    for ((owner, event), index) in events.zip(0..).filter(|(_, index)| chosen.contains(index)) {
        if !send_event(event, to, Tag { owner, kind: RecordKind::Event, index }, monotonic, send) {
            return;
        }
    }
}

/// How many records [`each_record`] has to make of these pages (I10): one of each element that Okta sent, less what the
/// topics hold already. Counted from the page and not from its parts, so that nothing can fall between them.
pub fn record_count(pages: &[OwnedPage]) -> usize {
    let elements: usize = pages.iter().map(|page| page.records.elements - page.records.duplicates).sum();
    let mut owners: Vec<usize> = pages.iter().map(|page| page.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    elements + owners.len()
}

/// Gives the record of one event to `send`. CloudEvents 1.0, Kafka binding, binary mode: a consumer routes without decoding.
pub fn send_event(
    record: &SourceRecord,
    to: &Destination,
    tag: Tag,
    monotonic: Duration,
    send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
) -> bool {
    let event = &record.event;
    let (headers, count) = event_headers(event, to);
    let TopicLimits { record_time, sending_time, .. } = &*to.limits;
    let own = event.published.as_ref();
    let own = own.and_then(|published| record_time.of(published.millis, sending_time.now(monotonic)));
    send(ProducerRecord {
        topic: &to.topic,
        partition: None,
        key: event.uuid.as_bytes(),
        value: Some(record.value()),
        timestamp: own.or_else(|| Some(sending_time.stamp(monotonic))),
        headers: &headers[..count],
        tag,
    })
}

/// The headers of an event, and how many they are.
fn event_headers<'a>(event: &'a RawEvent, to: &'a Destination) -> ([(&'static str, &'a [u8]); 7], usize) {
    let mut headers: [(&'static str, &'a [u8]); 7] = [("", b""); 7];
    let mut count = 0;
    let mut add = |name: &'static str, value: &'a [u8]| {
        headers[count] = (name, value);
        count += 1;
    };
    add("ce_specversion", &b"1.0"[..]);
    add("ce_id", event.uuid.as_bytes());
    add("ce_source", to.source.as_bytes());
    if let Some(event_type) = &event.event_type {
        add("ce_type", event_type.as_bytes());
    }
    if let Some(published) = &event.published {
        add("ce_time", published.text.as_bytes());
    }
    add("content-type", to.content_type.as_bytes());
    add("okta_connector", to.connector.as_bytes());
    (headers, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Converter;
    use crate::okta::page;
    use crate::source::offset::SourceOffset;
    use crate::source::record::Sequence;

    fn destination(connector: &str) -> Destination {
        let partition = SourcePartition { org: "acme.okta.com".to_owned() };
        Destination {
            connector: connector.to_owned(),
            source: "https://acme.okta.com".to_owned(),
            topic: format!("{connector}-events"),
            dead_letter_topic: format!("{connector}-dlq"),
            offset_key: codec::encode_key(connector, &partition),
            partition,
            content_type: "application/json",
            limits: Arc::default(),
            tolerates_errors: true,
        }
    }

    fn owned(owner: usize, number: u64, body: &'static str) -> OwnedPage {
        let elements = page::split(&bytes::Bytes::from_static(body.as_bytes())).expect("an array");
        let elements = elements.into_iter().map(|element| Converter::Json.convert(element, &mut |_| {})).collect();
        let before = SourceOffset::cold("before".to_owned(), "q".to_owned());
        let sequence = Sequence { generation: 0, number };
        OwnedPage {
            owner,
            records: PageRecords::new(sequence, elements, body.len(), format!("after-{number}"), &before),
        }
    }

    /// Topic, key and value of every record, in the order of the transaction.
    fn sent(pages: &[OwnedPage], take: usize) -> Vec<(String, String, String)> {
        let mut sent = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        each_record(pages, &[destination("a"), destination("b")], "offsets", 3, Duration::ZERO, &mut |record| {
            assert_eq!(record.partition, (record.topic == "offsets").then_some(3));
            sent.push((record.topic.to_owned(), text(record.key), text(record.value.unwrap_or_default())));
            sent.len() < take
        });
        sent
    }

    #[test]
    fn i1_whole_pages_in_order_and_the_last_offset_of_each_connector_last() {
        let pages = [
            owned(0, 1, r#"[{"uuid":"u1"},7,{"uuid":"u2"}]"#),
            owned(1, 1, r#"[{"uuid":"v1"}]"#),
            owned(0, 2, r#"[{"uuid":"u3"}]"#),
            owned(1, 2, "[]"),
        ];
        let sent = sent(&pages, usize::MAX);
        let topics: Vec<&str> = sent.iter().map(|(topic, _, _)| topic.as_str()).collect();
        assert_eq!(topics, ["a-events", "a-events", "a-dlq", "b-events", "a-events", "offsets", "offsets"]);
        let keys: Vec<&str> = sent.iter().map(|(_, key, _)| key.as_str()).collect();
        assert_eq!(keys[..2], ["u1", "u2"]);
        assert_eq!(keys[3..], ["v1", "u3", r#"["a",{"org":"acme.okta.com"}]"#, r#"["b",{"org":"acme.okta.com"}]"#]);
        assert!(sent[5].2.contains("after-2") && sent[6].2.contains("after-2"), "{sent:?}");
        assert_eq!(record_count(&pages), sent.len(), "I10");
    }

    #[test]
    fn a_record_that_is_not_taken_is_the_last() {
        let pages = [owned(0, 1, r#"[{"uuid":"u1"},7,{"uuid":"u2"}]"#)];
        for take in 1..4 {
            assert_eq!(sent(&pages, take).len(), take);
        }
    }
}
