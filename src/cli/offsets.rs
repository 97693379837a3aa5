//! `offsets`: the stored checkpoints, as Kafka Connect shows them; `alter` and `reset` have files of their own.

mod alter;
mod change;
mod reset;

use std::collections::BTreeSet;
use std::io::{Write, stdout};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::value::RawValue;

use super::ConfigArg;
use crate::config::Config;
use crate::kafka::offset_log::{self, OffsetLog};
use crate::kafka::topics::Topics;
use crate::offsets::codec;
use crate::source::offset::SourcePartition;

const EXAMPLE: &str = "Example: okta-kafka-source offsets get acme -c connectors.yaml";

/// Subcommands of `offsets`.
#[derive(Subcommand)]
#[command(after_help = EXAMPLE)]
pub enum OffsetsCommand {
    /// Print every stored checkpoint, one JSON object a line
    List(ListArgs),
    /// Print one connector's checkpoints in Kafka Connect's form
    Get(GetArgs),
    /// Put another checkpoint in the place of a connector's; a running worker goes on from it
    Alter(alter::AlterArgs),
    /// Delete a connector's checkpoint; a running worker starts it cold, at `since`
    Reset(reset::ResetArgs),
}

/// Arguments of `offsets list`.
#[derive(Args)]
#[command(after_help = "Example: okta-kafka-source offsets list -c connectors.yaml | jq .connector")]
pub struct ListArgs {
    #[command(flatten)]
    config: ConfigArg,
}

/// Arguments of `offsets get`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct GetArgs {
    /// The connector's name
    name: String,
    #[command(flatten)]
    config: ConfigArg,
}

/// One line of `offsets list`.
#[derive(Serialize)]
struct Line<'a> {
    connector: &'a str,
    partition: &'a SourcePartition,
    offset: &'a RawValue,
    topic_partition: i32,
    topic_offset: i64,
    timestamp: Option<i64>,
}

/// What `offsets get` prints.
#[derive(Serialize)]
struct ConnectorOffsets<'a> {
    offsets: Vec<ConnectorOffset<'a>>,
}

#[derive(Serialize)]
struct ConnectorOffset<'a> {
    partition: &'a SourcePartition,
    offset: &'a RawValue,
}

/// One stored offset, its value as it is stored.
struct Stored<'a> {
    connector: String,
    partition: SourcePartition,
    offset: &'a RawValue,
    at: crate::offsets::fold::LogPosition,
}

/// Runs the subcommand.
pub async fn run(command: OffsetsCommand) -> anyhow::Result<()> {
    // All of it calls librdkafka, which blocks.
    tokio::task::spawn_blocking(move || match command {
        OffsetsCommand::List(args) => list(&args),
        OffsetsCommand::Get(args) => get(&args),
        OffsetsCommand::Alter(args) => alter::run(&args),
        OffsetsCommand::Reset(args) => reset::run(&args),
    })
    .await
    .context("the command's thread ended early")?
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let log = read(&args.config.load()?, None)?;
    let mut out = stdout().lock();
    for stored in stored(&log) {
        let line = Line {
            connector: &stored.connector,
            partition: &stored.partition,
            offset: stored.offset,
            topic_partition: stored.at.partition,
            topic_offset: stored.at.offset,
            timestamp: stored.at.timestamp,
        };
        serde_json::to_writer(&mut out, &line).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn get(args: &GetArgs) -> anyhow::Result<()> {
    let log = read(&args.config.load()?, None)?;
    let all: Vec<Stored<'_>> = stored(&log).collect();
    let offsets: Vec<ConnectorOffset<'_>> = all
        .iter()
        .filter(|stored| stored.connector == args.name)
        .map(|stored| ConnectorOffset { partition: &stored.partition, offset: stored.offset })
        .collect();
    if offsets.is_empty() {
        bail!(
            "no stored offset of connector `{}`; there are: {}",
            args.name,
            names(all.iter().map(|stored| stored.connector.as_str()))
        );
    }
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, &ConnectorOffsets { offsets }).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Each name once, as an error shows them.
pub(super) fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = all.collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    format!("`{}`", names.into_iter().collect::<Vec<_>>().join("`, `"))
}

/// Reads one shard of the offsets topic, or all.
pub(super) fn read(config: &Config, shard: Option<i32>) -> anyhow::Result<OffsetLog> {
    let topic = &config.offsets.topic;
    let all: Vec<i32> = match shard {
        Some(shard) => vec![shard],
        None => (0..partition_count(config, &Topics::new(&config.kafka)?)?).collect(),
    };
    Ok(offset_log::read_to_end(&config.kafka, &config.group_id, topic, &all, &|| false)?)
}

pub(super) fn partition_count(config: &Config, topics: &Topics) -> anyhow::Result<i32> {
    let topic = &config.offsets.topic;
    match topics.partitions()?.get(topic) {
        Some(&count) => Ok(i32::try_from(count)?),
        None => bail!(
            "offsets topic `{topic}` is not there, or not shown: it is created by the first `run`; check `offsets.topic`, and READ on it"
        ),
    }
}

/// Every record that is one of ours; others are named on stderr and passed over, as Connect does.
fn stored(log: &OffsetLog) -> impl Iterator<Item = Stored<'_>> {
    log.fold.iter().filter_map(|(key, value, at)| {
        let decoded = codec::decode_key(key).map_err(|error| error.to_string());
        let offset = serde_json::from_slice::<&RawValue>(value).map_err(|error| format!("value is not JSON: {error}"));
        match (decoded, offset) {
            (Ok((connector, partition)), Ok(offset)) => Some(Stored { connector, partition, offset, at }),
            (Err(problem), _) | (_, Err(problem)) => {
                tracing::warn!(partition = at.partition, offset = at.offset, "record passed over: {problem}");
                None
            }
        }
    })
}
