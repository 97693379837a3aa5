//! A connector's two topics, looked at before its first record.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tracing::warn;

use super::topic_limits::TopicSettings;
use crate::clock;
use crate::config::ConnectorConfig;
use crate::kafka::authorized_operations::Operation;
use crate::kafka::client_config::DEAD_LETTER_MAX_BYTES;
use crate::kafka::topics::{TopicError, Topics, WantedTopic};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// `retention.ms` of a topic that we create, unless `topic.config` has one.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What a created topic keeps longer than the age that the cold start asks for, and one that is altered as we say.
const RETENTION_MARGIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Why a connector's topics can't be used.
#[derive(Debug)]
pub enum ConnectorTopicError {
    /// Of one topic.
    Topic(TopicError),
    /// Events as old as the cold start asks for would be deleted as soon as they are there.
    RetentionTooShort {
        /// The topic.
        topic: String,
        /// `retention.ms` as it is.
        found: Duration,
        /// The age that the cold start asks for.
        needed: Duration,
    },
    /// The event's time would be lost.
    LogAppendTime {
        /// The topic.
        topic: String,
    },
    /// The broker says that we may not write it.
    NotAllowed {
        /// The topic.
        topic: String,
    },
    /// It is there, and takes no record now.
    TakesNothing {
        /// Why, and what to do.
        trouble: String,
    },
}

impl ConnectorTopicError {
    /// Whether it may pass without anybody's changing a topic: Kafka gave no answer, or lacks brokers.
    pub fn passes_by_itself(&self) -> bool {
        matches!(self, Self::Topic(TopicError::Unreachable { .. }) | Self::TakesNothing { .. })
    }
}

impl fmt::Display for ConnectorTopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(error) => error.fmt(f),
            Self::RetentionTooShort { topic, found, needed } => write!(
                f,
                "topic `{topic}` keeps {}, by the event's own time, and the cold start asks for {}: raise its `retention.ms` to at least {}, or set a later `since`",
                shown(*found),
                shown(*needed),
                // With a margin, as in a topic that we create: who does just that is not to be refused again a second later.
                (*needed + RETENTION_MARGIN).as_millis(),
            ),
            Self::NotAllowed { topic } => {
                write!(f, "Kafka refuses to write to topic `{topic}`: grant WRITE and DESCRIBE on it")
            }
            Self::TakesNothing { trouble } => f.write_str(trouble),
            Self::LogAppendTime { topic } => write!(
                f,
                "topic `{topic}` replaces the event's time by the broker's: set its `message.timestamp.type` to `CreateTime`"
            ),
        }
    }
}

/// Makes sure that the data and the dead letter topic are there, and that a cold start's events would stay. Blocks.
///
/// Gives the settings of both.
pub fn ensure(topics: &Topics, connector: &ConnectorConfig, cold: bool) -> Result<TopicSettings, ConnectorTopicError> {
    let age = age(connector);
    let [data, dead_letters] = wanted(connector, age);
    let _ = topics.ensure(&data).map_err(ConnectorTopicError::Topic)?;
    let _ = topics.ensure(&dead_letters).map_err(ConnectorTopicError::Topic)?;
    let allowed = topics.all_allowed(&[data.name, dead_letters.name]);
    let refused = allowed.into_iter().find(|(_, operations)| !operations.contains(&Operation::Write));
    if let Some((topic, _)) = refused {
        return Err(ConnectorTopicError::NotAllowed { topic });
    }
    if let Some(trouble) = topics.trouble(data.name).map_err(ConnectorTopicError::Topic)? {
        return Err(ConnectorTopicError::TakesNothing { trouble });
    }
    for warning in [data.name, dead_letters.name].into_iter().filter_map(|name| topics.durability_warning(name)) {
        warn!(connector = connector.name, "{warning}");
    }
    // That nobody answers is not that somebody does not show it.
    let data_settings = topics.shown_settings(data.name).map_err(ConnectorTopicError::Topic)?;
    let settings = TopicSettings { data: data_settings, dead_letters: topics.settings(&connector.dead_letter_topic) };
    match &settings.data {
        None => warn!(
            connector = connector.name,
            topic = data.name,
            "the broker does not show this topic's settings: check by hand that its `retention.ms` is longer than `since`, or grant DESCRIBE_CONFIGS on it"
        ),
        Some(data) if cold => judge_time(data, connector, age)?,
        Some(_) => {}
    }
    Ok(settings)
}

/// The settings of both topics as they are now. Blocks for up to 20 s.
pub fn settings(topics: &Topics, connector: &ConnectorConfig) -> TopicSettings {
    let [data, dead_letters] =
        [&connector.topic.name, &connector.dead_letter_topic].map(|topic| topics.settings(topic));
    TopicSettings { data, dead_letters }
}

/// Whether the broker says what we may do with these topics. Blocks for up to 10 s.
pub fn is_allowed_known(topics: &Topics, connector: &ConnectorConfig) -> bool {
    !topics.all_allowed(&[&connector.topic.name, &connector.dead_letter_topic]).is_empty()
}

/// What is to be seen of both topics: whether they are there, and their settings. `None` without an answer. Blocks.
pub fn picture(topics: &Topics, connector: &ConnectorConfig) -> Option<([bool; 2], TopicSettings)> {
    let partitions = topics.partitions().ok()?;
    let are_there = [&connector.topic.name, &connector.dead_letter_topic].map(|name| partitions.contains_key(name));
    Some((are_there, settings(topics, connector)))
}

/// The age that a cold start asks for.
pub fn age(connector: &ConnectorConfig) -> Duration {
    let now = clock::wall();
    Duration::try_from(now.duration_since(connector.since.resolve(now))).unwrap_or_default()
}

/// The data topic and the dead letter topic, as they are made where they are absent: they keep what is `age` old.
pub fn wanted(connector: &ConnectorConfig, age: Duration) -> [WantedTopic<'_>; 2] {
    let retention = RETENTION.max(age + RETENTION_MARGIN).as_millis().to_string();
    let mut config = connector.topic.config.clone();
    let _ = config.entry("retention.ms".to_owned()).or_insert_with(|| retention.clone());
    // A broker's own default may be the time of arrival.
    let _ = config.entry("message.timestamp.type".to_owned()).or_insert_with(|| "CreateTime".to_owned());
    let dead_letter_config = BTreeMap::from([
        ("retention.ms".to_owned(), retention),
        ("max.message.bytes".to_owned(), DEAD_LETTER_MAX_BYTES.to_string()),
    ]);
    [(&connector.topic.name, config), (&connector.dead_letter_topic, dead_letter_config)].map(|(name, config)| {
        WantedTopic {
            name,
            partitions: connector.topic.partitions,
            replication_factor: connector.topic.replication_factor,
            create: connector.topic.create,
            config,
        }
    })
}

/// Kafka applies `retention.ms` to the record's time, which is Okta's: a backlog older than that would be deleted again.
pub fn judge_time(
    settings: &BTreeMap<String, String>,
    connector: &ConnectorConfig,
    age: Duration,
) -> Result<(), ConnectorTopicError> {
    let topic = connector.topic.name.clone();
    if settings.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime") {
        return Err(ConnectorTopicError::LogAppendTime { topic });
    }
    let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    // -1 keeps for ever.
    let retention = settings.get("retention.ms").and_then(|value| value.parse::<u64>().ok()).map(Duration::from_millis);
    match retention {
        Some(found) if deletes && found < age => {
            Err(ConnectorTopicError::RetentionTooShort { topic, found, needed: age })
        }
        _ => Ok(()),
    }
}

/// How much a topic keeps, in the words of a message, as `30.0 days`; none where it deletes nothing.
pub fn kept(settings: &BTreeMap<String, String>) -> Option<String> {
    if settings.get("cleanup.policy").is_some_and(|policy| !policy.contains("delete")) {
        return None;
    }
    // -1 is without a bound.
    let bound = |name: &str| settings.get(name).and_then(|value| value.parse::<u64>().ok());
    let time = bound("retention.ms").map(|ms| shown(Duration::from_millis(ms)));
    let bytes = bound("retention.bytes").map(|bytes| format!("{bytes} bytes a partition"));
    let parts: Vec<String> = time.into_iter().chain(bytes).collect();
    (!parts.is_empty()).then(|| parts.join(" and at most "))
}

/// A duration in the words of a message: hours, or days.
pub fn shown(duration: Duration) -> String {
    let hours = duration.as_secs_f64() / HOUR.as_secs_f64();
    if hours < 48.0 { format!("{hours:.1} hours") } else { format!("{:.1} days", hours / 24.0) }
}
