//! The shards that this worker runs: started when the group gives them, stopped when it takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tracing::error;

use super::context::WorkerContext;
use super::shard::{Shard, ShardInput};
use super::shutdown::Stop;
use crate::config::ConnectorConfig;
use crate::kafka::group::ShardOwner;
use crate::metrics::ShardChange;

/// How long a revoked shard may take to stop; the whole group waits for it.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a shard that waits for its own end of before looks whether it is to stop itself.
const PREDECESSOR_LOOK: Duration = Duration::from_millis(100);

/// A shard's thread, as seen from outside.
struct RunningShard {
    stop: Stop,
    wake: mpsc::Sender<ShardInput>,
    /// Disconnects when the thread has ended and its producer is gone.
    ended: mpsc::Receiver<()>,
}

impl RunningShard {
    fn stop(&self) {
        self.stop.stop();
        // The thread may have ended already.
        let _ = self.wake.send(ShardInput::Wake);
    }

    /// Whether it ended in time.
    fn await_end(&self, timeout: Duration) -> bool {
        matches!(self.ended.recv_timeout(timeout), Err(mpsc::RecvTimeoutError::Disconnected))
    }
}

#[derive(Default)]
struct Shards {
    owned: BTreeSet<i32>,
    running: BTreeMap<i32, RunningShard>,
    /// Told to stop and not waited for.
    ending: BTreeMap<i32, RunningShard>,
}

/// Runs what the group assigns.
pub struct Ownership {
    context: Arc<WorkerContext>,
    /// Connectors by shard; a shard without one needs no producer.
    connectors: BTreeMap<i32, Vec<Arc<ConnectorConfig>>>,
    shards: Mutex<Shards>,
}

impl Ownership {
    /// Owns nothing yet.
    pub fn new(context: Arc<WorkerContext>, connectors: BTreeMap<i32, Vec<Arc<ConnectorConfig>>>) -> Self {
        Self { context, connectors, shards: Mutex::default() }
    }

    /// All that is ours.
    pub fn owned(&self) -> Vec<i32> {
        self.lock().owned.iter().copied().collect()
    }

    /// Whether the group gave us a shard that the configuration does not know: somebody added partitions.
    pub fn has_unknown(&self) -> bool {
        self.lock().owned.last().is_some_and(|last| *last >= self.context.offsets.partitions)
    }

    fn start(&self, number: i32, predecessor: Option<RunningShard>) -> Option<RunningShard> {
        let connectors = self.connectors.get(&number)?.clone();
        let stop = Stop::new();
        let (wake, inbox) = mpsc::channel();
        let (ended_sender, ended) = mpsc::channel();
        let context = Arc::clone(&self.context);
        let shard_stop = stop.clone();
        let outbox = wake.clone();
        let run = move || {
            // Its own end of before may be waiting for a frozen broker; two at once would fence each other.
            while predecessor.as_ref().is_some_and(|predecessor| !predecessor.await_end(PREDECESSOR_LOOK)) {
                if shard_stop.is_stopped() {
                    return;
                }
            }
            Shard::new(number, context, &connectors, shard_stop, (outbox, inbox)).run();
            drop(ended_sender);
        };
        match std::thread::Builder::new().name(format!("shard-{number}")).spawn(run) {
            Ok(_) => Some(RunningShard { stop, wake, ended }),
            // A dead shard in a process that looks well is worse than a process that ends and is started again.
            Err(problem) => panic!("no thread for shard {number}: {problem}; raise the limit of threads"),
        }
    }

    /// Takes shards out of what is ours and tells them to stop.
    fn release(&self, shards: &[i32], change: ShardChange) -> BTreeMap<i32, RunningShard> {
        let mut state = self.lock();
        let mut stopped = BTreeMap::new();
        for number in shards {
            if state.owned.remove(number) {
                self.context.metrics.shard_changed(change);
            }
            if let Some(shard) = state.running.remove(number) {
                shard.stop();
                let _ = stopped.insert(*number, shard);
            }
        }
        self.show(&state);
        stopped
    }

    fn show(&self, state: &Shards) {
        self.context.metrics.shards_owned.set(i64::try_from(state.owned.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShardOwner for Ownership {
    fn assigned(&self, shards: &[i32]) {
        let mut state = self.lock();
        for &number in shards {
            if state.owned.insert(number) {
                self.context.metrics.shard_changed(ShardChange::Assigned);
                let predecessor = state.ending.remove(&number);
                if let Some(running) = self.start(number, predecessor) {
                    let _ = state.running.insert(number, running);
                }
            }
        }
        self.show(&state);
    }

    fn revoked(&self, shards: &[i32]) {
        let stopped = self.release(shards, ShardChange::Revoked);
        let until = self.context.clock.elapsed() + REVOKE_TIMEOUT;
        for (number, shard) in stopped {
            let left = until.saturating_sub(self.context.clock.elapsed());
            if !shard.await_end(left) {
                // Safe all the same: whoever takes it over fences its producer.
                error!(shard = number, "the shard did not stop within {REVOKE_TIMEOUT:?}; its new owner fences it");
                let _ = self.lock().ending.insert(number, shard);
            }
        }
    }

    fn lost(&self, shards: &[i32]) {
        let mut stopped = self.release(shards, ShardChange::Lost);
        self.lock().ending.append(&mut stopped);
    }
}
