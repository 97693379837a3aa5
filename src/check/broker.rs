//! Kafka: reached, transactions, the group; then the topics.

use std::time::Duration;

use super::line::Line;
use super::permission::{Missing, Resource};
use super::topics;
use crate::clock::Clock;
use crate::config::{Config, KafkaProperties};
use crate::kafka::authorized_operations::Operation;
use crate::kafka::topics::{TopicError, Topics};
use crate::kafka::transaction::{InitError, TransactionalProducer};

/// How long a transactional id may take; it takes 0.1 s to 0.5 s.
const TRANSACTIONS_WITHIN: Duration = Duration::from_secs(8);

/// Looks at all of Kafka. Blocks. What can't be asked since no broker answers is one line.
pub fn check(config: &Config, say: &mut dyn FnMut(Line)) {
    let kafka = &config.kafka;
    let topics = match Topics::new(kafka).and_then(|topics| topics.brokers().map(|brokers| (topics, brokers))) {
        Ok((topics, brokers)) => {
            say(Line::ok(
                "broker",
                format!(
                    "reached {} with {}; brokers: {}",
                    kafka.bootstrap_servers(),
                    security(kafka),
                    brokers.join(", ")
                ),
            ));
            topics
        }
        Err(error @ TopicError::Config(_)) => return say(Line::fail("broker", error).of_configuration()),
        Err(error) => return say(Line::fail("broker", error)),
    };
    say(transactions(config, &format!("{}-", config.offsets.topic), true));
    if config.group_id != config.offsets.topic {
        say(transactions(config, &format!("{}-", config.group_id), false));
    }
    say(group(config, &topics));
    topics::check(config, &topics, say);
}

/// How the connection is protected, by the properties that say it.
fn security(kafka: &KafkaProperties) -> String {
    let protocol = kafka.get_producer("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
    let mechanism = kafka.get_producer("sasl.mechanisms").unwrap_or("GSSAPI");
    let tls = if protocol.ends_with("ssl") { "TLS" } else { "no TLS" };
    if protocol.starts_with("sasl") { format!("{tls} and SASL {mechanism}") } else { format!("{tls} and no login") }
}

/// Acquires an id that no shard has, and aborts a transaction of nothing under it.
///
/// Ids that begin with the offsets topic's name are the shards'; those that begin with `group_id` belong to commands, and
/// no worker needs them.
fn transactions(config: &Config, prefix: &str, needed: bool) -> Line {
    let id = format!("{prefix}check");
    let what = format!("transactional id `{id}`");
    let clock = Clock::new();
    let give_up = || clock.elapsed() > TRANSACTIONS_WITHIN;
    let problem = match TransactionalProducer::init(&config.kafka, &id, None, &give_up) {
        Ok(producer) => match producer.abort_nothing() {
            Ok(()) => return Line::ok(what, "acquired, and a transaction without records was aborted"),
            Err(code) => {
                format!("a transaction without records could not be aborted ({code}); look at the broker's log")
            }
        },
        Err(error) if error.is_refused() => Missing {
            bootstrap: config.kafka.bootstrap_servers(),
            operations: &[Operation::Write],
            resource: Resource::TransactionalIds(prefix),
        }
        .to_string(),
        Err(InitError::Refused { code, advice, .. }) if give_up() => format!(
            "not had within {} s ({code}): {advice}; every broker above must be reached from here, by the name that it advertises",
            TRANSACTIONS_WITHIN.as_secs()
        ),
        Err(InitError::Refused { code, advice, .. }) => format!("refused ({code}): {advice}"),
        Err(error) => error.to_string(),
    };
    if needed { Line::fail(what, problem) } else { Line::warn(what, format!("{problem} (`run` does not need it)")) }
}

fn group(config: &Config, topics: &Topics) -> Line {
    let group_id = &config.group_id;
    let what = format!("group `{group_id}`");
    match topics.allowed_on_group(group_id) {
        None => Line::warn(
            what,
            "the broker does not say whether it may be joined; if `run` does not join it, grant READ on the group",
        ),
        Some(allowed) if allowed.contains(&Operation::Read) => Line::ok(what, "may be joined"),
        Some(_) => Line::fail(
            what,
            Missing {
                bootstrap: config.kafka.bootstrap_servers(),
                operations: &[Operation::Read],
                resource: Resource::Group(group_id),
            },
        ),
    }
}
