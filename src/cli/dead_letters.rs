//! `dead-letters`: what could not be published, as it lies in the dead letter topic; `replay` has a file of its own.

mod replay;

use std::cell::Cell;
use std::io::{self, Write, stdout};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

use super::{ConfigArg, interruptible, offsets};
use crate::clock::Clock;
use crate::config::{Config, ConnectorConfig};
use crate::dead_letter::{self, header};
use crate::kafka::authorized_operations::Operation;
use crate::kafka::record_reader::{self, Record, RecordReaderError};
use crate::kafka::topics::Topics;

const EXAMPLE: &str = "Examples:
  okta-kafka-source dead-letters list acme -c connectors.yaml | jq -c '[.key, .reason, .bytes]'
  okta-kafka-source dead-letters list acme --limit 1 -c connectors.yaml | jq -r .value

One JSON object a line, in the order of each partition. An element that is not UTF-8 is in `value_hex` instead of `value`.";

/// How long nothing may come before the end: longer than a transaction that a dying worker leaves open.
const SILENCE: Duration = Duration::from_secs(90);

const EXAMPLES: &str = "Examples:
  okta-kafka-source dead-letters list acme -c connectors.yaml | jq -c '[.key, .reason, .bytes]'
  okta-kafka-source dead-letters replay acme --dry-run -c connectors.yaml | jq -c '[.key, .result, .reason]'";

/// Subcommands of `dead-letters`.
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum DeadLettersCommand {
    /// Print one connector's dead letters, one JSON object a line
    List(ListArgs),
    /// Publish again what today's version and settings can publish, exactly once; the rest stays
    Replay(replay::ReplayArgs),
}

/// Arguments of `dead-letters list`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ListArgs {
    /// The connector's name
    name: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Stop after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// One line: the contract of `dead-letters list`'s JSON. What a record lacks is null.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    /// RFC 3339.
    timestamp: Option<String>,
    key: Option<String>,
    connector: &'a str,
    /// The topic that it was meant for.
    intended_topic: Option<String>,
    /// The shard.
    task: Option<i32>,
    stage: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    source_partition: Option<Embedded>,
    source_offset: Option<Embedded>,
    /// Size of the value.
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    /// The value where it is not UTF-8: two lower-case digits a byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_hex: Option<String>,
}

/// A header that holds JSON, or what somebody else wrote there.
#[derive(Serialize)]
#[serde(untagged)]
enum Embedded {
    Json(Box<RawValue>),
    Text(String),
}

impl Embedded {
    fn of(text: String) -> Self {
        // JSON over several lines would end ours.
        if !text.contains(char::is_control)
            && let Ok(json) = serde_json::from_str(&text)
        {
            return Self::Json(json);
        }
        Self::Text(text)
    }
}

impl<'a> Line<'a> {
    fn of(topic: &'a str, connector: &'a str, record: &'a Record) -> Self {
        let text = |name| record.header(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let value = record.value.as_deref();
        let readable = value.and_then(|value| std::str::from_utf8(value).ok());
        let time = record.timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        Self {
            topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: time.map(|time| time.to_string()),
            key: record.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()),
            connector,
            intended_topic: text(header::TOPIC),
            task: text(header::TASK).and_then(|shard| shard.parse().ok()),
            stage: text(header::STAGE),
            reason: text(header::CLASS),
            message: text(header::MESSAGE),
            source_partition: text(header::SOURCE_PARTITION).map(Embedded::of),
            source_offset: text(header::SOURCE_OFFSET).map(Embedded::of),
            bytes: value.map_or(0, <[u8]>::len),
            value: readable,
            value_hex: value.filter(|_| readable.is_none()).map(dead_letter::hex),
        }
    }
}

/// Runs the subcommand.
pub async fn run(command: DeadLettersCommand) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List(args) => {
            // All of it calls librdkafka, which blocks.
            let listed = tokio::task::spawn_blocking(move || list(&args));
            interruptible(async { listed.await.context("the command's thread ended early")? }).await
        }
        DeadLettersCommand::Replay(args) => replay::run(args).await,
    }
}

/// The connector of that name in the file.
fn connector<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c ConnectorConfig> {
    let Some(connector) = config.connectors.iter().find(|connector| connector.name == name) else {
        let names = offsets::names(config.connectors.iter().map(|connector| connector.name.as_str()));
        bail!("no connector `{name}` in the file, which says its dead letter topic; there are: {names}");
    };
    Ok(connector)
}

/// Partitions of the connector's dead letter topic; none, and a word of it, where it is not there yet.
fn partitions(topics: &Topics, connector: &ConnectorConfig) -> anyhow::Result<Option<i32>> {
    let ConnectorConfig { name, dead_letter_topic: topic, .. } = connector;
    if let Some(&count) = topics.partitions()?.get(topic) {
        return Ok(Some(i32::try_from(count)?));
    }
    // A topic that we may not see looks like one that is not there.
    if topics.allowed(topic).is_some_and(|allowed| !allowed.contains(&Operation::Read)) {
        bail!("dead letter topic `{topic}` is not shown: grant READ on it");
    }
    tracing::info!("no dead letter topic yet: `{topic}` is made when `run` starts connector `{name}`");
    Ok(None)
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let name = &args.name;
    let connector = connector(&config, name)?;
    let topic = &connector.dead_letter_topic;
    let topics = Topics::new(&config.kafka)?;
    let Some(count) = partitions(&topics, connector)? else { return Ok(()) };
    let partitions: Vec<i32> = (0..count).collect();
    let mut out = stdout().lock();
    let (mut listed, mut failure) = (0, None);
    let is_done = Cell::new(false);
    let clock = Clock::new();
    let last = Cell::new(clock.elapsed());
    let is_silent = || clock.elapsed().saturating_sub(last.get()) > SILENCE;
    let each = |record: Record| {
        if !is_done.get() && record.header(header::CONNECTOR) == Some(name.as_bytes()) {
            failure = print(&mut out, &Line::of(topic, name, &record)).err();
            listed += 1;
            is_done.set(failure.is_some() || args.limit.is_some_and(|limit| listed >= limit));
        }
        // Whoever reads our output may take his time.
        last.set(clock.elapsed());
    };
    let give_up = || is_done.get() || is_silent();
    // A topic may be long: what is bounded is the silence.
    let read =
        record_reader::read_to_end(&config.kafka, &config.group_id, topic, &partitions, Duration::MAX, &give_up, each);
    match (failure, read) {
        (Some(failure), _) => Err(failure.into()),
        (None, Err(RecordReaderError::Stopped)) if is_done.get() => Ok(()),
        (None, Err(RecordReaderError::Stopped)) => bail!(
            "nothing came from topic `{topic}` for {} s, and its end is not reached: check the brokers and open transactions on it",
            SILENCE.as_secs()
        ),
        (None, read) => Ok(read.map(drop)?),
    }
}

fn print(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    line.serialize(&mut Serializer::with_formatter(&mut *out, Plain)).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// JSON that a terminal takes for nothing else: what Okta sent, and anybody can write there, may hold the control
/// characters that JSON leaves as they are (DEL and U+0080 to U+009F).
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find(char::is_control) {
            let (before, control) = rest.split_at(place);
            writer.write_all(before.as_bytes())?;
            let mut chars = control.chars();
            for unit in chars.by_ref().take(1) {
                write!(writer, "\\u{:04x}", u32::from(unit))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_holds_no_control_character() {
        let value = "{\"uuid\":\"\u{9b}31m\u{7f}\r\n\u{1b}[0m\"}";
        let record = Record {
            partition: 1,
            offset: 2,
            timestamp: Some(1_500),
            key: None,
            value: Some(value.as_bytes().to_vec()),
            headers: vec![
                (header::SOURCE_PARTITION.to_owned(), b"{\"org\":\n\"a\"}".to_vec()),
                (header::SOURCE_OFFSET.to_owned(), b"{\"v\": 1.0}".to_vec()),
            ],
        };
        let mut out = Vec::new();
        print(&mut out, &Line::of("t", "acme", &record)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.trim_end_matches('\n').contains(char::is_control), "{text:?}");
        assert!(text.contains("\"source_offset\":{\"v\": 1.0}"), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["value"], value);
        assert_eq!(line["source_partition"], "{\"org\":\n\"a\"}");
        assert_eq!(line["timestamp"], "1970-01-01T00:00:01.5Z");
        assert_eq!(line["intended_topic"], serde_json::Value::Null);
    }
}
