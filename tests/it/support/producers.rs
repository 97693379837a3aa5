//! Producers of the tests' own: what other tools write into the topics of the program.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::support::topics::OwnedRecord;

const CALL: Duration = Duration::from_secs(30);

/// Writes one record, outside any transaction, and waits until the broker has it.
pub fn write(bootstrap: &str, topic: &str, partition: i32, key: &str, value: &str) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("linger.ms", "0").create().unwrap();
    send(&producer, topic, partition, key, Some(value));
}

/// Writes one record in a transaction of that transactional id, as Connect's tools do: whoever had it is fenced.
pub fn write_fencing(bootstrap: &str, transactional_id: &str, topic: &str, partition: i32, key: &str, value: &str) {
    fencing(bootstrap, transactional_id, |producer| send(producer, topic, partition, key, Some(value)));
}

/// The same with a tombstone.
pub fn delete_fencing(bootstrap: &str, transactional_id: &str, topic: &str, partition: i32, key: &str) {
    fencing(bootstrap, transactional_id, |producer| send(producer, topic, partition, key, None));
}

fn fencing(bootstrap: &str, transactional_id: &str, write: impl FnOnce(&ThreadedProducer<DefaultProducerContext>)) {
    let open = Open::begin(bootstrap, transactional_id);
    write(&open.producer);
    open.commit();
}

/// A transaction that stays open until it is committed; dropped, it is open until the broker's time-out.
pub struct Open {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Open {
    /// Begins a transaction and writes one record in it, which the broker then has.
    pub fn write(bootstrap: &str, transactional_id: &str, topic: &str, partition: i32, key: &str, value: &str) -> Self {
        let open = Self::begin(bootstrap, transactional_id);
        send(&open.producer, topic, partition, key, Some(value));
        open
    }

    /// Takes the transactional id from whoever has it, and does nothing with it.
    pub fn fence(bootstrap: &str, transactional_id: &str) {
        drop(Self::begin(bootstrap, transactional_id));
    }

    /// Commits it.
    pub fn commit(self) {
        self.producer.commit_transaction(CALL).unwrap();
    }

    fn begin(bootstrap: &str, transactional_id: &str) -> Self {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("transactional.id", transactional_id)
            .set("linger.ms", "0")
            .create()
            .unwrap();
        producer.init_transactions(CALL).unwrap();
        producer.begin_transaction().unwrap();
        Self { producer }
    }
}

/// Writes letters of that connector as `run` has them, as far as it matters to whoever reads them: value and headers.
pub fn write_letters(bootstrap: &str, topic: &str, connector: &str, intended: &str, values: &[Vec<u8>]) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("linger.ms", "0").create().unwrap();
    for value in values {
        let headers = [("__connect.errors.topic", intended), ("__connect.errors.connector.name", connector)];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
        let record = BaseRecord::<str, [u8]>::to(topic).payload(value).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(CALL).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

/// Writes these records once more, into another topic or partition, with their keys, values and headers.
pub fn copy(bootstrap: &str, topic: &str, partition: i32, records: &[&OwnedRecord]) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("linger.ms", "0").create().unwrap();
    for one in records {
        let headers = one
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition).headers(headers);
        record.key = one.key.as_deref();
        record.payload = one.value.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(CALL).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    key: &str,
    value: Option<&str>,
) {
    let mut record = BaseRecord::to(topic).partition(partition).key(key);
    if let Some(value) = value {
        record = record.payload(value);
    }
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(CALL).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

/// Writes records with these keys and values, and waits until the broker has them.
pub fn write_all(bootstrap: &str, topic: &str, records: &[(&str, Vec<u8>)]) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    for (key, value) in records {
        producer.send(BaseRecord::to(topic).key(*key).payload(value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(CALL).unwrap();
}
