//! `dead-letters replay`: its arguments, its lines and its last word.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, StdoutLock, stderr, stdout};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::cli::ConfigArg;
use crate::cli::signals::{self, Signal};
use crate::config::{Config, ConnectorConfig, Format};
use crate::convert::Converter;
use crate::convert::avro::Encoder;
use crate::kafka::authorized_operations::Operation;
use crate::kafka::error;
use crate::kafka::topics::Topics;
use crate::registry::Registry;
use crate::replay::letter::Letter;
use crate::replay::{self, Fate, Listener, Replay, ReplayError};
use crate::worker::connector_topics;
use crate::worker::publish::Destination;
use crate::worker::shutdown::Stop;
use crate::worker::topic_limits::TopicLimits;

const EXAMPLE: &str = "Examples:
  okta-kafka-source dead-letters replay acme --dry-run -c connectors.yaml | jq -c '[.result, .reason]' | sort | uniq -c
  okta-kafka-source dead-letters replay acme -c connectors.yaml > replayed.jsonl

One JSON object a line for each letter: its `result` is `published`, `left`, or with --dry-run `publishable`. What was published by
an earlier replay is not published again, and has no line. A letter that was meant for another topic than the connector's is left
(`OtherTopic`), but with --from-topic. Exit code 0 also where some are left. Whoever closes its output gets no more lines, and it goes
on. Run it as often as you like, also beside `run`.";

/// How long the open transaction may take to end after a signal.
const LAST_TRANSACTION: Duration = Duration::from_secs(6);

/// Arguments of `dead-letters replay`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ReplayArgs {
    /// The connector's name
    name: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Say what would be published and what would be left, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also publish letters that were meant for this topic, which the connector had before or has in another file, into its
    /// topic of today; may be repeated
    #[arg(long, value_name = "TOPIC")]
    from_topic: Vec<String>,
    /// Pass over this record, which is marked as a receipt and which no version of this program wrote; may be repeated
    #[arg(long, value_name = "PARTITION@OFFSET", value_parser = place)]
    skip_receipt: Vec<(i32, i64)>,
}

/// `PARTITION@OFFSET`.
fn place(text: &str) -> Result<(i32, i64), String> {
    let place =
        text.split_once('@').and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    place.ok_or_else(|| "expected a partition and an offset, such as 0@17".to_owned())
}

/// One line: the contract of `dead-letters replay`'s JSON.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    key: Option<&'a str>,
    connector: &'a str,
    /// `published`, `publishable` or `left`.
    result: &'static str,
    /// The topic that it went, or would go, to; null where it is left.
    published_to: Option<&'a str>,
    /// Why it is left, as `dead-letters list` has it; null where it is not.
    reason: Option<&'a str>,
    message: Option<&'a str>,
}

/// Runs the command until its end or a signal, which lets the open transaction end.
pub(super) async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let stop = Stop::new();
    let mut signal = pin!(signals::first());
    // Nothing is written before all this is known, so a signal ends it at once.
    let prepare = async {
        let prepared =
            spawn_blocking(move || Prepared::of(args)).await.context("the command's thread ended early")??;
        let Some(prepared) = prepared else { return Ok(None) };
        let converter = converter(&prepared.config, prepared.connector()?, prepared.args.dry_run).await?;
        anyhow::Ok(Some((prepared, converter)))
    };
    let prepared = tokio::select! {
        prepared = prepare => prepared?,
        signal = &mut signal => return Err(Signal::into_error(signal)),
    };
    let Some((prepared, converter)) = prepared else { return Ok(()) };
    let stopped = stop.clone();
    // All of it calls librdkafka, which blocks.
    let mut replayed = spawn_blocking(move || replay(&prepared, converter, stopped));
    tokio::select! {
        done = &mut replayed => done.context("the command's thread ended early")?,
        signal = signal => {
            stop.stop();
            // What it has to say is said by itself; what does not end in time is as if it was killed.
            let _ = tokio::time::timeout(LAST_TRANSACTION, replayed).await;
            Err(Signal::into_error(signal))
        }
    }
}

/// What is known before anything is replayed.
struct Prepared {
    args: ReplayArgs,
    config: Config,
    partitions: i32,
    cluster: Option<String>,
    limits: Arc<TopicLimits>,
}

impl Prepared {
    /// None where there is no dead letter topic yet. Blocks.
    fn of(args: ReplayArgs) -> anyhow::Result<Option<Self>> {
        let config = args.config.load()?;
        let connector = super::connector(&config, &args.name)?;
        let topics = Topics::new(&config.kafka)?;
        let Some(partitions) = super::partitions(&topics, connector)? else { return Ok(None) };
        check_topics(&topics, connector, args.dry_run)?;
        let limits = TopicLimits::default();
        limits.set(&connector_topics::settings(&topics, connector));
        if limits.event_bytes().is_none() {
            tracing::warn!(
                topic = connector.topic.name,
                "the broker does not show this topic's settings: which letters are too large is found out by trying; grant DESCRIBE_CONFIGS on it"
            );
        }
        let cluster = topics.cluster_id();
        Ok(Some(Self { args, config, partitions, cluster, limits: Arc::new(limits) }))
    }

    fn connector(&self) -> anyhow::Result<&ConnectorConfig> {
        super::connector(&self.config, &self.args.name)
    }
}

fn replay(prepared: &Prepared, converter: Converter, stop: Stop) -> anyhow::Result<()> {
    let connector = prepared.connector()?;
    let Prepared { args, config, partitions, cluster, limits } = prepared;
    let replay = Replay {
        kafka: &config.kafka,
        group_id: replay::group_id(&config.group_id),
        to: Destination::of(connector, Arc::clone(limits)),
        converter,
        partitions: *partitions,
        from_topics: args.from_topic.iter().cloned().collect(),
        cluster: cluster.clone(),
        skipped: args.skip_receipt.iter().copied().collect(),
        dry_run: args.dry_run,
        stop,
    };
    let mut report = Report::new(connector, args.dry_run);
    let ended = replay.run(&mut report);
    report.bar.finish_and_clear();
    match ended {
        Ok(()) => {
            tracing::info!("{}", report.summary());
            // A closed pipe is no error, a full disk is.
            report.unprinted.map_or(Ok(()), |error| Err(error).context("not every line was printed"))
        }
        // Whoever reads what would be has enough.
        Err(ReplayError::Output(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!("ended early: {}", report.counts());
            if matches!(error, ReplayError::Stopped) {
                tracing::warn!("{error}");
            }
            Err(error.into())
        }
    }
}

/// What makes the values. Where they are Avro, by the schema that the registry has, as `run` does; nothing is asked or
/// registered for values that nobody is to see.
async fn converter(config: &Config, connector: &ConnectorConfig, dry_run: bool) -> anyhow::Result<Converter> {
    let (Format::Avro, Some(registry)) = (connector.format, &config.schema_registry) else {
        return Ok(Converter::Json);
    };
    let topic = &connector.topic.name;
    let id = match dry_run {
        true => 0,
        false => Registry::new(registry, &config.okta_http)?.schema_id(topic, &|_| ()).await?,
    };
    Ok(Converter::Avro(Arc::new(Encoder::new(id))))
}

/// What would stall a transaction, or end it, is better said before.
fn check_topics(topics: &Topics, connector: &ConnectorConfig, dry_run: bool) -> anyhow::Result<()> {
    let (data, dead_letters) = (&connector.topic.name, &connector.dead_letter_topic);
    let allowed = topics.all_allowed(&[data, dead_letters]);
    for (topic, operations) in &allowed {
        if !dry_run && !operations.contains(&Operation::Write) {
            bail!("{}", error::advice(error::TOPIC_REFUSED, topic));
        }
    }
    if allowed.get(dead_letters).is_some_and(|operations| !operations.contains(&Operation::Read)) {
        bail!("dead letter topic `{dead_letters}` may not be read: grant READ on it");
    }
    if !topics.partitions()?.contains_key(data) {
        let advice = match connector.topic.create {
            true => "`run` creates it when it starts the connector: start that first, or create the topic by hand",
            false => "create it",
        };
        bail!("topic `{data}` is not there: {advice}");
    }
    if let Some(trouble) = topics.trouble(data)? {
        bail!("{trouble}");
    }
    Ok(())
}

/// Prints and counts.
struct Report<'a> {
    connector: &'a ConnectorConfig,
    dry_run: bool,
    out: StdoutLock<'static>,
    bar: ProgressBar,
    published: u64,
    /// Those that are left, by reason.
    left: BTreeMap<String, u64>,
    /// Why no more lines can be printed.
    unprinted: Option<io::Error>,
}

impl<'a> Report<'a> {
    fn new(connector: &'a ConnectorConfig, dry_run: bool) -> Self {
        // Lines would run through the bar.
        let shows_bar = stderr().is_terminal() && !stdout().is_terminal();
        let target = if shows_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {bar:40} {pos} of {len}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { connector, dry_run, out: stdout().lock(), bar, published: 0, left: BTreeMap::new(), unprinted: None }
    }

    /// `published 12, left 3 (2 MissingUuid, 1 RecordTooLarge)`.
    fn counts(&self) -> String {
        let left: u64 = self.left.values().sum();
        let mut text =
            format!("{} {}, left {left}", if self.dry_run { "publishable" } else { "published" }, self.published);
        if left > 0 {
            let reasons: Vec<String> = self.left.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let _ = write!(text, " ({})", reasons.join(", "));
        }
        text
    }

    fn summary(&self) -> String {
        let (counts, topic) = (self.counts(), &self.connector.dead_letter_topic);
        match (self.left.is_empty(), self.dry_run) {
            (true, false) => counts,
            (true, true) => format!("{counts}; nothing was written"),
            (false, true) => format!("{counts}; nothing was written; what is left says why in `message`"),
            (false, false) => {
                let never: u64 =
                    self.left.iter().filter(|(reason, _)| is_no_event(reason)).map(|(_, count)| count).sum();
                let mend = "mend what its `message` names, and replay again, which tries it once more";
                let gone = "no event, which no replay can publish: the topic's retention deletes it";
                match self.left.values().sum::<u64>() - never {
                    0 => format!("{counts}; what is left stays in `{topic}`: it is {gone}"),
                    _ if never == 0 => format!("{counts}; what is left stays in `{topic}`: {mend}"),
                    _ => format!(
                        "{counts}; what is left stays in `{topic}`: {never} of it is {gone}; of the others {mend}"
                    ),
                }
            }
        }
    }
}

/// Whether an element that is left for this reason can't become an event, whatever is changed.
fn is_no_event(reason: &str) -> bool {
    matches!(reason, "NotUtf8" | "NotJson" | "NotAnObject" | "MissingUuid")
}

impl Listener for Report<'_> {
    fn begins(&mut self, letters: u64) {
        self.bar.set_message(if self.dry_run { "looking at" } else { "replaying" });
        self.bar.set_length(letters);
    }

    fn hear(&mut self, letter: &Letter, fate: &Fate) -> io::Result<()> {
        self.bar.inc(1);
        let (result, left) = match fate {
            Fate::Published => ("published", None),
            Fate::Publishable => ("publishable", None),
            Fate::Left(left) => ("left", Some(left)),
        };
        let to = &self.connector.topic.name;
        match left {
            Some(left) => *self.left.entry(left.reason.clone()).or_default() += 1,
            None => self.published += 1,
        }
        if self.unprinted.is_some() {
            return Ok(());
        }
        let line = Line {
            topic: &self.connector.dead_letter_topic,
            partition: letter.partition,
            offset: letter.offset,
            key: letter.key.as_deref(),
            connector: &self.connector.name,
            result,
            published_to: left.is_none().then_some(to),
            reason: left.map(|left| left.reason.as_str()),
            message: left.map(|left| left.message.as_str()),
        };
        match super::print(&mut self.out, &line) {
            // What is printed is only a report: Kafka is not left half done because nobody reads on.
            Err(error) if !self.dry_run => {
                tracing::warn!("lines can't be printed any more ({error}): going on without them");
                self.unprinted = Some(error);
                Ok(())
            }
            printed => printed,
        }
    }
}
