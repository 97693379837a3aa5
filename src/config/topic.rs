//! Topics: their names and how they are created.

use std::collections::BTreeMap;

use super::section::{Context, Field, Section, list};
use super::yaml::Value;
use super::{keys, text, topic_settings};

/// The broker's default: what `replication_factor: -1` asks for.
pub(super) const BROKER_DEFAULT: i32 = -1;

/// Partitions of a data topic that we create.
const DEFAULT_PARTITIONS: i32 = 6;

/// Kafka's limit (org.apache.kafka.common.internals.Topic).
const MAX_NAME: usize = 249;

/// The most settings that are given to a topic when it is created.
const MAX_SETTINGS: usize = 100;

/// The topic of a connector, and how it is created when it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfig {
    /// The topic's name.
    pub name: String,
    /// Partitions when created; default 6.
    pub partitions: i32,
    /// Replicas when created; -1 is the broker's default. The dead letter topic gets the same.
    pub replication_factor: i32,
    /// Whether we may create the topic and the dead letter topic; default true.
    pub create: bool,
    /// Topic settings when created, as `retention.ms`, passed on as they are.
    pub config: BTreeMap<String, String>,
}

/// Why a text is no topic name, in the words of a message; Kafka's own rules.
pub(super) fn name_error(name: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.len() > MAX_NAME {
        Some(format!("is {} characters long: write at most {MAX_NAME}", name.len()))
    } else if matches!(name, "" | "." | "..") || !name.bytes().all(allowed) {
        Some("is not a name that Kafka allows: write 1-249 of `A-Z a-z 0-9 . _ -`".to_owned())
    } else {
        None
    }
}

/// The name of a topic.
pub(super) fn read_name(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let text = context.text(field)?;
    match name_error(&text.value) {
        None => Some(text.value),
        Some(error) => {
            context.refuse(field, format!("`{}` {error}", text.shown()));
            None
        }
    }
}

/// Partitions of a topic that we create.
pub(super) fn read_partitions(context: &mut Context<'_>, field: &Field<'_>) -> Option<i32> {
    let number = context.integer(field, 1..=i64::from(i32::MAX), "a number of partitions: write 1 or more")?;
    i32::try_from(number).ok()
}

/// Replicas of a topic that we create: at most what Kafka's protocol holds.
pub(super) fn read_replication(context: &mut Context<'_>, field: &Field<'_>) -> Option<i32> {
    let number = context.integer(
        field,
        -1..=i64::from(i16::MAX),
        "a replication factor: write 1 or more, or `-1` for the broker's default",
    )?;
    if number == 0 {
        context.refuse(field, "`0` replicas hold nothing: write 1 or more, or `-1` for the broker's default");
        return None;
    }
    i32::try_from(number).ok()
}

/// The keys of `topic` from the connector and from `connector_defaults`, where either may be just a name.
#[derive(Default)]
pub(super) struct TopicFields<'n> {
    name: Option<Field<'n>>,
    map: Option<Section<'n>>,
}

impl<'n> TopicFields<'n> {
    fn of(context: &mut Context<'_>, field: &Field<'n>) -> Option<Self> {
        if let Value::Scalar(_) = field.node.value {
            return Some(Self { name: Some(field.clone()), map: None });
        }
        if let Value::List(_) = field.node.value {
            context.refuse(field, "one topic is expected here, not a list: write its name, or a map with `name`");
            return None;
        }
        let mut map = context.section(field)?;
        map.check_keys(context, keys::TOPIC);
        Some(Self { name: map.get("name").cloned(), map: Some(map) })
    }

    /// The connector's own keys, then those of the defaults.
    pub fn merged(context: &mut Context<'_>, own: Option<&Field<'n>>, default: Option<&Field<'n>>) -> Option<Self> {
        // A topic that cannot be read is one problem, not also a missing name.
        let own = own.map(|field| Self::of(context, field).ok_or(()));
        let default = default.map(|field| Self::of(context, field).ok_or(()));
        match (own, default) {
            (Some(Err(())), _) | (_, Some(Err(()))) => None,
            (Some(Ok(own)), Some(Ok(default))) => Some(Self {
                name: own.name.or(default.name),
                map: match (own.map, default.map) {
                    (Some(own), Some(default)) => Some(own.over(&default)),
                    (own, default) => own.or(default),
                },
            }),
            (Some(Ok(one)), None) | (None, Some(Ok(one))) => Some(one),
            (None, None) => Some(Self::default()),
        }
    }

    /// The field that the name stands in.
    pub fn name(&self) -> Option<&Field<'n>> {
        self.name.as_ref()
    }

    /// Reads all keys; `None` after a problem with any of them.
    pub fn read(&self, context: &mut Context<'_>) -> Option<TopicConfig> {
        let name = self.name.as_ref().map(|field| read_name(context, field));
        let get = |key| self.map.as_ref().and_then(|map| map.get(key));
        let partitions = get("partitions").map_or(Some(DEFAULT_PARTITIONS), |field| read_partitions(context, field));
        let replication = get("replication_factor").map_or(Some(BROKER_DEFAULT), |f| read_replication(context, f));
        let create = get("create").map_or(Some(true), |field| context.boolean(field));
        let config = get("config").map_or(Some(BTreeMap::new()), |field| read_config(context, field));
        Some(TopicConfig {
            name: name??,
            partitions: partitions?,
            replication_factor: replication?,
            create: create?,
            config: config?,
        })
    }
}

/// Topic settings are the broker's to judge, apart from numbers that are none, and one setting that would undo what
/// records promise.
fn read_config(context: &mut Context<'_>, field: &Field<'_>) -> Option<BTreeMap<String, String>> {
    let section = context.section(field)?;
    let count = section.iter().count();
    if count > MAX_SETTINGS {
        // Kafka has some thirty; every connector keeps its own.
        context.refuse(field, format!("has {count} settings: write at most {MAX_SETTINGS}"));
        return None;
    }
    let mut config = BTreeMap::new();
    for (key, field) in section.iter() {
        let Some(text) = context.non_empty(field) else { continue };
        if let Some(allowed) = allowed_values(key)
            && !allowed.contains(&text.value.as_str())
        {
            let message = format!(
                "`{}` is refused, because a record's time is that of its event: write {}, or remove the key",
                text.shown(),
                list(allowed)
            );
            context.refuse(field, message);
        }
        if let Some(error) = topic_settings::error(key, &text.value) {
            context.refuse(field, format!("`{}` {error}", text.shown()));
        } else if !topic_settings::names().any(|known| known == key) {
            let hint = match text::nearest(key, topic_settings::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "look whether the brokers have it, since they refuse a topic for one that they don't know"
                    .to_owned(),
            };
            let message = format!("Kafka 4 has no topic setting `{}`: {hint}", text::name(key));
            context.warning(&field.path, field.line, message);
        }
        config.insert(key.to_owned(), text.value);
    }
    Some(config)
}

fn allowed_values(key: &str) -> Option<&'static [&'static str]> {
    (key == "message.timestamp.type").then_some(&["CreateTime"])
}
