//! Before a cold start: whether the connector's name is stored under another org.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::runner::Runner;
use crate::clock::Clock;
use crate::config::{KafkaProperties, OffsetsConfig};
use crate::kafka::offset_log;
use crate::offsets::fold::OffsetFold;
use crate::offsets::other_org;
use crate::source::action::ConnectorState;
use crate::source::offset::SourcePartition;
use crate::source::task::FAILED_RETRY;

/// Between two looks of a connector that is refused.
const LOOK: Duration = Duration::from_secs(10);
/// Connectors that start cold at about the same time look once for all of them.
const FRESH: Duration = Duration::from_secs(3);

/// The whole offsets topic, for a worker's connectors that start cold: no other start needs more than its own partition.
pub struct AllOffsets {
    kafka: KafkaProperties,
    group_id: String,
    topic: String,
    partitions: Vec<i32>,
    clock: Clock,
    /// What was read last, and when that was begun.
    last: Mutex<Option<(Duration, Arc<OffsetFold>)>>,
}

impl AllOffsets {
    /// Reads nothing yet.
    pub fn new(kafka: &KafkaProperties, group_id: &str, offsets: &OffsetsConfig) -> Self {
        Self {
            kafka: kafka.clone(),
            group_id: group_id.to_owned(),
            topic: offsets.topic.clone(),
            partitions: (0..offsets.partitions).collect(),
            clock: Clock::new(),
            last: Mutex::new(None),
        }
    }

    /// What all partitions hold, or held 3 s ago.
    async fn read(self: &Arc<Self>) -> Result<Arc<OffsetFold>, String> {
        let mut last = self.last.lock().await;
        let begun = self.clock.elapsed();
        if let Some((at, fold)) = last.as_ref()
            && begun < *at + FRESH
        {
            return Ok(Arc::clone(fold));
        }
        // Whoever no longer waits for it ends it.
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let all = Arc::clone(self);
        let read = move || {
            let Self { kafka, group_id, topic, partitions, .. } = &*all;
            offset_log::read_to_end(kafka, group_id, topic, partitions, &|| stop.is_cancelled())
        };
        let read = spawn_blocking(read).await.map_err(|ended| ended.to_string())?;
        let fold = Arc::new(read.map_err(|error| error.to_string())?.fold);
        *last = Some((begun, Arc::clone(&fold)));
        Ok(fold)
    }
}

impl Runner {
    /// Waits, before a cold start, until no other org's checkpoint is stored under the connector's name.
    pub(super) async fn await_org(&self) {
        let own = SourcePartition::of(&self.connector.org);
        let mut said: Option<(String, Duration)> = None;
        loop {
            let (state, text) = match self.all_offsets.read().await {
                Ok(fold) => match other_org::judge(&fold, &self.connector.name, &own) {
                    Ok(()) => break,
                    Err(changed) => (ConnectorState::Failed, changed.to_string()),
                },
                Err(problem) => (ConnectorState::Recovering, problem),
            };
            self.set_state(state);
            self.status.set_trouble(&text);
            let now = self.clock.elapsed();
            if said.as_ref().is_none_or(|(last, at)| *last != text || now >= *at + FAILED_RETRY) {
                if state == ConnectorState::Failed {
                    error!(connector = self.connector.name, org = %self.connector.org, retry_in = ?LOOK, "connector failed: {text}");
                } else {
                    warn!(connector = self.connector.name, retry_in = ?LOOK, "{text}");
                }
                said = Some((text, now));
            }
            tokio::time::sleep(LOOK).await;
        }
        if said.is_some() {
            info!(connector = self.connector.name, "no checkpoint of another org is in its way any more");
        }
    }
}
