//! What all shards of a worker share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::changed_org::AllOffsets;
use super::stagger::Stagger;
use super::topic_format::FormatLook;
use super::topic_knowledge::TopicKnowledge;
use crate::clock::Clock;
use crate::config::{ConnectorConfig, KafkaProperties, OffsetsConfig};
use crate::kafka::group::{GroupError, GroupMember};
use crate::kafka::topics::Topics;
use crate::metrics::Metrics;
use crate::okta::auth::credential::Credential;
use crate::okta::client::Client;
use crate::okta::client::gate::Gate;
use crate::registry::Registry;

/// How a connector asks its org.
#[derive(Debug, Clone)]
pub struct OrgAccess {
    /// A client of its own.
    pub client: Client,
    /// What lets it in; connectors of one org may share it.
    pub credential: Credential,
    /// Where it waits for its turn; shared with the credential.
    pub gate: Arc<Gate>,
}

/// Shared by all shards.
pub struct WorkerContext {
    /// The `kafka` section.
    pub kafka: KafkaProperties,
    /// The offsets topic.
    pub offsets: OffsetsConfig,
    /// `group_id`.
    pub group_id: String,
    /// The group that says which shards are ours.
    pub group: GroupHandle,
    /// Looks at topics and makes them.
    pub topics: Arc<Topics>,
    /// What topics hold already.
    pub knowledge: TopicKnowledge,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Where the runners live.
    pub runtime: Handle,
    /// Measures rests.
    pub clock: Clock,
    /// When each connector asks first.
    pub stagger: Arc<Stagger>,
    /// This worker's name in reports.
    pub worker: String,
    /// What knows the schemas; there where a connector writes Avro.
    pub registry: Option<Registry>,
    /// Looks of which format a topic's records are.
    pub format_look: Option<FormatLook>,
    /// The whole offsets topic, for cold starts.
    pub all_offsets: Arc<AllOffsets>,
    /// How each connector asks its org, by name.
    pub clients: BTreeMap<String, OrgAccess>,
}

impl WorkerContext {
    /// How a connector asks its org.
    pub fn client(&self, connector: &ConnectorConfig) -> Option<OrgAccess> {
        self.clients.get(&connector.name).cloned()
    }
}

/// Today's member of the group; a new one takes its place after a fatal error.
#[derive(Default)]
pub struct GroupHandle {
    member: Mutex<Option<Arc<GroupMember>>>,
}

impl GroupHandle {
    /// Puts a member in place.
    pub fn set(&self, member: Arc<GroupMember>) {
        *self.lock() = Some(member);
    }

    /// Takes the member away: from now on no shard is confirmed.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// [`GroupMember::confirm`] at `end` of the shard's partition.
    pub fn confirm(&self, shard: i32, end: Option<i64>, report: &str, timeout: Duration) -> Result<(), GroupError> {
        let member = self.lock().clone().ok_or(GroupError::NotAMember)?;
        member.confirm(shard, end.unwrap_or_default(), report, timeout)
    }

    /// [`GroupMember::report`] at `end` of the shard's partition.
    pub fn report(&self, shard: i32, end: Option<i64>, report: &str) -> Result<(), GroupError> {
        let member = self.lock().clone().ok_or(GroupError::NotAMember)?;
        member.report(shard, end.unwrap_or_default(), report)
    }

    /// [`GroupMember::wake`].
    pub fn wake(&self) {
        let member = self.lock().clone();
        if let Some(member) = member {
            member.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<GroupMember>>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
