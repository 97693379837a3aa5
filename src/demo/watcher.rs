//! Follows the topic while it fills, as any consumer would: this is what the progress bar shows.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stage::DemoTopic;
use crate::clock;
use crate::config::KafkaProperties;
use crate::kafka::record_reader::{RecordReader, RecordReaderError};
use crate::worker::shutdown::Stop;

/// When a key was first seen, in milliseconds since the Unix epoch.
pub type FirstSeen = HashMap<Vec<u8>, i64>;

/// A consumer on a thread of its own. It stops when it is dropped.
pub struct Watcher {
    distinct: watch::Receiver<usize>,
    stop: Stop,
    thread: JoinHandle<Result<FirstSeen, RecordReaderError>>,
}

impl Watcher {
    /// Starts to follow the topic from its beginning. Must be called within a tokio runtime.
    pub fn start(kafka: KafkaProperties, topic: DemoTopic) -> Self {
        let (sender, distinct) = watch::channel(0);
        let stop = Stop::new();
        let stopped = stop.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let reader = RecordReader::new(&kafka, &topic.name, &topic.name, topic.partitions)?;
            let mut seen = FirstSeen::new();
            while !stopped.is_stopped() {
                let Some(key) = reader.poll()?.and_then(|record| record.key) else { continue };
                let _ = seen.entry(key).or_insert_with(|| clock::wall().as_millisecond());
                // Wakes whoever waits, once for all records of the same moment.
                let _ = sender.send_replace(seen.len());
            }
            Ok(seen)
        });
        Self { distinct, stop, thread }
    }

    /// Waits until `count` different keys were seen, and tells each new number on the way. Gives false when nothing new
    /// came for as long as `patience`, or the topic can't be read any more.
    pub async fn reach(&self, count: usize, patience: Duration, mut on_change: impl FnMut(usize)) -> bool {
        let mut distinct = self.distinct.clone();
        loop {
            let now = *distinct.borrow_and_update();
            on_change(now);
            if now >= count {
                return true;
            }
            match tokio::time::timeout(patience, distinct.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }

    /// Stops, and gives what was seen.
    pub async fn finish(mut self) -> Result<FirstSeen, RecordReaderError> {
        self.stop.stop();
        // Only a panic ends the thread without a result, and that was shown; then nothing was seen.
        (&mut self.thread).await.unwrap_or_else(|_| Ok(FirstSeen::new()))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.stop();
    }
}
