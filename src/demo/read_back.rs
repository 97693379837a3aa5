//! Reads the topics with consumers that took no part in filling them.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::check::{Check, Verdict};
use super::stage::{DemoTopic, DemoTopics};
use crate::config::KafkaProperties;
use crate::kafka::record_reader::{self, Record, RecordReaderError};
use crate::simulator::StoredEvent;

/// How long one topic may take: longer than a transaction that a dying worker leaves open.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// What the topics hold.
pub struct ReadBack {
    /// The events against the org's.
    pub verdict: Verdict,
    /// The records of three events of different types: of the beginning, the middle and the end.
    pub samples: Vec<Record>,
    /// Records of the dead letter topic.
    pub dead_letters: usize,
    /// The last record of the offsets topic.
    pub checkpoint: Option<Record>,
}

/// Reads all topics to their end. Gives up when it is dropped.
pub async fn read_back(
    kafka: KafkaProperties,
    topics: DemoTopics,
    events: Vec<StoredEvent>,
) -> anyhow::Result<ReadBack> {
    let given_up = CancellationToken::new();
    let _gives_up = given_up.clone().drop_guard();
    let reading = tokio::task::spawn_blocking(move || read(&kafka, &topics, &events, &|| given_up.is_cancelled()));
    Ok(reading.await.context("the reader of the demo ended early")??)
}

fn read(
    kafka: &KafkaProperties,
    topics: &DemoTopics,
    events: &[StoredEvent],
    give_up: &dyn Fn() -> bool,
) -> Result<ReadBack, RecordReaderError> {
    let each = |topic: &DemoTopic, each: &mut dyn FnMut(Record)| {
        let partitions: Vec<i32> = (0..topic.partitions).collect();
        let group_id = &topics.offsets.name;
        record_reader::read_to_end(kafka, group_id, &topic.name, &partitions, READ_TIMEOUT, give_up, each).map(drop)
    };
    let uuid = |event: &StoredEvent| event.uuid.clone().unwrap_or_default();
    let mut check = Check::new(events.iter().map(|event| (uuid(event), event.raw.clone())));
    let chosen = choose(events).map(|event| event.map(uuid));
    let mut samples = [const { None }; 3];
    each(&topics.data, &mut |record| {
        check.read(record.key.as_deref(), record.value.as_deref());
        let key = record.key.as_deref();
        let place = chosen.iter().position(|uuid| uuid.is_some() && uuid.as_deref().map(str::as_bytes) == key);
        if let Some(place) = place {
            samples[place] = Some(record);
        }
    })?;
    let mut dead_letters = 0;
    each(&topics.dead_letters, &mut |_| dead_letters += 1)?;
    // One connector has one partition of the offsets topic, so the last record read is its last one.
    let mut checkpoint = None;
    each(&topics.offsets, &mut |record| checkpoint = Some(record))?;
    Ok(ReadBack {
        verdict: check.verdict(),
        samples: samples.into_iter().flatten().collect(),
        dead_letters,
        checkpoint,
    })
}

/// Three events of different types, as far as there are: the first, and those nearest behind the middle and before the
/// end.
fn choose(events: &[StoredEvent]) -> [Option<&StoredEvent>; 3] {
    let first = events.first();
    let second = events[events.len() / 2..].iter().find(|event| event_type(event) != first.and_then(event_type));
    let shown = [first, second].map(|event| event.and_then(event_type));
    let third = events.iter().rev().find(|event| !shown.contains(&event_type(event)));
    [first, second, third]
}

fn event_type(event: &StoredEvent) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "eventType")]
        event_type: String,
    }
    serde_json::from_slice::<Typed>(&event.raw).ok().map(|typed| typed.event_type)
}
