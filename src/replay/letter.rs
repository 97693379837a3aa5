//! A dead letter, looked at again: what today's version and settings make of it.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use crate::convert::Converter;
use crate::dead_letter::{RECORD_TOO_LARGE, header};
use crate::kafka::record_reader::Record;
use crate::okta::log_event;
use crate::okta::page::RawElement;
use crate::source::offset::SourcePartition;
use crate::source::record::{Element, SourceRecord};
use crate::worker::judgement;
use crate::worker::publish::Destination;

/// Which record of the dead letter topic it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Partition of the dead letter topic.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key, as text.
    pub key: Option<String>,
    /// The topic that it was meant for.
    pub intended_topic: Option<String>,
    /// The reason that it has had since it was written.
    pub reason: Option<String>,
}

/// Why a letter stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// A stable name, as in `__connect.errors.exception.class.name`.
    pub reason: String,
    /// A sentence, which shows nothing of the event.
    pub message: String,
}

impl Left {
    /// By a reason that `run` would have for a dead letter today.
    pub fn of(reason: &crate::dead_letter::Reason) -> Self {
        Self { reason: reason.class().to_owned(), message: reason.to_string() }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

/// The reason of a letter that was meant for another topic.
const OTHER_TOPIC: &str = "OtherTopic";
/// The reason of a letter that another org's event is in.
const OTHER_ORG: &str = "OtherOrg";

impl Letter {
    /// Of a record.
    pub fn of(record: &Record) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            partition: record.partition,
            offset: record.offset,
            key: record.key.as_deref().map(text),
            intended_topic: record.header(header::TOPIC).map(text),
            reason: record.header(header::CLASS).map(text),
        }
    }
}

impl Letter {
    /// Why it is not for this connector's topic, where it was meant for another one that is not asked for: there its event
    /// may be already, or get there by a replay of its own.
    pub fn elsewhere(&self, to: &Destination, from: &BTreeSet<String>) -> Option<Left> {
        let meant_for = self.intended_topic.as_ref().filter(|topic| **topic != to.topic && !from.contains(*topic))?;
        let message = format!(
            "the letter was meant for topic `{meant_for}`, and connector `{}` publishes to `{}`: replay it with a file in which that is its topic; or with `--from-topic {meant_for}`, where its event is to be in this topic and is not yet",
            to.connector, to.topic
        );
        Some(Left { reason: OTHER_TOPIC.to_owned(), message })
    }

    /// Whether Kafka refused its record before for what can't be judged beforehand, so that it may do so again.
    pub fn is_suspect(&self, to: &Destination) -> bool {
        match self.reason.as_deref() {
            Some(RECORD_TOO_LARGE) => to.limits.event_bytes().is_none(),
            Some("InvalidTimestamp" | "InvalidRecord" | "PolicyViolation") => true,
            _ => false,
        }
    }
}

/// Whether the record is a letter of this connector.
pub fn is_of(record: &Record, connector: &str) -> bool {
    record.header(header::CONNECTOR) == Some(connector.as_bytes())
}

/// The record that the connector would make of the letter's element today, or why there is none.
pub fn convert(record: &mut Record, to: &Destination, converter: &Converter) -> Result<SourceRecord, Left> {
    let org = record.header(header::SOURCE_PARTITION).and_then(|json| serde_json::from_slice(json).ok());
    if let Some(SourcePartition { org }) = org.filter(|found| *found != to.partition) {
        let message = format!(
            "the letter is of org `{org}`, and connector `{}` is of `{}` today: replay it with a file that has that org",
            to.connector, to.partition.org
        );
        return Err(Left { reason: OTHER_ORG.to_owned(), message });
    }
    let bytes = Bytes::from(record.value.take().unwrap_or_default());
    let element: RawElement = log_event::read(&bytes).into();
    match converter.convert(element, &mut |_| {}) {
        Element::Record(record) => match judgement::too_large(&record, to) {
            None => Ok(record),
            Some(reason) => Err(Left::of(&reason)),
        },
        Element::DeadLetter { letter, .. } => Err(Left::of(&letter.reason)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::worker::topic_limits::{MAX_MESSAGE_BYTES, TopicLimits, TopicSettings};

    fn destination() -> Destination {
        let limits = TopicLimits::default();
        let data = Some(BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), "1000".to_owned())]));
        limits.set(&TopicSettings { data, dead_letters: None });
        Destination {
            connector: "acme".to_owned(),
            source: "https://acme.okta.com".to_owned(),
            topic: "events".to_owned(),
            content_type: "application/json",
            dead_letter_topic: "events.dlq".to_owned(),
            partition: SourcePartition { org: "acme.okta.com".to_owned() },
            offset_key: Vec::new(),
            limits: Arc::new(limits),
            tolerates_errors: true,
        }
    }

    fn record(value: Option<&[u8]>, partition: Option<&str>) -> Record {
        let partition = partition.map(|text| (header::SOURCE_PARTITION.to_owned(), text.as_bytes().to_vec()));
        Record {
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: value.map(<[u8]>::to_vec),
            headers: partition.into_iter().collect(),
        }
    }

    #[test]
    fn a_letter_goes_to_the_topic_that_it_was_meant_for_or_is_asked_for_by_that() {
        for (intended, from, wanted) in [
            (Some("events"), &[][..], None),
            // Whoever copied a letter by hand may have left it out.
            (None, &[], None),
            (Some("old"), &[], Some(OTHER_TOPIC)),
            (Some("old"), &["older"], Some(OTHER_TOPIC)),
            (Some("old"), &["old"], None),
            (Some("events"), &["old"], None),
        ] {
            let mut record = record(None, None);
            let intended = intended.map(|topic| (header::TOPIC.to_owned(), topic.as_bytes().to_vec()));
            record.headers.extend(intended);
            let from = from.iter().map(|topic| (*topic).to_owned()).collect();
            let left = Letter::of(&record).elsewhere(&destination(), &from);
            assert_eq!(left.map(|left| left.reason).as_deref(), wanted, "{record:?} {from:?}");
        }
    }

    #[test]
    fn what_the_connector_would_publish_today_is_published_and_the_rest_has_a_reason() {
        const OURS: Option<&str> = Some(r#"{"org":"acme.okta.com"}"#);
        let event = br#"{"uuid":"u1","published":"2026-11-01T00:00:00.000Z"}"#;
        let large = format!(r#"{{"uuid":"u1","x":"{}"}}"#, "x".repeat(1000));
        for (value, partition, wanted) in [
            (Some(&event[..]), OURS, Ok("u1")),
            // Whoever copied a letter by hand may have left it out.
            (Some(event), None, Ok("u1")),
            (Some(event), Some("no JSON"), Ok("u1")),
            (Some(event), Some(r#"{"org":"other.okta.com"}"#), Err("OtherOrg")),
            (Some(large.as_bytes()), OURS, Err("RecordTooLarge")),
            (Some(b"{}"), OURS, Err("MissingUuid")),
            (Some(b"17"), OURS, Err("NotAnObject")),
            (Some(b"{\"uuid\":\"u1\",\"x\":\"\xff\"}"), OURS, Err("NotUtf8")),
            (Some(b""), OURS, Err("NotJson")),
            (None, OURS, Err("NotJson")),
        ] {
            let mut record = record(value, partition);
            let made = convert(&mut record, &destination(), &Converter::Json);
            let made = made.map(|record| record.event.uuid).map_err(|left| left.reason);
            assert_eq!(made.as_deref().map_err(String::as_str), wanted, "{value:?} {partition:?}");
        }
    }
}
