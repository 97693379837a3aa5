//! Topics of a test's own, read to their proven end.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// A transaction whose producer was killed ends after 60 s, its own time-out: a reader of committed records may have
/// to wait that long for the end, and a loaded machine a little longer.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Which records a reader sees: Kafka's `isolation.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadCommitted,
    ReadUncommitted,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        })
    }
}

/// One record as it lies in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// Copies what librdkafka lends.
    pub fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis(),
            headers,
        }
    }

    /// The key as text; panics where there is none or it is not UTF-8.
    pub fn key_text(&self) -> &str {
        std::str::from_utf8(self.key.as_deref().expect("the record has a key")).expect("the key is UTF-8")
    }

    /// The value as text; panics where there is none or it is not UTF-8.
    pub fn value_text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().expect("the record has a value")).expect("the value is UTF-8")
    }

    /// The value of the first header of that name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// `<prefix>-<random>`: no test meets another's topic, group or transactional id.
pub fn random_name(prefix: &str) -> String {
    let letters: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
    format!("{prefix}-{}", letters.to_lowercase())
}

/// Creates a topic and waits until every partition has a leader. `config` is as Kafka names it; `retention.ms=-1` is
/// set unless it says otherwise, since the events of the tests may be old.
pub fn create_topic(bootstrap: &str, topic: &str, partitions: i32, config: &[(&str, &str)]) {
    let mut new_topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    if !config.iter().any(|(key, _)| *key == "retention.ms") {
        new_topic = new_topic.set("retention.ms", "-1");
    }
    for (key, value) in config {
        new_topic = new_topic.set(key, value);
    }
    let (client, options) = admin(bootstrap);
    for result in block_on(client.create_topics([&new_topic], &options)).unwrap() {
        let _ = result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not created: {code}"));
    }
    let consumer = consumer(bootstrap, Isolation::ReadUncommitted);
    let deadline = Instant::now() + CALL_TIMEOUT;
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), CALL_TIMEOUT).unwrap();
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let leaders = found.map_or(0, |found| found.partitions().iter().filter(|one| one.leader() >= 0).count());
        if leaders == usize::try_from(partitions).unwrap() {
            return;
        }
        assert!(Instant::now() < deadline, "topic {topic} has {leaders} leaders of {partitions}");
    }
}

/// Deletes topics; one that does not exist is no error.
pub fn delete_topics(bootstrap: &str, topics: &[&str]) {
    let (client, options) = admin(bootstrap);
    let _ = block_on(client.delete_topics(topics, &options)).unwrap();
}

/// Deletes a partition's records before an offset, as retention does.
pub fn delete_records(bootstrap: &str, topic: &str, partition: i32, before: i64) {
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
    let (client, options) = admin(bootstrap);
    let _ = block_on(client.delete_records(&places, &options)).unwrap();
}

/// Deletes a group and all that it committed.
pub fn delete_group(bootstrap: &str, group_id: &str) {
    let (client, options) = admin(bootstrap);
    for result in block_on(client.delete_groups(&[group_id], &options)).unwrap() {
        let _ = result.unwrap_or_else(|(group, code)| panic!("group {group} was not deleted: {code}"));
    }
}

/// Changes a topic: it has these settings from now on, and the broker's defaults for all others but `retention.ms=-1`.
pub fn alter_topic(bootstrap: &str, topic: &str, config: &[(&str, &str)]) {
    let mut resource = AlterConfig::new(ResourceSpecifier::Topic(topic));
    if !config.iter().any(|(key, _)| *key == "retention.ms") {
        resource = resource.set("retention.ms", "-1");
    }
    for (key, value) in config {
        resource = resource.set(key, value);
    }
    let (client, options) = admin(bootstrap);
    let answer = block_on(client.alter_configs([&resource], &options)).unwrap().pop().unwrap();
    let _ = answer.unwrap_or_else(|(_, code)| panic!("topic {topic} was not changed: {code}"));
}

/// A setting of a topic, as the broker says.
pub fn topic_config(bootstrap: &str, topic: &str, name: &str) -> Option<String> {
    let (client, options) = admin(bootstrap);
    let resource = ResourceSpecifier::Topic(topic);
    let answer = block_on(client.describe_configs([&resource], &options)).unwrap().pop()?.unwrap();
    answer.get(name)?.value.clone()
}

/// Whether the broker knows the topic. Asks for the list of all topics: asking for one could create it.
pub fn topic_exists(bootstrap: &str, topic: &str) -> bool {
    let metadata = consumer(bootstrap, Isolation::ReadUncommitted).fetch_metadata(None, CALL_TIMEOUT).unwrap();
    metadata.topics().iter().any(|found| found.name() == topic)
}

/// Every topic that the broker knows.
pub fn all_topics(bootstrap: &str) -> Vec<String> {
    let metadata = consumer(bootstrap, Isolation::ReadUncommitted).fetch_metadata(None, CALL_TIMEOUT).unwrap();
    metadata.topics().iter().map(|found| found.name().to_owned()).collect()
}

/// First and end offset of every partition, as they are for a reader of uncommitted records: transactions that are
/// open and markers of ended ones are counted.
pub fn end_offsets(bootstrap: &str, topic: &str) -> HashMap<i32, (i64, i64)> {
    let consumer = consumer(bootstrap, Isolation::ReadUncommitted);
    let deadline = Instant::now() + CALL_TIMEOUT;
    loop {
        match try_end_offsets(&consumer, topic) {
            Ok(ends) => return ends,
            // A broker that has just come back does not lead its partitions yet.
            Err(error) => assert!(Instant::now() < deadline, "no end offsets of {topic}: {error}"),
        }
        // Nothing is assigned: this only waits, and serves the client's own events.
        let _ = consumer.poll(Duration::from_millis(50));
    }
}

fn try_end_offsets(consumer: &BaseConsumer, topic: &str) -> Result<HashMap<i32, (i64, i64)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), CALL_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && !found.partitions().is_empty());
    let found = found.ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition))?;
    let partitions = found.partitions().iter().map(|partition| partition.id());
    partitions.map(|id| Ok((id, consumer.fetch_watermarks(topic, id, CALL_TIMEOUT)?))).collect()
}

/// Gives a topic so many partitions.
pub fn add_partitions(bootstrap: &str, topic: &str, partitions: usize) {
    let (client, options) = admin(bootstrap);
    let wanted = [NewPartitions::new(topic, partitions)];
    for result in block_on(client.create_partitions(&wanted, &options)).unwrap() {
        let _ = result.unwrap_or_else(|(topic, code)| panic!("no partitions added to {topic}: {code}"));
    }
}

/// Every record of the topic up to the end that it has at the moment of the call, by partition and offset.
///
/// The end is proven, not waited for: each partition was read at least to its read-uncommitted end. So a reader of
/// committed records waits here until the transactions that are open now have ended. Panics when that takes longer
/// than two minutes.
pub fn read_all(bootstrap: &str, topic: &str, isolation: Isolation) -> Vec<OwnedRecord> {
    let mut open: HashMap<i32, (i64, i64)> = end_offsets(bootstrap, topic);
    open.retain(|_, (low, high)| low < high);
    let mut assignment = TopicPartitionList::new();
    for (partition, (low, _)) in &open {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(*low)).unwrap();
    }
    let consumer = consumer(bootstrap, isolation);
    consumer.assign(&assignment).unwrap();

    let mut records = Vec::new();
    let mut last_error = None;
    let deadline = Instant::now() + READ_TIMEOUT;
    while !open.is_empty() {
        assert!(
            Instant::now() < deadline,
            "{topic} was not read to its {isolation} end: open {open:?}, last error {last_error:?}"
        );
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(OwnedRecord::from_message(&message)),
            // The log ends in a control record, which no message announces: the position tells.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let end = open.get(&partition).map(|(_, high)| *high);
                if end.is_some_and(|end| position(&consumer, topic, partition) >= end) {
                    let _ = open.remove(&partition);
                }
            }
            // A broker that is away comes back, or the deadline passes.
            Some(Err(error)) => last_error = Some(error),
            None => {}
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// The records that a reader of uncommitted records sees and a reader of committed ones does not: those of aborted
/// transactions. Waits until open transactions have ended.
pub fn read_aborted(bootstrap: &str, topic: &str) -> Vec<OwnedRecord> {
    let committed = read_all(bootstrap, topic, Isolation::ReadCommitted);
    let kept: std::collections::HashSet<_> = committed.iter().map(|one| (one.partition, one.offset)).collect();
    let mut records = read_all(bootstrap, topic, Isolation::ReadUncommitted);
    records.retain(|record| !kept.contains(&(record.partition, record.offset)));
    records
}

/// A consumer that joins no group and keeps no offsets; partition ends are announced.
pub fn consumer(bootstrap: &str, isolation: Isolation) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", random_name("tests"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", isolation.to_string())
        .set("check.crcs", "true")
        // A broker that was killed is asked again soon after its restart.
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .unwrap()
}

/// Where the consumer would read next; 0 while it has read nothing.
fn position(consumer: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    let positions = consumer.position().unwrap();
    match positions.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => 0,
    }
}

fn admin(bootstrap: &str) -> (AdminClient<DefaultClientContext>, AdminOptions) {
    let client = ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    (client, AdminOptions::new().operation_timeout(Some(CALL_TIMEOUT)).request_timeout(Some(CALL_TIMEOUT)))
}

/// Runs one call on a thread of its own, so that it may be called from anywhere.
fn block_on<T: Send>(call: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(call)
        });
        worker.join().unwrap()
    })
}
