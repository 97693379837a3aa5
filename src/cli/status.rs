//! `status`: owner, state, checkpoint and freshness of each connector, from what Kafka holds.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write, stdout};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ConfigArg, offsets};
use crate::clock;
use crate::config::Config;
use crate::kafka::group_reports;
use crate::kafka::topics::Topics;
use crate::offsets::codec;
use crate::offsets::fold::LogPosition;
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::worker::report::{Report, STALE_SECONDS};
use crate::worker::{offsets_topic, shard_of};

const EXAMPLE: &str = "Examples:
  okta-kafka-source status -c connectors.yaml
  okta-kafka-source status -c connectors.yaml | jq 'select(.state == \"failed\") | .connector, .trouble'

On a terminal a table, else one JSON object a line.";

/// Arguments of `status`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// One JSON object a line, on a terminal too
    #[arg(long)]
    json: bool,
}

/// One connector: the contract of `status`'s JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    connector: String,
    org: String,
    /// Whether it is in the file; else it is only in the offsets topic.
    configured: bool,
    /// The worker that has its shard, where that has reported within 30 s.
    owner: Option<String>,
    /// As the metric `connector_state`; none without an owner.
    state: Option<String>,
    /// What is wrong, where it is failed or recovering.
    trouble: Option<String>,
    /// When the topic was last known to hold all that Okta had; a lower bound.
    caught_up: Option<String>,
    /// Seconds from then to now.
    freshness_seconds: Option<i64>,
    /// Whether it goes over old ground: what its topic holds already is suppressed.
    old_ground: bool,
    /// From when on events may be missing, as its last recovery found; none where it left no hole.
    missing_from: Option<String>,
    /// Until when.
    missing_until: Option<String>,
    /// The stored source offset, as `offsets list` shows it.
    checkpoint: Option<&'a RawValue>,
    #[serde(skip)]
    offset: Option<SourceOffset>,
    /// The shard.
    topic_partition: i32,
    /// Where the stored source offset lies in it.
    topic_offset: Option<i64>,
    /// When its worker reported last, on the worker's clock.
    reported: Option<String>,
}

/// Runs the command.
pub async fn run(args: StatusArgs) -> anyhow::Result<()> {
    // Reading calls librdkafka, which blocks.
    tokio::task::spawn_blocking(move || status(&args)).await.context("the command's thread ended early")?
}

fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let count = offsets::partition_count(&config, &Topics::new(&config.kafka)?)?;
    offsets_topic::judge_partitions(&config.offsets, usize::try_from(count)?)?;
    let log = offsets::read(&config, None)?;
    let reports = group_reports::read(&config.kafka, &config.group_id, &config.offsets.topic, 0..count)?;
    let reports = reports.iter().filter_map(|(shard, text)| Some((*shard, Report::decode(text)?))).collect();
    let now = clock::wall();
    let lines = lines(&config, log.fold.iter(), &reports, now);
    let mut out = stdout().lock();
    if stdout().is_terminal() && !args.json {
        out.write_all(table::render(&lines, now).as_bytes())?;
    } else {
        for line in &lines {
            serde_json::to_writer(&mut out, line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}

/// The connectors of the file in its order, then those that are only in the offsets topic.
fn lines<'a>(
    config: &Config,
    stored: impl Iterator<Item = (&'a [u8], &'a [u8], LogPosition)>,
    reports: &BTreeMap<i32, Report>,
    now: Timestamp,
) -> Vec<Line<'a>> {
    let mut stored: BTreeMap<(String, String), (&'a [u8], LogPosition)> = stored
        .filter_map(|(key, value, at)| {
            let (name, partition) = codec::decode_key(key).ok()?;
            Some(((name, partition.org), (value, at)))
        })
        .collect();
    let mut lines = Vec::new();
    for connector in &config.connectors {
        let key = (connector.name.clone(), SourcePartition::of(&connector.org).org);
        let found = stored.remove(&key);
        lines.push(line(key, Some(shard_of(connector, config.offsets.partitions)), found, reports, now));
    }
    let configured: BTreeSet<&str> = config.connectors.iter().map(|connector| connector.name.as_str()).collect();
    for (key, found) in stored {
        // A name of the file with another org: what is reported is of the one in the file.
        let none = BTreeMap::new();
        let reports = if configured.contains(key.0.as_str()) { &none } else { reports };
        lines.push(line(key, None, Some(found), reports, now));
    }
    lines
}

fn line<'a>(
    (connector, org): (String, String),
    shard: Option<i32>,
    stored: Option<(&'a [u8], LogPosition)>,
    reports: &BTreeMap<i32, Report>,
    now: Timestamp,
) -> Line<'a> {
    let topic_partition = shard.or(stored.map(|(_, at)| at.partition)).unwrap_or_default();
    let report = reports.get(&topic_partition);
    let told = report.and_then(|report| report.of(&connector));
    let is_fresh = |report: &&Report| now.as_second() <= seconds(report.time).as_second() + STALE_SECONDS as i64;
    let owner = report.filter(is_fresh).filter(|_| shard.is_some() || told.is_some());
    let offset = stored.and_then(|(value, _)| codec::decode_value(value).ok());
    let (missing_from, missing_until) =
        offset.as_ref().map_or((None, None), |offset| (offset.missing_from.clone(), offset.missing_until.clone()));
    let published: Option<Timestamp> = offset.as_ref().and_then(|offset| offset.published.as_deref()?.parse().ok());
    let current = told.clone().filter(|_| owner.is_some());
    // 0 is told by a worker that has only just begun.
    let told = told.filter(|told| told.caught_up > 0).map(|told| seconds(told.caught_up));
    let caught_up = told.or(published.filter(|_| shard.is_some()));
    Line {
        connector,
        org,
        configured: shard.is_some(),
        owner: owner.map(|report| report.worker.clone()),
        state: current.as_ref().map(|told| told.state.clone()),
        trouble: current.and_then(|told| told.trouble),
        caught_up: caught_up.map(|time| time.to_string()),
        freshness_seconds: caught_up.map(|time| (now.as_second() - time.as_second()).max(0)),
        // Nobody is over it where no worker runs the connector.
        old_ground: shard.is_some() && offset.as_ref().is_some_and(|offset| offset.suppress_until.is_some()),
        missing_from,
        missing_until,
        checkpoint: stored.and_then(|(value, _)| serde_json::from_slice(value).ok()),
        offset,
        topic_partition,
        topic_offset: stored.map(|(_, at)| at.offset),
        reported: report.map(|report| seconds(report.time).to_string()),
    }
}

/// A Unix time of a report; one that is none is long ago.
fn seconds(unix: u64) -> Timestamp {
    i64::try_from(unix).ok().and_then(|unix| Timestamp::from_second(unix).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}
