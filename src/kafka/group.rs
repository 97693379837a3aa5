//! Who owns which shard: Kafka's consumer group on the offsets topic (docs/adr/0003).
//!
//! The member carries no data: its partitions are paused, and it is polled from a thread of its own so that it stays a
//! member whatever the shards do. Callbacks do no work, since a callback that waits stops the whole group.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;
use tracing::debug;

use super::client_config;
use super::connection::{Connection, Side};
use super::error::code_of;
use super::group_standing::GroupStanding;
use super::native;
use crate::config::KafkaProperties;

/// One wait for the group's events.
const POLL: Duration = Duration::from_millis(100);

/// Takes the shards that the group gives, and gives them back.
pub trait ShardOwner: Send + Sync + 'static {
    /// These shards are ours now. Must return at once.
    fn assigned(&self, shards: &[i32]);
    /// These go to somebody else as soon as this returns: waits for them to stop, at most 5 s.
    fn revoked(&self, shards: &[i32]);
    /// These went to somebody else already: tells them to stop and returns at once.
    fn lost(&self, shards: &[i32]);
}

/// What a member can be told apart by.
#[derive(Debug, Clone)]
pub struct Membership {
    /// `group_id`.
    pub group_id: String,
    /// `group_instance_id`, for a static member.
    pub group_instance_id: Option<String>,
    /// The offsets topic, whose partitions are the shards.
    pub topic: String,
}

/// Why the group no longer answers for us.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroupError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the consumer's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// Another process has our `group_instance_id`.
    #[error(
        "another worker runs under `group_instance_id: {0}`: give each worker a name of its own, or stop the other one"
    )]
    InstanceFenced(String),
    /// Any other fatal error; a new member is made.
    #[error("the group's member is lost ({0})")]
    Fatal(RDKafkaErrorCode),
    /// The group did not confirm that a shard is ours.
    #[error("the group does not confirm the shard ({code}){advice}")]
    NotConfirmed {
        /// The answer.
        code: RDKafkaErrorCode,
        /// What to do about it, where it does not pass by itself.
        advice: String,
    },
    /// Not taken in so far.
    #[error("the group did not take this worker in within {0:?}")]
    NotJoined(Duration),
    /// We were taken in once, and are no member now.
    #[error(
        "group `{0}` does not answer, so no shard runs here: check that its coordinator, a leader of `__consumer_offsets`, is up, and enough brokers for `min.insync.replicas`"
    )]
    NoCoordinator(String),
    /// Between two members.
    #[error("not a member of the group at the moment")]
    NotAMember,
    /// No answer in time.
    #[error("the group did not answer within {0:?}")]
    NoAnswer(Duration),
}

impl GroupError {
    /// Whether the broker takes no report of that length (`offset.metadata.max.bytes`).
    pub fn is_report_too_long(&self) -> bool {
        matches!(self, Self::NotConfirmed { code: RDKafkaErrorCode::OffsetMetadataTooLarge, .. })
    }
}

/// Whether another member has our `group_instance_id` (`group.protocol: consumer`).
pub fn is_unreleased(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::UnreleasedInstanceId
}

/// An error that librdkafka goes on with, and that a person may have to mend.
#[derive(Debug, Clone)]
pub struct GroupTrouble {
    code: RDKafkaErrorCode,
    /// Why no broker is reached.
    why: Option<String>,
    membership: Membership,
}

impl GroupTrouble {
    /// Whether no broker can be reached.
    pub fn is_away(&self) -> bool {
        self.code == RDKafkaErrorCode::AllBrokersDown
    }

    /// Whether it passes only when somebody grants something.
    pub fn is_permission(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Authentication
        )
    }
}

impl fmt::Display for GroupTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Membership { group_id, topic, .. } = &self.membership;
        let code = self.code;
        match code {
            RDKafkaErrorCode::GroupAuthorizationFailed => {
                write!(f, "Kafka refuses group `{group_id}` ({code}): grant READ on it")
            }
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                write!(f, "Kafka refuses offsets topic `{topic}` ({code}): grant READ, WRITE and DESCRIBE on it")
            }
            _ => match &self.why {
                Some(why) => f.write_str(why),
                None => write!(f, "group `{group_id}`: {code}; check the brokers and the credentials"),
            },
        }
    }
}

struct GroupContext {
    connection: Connection,
    topic: String,
    owner: Arc<dyn ShardOwner>,
    /// By the last statistics.
    standing: Mutex<GroupStanding>,
}

impl GroupContext {
    fn shards(&self, partitions: &TopicPartitionList) -> Vec<i32> {
        partitions.elements_for_topic(&self.topic).iter().map(|element| element.partition()).collect()
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.connection.hear_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.hear_error(&error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = GroupStanding::of_statistics(statistics);
    }
}

impl ConsumerContext for GroupContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let shards = self.shards(partitions);
            if consumer.assignment_lost() {
                debug!(?shards, "shards lost");
                self.owner.lost(&shards);
            } else {
                debug!(?shards, "shards revoked");
                self.owner.revoked(&shards);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            let shards = self.shards(partitions);
            debug!(?shards, "shards assigned");
            if let Err(error) = consumer.pause(partitions) {
                // Nothing is read from them all the same: a record that comes is dropped by the poll loop.
                debug!(%error, "could not pause");
            }
            self.owner.assigned(&shards);
        }
    }
}

/// A member of the group; leaving is dropping it (a static member keeps its place for its session).
pub struct GroupMember {
    consumer: BaseConsumer<GroupContext>,
    membership: Membership,
}

impl GroupMember {
    /// Makes the member; it joins while it is polled.
    pub fn new(
        kafka: &KafkaProperties,
        membership: Membership,
        owner: Arc<dyn ShardOwner>,
    ) -> Result<Self, GroupError> {
        let config = client_config::group_member(kafka, &membership.group_id, membership.group_instance_id.as_deref());
        let context = GroupContext {
            connection: Connection::new(kafka, Side::Consumer),
            topic: membership.topic.clone(),
            owner,
            standing: Mutex::new(GroupStanding::Away),
        };
        let consumer: BaseConsumer<GroupContext> =
            config.create_with_context(context).map_err(|error| GroupError::Config(client_config::refused(&error)))?;
        consumer.subscribe(&[&membership.topic]).map_err(|error| GroupError::Config(client_config::refused(&error)))?;
        Ok(Self { consumer, membership })
    }

    /// Serves the group's events for one slice of time, and gives what is wrong though it may pass.
    ///
    /// An error is the end of this member: no callback comes any more, and every shard is lost.
    pub fn poll(&self) -> Result<Option<GroupTrouble>, GroupError> {
        self.consumer.context().connection.feed(self.consumer.client());
        let code = match self.consumer.poll(POLL) {
            Some(Err(error)) => Some(code_of(&error)),
            // Paused: no record comes, but for one that was on its way already.
            Some(Ok(_)) | None => None,
        };
        let fatal = self.consumer.client().fatal_error().map(|(code, _)| code);
        match (fatal, code) {
            (Some(RDKafkaErrorCode::FencedInstanceId), _) | (_, Some(RDKafkaErrorCode::FencedInstanceId)) => {
                Err(GroupError::InstanceFenced(self.membership.group_instance_id.clone().unwrap_or_default()))
            }
            (Some(code), _) => Err(GroupError::Fatal(code)),
            (None, code) => Ok(code.map(|code| GroupTrouble {
                code,
                why: self.consumer.context().connection.trouble(),
                membership: self.membership.clone(),
            })),
        }
    }

    /// Ends the waits that this member's threads are in: for when the wall clock was set back, so that heartbeats go on.
    pub fn wake(&self) {
        native::wake(self.consumer.client());
        // librdkafka's own thread has no call to wake it; it wakes for a question, and this one asks no broker.
        let _ = self.consumer.group_metadata();
    }

    /// Where we stand with the group, with shards or without, as of half a second ago.
    pub fn standing(&self) -> GroupStanding {
        *self.consumer.context().standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brokers answer: what was wrong with connections before is over.
    pub fn is_well(&self) {
        self.consumer.context().connection.answered();
    }

    /// A fresh answer of the group that the shard is ours (I6): commits its offset with `report` as metadata, and waits
    /// for the answer, at most `timeout`.
    pub fn confirm(
        self: &Arc<Self>,
        shard: i32,
        offset: i64,
        report: &str,
        timeout: Duration,
    ) -> Result<(), GroupError> {
        let offsets = self.offsets(shard, offset, report)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let member = Arc::clone(self);
        // librdkafka waits for an answer without a bound of ours, and tells the answer to an asynchronous commit only
        // to a callback that rdkafka does not set: so the wait is a thread's of its own.
        let wait = move || {
            let answer = member.consumer.commit(&offsets, CommitMode::Sync);
            // Nobody there any more: then nobody needs the answer.
            let _ = sender.send(answer);
        };
        if std::thread::Builder::new().name("confirm".to_owned()).spawn(wait).is_err() {
            return Err(GroupError::NoAnswer(Duration::ZERO));
        }
        match receiver.recv_timeout(timeout) {
            Ok(answer) => answer.map_err(|error| self.not_confirmed(&error)),
            Err(_) => Err(GroupError::NoAnswer(timeout)),
        }
    }

    /// Leaves the shard's `report` with the group, for `status` to read; nobody waits for the answer.
    pub fn report(&self, shard: i32, offset: i64, report: &str) -> Result<(), GroupError> {
        let offsets = self.offsets(shard, offset, report)?;
        let committed = self.consumer.commit(&offsets, CommitMode::Async);
        committed.map_err(|error| self.not_confirmed(&error))
    }

    fn not_confirmed(&self, error: &KafkaError) -> GroupError {
        let Membership { group_id, topic, .. } = &self.membership;
        let code = code_of(error);
        let advice = match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => format!(": grant READ on offsets topic `{topic}`"),
            RDKafkaErrorCode::GroupAuthorizationFailed => format!(": grant READ on group `{group_id}`"),
            _ => String::new(),
        };
        GroupError::NotConfirmed { code, advice }
    }

    fn offsets(&self, shard: i32, offset: i64, report: &str) -> Result<TopicPartitionList, GroupError> {
        let mut offsets = TopicPartitionList::new();
        let mut element = offsets.add_partition(&self.membership.topic, shard);
        let set = element.set_offset(Offset::Offset(offset));
        set.map_err(|error| self.not_confirmed(&error))?;
        element.set_metadata(report);
        Ok(offsets)
    }
}
