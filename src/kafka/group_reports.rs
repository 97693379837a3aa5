//! What the workers of a group left with it: the metadata of its committed offsets. Whoever asks need not be a member.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::client_config::{self, Isolation};
use super::connection;
use super::error::code_of;
use crate::config::KafkaProperties;

/// How long the group's coordinator may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a group's reports can't be had.
#[derive(Debug, Error)]
pub enum GroupReportError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the consumer's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// The coordinator's answer, or none.
    #[error(
        "can't read what the workers of group `{group_id}` report ({code}): check the brokers, and DESCRIBE on the group and on the offsets topic"
    )]
    Refused {
        /// `group_id`.
        group_id: String,
        /// The answer.
        code: RDKafkaErrorCode,
    },
}

/// The last report of each of these partitions of `topic`; partitions without one are left out. Blocks.
pub fn read(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
) -> Result<BTreeMap<i32, String>, GroupReportError> {
    let refused = |code| GroupReportError::Refused { group_id: group_id.to_owned(), code };
    let config = client_config::reader(kafka, group_id, Isolation::ReadCommitted);
    let consumer = connection::consumer(kafka, &config)
        .map_err(|error| GroupReportError::Config(client_config::refused(&error)))?;
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        let _ = asked.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(asked, TIMEOUT).map_err(|error| refused(code_of(&error)))?;
    let mut reports = BTreeMap::new();
    for element in committed.elements() {
        if let Err(error) = element.error() {
            return Err(refused(code_of(&error)));
        }
        if !element.metadata().is_empty() {
            let _ = reports.insert(element.partition(), element.metadata().to_owned());
        }
    }
    Ok(reports)
}
