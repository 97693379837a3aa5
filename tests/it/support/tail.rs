//! A reader that follows a topic, so that a test can act the moment a record is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::topics::{Isolation, OwnedRecord, consumer, end_offsets};

/// Follows a topic from the end that it had when the reader was made. Nothing that is produced after
/// [`Tail::from_end`] has returned is missed.
pub struct Tail {
    records: Receiver<OwnedRecord>,
    /// The offset after the last record handed out, by partition.
    next_offsets: HashMap<i32, i64>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Tail {
    /// Starts to follow a topic that exists.
    pub fn from_end(bootstrap: &str, topic: &str, isolation: Isolation) -> Self {
        let mut assignment = TopicPartitionList::new();
        for (partition, (_, end)) in end_offsets(bootstrap, topic) {
            assignment.add_partition_offset(topic, partition, Offset::Offset(end)).unwrap();
        }
        let consumer = consumer(bootstrap, isolation);
        consumer.assign(&assignment).unwrap();
        let (sender, records) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reader = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // Errors are the broker's absence, which the tests cause themselves, or a partition's end.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50))
                    && sender.send(OwnedRecord::from_message(&message)).is_err()
                {
                    return;
                }
            }
        });
        Self { records, next_offsets: HashMap::new(), stop, reader: Some(reader) }
    }

    /// The next record, or `None` when `timeout` passed.
    pub fn next(&mut self, timeout: Duration) -> Option<OwnedRecord> {
        let record = self.records.recv_timeout(timeout).ok()?;
        let _ = self.next_offsets.insert(record.partition, record.offset + 1);
        Some(record)
    }

    /// The next record that begins a transaction in its partition, or `None` when `timeout` passed.
    ///
    /// The end of a transaction takes an offset in each partition that it wrote, so a record whose offset does not
    /// follow the last one's directly is the first of its transaction there. That holds for a topic that only
    /// transactional producers write. The first record of all counts, too: make the tail while no transaction is open.
    pub fn next_transaction(&mut self, timeout: Duration) -> Option<OwnedRecord> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            let record = self.records.recv_timeout(left).ok()?;
            if self.next_offsets.insert(record.partition, record.offset + 1) != Some(record.offset) {
                return Some(record);
            }
        }
    }

    /// Forgets what has arrived up to now.
    pub fn drain(&mut self) {
        while let Ok(record) = self.records.try_recv() {
            let _ = self.next_offsets.insert(record.partition, record.offset + 1);
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
