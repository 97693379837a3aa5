//! The stored checkpoints: which connectors go on, which start cold, and which are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use super::line::Line;
use crate::clock::{self, Clock};
use crate::config::{Config, ConnectorConfig};
use crate::kafka::offset_log;
use crate::offsets::codec;
use crate::okta::excerpt::excerpt;
use crate::okta::query::SystemLogQuery;
use crate::source::offset::SourcePartition;
use crate::source::resume::Resume;
use crate::worker::shard;

/// How long the read may take; it takes a second.
const READ_WITHIN: Duration = Duration::from_secs(8);

/// Whether a connector will start cold, by its name; one that is not there is not known to go on.
#[derive(Debug, Default)]
pub struct Starts(BTreeMap<String, bool>);

impl Starts {
    /// Whether `run` would ask for all that is as old as `since`, as far as it is known.
    pub fn is_cold(&self, connector: &ConnectorConfig) -> bool {
        self.0.get(&connector.name).copied().unwrap_or(true)
    }
}

/// Reads the offsets topic, which is there with as many partitions as configured, and says of each connector where it
/// begins. Blocks.
pub fn check(config: &Config, say: &mut dyn FnMut(Line)) -> Starts {
    let partitions: Vec<i32> = (0..config.offsets.partitions).collect();
    let clock = Clock::new();
    let give_up = || clock.elapsed() > READ_WITHIN;
    let mut starts = Starts::default();
    let read = offset_log::read_to_end(&config.kafka, &config.group_id, &config.offsets.topic, &partitions, &give_up);
    let log = match read {
        Ok(log) => log,
        Err(_) if give_up() => {
            say(Line::fail(
                "checkpoints",
                format!(
                    "the end of the offsets topic was not reached within {} s; look for an open transaction of somebody else on it, and at the brokers",
                    READ_WITHIN.as_secs()
                ),
            ));
            return starts;
        }
        Err(error) => {
            say(Line::fail("checkpoints", error));
            return starts;
        }
    };
    for connector in &config.connectors {
        let what = format!("checkpoint of `{}`", connector.name);
        let key = codec::encode_key(&connector.name, &SourcePartition::of(&connector.org));
        let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit };
        let since = connector.since.resolve(clock::wall());
        let resume = shard::stored(&log, &key).and_then(|stored| {
            Resume::from_stored(stored, &connector.org, &query, since).map_err(|error| error.to_string())
        });
        say(match resume {
            Err(problem) => Line::fail(what, problem),
            Ok(Resume::Cold { .. }) => {
                let _ = starts.0.insert(connector.name.clone(), true);
                Line::ok(what, format!("none yet: a cold start at {since:.0} (`since`)"))
            }
            Ok(Resume::Warm { offset, .. }) => {
                let _ = starts.0.insert(connector.name.clone(), false);
                match offset.published {
                    Some(published) => Line::ok(what, format!("goes on after the event of {}", excerpt(&published))),
                    None => Line::ok(what, "goes on before the first event"),
                }
            }
        });
    }
    starts
}
