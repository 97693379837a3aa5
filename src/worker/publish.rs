//! One transaction's records, in the order that I1 asks for: events and dead letters of whole pages, offsets last.

use std::collections::BTreeMap;

use crate::config::ConnectorConfig;
use crate::convert::json;
use crate::dead_letter;
use crate::kafka::deliveries::Tag;
use crate::kafka::transaction::ProducerRecord;
use crate::offsets::codec;
use crate::okta::page::RawEvent;
use crate::source::offset::SourcePartition;
use crate::source::record::PageRecords;

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
}

impl Destination {
    /// Of a configured connector.
    pub fn of(connector: &ConnectorConfig) -> Self {
        let partition = SourcePartition::of(&connector.org);
        Self {
            connector: connector.name.clone(),
            source: connector.org.to_string(),
            topic: connector.topic.name.clone(),
            dead_letter_topic: connector.dead_letter_topic.clone(),
            offset_key: codec::encode_key(&connector.name, &partition),
            partition,
        }
    }
}

/// Gives every record of a transaction to `send`, until that says no.
pub fn each_record(
    pages: &[OwnedPage],
    destinations: &[Destination],
    offsets_topic: &str,
    shard: i32,
    send: &mut dyn FnMut(ProducerRecord<'_>) -> bool,
) {
    let mut offsets = BTreeMap::new();
    for page in pages {
        let to = &destinations[page.owner];
        let tag = Tag { owner: page.owner, is_offset: false };
        if !page.records.events.iter().all(|event| send_event(event, to, tag, send)) {
            return;
        }
        for element in &page.records.refused {
            let headers =
                dead_letter::headers(element, &to.topic, &to.connector, shard, &to.partition, &page.records.offset);
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_bytes()));
            let key = dead_letter::key(element);
            let record = ProducerRecord {
                topic: &to.dead_letter_topic,
                partition: None,
                key: key.as_bytes(),
                value: &element.bytes,
                timestamp: None,
                headers: &headers,
                tag,
            };
            if !send(record) {
                return;
            }
        }
        // Pages of one connector come in order, so the last one stays.
        let _ = offsets.insert(page.owner, &page.records.offset);
    }
    for (owner, offset) in offsets {
        let record = ProducerRecord {
            topic: offsets_topic,
            partition: Some(shard),
            key: &destinations[owner].offset_key,
            value: &codec::encode_value(offset),
            timestamp: None,
            headers: &[],
            tag: Tag { owner, is_offset: true },
        };
        if !send(record) {
            return;
        }
    }
}

/// How many records [`each_record`] makes of these pages (I10).
pub fn record_count(pages: &[OwnedPage]) -> usize {
    let elements: usize = pages.iter().map(|page| page.records.events.len() + page.records.refused.len()).sum();
    let mut owners: Vec<usize> = pages.iter().map(|page| page.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    elements + owners.len()
}

/// CloudEvents 1.0, Kafka binding, binary mode: a consumer routes without decoding.
fn send_event(event: &RawEvent, to: &Destination, tag: Tag, send: &mut dyn FnMut(ProducerRecord<'_>) -> bool) -> bool {
    let mut headers: [(&str, &[u8]); 7] = [("", b""); 7];
    let mut count = 0;
    let mut add = |name, value| {
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
    add("content-type", json::CONTENT_TYPE.as_bytes());
    add("okta_connector", to.connector.as_bytes());
    send(ProducerRecord {
        topic: &to.topic,
        partition: None,
        key: event.uuid.as_bytes(),
        value: json::value(event),
        timestamp: event.published.as_ref().map(|published| published.millis),
        headers: &headers[..count],
        tag,
    })
}
