//! Shards of ours that no connector of the file is in, though the offsets topic has records there: a connector was renamed,
//! moved or taken out, and the worker that ran it may have been killed inside a transaction.
//!
//! Nobody else would end that transaction before its time, and until then it hides from readers whatever is written behind
//! it: also from a connector that is about to learn what the topic holds (docs/adr/0064).

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{debug, warn};

use super::context::WorkerContext;
use super::shutdown::Stop;
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topic_reading;
use crate::kafka::transaction::TransactionalProducer;

/// How long the group may take to confirm that the shard is ours.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// First and longest rest between two tries, and how often they are made: what is left open then ends by its time-out.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
const TRIES: u32 = 6;
/// How often the offsets topic is looked at before somebody is told that it can't be.
const LOOKS: u32 = 5;

/// Those of `shards` whose partition of the offsets topic holds anything, tombstones and open transactions included, with the
/// partition's end. Blocks, for a few seconds where brokers do not know yet who leads a topic that was only just made.
pub fn look(context: &WorkerContext, shards: &[i32]) -> Result<BTreeMap<i32, i64>, RecordReaderError> {
    let mut clients = TopicClients::new(&context.kafka, &context.group_id);
    let mut look = || topic_reading::filled(&mut clients, &context.offsets.topic, shards);
    for _ in 1..LOOKS {
        match look() {
            Ok(found) => return Ok(found),
            Err(problem) => debug!("looks again for what the offsets topic has of other connectors: {problem}"),
        }
        // Not by the runtime's clock, which may stop before this does.
        std::thread::park_timeout(REST.0);
    }
    look()
}

/// Takes the shard's transactional id and lets it go, which ends a transaction that is open. Blocks until it is done, or
/// `stop` says so.
pub fn end_transaction(context: &WorkerContext, (shard, partition_end): (i32, i64), stop: &Stop) {
    let mut rest = REST.0;
    for _ in 0..TRIES {
        match end(context, (shard, partition_end), stop) {
            Ok(()) => return debug!(shard, "no transaction of an earlier connector is open"),
            Err(_) if stop.is_stopped() => return,
            Err(problem) => {
                warn!(shard, retry_in = ?rest, "a transaction of a connector that the file no longer names may be open: {problem}")
            }
        }
        let stopped = async { tokio::time::timeout(rest, stop.stopped()).await };
        if context.runtime.block_on(stopped).is_ok() {
            return;
        }
        rest = (rest * 2).min(REST.1);
    }
}

fn end(context: &WorkerContext, (shard, partition_end): (i32, i64), stop: &Stop) -> Result<(), String> {
    // I6: no producer without a fresh answer that the shard is ours, or its owner would be fenced.
    // Nothing runs there, so nothing is reported.
    context.group.confirm(shard, Some(partition_end), "", CONFIRM_TIMEOUT).map_err(|error| error.to_string())?;
    let id = format!("{}-{shard}", context.offsets.topic);
    let made = TransactionalProducer::init(&context.kafka, &id, None, &|| stop.is_stopped());
    made.map(drop).map_err(|error| error.to_string())
}
