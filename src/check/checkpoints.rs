//! The stored checkpoints: which connectors go on, which start cold, and which are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::line::Line;
use super::span::span;
use crate::clock::{self, Clock};
use crate::config::{Config, ConnectorConfig};
use crate::kafka::offset_log;
use crate::offsets::codec;
use crate::offsets::other_org;
use crate::okta::excerpt::excerpt;
use crate::okta::query::SystemLogQuery;
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::source::resume::Resume;
use crate::worker::shard;

/// How long Okta keeps events.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
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
        let partition = SourcePartition::of(&connector.org);
        let key = codec::encode_key(&connector.name, &partition);
        let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit };
        let since = connector.since.resolve(clock::wall());
        let resume = shard::stored(&log, &key).and_then(|stored| {
            Resume::from_stored(stored, &connector.org, &query, since, connector.on_query_change)
                .map_err(|error| error.to_string())
        });
        say(match resume {
            Err(problem) => Line::fail(what, problem),
            Ok(Resume::Cold { .. }) if let Err(changed) = other_org::judge(&log.fold, &connector.name, &partition) => {
                Line::fail(what, changed)
            }
            Ok(Resume::Cold { .. }) => {
                let _ = starts.0.insert(connector.name.clone(), true);
                Line::ok(what, format!("none yet: a cold start at {since:.0} (`since`)"))
            }
            Ok(Resume::QueryChanged { offset }) => {
                let _ = starts.0.insert(connector.name.clone(), false);
                let place = match offset.published.as_deref() {
                    Some(published) => format!("at the event of {}", excerpt(published)),
                    None => "where the old one did".to_owned(),
                };
                Line::ok(
                    what,
                    format!("of another `filter` or `q`: the new query begins {place}, less `recovery_overlap`"),
                )
            }
            Ok(Resume::Warm { offset, .. }) => {
                let _ = starts.0.insert(connector.name.clone(), false);
                goes_on(what, &offset, clock::wall())
            }
        });
    }
    starts
}

/// How far back a checkpoint is: by its last event, else by where its link begins.
fn goes_on(what: String, offset: &SourceOffset, now: Timestamp) -> Line {
    let published = offset.published.as_deref();
    let place = match published {
        Some(published) => format!("goes on after the event of {}", excerpt(published)),
        None => "goes on before the first event".to_owned(),
    };
    let Some(time) = published.and_then(|published| published.parse::<Timestamp>().ok()) else {
        return Line::ok(what, place);
    };
    let back = now.duration_since(time);
    if back > KEPT {
        return Line::warn(
            what,
            format!(
                "{place}, {} back, and Okta keeps 90 days: if nobody ran it for so long, what is older is gone; it goes on with what is left, and where Okta refuses the old link, from 90 days ago",
                span(back)
            ),
        );
    }
    Line::ok(what, format!("{place}, {} back", span(back)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_says_how_far_back_it_is() {
        let now = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (published, says) in [
            (None, "ok   x: goes on before the first event"),
            (Some("soon"), "ok   x: goes on after the event of soon"),
            (
                Some("2026-11-22T08:48:00.000Z"),
                "ok   x: goes on after the event of 2026-11-22T08:48:00.000Z, 3 h 12 min back",
            ),
            (
                Some("2026-08-20T12:00:00.000Z"),
                "warn x: goes on after the event of 2026-08-20T12:00:00.000Z, 94 d back, and Okta keeps 90 days: if nobody ran it for so long, what is older is gone; it goes on with what is left, and where Okta refuses the old link, from 90 days ago",
            ),
        ] {
            let mut offset = SourceOffset::cold("https://acme.okta.com/api/v1/logs".to_owned(), String::new());
            offset.published = published.map(str::to_owned);
            assert_eq!(goes_on("x".to_owned(), &offset, now).to_string(), says);
        }
    }
}
