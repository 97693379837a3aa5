//! `offsets alter`: another checkpoint in the place of a connector's.

use std::time::Duration;

use anyhow::bail;
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use tracing::warn;

use super::change::{self, Change, ChangeArgs};
use crate::clock;
use crate::config::{Config, ConnectorConfig, Since};
use crate::kafka::topics::Topics;
use crate::offsets::codec;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::alteration::{self, Effect};
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::worker::{self, connector_topics};

const EXAMPLE: &str = "Examples:
  okta-kafka-source offsets alter acme --since 2d --yes -c connectors.yaml
  okta-kafka-source offsets alter acme --checkpoint-url 'https://acme.okta.com/api/v1/logs?since=…&after=…' --yes -c connectors.yaml

Prints {\"before\":…,\"after\":…}, each as `offsets get` does. A running worker is fenced and goes on from the new checkpoint.";

/// Arguments of `offsets alter`.
#[derive(Args)]
#[command(after_help = EXAMPLE, group = ArgGroup::new("to").required(true))]
pub struct AlterArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// The URL to ask next: a `next` link of the org, of the connector's own `filter` and `q`
    #[arg(long, value_name = "URL", group = "to")]
    checkpoint_url: Option<String>,
    /// Where to begin anew: an age (`2d`), an RFC 3339 time, or `now`
    #[arg(long, value_name = "T", group = "to", value_parser = read_since)]
    since: Option<Since>,
}

fn read_since(text: &str) -> Result<Since, String> {
    let since = Since::parse(text)?;
    let _ = since.judge(clock::wall())?;
    Ok(since)
}

/// Runs the command. Blocks.
pub(super) fn run(args: &AlterArgs) -> anyhow::Result<()> {
    let config = args.change.config.load()?;
    let name = &args.change.name;
    let Some(connector) = config.connectors.iter().find(|connector| connector.name == *name) else {
        let names = super::names(config.connectors.iter().map(|connector| connector.name.as_str()));
        bail!("no connector `{name}` in the file, which says its org and query; there are: {names}");
    };
    let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit };
    let now = clock::wall();
    let url = match (&args.checkpoint_url, &args.since) {
        (Some(text), _) => alteration::checkpoint(text, &connector.org, &query, now)
            .map_err(|error| change::usage(&error.to_string()))?,
        (None, since) => {
            let since = since.unwrap_or(connector.since);
            if let Ok(Some(unwise)) = since.judge(now) {
                warn!("`--since` {unwise}");
            }
            query.cold_start_url(&connector.org, since.resolve(now))
        }
    };
    alter(args, &config, connector, &url, query.hash())
}

fn alter(
    args: &AlterArgs,
    config: &Config,
    connector: &ConnectorConfig,
    url: &PageUrl,
    query_hash: String,
) -> anyhow::Result<()> {
    let topics = Topics::new(&config.kafka)?;
    change::check_partitions(config, &topics)?;
    let position = alteration::position(Some(url), None);
    if let Some(position) = position {
        check_age(&topics, connector, position)?;
    }
    let partition = SourcePartition::of(&connector.org);
    let key = codec::encode_key(&connector.name, &partition);
    let shard = worker::shard_of(connector, config.offsets.partitions);
    let before = super::read(config, Some(shard))?.fold.get(&key).map(<[u8]>::to_vec);
    // Events before it are none that we know of, whoever wrote the URL.
    let offset = SourceOffset::cold(url.as_str().to_owned(), query_hash);
    let mut change = Change { shard, key: &key, partition: &partition, before, after: None };
    if let Some(before) = &change.before {
        let stored = codec::decode_value(before).ok();
        if stored
            .as_ref()
            .is_some_and(|stored| stored.checkpoint_url == offset.checkpoint_url && stored.query == offset.query)
        {
            tracing::info!(connector = connector.name, "this is the stored checkpoint already: nothing was written");
            change.after = change.before.clone();
            return change::print(&[change]);
        }
        change::confirm(&args.change, &Effect::of(stored.as_ref(), &connector.org, position).to_string())?;
    }
    change.after = Some(codec::encode_value(&offset));
    change::carry_out(config, vec![change])
}

/// What a topic would delete as soon as it is there need not be asked for.
fn check_age(topics: &Topics, connector: &ConnectorConfig, position: Timestamp) -> anyhow::Result<()> {
    let age = Duration::try_from(clock::wall().duration_since(position)).unwrap_or_default();
    // A topic that is not there yet, or not shown, is taken for one that keeps it.
    let Some(settings) = topics.settings(&connector.topic.name) else { return Ok(()) };
    match connector_topics::judge_time(&settings, connector, age) {
        Ok(()) => Ok(()),
        Err(problem) => bail!("{problem}"),
    }
}
