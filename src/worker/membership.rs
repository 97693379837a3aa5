//! The thread that keeps this worker in its group, from the look at the offsets topic to the last revoked shard.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::belonging::Belonging;
use super::context::WorkerContext;
use super::offsets_topic;
use super::ownership::Ownership;
use super::shutdown::Stop;
use crate::http::Readiness;
use crate::kafka::group::{GroupError, GroupMember, Membership, ShardOwner, is_unreleased};
use crate::kafka::group_standing::GroupStanding;
use crate::kafka::topics::TopicError;

/// How often the offsets topic's partitions are counted again.
const TOPIC_LOOK: Duration = Duration::from_secs(60);
/// Between two words about trouble that goes on.
const TROUBLE_SILENCE: Duration = Duration::from_secs(30);
/// How long the group may take to take us in before we ask as a new member, at first and at most: it doubles each time.
///
/// A group that waits for a member that died takes up to its session, 60 s. librdkafka may take for ever: when it first
/// hears of the brokers while it asks for the topic, that question can be lost with the connection that carried it, and
/// is not asked again for a minute or more (measured with a broker that was just coming back).
const JOIN_PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(240));
/// How long a `group_instance_id` that another member has is waited for: the longest session that a broker allows by
/// default for members of the new protocol.
const UNRELEASED_PATIENCE: Duration = Duration::from_secs(60);
/// How long the group's coordinator may be away, after it took us in, before it is said: a new one is there sooner.
const ALONE: Duration = Duration::from_secs(10);
/// How long the group may take to take us in before it is said what is waited for: brokers wait 3 s for more members.
const JOIN_SILENCE: Duration = Duration::from_secs(4);
/// A permission that is not refused again for this long was granted.
const REFUSED_SILENCE: Duration = Duration::from_secs(5);
/// How often the topic is looked at while the brokers are away.
const AWAY_LOOK: Duration = Duration::from_secs(5);
/// How often it is looked at while the group gives us a shard that it should not have.
const UNKNOWN_LOOK: Duration = Duration::from_secs(1);
/// First and longest rest before the group is joined again.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Keeps the membership.
pub struct GroupThread {
    /// What the shards share.
    pub context: Arc<WorkerContext>,
    /// Runs the shards.
    pub ownership: Arc<Ownership>,
    /// What `/readyz` says.
    pub readiness: Arc<Readiness>,
    /// Name and topic.
    pub membership: Membership,
    /// Ends it.
    pub stop: Stop,
}

impl GroupThread {
    /// Runs until stopped; gives an error only where another process runs under our `group_instance_id`, or where
    /// librdkafka refuses the properties. Blocks.
    pub fn run(&self) -> Result<(), GroupError> {
        let mut rest = REST.0;
        let mut patience = JOIN_PATIENCE.0;
        let mut unreleased: Option<Duration> = None;
        while !self.stop.is_stopped() {
            if let Err(problem) = self.check_offsets_topic() {
                self.readiness.not_ready(&problem.to_string());
                error!(retry_in = ?rest, "{problem}");
            } else {
                let ended = self.belong(patience);
                if !matches!(ended, Err(GroupError::NotJoined(_))) {
                    patience = JOIN_PATIENCE.0;
                }
                if !matches!(ended, Err(GroupError::Fatal(code)) if is_unreleased(code)) {
                    unreleased = None;
                }
                match ended {
                    Ok(()) => rest = REST.0,
                    // The name is another worker's: it may be one that was killed, so for a session it is waited for.
                    Err(GroupError::Fatal(code))
                        if is_unreleased(code)
                            && self.now() >= *unreleased.get_or_insert(self.now()) + UNRELEASED_PATIENCE =>
                    {
                        let name = self.membership.group_instance_id.clone();
                        return Err(GroupError::InstanceFenced(name.unwrap_or_default()));
                    }
                    // Rested enough.
                    Err(problem @ GroupError::NotJoined(_)) => {
                        self.readiness.not_ready(&problem.to_string());
                        warn!("{problem}: asking again as a new member");
                        patience = (patience * 2).min(JOIN_PATIENCE.1);
                        continue;
                    }
                    Err(end @ (GroupError::InstanceFenced(_) | GroupError::Config(_))) => return Err(end),
                    Err(problem) => {
                        self.readiness.not_ready(&problem.to_string());
                        warn!(retry_in = ?rest, "{problem}: joining the group again");
                    }
                }
            }
            self.rest(rest);
            rest = (rest * 2).min(REST.1);
        }
        Ok(())
    }

    /// From joining to leaving.
    fn belong(&self, patience: Duration) -> Result<(), GroupError> {
        let owner = Arc::clone(&self.ownership) as Arc<dyn ShardOwner>;
        let member = Arc::new(GroupMember::new(&self.context.kafka, self.membership.clone(), owner)?);
        self.context.group.set(Arc::clone(&member));
        let ended = self.poll(&member, patience);
        // Nobody may be confirmed by a member that is about to go.
        self.context.group.clear();
        if self.stop.is_stopped() {
            self.ownership.revoked(&self.ownership.owned());
        } else {
            // After a fatal error no callback comes.
            self.ownership.lost(&self.ownership.owned());
        }
        // Leaving calls back once more, for shards that are not ours any longer.
        drop(member);
        ended
    }

    fn poll(&self, member: &GroupMember, patience: Duration) -> Result<(), GroupError> {
        let began = self.now();
        let mut looked = began;
        let mut said: Option<Duration> = None;
        // When a permission was last refused.
        let mut refused: Option<Duration> = None;
        let mut away = false;
        let mut belonging = Belonging::new(began);
        let mut told_waiting = false;
        while !self.stop.is_stopped() {
            if let Some(trouble) = member.poll()? {
                if trouble.is_permission() {
                    refused = Some(self.now());
                    belonging.answer();
                }
                away |= trouble.is_away();
                if trouble.is_permission() || trouble.is_away() {
                    self.readiness.not_ready(&trouble.to_string());
                }
                // librdkafka says it again with each of its own tries.
                if said.is_none_or(|said| self.now() >= said + TROUBLE_SILENCE) {
                    said = Some(self.now());
                    warn!("{trouble}");
                }
            }
            let standing = member.standing();
            let joined = standing == GroupStanding::Member;
            let alone = belonging.alone(standing, self.now());
            let patience = if belonging.is_answered() { JOIN_PATIENCE.1 } else { patience };
            if alone >= patience && refused.is_none() {
                return Err(GroupError::NotJoined(patience));
            }
            if !told_waiting && said.is_none() && !belonging.is_answered() && alone >= JOIN_SILENCE {
                told_waiting = true;
                info!(
                    "waiting for the group: the session of an earlier worker may last 10 s, or its `session.timeout.ms`"
                );
            }
            // A coordinator that is gone, which nobody else tells of.
            if belonging.is_answered() && !away && refused.is_none() && alone >= ALONE {
                let problem = GroupError::NoCoordinator(self.membership.group_id.clone()).to_string();
                self.readiness.not_ready(&problem);
                if said.is_none_or(|said| self.now() >= said + TROUBLE_SILENCE) {
                    said = Some(self.now());
                    warn!("{problem}");
                }
            }
            let pace = match () {
                () if self.ownership.has_unknown() => UNKNOWN_LOOK,
                () if away => AWAY_LOOK,
                () => TOPIC_LOOK,
            };
            if self.now() >= looked + pace {
                looked = self.now();
                match self.count_partitions() {
                    Ok(()) => away = false,
                    Err(problem @ TopicError::PartitionCount { .. }) => {
                        self.readiness.not_ready(&problem.to_string());
                        error!("{problem}");
                        return Ok(());
                    }
                    // No reason to stop: the shards notice by themselves, and go on by themselves.
                    Err(problem) => {
                        away = true;
                        self.readiness.not_ready(&problem.to_string());
                    }
                }
            }
            if joined && !away && refused.is_none() {
                member.is_well();
            }
            if joined && !away && refused.is_none_or(|refused| self.now() >= refused + REFUSED_SILENCE) {
                refused = None;
                self.readiness.ready();
            }
        }
        Ok(())
    }

    fn check_offsets_topic(&self) -> Result<(), TopicError> {
        let offsets = &self.context.offsets;
        let state = self.context.topics.ensure(&offsets_topic::wanted(offsets))?;
        offsets_topic::judge_partitions(offsets, state.partitions)?;
        if let Some(warning) = self.context.topics.durability_warning(&offsets.topic) {
            warn!("{warning}");
        }
        if state.created {
            return Ok(());
        }
        match self.context.topics.shown_settings(&offsets.topic)? {
            None => warn!(
                topic = offsets.topic,
                "the broker does not show this topic's settings: check by hand that its cleanup.policy is exactly `compact`, or grant DESCRIBE_CONFIGS on it"
            ),
            Some(settings) => offsets_topic::judge_settings(offsets, &settings)?,
        }
        Ok(())
    }

    fn count_partitions(&self) -> Result<(), TopicError> {
        let offsets = &self.context.offsets;
        match self.context.topics.partitions()?.get(&offsets.topic) {
            Some(&found) => offsets_topic::judge_partitions(offsets, found),
            // Gone, or not shown at this moment: the shards can't commit then.
            None => Ok(()),
        }
    }

    /// Rests, but not past a stop.
    fn rest(&self, duration: Duration) {
        // Both ends are fine. The time-out is made inside, since it needs the runtime.
        let rest = async { tokio::time::timeout(duration, self.stop.stopped()).await };
        let _ = self.context.runtime.block_on(rest);
    }

    fn now(&self) -> Duration {
        self.context.clock.elapsed()
    }
}
