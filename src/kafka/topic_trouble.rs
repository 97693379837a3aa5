//! Why no broker takes a record for a topic, as far as the cluster itself shows it.

use rdkafka::error::KafkaError;

use super::topics::{MIN_INSYNC, TIMEOUT, TopicError, Topics};

impl Topics {
    /// What keeps records out of this topic: it is gone, has no leader, or too few replicas. A sentence that ends in the
    /// next thing to do; `None` where nothing is seen. Blocks for up to 15 s.
    pub fn trouble(&self, topic: &str) -> Result<Option<String>, TopicError> {
        // All topics: asking for one could make it.
        let asked = self.admin().inner().fetch_metadata(None, TIMEOUT);
        let metadata = asked.map_err(|error: KafkaError| self.unreachable(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none())
        else {
            return Ok(Some(format!("topic `{topic}` is not there any more: create it, or set `create: true`")));
        };
        if let Some(partition) = found.partitions().iter().find(|partition| partition.leader() < 0) {
            let id = partition.id();
            return Ok(Some(format!(
                "partition {id} of topic `{topic}` has no leader: bring the brokers of its replicas back"
            )));
        }
        let settings = self.settings(topic);
        let wanted: Option<usize> = settings.and_then(|settings| settings.get(MIN_INSYNC)?.parse().ok());
        let Some(wanted) = wanted else { return Ok(None) };
        // Kafka never asks for more of them than the partition has replicas (KIP-966). One that does is seen by the records.
        let lacking = found.partitions().iter().find(|one| one.isr().len() < wanted.min(one.replicas().len()));
        Ok(lacking.map(|partition| {
            format!(
                "partition {} of topic `{topic}` has {} in-sync replicas and its `min.insync.replicas` is {wanted}, so no record is taken: bring its brokers back, or lower that setting",
                partition.id(),
                partition.isr().len()
            )
        }))
    }
}
