//! The broker inside the program: librdkafka's mock cluster, for `demo`.
//!
//! It speaks Kafka's protocol on a port of the loopback, and keeps everything in memory. It accepts transactions, but
//! shows aborted records to read_committed readers and lets a zombie commit (measured), so it proves nothing about
//! exactly once. It answers neither CreateTopics nor DescribeConfigs, it never compacts, and a partition silently drops
//! its oldest batches beyond 5 MiB.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use thiserror::Error;

/// What a partition holds before it drops its oldest batches (`max_size` in librdkafka's `rdkafka_mock.c`).
pub const PARTITION_BYTES: usize = 5 * 1024 * 1024;

/// Why there is no embedded broker.
#[derive(Debug, Error)]
pub enum EmbeddedBrokerError {
    /// No threads or no port.
    #[error("the embedded broker did not start ({reason}); free some memory and ports, or use a broker of your own")]
    NotStarted {
        /// librdkafka's word for it.
        reason: String,
    },
    /// A topic that it does not take.
    #[error("the embedded broker did not make topic `{topic}` ({reason}); this is a bug, please report it")]
    TopicRefused {
        /// The topic.
        topic: String,
        /// librdkafka's word for it.
        reason: String,
    },
}

/// A broker of one node, gone with all it holds when this is dropped.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Listens on a free port of the loopback.
    pub fn start() -> Result<Self, EmbeddedBrokerError> {
        let started = MockCluster::new(1);
        let cluster = started.map_err(|error| EmbeddedBrokerError::NotStarted { reason: error.to_string() })?;
        Ok(Self { cluster })
    }

    /// `host:port`, as `bootstrap.servers`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Makes a topic, by the mock's own call.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), EmbeddedBrokerError> {
        let refused = |error: KafkaError| EmbeddedBrokerError::TopicRefused {
            topic: topic.to_owned(),
            reason: error.to_string(),
        };
        self.cluster.create_topic(topic, partitions, 1).map_err(refused)
    }
}
