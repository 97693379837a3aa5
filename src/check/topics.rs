//! The topics: there or to be made, what may be done with them, and whether their settings keep what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::checkpoints::{self, Starts};
use super::ground::Ground;
use super::line::Line;
use super::permission::{Missing, Resource};
use crate::config::{Config, ConnectorConfig};
use crate::kafka::authorized_operations::{Allowed, Operation};
use crate::kafka::topics::{TopicError, Topics, WantedTopic};
use crate::worker::topic_format::FormatLook;
use crate::worker::{connector_topics, offsets_topic};

const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// What all topics are looked at with.
struct Look<'a> {
    config: &'a Config,
    topics: &'a Topics,
    /// Partitions of each topic that may be seen.
    there: BTreeMap<String, usize>,
    allowed: Allowed,
}

/// One topic as it was found.
struct Found<'a> {
    what: String,
    wanted: WantedTopic<'a>,
    /// `None` where it is not there.
    partitions: Option<usize>,
    /// Of the topic, or those that it would be made with; none, where they are not shown.
    settings: BTreeMap<String, String>,
    lines: Vec<Line>,
}

/// Looks at the offsets topic, then at the topics of each connector in the file's order, each topic once. Blocks.
pub fn check(config: &Config, topics: &Topics, say: &mut dyn FnMut(Line)) {
    let there = match topics.partitions() {
        Ok(there) => there,
        Err(error) => return say(Line::fail("topics", error)),
    };
    let used = Used::of(config);
    let mut names = vec![config.offsets.topic.as_str()];
    names.extend(used.order.iter().copied());
    let look = Look { config, topics, there, allowed: topics.all_allowed(&names) };
    look.cluster(&used).into_iter().for_each(&mut *say);
    let offsets = look.offsets();
    let is_fine = !offsets.iter().any(Line::is_failure);
    offsets.into_iter().for_each(&mut *say);
    let ground = Ground { config, there: &look.there };
    let starts = match look.there.contains_key(&config.offsets.topic) {
        true if is_fine => checkpoints::check(&ground, say),
        false if is_fine => checkpoints::check_without(&ground, say),
        _ => Starts::default(),
    };
    let format_look = FormatLook::of(config);
    let mut sizes = BTreeMap::new();
    for name in &used.order {
        let Some(wanted) = used.wanted(name) else { continue };
        let data = used.data.get(name).map(Vec::as_slice).unwrap_or_default();
        // What they hold is read where a connector begins anywhere but behind its own last page.
        let needed = [Operation::Read, Operation::Write];
        let mut found = look.find(wanted, if data.is_empty() { "dead letter topic" } else { "topic" }, &needed);
        let judge = |connector: &&ConnectorConfig| {
            let judged = connector_topics::judge_time(&found.settings, connector, connector_topics::age(connector));
            judged.err().map(|error| (starts.is_cold(connector), connector.name.clone(), without_name(&error, name)))
        };
        // The worst of them will do.
        if let Some((is_cold, connector, error)) = data.iter().filter_map(judge).max() {
            found.lines.push(if is_cold {
                Line::fail(&found.what, format!("{error} (connector `{connector}`)"))
            } else {
                Line::warn(
                    &found.what,
                    format!("{error} (connector `{connector}` goes on from its checkpoint meanwhile)"),
                )
            });
        }
        if let (Some(look), Some(_), Some(connector)) = (&format_look, found.partitions, data.first())
            && let Some(other) = look.other_format(topics, connector)
        {
            found.lines.push(Line::fail(
                &found.what,
                format!("{} (connector `{}`)", without_name(&other, name), connector.name),
            ));
        }
        if let Some(bytes) = found.settings.get(MAX_MESSAGE_BYTES).and_then(|value| value.parse::<u64>().ok()) {
            let _ = sizes.insert(*name, bytes);
        }
        found.into_lines().into_iter().for_each(&mut *say);
    }
    for connector in &config.connectors {
        let (data, dead_letters) = (connector.topic.name.as_str(), connector.dead_letter_topic.as_str());
        if let (Some(takes), Some(dead)) = (sizes.get(data), sizes.get(dead_letters))
            && dead < takes
        {
            say(Line::warn(
                format!("dead letter topic `{dead_letters}`"),
                format!(
                    "takes records of {dead} B, and topic `{data}` of {takes} B: an event that is refused might not fit; raise its `{MAX_MESSAGE_BYTES}` to {takes} or more"
                ),
            ));
        }
    }
}

/// Which topic is whose.
struct Used<'a> {
    /// Each once, as the file has them.
    order: Vec<&'a str>,
    data: BTreeMap<&'a str, Vec<&'a ConnectorConfig>>,
    dead_letters: BTreeMap<&'a str, &'a ConnectorConfig>,
}

impl<'a> Used<'a> {
    fn of(config: &'a Config) -> Self {
        let mut used = Self { order: Vec::new(), data: BTreeMap::new(), dead_letters: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for connector in &config.connectors {
            let (data, dead_letters) = (connector.topic.name.as_str(), connector.dead_letter_topic.as_str());
            used.data.entry(data).or_default().push(connector);
            let _ = used.dead_letters.entry(dead_letters).or_insert(connector);
            used.order.extend([data, dead_letters].into_iter().filter(|name| seen.insert(*name)));
        }
        used
    }

    /// As the first connector that uses it would make it.
    fn wanted(&self, name: &str) -> Option<WantedTopic<'a>> {
        let data = self.data.get(name).and_then(|connectors| connectors.first());
        let (connector, place) = match data {
            Some(connector) => (*connector, 0),
            None => (*self.dead_letters.get(name)?, 1),
        };
        connector_topics::wanted(connector, connector_topics::age(connector)).into_iter().nth(place)
    }
}

impl<'a> Look<'a> {
    /// Where topics are to be made with the broker's number of replicas, that number is to be known.
    fn cluster(&self, used: &Used<'_>) -> Option<Line> {
        let asks_default = |wanted: &WantedTopic<'_>| {
            wanted.create && wanted.replication_factor == -1 && !self.there.contains_key(wanted.name)
        };
        let wanted = used.order.iter().filter_map(|name| used.wanted(name));
        let is_needed = wanted.chain([offsets_topic::wanted(&self.config.offsets)]).any(|wanted| asks_default(&wanted));
        if !is_needed || self.topics.default_replication_factor().is_some() {
            return None;
        }
        let missing = self.missing(&[Operation::DescribeConfigs], Resource::Cluster);
        Some(Line::warn(
            "cluster",
            format!(
                "the broker does not say how many replicas `replication_factor: -1` gives, so created topics get no `min.insync.replicas`; {missing}"
            ),
        ))
    }

    fn offsets(&self) -> Vec<Line> {
        let offsets = &self.config.offsets;
        let mut found =
            self.find(offsets_topic::wanted(offsets), "offsets topic", &[Operation::Read, Operation::Write]);
        if let Some(partitions) = found.partitions {
            let judged = offsets_topic::judge_partitions(offsets, partitions);
            found.lines.extend(judged.err().map(|error| Line::fail(&found.what, without_name(&error, &offsets.topic))));
        }
        if !found.settings.is_empty() {
            let judged = offsets_topic::judge_settings(offsets, &found.settings);
            found.lines.extend(judged.err().map(|error| Line::fail(&found.what, without_name(&error, &offsets.topic))));
        }
        found.into_lines()
    }

    /// Whether it is there or could be made, what may be done with it, and its settings.
    fn find(&self, wanted: WantedTopic<'a>, kind: &str, needed: &[Operation]) -> Found<'a> {
        let name = wanted.name;
        let what = format!("{kind} `{name}`");
        let mut lines = Vec::new();
        let partitions = self.there.get(name).copied();
        let allowed = self.allowed.get(name);
        let missing = |allowed: &BTreeSet<Operation>| -> Vec<Operation> {
            needed.iter().copied().filter(|operation| !allowed.contains(operation)).collect()
        };
        let refused = allowed.map(missing).filter(|missing| !missing.is_empty());
        if let Some(missing) = &refused {
            let mut text = self.missing(missing, Resource::Topic(name));
            // It may be there and not be shown.
            if partitions.is_none() && self.topics.may_be_created(&wanted).is_err_and(|error| error.is_refused()) {
                text.push_str(&format!(
                    "; where the topic is not there yet, add --operation {}",
                    Operation::Create.command_name()
                ));
            }
            lines.push(Line::fail(&what, text));
        }
        let mut settings = BTreeMap::new();
        if partitions.is_some() {
            if allowed.is_none() {
                lines.push(Line::warn(
                    &what,
                    "the broker does not say what may be done with it; if a connector fails on it, grant READ and WRITE",
                ));
            }
            match self.topics.settings(name) {
                Some(shown) => settings = shown,
                None => lines.push(self.not_shown(&what, name, allowed)),
            }
            lines.extend(
                self.topics.durability_warning(name).map(|warning| Line::warn(&what, without_name(&warning, name))),
            );
        } else if refused.is_none() {
            match self.topics.may_be_created(&wanted) {
                Ok(()) => settings.clone_from(&wanted.config),
                Err(error) => lines.push(Line::fail(&what, self.not_created(name, &error))),
            }
        }
        Found { what, wanted, partitions, settings, lines }
    }

    fn not_shown(&self, what: &str, name: &str, allowed: Option<&BTreeSet<Operation>>) -> Line {
        if allowed.is_some_and(|allowed| !allowed.contains(&Operation::DescribeConfigs)) {
            let missing = self.missing(&[Operation::DescribeConfigs], Resource::Topic(name));
            return Line::warn(what, format!("its settings are not shown and could not be checked; {missing}"));
        }
        Line::warn(
            what,
            "the broker does not show its settings; check by hand cleanup.policy, retention.ms and min.insync.replicas",
        )
    }

    fn not_created(&self, name: &str, error: &TopicError) -> String {
        match error {
            TopicError::NotCreated { .. } if error.is_refused() => format!(
                "it is not there, and {}; or make it by hand",
                self.missing(&[Operation::Create], Resource::Topic(name))
            ),
            error => without_name(error, name),
        }
    }

    fn missing(&self, operations: &[Operation], resource: Resource<'_>) -> String {
        Missing { bootstrap: self.config.kafka.bootstrap_servers(), operations, resource }.to_string()
    }
}

/// The text without the topic that it begins with: the line has named it.
fn without_name(text: &impl fmt::Display, topic: &str) -> String {
    let text = text.to_string();
    let begin = format!("topic `{topic}` ");
    let rest = text.strip_prefix("offsets ").unwrap_or(&text).strip_prefix(&begin).map(str::to_owned);
    rest.unwrap_or(text)
}

impl Found<'_> {
    /// What was found wrong, after a line that all is well where that is so.
    fn into_lines(self) -> Vec<Line> {
        let has_failed = self.lines.iter().any(Line::is_failure);
        let ok = (!has_failed).then(|| Line::ok(&self.what, self.shown()));
        ok.into_iter().chain(self.lines).collect()
    }

    fn shown(&self) -> String {
        let setting = |name: &str| self.settings.get(name).map(String::as_str);
        let mut parts = vec![match self.partitions {
            Some(partitions) => format!("{partitions} partitions"),
            None => format!("not there yet, and may be created with {} partitions", self.wanted.partitions),
        }];
        parts.extend(setting("cleanup.policy").map(|policy| format!("cleanup.policy {policy}")));
        let keeps = |value: &str| match value.parse::<u64>() {
            Ok(ms) => format!("keeps {}", connector_topics::shown(Duration::from_millis(ms))),
            Err(_) => "keeps for ever".to_owned(),
        };
        let is_compacted = setting("cleanup.policy") == Some("compact");
        parts.extend(setting("retention.ms").filter(|_| !is_compacted).map(keeps));
        parts.extend(setting(MAX_MESSAGE_BYTES).map(|bytes| format!("takes {bytes} B")));
        parts.extend(setting("min.insync.replicas").map(|number| format!("min.insync.replicas {number}")));
        parts.join(", ")
    }
}
