//! The stored checkpoints: which connectors go on, which start cold, and which are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ground::Ground;
use super::line::Line;
use super::span::span;
use crate::clock::{self, Clock};
use crate::config::{ConnectorConfig, OnLostCursor};
use crate::kafka::offset_log;
use crate::offsets::codec;
use crate::offsets::other_org;
use crate::okta::excerpt::excerpt;
use crate::okta::query::SystemLogQuery;
use crate::source::alteration;
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::source::recovery::{Recovery, Time};
use crate::source::resume::{self, Resume};
use crate::worker::shard;

/// How long Okta keeps events.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How old a `since` Okta takes.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(180 * 24);
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
/// begins, and what that costs. Blocks.
pub fn check(ground: &Ground<'_>, say: &mut dyn FnMut(Line)) -> Starts {
    let config = ground.config;
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
        let partition = SourcePartition::of(&connector.org);
        let key = codec::encode_key(&connector.name, &partition);
        say_start(ground, connector, shard::stored(&log, &key), &mut starts, say, || {
            other_org::judge(&log.fold, &connector.name, &partition).map_err(|changed| changed.to_string())
        });
    }
    starts
}

/// The same where the offsets topic is not there, and so no checkpoint.
pub fn check_without(ground: &Ground<'_>, say: &mut dyn FnMut(Line)) -> Starts {
    let mut starts = Starts::default();
    for connector in &ground.config.connectors {
        say_start(ground, connector, Ok(None), &mut starts, say, || Ok(()));
    }
    starts
}

/// `may_start_cold` refuses a connector whose org was changed.
fn say_start(
    ground: &Ground<'_>,
    connector: &ConnectorConfig,
    stored: Result<Option<SourceOffset>, String>,
    starts: &mut Starts,
    say: &mut dyn FnMut(Line),
    may_start_cold: impl FnOnce() -> Result<(), String>,
) {
    let what = format!("checkpoint of `{}`", connector.name);
    let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit };
    let since = connector.since.resolve(clock::wall());
    let resume = stored.and_then(|stored| {
        Resume::from_stored(stored, &connector.org, &query, since, connector.on_query_change)
            .map_err(|error| error.to_string())
    });
    let start = Start { connector, query: &query, since, now: clock::wall(), ground };
    let said = resume.and_then(|resume| {
        let is_cold = matches!(resume, Resume::Cold { .. });
        let _ = starts.0.insert(connector.name.clone(), is_cold);
        if is_cold {
            may_start_cold()?;
        }
        start.line(&what, resume)
    });
    say(said.unwrap_or_else(|problem| Line::fail(what, problem)));
}

/// One connector's next start.
struct Start<'a> {
    connector: &'a ConnectorConfig,
    query: &'a SystemLogQuery,
    since: Timestamp,
    now: Timestamp,
    ground: &'a Ground<'a>,
}

impl Start<'_> {
    /// Where it begins and what it meets there, or why it does not.
    fn line(&self, what: &str, resume: Resume) -> Result<Line, String> {
        let Self { connector, since, now, ground, .. } = self;
        match resume {
            Resume::Cold { .. } => {
                let met = ground.met(connector, Some(*since));
                Ok(Line::ok(what, format!("none yet: a cold start at {since:.0} (`since`){met}")))
            }
            Resume::QueryChanged { offset } => {
                Ok(self.anew(what, "it is of another `filter` or `q`: the connector", &offset))
            }
            Resume::Warm { url, offset } => {
                if url.since().is_some_and(|since| now.duration_since(since) > ASKED_FOR) {
                    // Of a `since` Okta's documents say so; of one in a link nobody has seen it.
                    let why = "its link begins more than 180 days ago; where Okta refuses that, the connector";
                    return Ok(match connector.on_lost_cursor {
                        OnLostCursor::Recover => self.anew(what, why, &offset),
                        OnLostCursor::Fail => Line::warn(
                            what,
                            format!(
                                "{why} fails, as `on_lost_cursor` is `fail`: set it to `recover`, or begin where you choose with `offsets alter --since`"
                            ),
                        ),
                    });
                }
                let met = if offset.allow_duplicates {
                    "; what the topic holds is published again, as `--allow-duplicates` asked".to_owned()
                } else if resume::is_old_ground(&offset, false) {
                    ground.met(connector, alteration::position(Some(&url), offset.published.as_deref()))
                } else {
                    String::new()
                };
                Ok(goes_on(what, &offset, &met, *now))
            }
        }
    }

    /// A new position in the place of one that is of no use, or may be. `why` ends in who begins again.
    fn anew(&self, what: &str, why: &str, offset: &SourceOffset) -> Line {
        let Self { connector, query, since, now, ground } = self;
        let Recovery { from, hole, .. } =
            Recovery::of(offset, &connector.org, query, *since, connector.recovery_overlap, Time::Told(*now));
        let met = ground.met(connector, Some(from));
        let text = format!("{why} begins again at {from:.0}, the last published event less `recovery_overlap`{met}");
        match hole {
            None => Line::ok(what, text),
            Some((from, until)) => Line::warn(
                what,
                format!("{text}; events from {from:.0} to {until:.0} may be missing, as Okta keeps 90 days"),
            ),
        }
    }
}

/// How far back a checkpoint is: by its last event, else by where its link begins.
/// `met` is what it meets there.
fn goes_on(what: &str, offset: &SourceOffset, met: &str, now: Timestamp) -> Line {
    let published = offset.published.as_deref();
    let place = match published {
        Some(published) => format!("goes on after the event of {}", excerpt(published)),
        None => "goes on before the first event".to_owned(),
    };
    let Some(time) = published.and_then(|published| published.parse::<Timestamp>().ok()) else {
        return Line::ok(what, place + met);
    };
    let back = now.duration_since(time);
    if back > KEPT {
        return Line::warn(
            what,
            format!(
                "{place}, {} back, and Okta keeps 90 days: if nobody ran it for so long, what is older is gone; it goes on with what is left, and where Okta refuses the old link, from 90 days ago{met}",
                span(back)
            ),
        );
    }
    Line::ok(what, format!("{place}, {} back{met}", span(back)))
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
            assert_eq!(goes_on("x", &offset, "", now).to_string(), says);
        }
    }
}
