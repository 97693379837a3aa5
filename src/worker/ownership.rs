//! The shards that this worker runs: started when the group gives them, stopped when it takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tracing::{error, info, warn};

use super::context::WorkerContext;
use super::orphans;
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
    /// Begins to `run`, on a thread of its own, when the shard's end of before is over.
    fn start(
        number: i32,
        predecessor: Option<Self>,
        run: impl FnOnce(Stop, (mpsc::Sender<ShardInput>, mpsc::Receiver<ShardInput>)) + Send + 'static,
    ) -> Self {
        let stop = Stop::new();
        let (wake, inbox) = mpsc::channel();
        let (ended_sender, ended) = mpsc::channel();
        let shard_stop = stop.clone();
        let outbox = wake.clone();
        let run = move || {
            // Its own end of before may be waiting for a frozen broker; two at once would fence each other.
            while predecessor.as_ref().is_some_and(|predecessor| !predecessor.await_end(PREDECESSOR_LOOK)) {
                if shard_stop.is_stopped() {
                    return;
                }
            }
            run(shard_stop, (outbox, inbox));
            drop(ended_sender);
        };
        match std::thread::Builder::new().name(format!("shard-{number}")).spawn(run) {
            Ok(_) => Self { stop, wake, ended },
            // A dead shard in a process that looks well is worse than a process that ends and is started again.
            Err(problem) => panic!("no thread for shard {number}: {problem}; raise the limit of threads"),
        }
    }

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
    /// Connectors by shard; a shard without one needs a producer only where somebody else's connectors were.
    connectors: BTreeMap<i32, Vec<Arc<ConnectorConfig>>>,
    shards: Arc<Mutex<Shards>>,
}

impl Ownership {
    /// Owns nothing yet.
    pub fn new(context: Arc<WorkerContext>, connectors: BTreeMap<i32, Vec<Arc<ConnectorConfig>>>) -> Self {
        Self { context, connectors, shards: Arc::default() }
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
        let context = Arc::clone(&self.context);
        Some(RunningShard::start(number, predecessor, move |stop, channel| {
            Shard::new(number, context, &connectors, stop, channel).run();
        }))
    }

    /// Ends transactions in those of these shards, which have no connector of the file, that have records of others. Returns
    /// at once: a thread looks, since it is the brokers that know.
    fn look_for_orphans(&self, numbers: Vec<i32>) {
        let (context, shards) = (Arc::clone(&self.context), Arc::clone(&self.shards));
        let look = move || {
            let found = match orphans::look(&context, &numbers) {
                Ok(found) if found.is_empty() => return,
                Ok(found) => found,
                Err(problem) => {
                    return warn!(
                        "not known whether a connector that the file no longer names left a transaction open: {problem}"
                    );
                }
            };
            let names: Vec<i32> = found.keys().copied().collect();
            info!(shards = ?names, "the offsets topic has records of connectors that the file does not name: a transaction that one left open is ended");
            for (number, end) in found {
                let mut shards = shards.lock().unwrap_or_else(PoisonError::into_inner);
                // It may have been taken from us meanwhile, and been given back.
                if shards.owned.contains(&number) && !shards.running.contains_key(&number) {
                    let predecessor = shards.ending.remove(&number);
                    let context = Arc::clone(&context);
                    let run = move |stop: Stop, _| orphans::end_transaction(&context, (number, end), &stop);
                    let _ = shards.running.insert(number, RunningShard::start(number, predecessor, run));
                }
            }
        };
        if let Err(problem) = std::thread::Builder::new().name("orphans".to_owned()).spawn(look) {
            warn!("no thread to look for transactions that were left open: {problem}; raise the limit of threads");
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
        let mut idle = Vec::new();
        for &number in shards {
            if state.owned.insert(number) {
                self.context.metrics.shard_changed(ShardChange::Assigned);
                if !self.connectors.contains_key(&number) && number < self.context.offsets.partitions {
                    idle.push(number);
                    continue;
                }
                let predecessor = state.ending.remove(&number);
                if let Some(running) = self.start(number, predecessor) {
                    let _ = state.running.insert(number, running);
                }
            }
        }
        self.show(&state);
        if !idle.is_empty() {
            self.look_for_orphans(idle);
        }
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
