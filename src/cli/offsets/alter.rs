//! `offsets alter`: another checkpoint in the place of a connector's.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use tracing::warn;

use super::change::{self, Change, ChangeArgs, Told};
use crate::clock;
use crate::config::{Config, ConnectorConfig, Since};
use crate::kafka::topics::Topics;
use crate::offsets::{codec, other_org};
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::alteration::{self, Effect, Ground};
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::worker::{self, connector_topics};

const EXAMPLE: &str = "Examples:
  okta-kafka-source offsets alter acme --since 2d -c connectors.yaml
  okta-kafka-source offsets alter acme --checkpoint-url 'https://acme.okta.com/api/v1/logs?since=…&after=…' --yes -c connectors.yaml

Going back needs no confirmation: what the topic holds already is left out. Going forward, or to a link that can't be compared, may lose events: \
it asks on a terminal, and needs --yes elsewhere.

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
    alter(args, &config, connector, &url, &query.hash())
}

fn alter(
    args: &AlterArgs,
    config: &Config,
    connector: &ConnectorConfig,
    url: &PageUrl,
    query_hash: &str,
) -> anyhow::Result<()> {
    let topics = Topics::new(&config.kafka)?;
    change::check_partitions(config, &topics)?;
    let settings = topics.settings(&connector.topic.name);
    let position = alteration::position(Some(url), None);
    if let (Some(settings), Some(position)) = (&settings, position) {
        check_age(settings, connector, position)?;
    }
    let partition = SourcePartition::of(&connector.org);
    let key = codec::encode_key(&connector.name, &partition);
    let shard = worker::shard_of(connector, config.offsets.partitions);
    let before = super::read(config, Some(shard))?.fold.get(&key).map(<[u8]>::to_vec);
    if before.is_none() {
        // As `run` before a cold start: a name is not of two orgs, by a slip in `org` or otherwise.
        other_org::judge(&super::read(config, None)?.fold, &connector.name, &partition)?;
    }
    let stored = before.as_deref().and_then(|before| codec::decode_value(before).ok());
    let allow_duplicates = args.change.allow_duplicates;
    let mut change = Change { shard, key: &key, partition: &partition, before, after: None };
    let Some(offset) = alteration::altered(stored.as_ref(), url, query_hash, clock::wall(), allow_duplicates) else {
        tracing::info!(connector = connector.name, "this is the stored checkpoint already: nothing was written");
        change.after = change.before.clone();
        return change::print(&[change]);
    };
    let is_elsewhere = |stored: &SourceOffset| stored.checkpoint_url != url.as_str() || stored.query != query_hash;
    if change.before.is_some() && stored.as_ref().is_none_or(is_elsewhere) {
        let keeps = settings.as_ref().and_then(connector_topics::kept);
        let ground = Ground { topic: &connector.topic.name, keeps: keeps.as_deref(), allow_duplicates };
        let effect = Effect::of(stored.as_ref(), &connector.org, position);
        change::confirm(&args.change, &Told { effect: effect.told(&ground), may_lose: effect.may_lose() })?;
    }
    change.after = Some(codec::encode_value(&offset));
    let then = change::next_start(Some(&offset), &connector.topic.name);
    change::carry_out(config, vec![change], &connector.name, &then)
}

/// What a topic would delete as soon as it is there need not be asked for. A topic that is not there yet, or not shown, is
/// taken for one that keeps it.
pub(super) fn check_age(
    settings: &BTreeMap<String, String>,
    connector: &ConnectorConfig,
    position: Timestamp,
) -> anyhow::Result<()> {
    let age = Duration::try_from(clock::wall().duration_since(position)).unwrap_or_default();
    match connector_topics::judge_time(settings, connector, age) {
        Ok(()) => Ok(()),
        Err(problem) => bail!("{problem}"),
    }
}
