//! Records as the program writes them, made by hand: what a topic holds before a connector comes to it.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::support::topics::random_name;

const CALL: Duration = Duration::from_secs(60);

/// One record.
#[derive(Clone, Debug)]
pub struct TopicRecord {
    pub topic: String,
    pub partition: Option<i32>,
    pub key: String,
    pub value: Vec<u8>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub headers: Vec<(&'static str, String)>,
}

/// An event of `source` (an org's origin); `published` in milliseconds since 1970 is the record's timestamp, too.
pub fn event(topic: &str, source: &str, connector: &str, uuid: &str, published: i64) -> TopicRecord {
    let time = jiff::Timestamp::from_millisecond(published).unwrap();
    TopicRecord {
        topic: topic.to_owned(),
        partition: None,
        key: uuid.to_owned(),
        value: format!(r#"{{"uuid":"{uuid}"}}"#).into_bytes(),
        timestamp: published,
        headers: vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", uuid.to_owned()),
            ("ce_source", source.to_owned()),
            ("ce_type", "user.session.start".to_owned()),
            ("ce_time", time.to_string()),
            ("content-type", "application/json".to_owned()),
            ("okta_connector", connector.to_owned()),
        ],
    }
}

/// A dead letter that was meant for `topic`; `org` is the host, with the port where it has one.
pub fn letter(dead_letter_topic: &str, topic: &str, org: &str, connector: &str, key: &str) -> TopicRecord {
    TopicRecord {
        topic: dead_letter_topic.to_owned(),
        partition: None,
        key: key.to_owned(),
        value: b"7".to_vec(),
        timestamp: jiff::Timestamp::now().as_millisecond(),
        headers: vec![
            ("__connect.errors.topic", topic.to_owned()),
            ("__connect.errors.connector.name", connector.to_owned()),
            ("__connect.errors.source.partition", format!(r#"{{"org":"{org}"}}"#)),
        ],
    }
}

/// A transaction in which these records are, not ended yet; dropped, it is open until the broker's time-out.
pub struct OpenTransaction {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl OpenTransaction {
    /// The broker has all of them when this returns.
    pub fn with(bootstrap: &str, records: impl IntoIterator<Item = TopicRecord>) -> Self {
        let open = Self::new(bootstrap, &[]);
        open.begin();
        records.into_iter().for_each(|record| open.send(&record));
        open.producer.flush(CALL).unwrap();
        open
    }

    /// No transaction yet; `properties` are librdkafka's.
    pub fn new(bootstrap: &str, properties: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("transactional.id", random_name("records"));
        config.set("partitioner", "murmur2_random").set("linger.ms", "5");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        producer.init_transactions(CALL).unwrap();
        Self { producer }
    }

    pub fn begin(&self) {
        self.producer.begin_transaction().unwrap();
    }

    /// Waits for room where librdkafka has none.
    pub fn send(&self, one: &TopicRecord) {
        let headers = one
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let mut record = BaseRecord::to(&one.topic)
            .key(one.key.as_bytes())
            .payload(one.value.as_slice())
            .timestamp(one.timestamp)
            .headers(headers);
        record.partition = one.partition;
        while let Err((error, back)) = self.producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(rdkafka::error::RDKafkaErrorCode::QueueFull), "{error}");
            self.producer.flush(Duration::from_millis(50)).ok();
            record = back;
        }
    }

    /// Of the transaction that is open; another may be begun then.
    pub fn end(&self, committed: bool) {
        if committed {
            self.producer.commit_transaction(CALL).unwrap();
        } else {
            self.producer.flush(CALL).unwrap();
            self.producer.abort_transaction(CALL).unwrap();
        }
    }

    pub fn commit(self) {
        self.end(true);
    }
}

/// Writes these records in one transaction that is committed.
pub fn write(bootstrap: &str, records: impl IntoIterator<Item = TopicRecord>) {
    OpenTransaction::with(bootstrap, records).commit();
}

/// Records of one transaction of [`fill`].
pub const BATCH: usize = 5_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// So many records of these orgs, in turns, into a topic, of some 1.5 KB each, with `published` spread over the last three weeks
/// but one day.
pub fn fill(bootstrap: &str, topic: &str, sources: &[&str], count: usize, properties: &[(&str, &str)]) {
    let now = jiff::Timestamp::now().as_millisecond();
    let producer = OpenTransaction::new(bootstrap, properties);
    let filler = "f".repeat(1400);
    for first in (0..count).step_by(BATCH) {
        producer.begin();
        for number in first..count.min(first + BATCH) {
            let uuid = format!("{number:08x}-f11e-11f0-8de9-0242ac120002");
            let published = now - 21 * DAY + (number as f64 * (20 * DAY) as f64 / count as f64) as i64;
            let value = format!(r#"{{"uuid":"{uuid}","filler":"{filler}{number}"}}"#).into_bytes();
            let source = sources[number % sources.len()];
            producer.send(&TopicRecord { value, ..event(topic, source, "before", &uuid, published) });
        }
        producer.end(true);
    }
}
