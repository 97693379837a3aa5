//! `offsets reset`: a tombstone in the place of a connector's checkpoint.

use anyhow::bail;
use clap::Args;

use super::change::{self, Change, ChangeArgs};
use crate::clock;
use crate::config::ConnectorConfig;
use crate::kafka::topics::Topics;
use crate::offsets::codec;
use crate::source::alteration::Effect;
use crate::source::offset::SourcePartition;

const EXAMPLE: &str = "Example: okta-kafka-source offsets reset acme --yes -c connectors.yaml

Prints {\"before\":…,\"after\":null}, as `offsets get` does. A running worker is fenced, and starts the connector cold.
The name may be of a connector that is only in the offsets topic, as one that was renamed.";

/// Arguments of `offsets reset`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ResetArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Runs the command. Blocks.
pub(super) fn run(args: &ResetArgs) -> anyhow::Result<()> {
    let config = args.change.config.load()?;
    let name = &args.change.name;
    change::check_partitions(&config, &Topics::new(&config.kafka)?)?;
    let log = super::read(&config, None)?;
    let mut found: Vec<(&[u8], SourcePartition, &[u8], i32)> = Vec::new();
    let mut names: Vec<String> = config.connectors.iter().map(|connector| connector.name.clone()).collect();
    for (key, value, at) in log.fold.iter() {
        // What is not Connect's belongs to nobody.
        let Ok((connector, partition)) = codec::decode_key(key) else { continue };
        if connector == *name {
            found.push((key, partition, value, at.partition));
        }
        names.push(connector);
    }
    let connector = config.connectors.iter().find(|connector| connector.name == *name);
    if found.is_empty() && connector.is_none() {
        bail!(
            "no connector `{name}` in the file or in the offsets topic; there are: {}",
            super::names(names.iter().map(String::as_str))
        );
    }
    if found.is_empty() {
        tracing::info!(connector = name, "no checkpoint is stored: nothing was written");
        return change::print(&[]);
    }
    change::confirm(&args.change, &effect(connector, &found))?;
    let changes = found.iter().map(|(key, partition, value, shard)| Change {
        shard: *shard,
        key,
        partition,
        before: Some(value.to_vec()),
        after: None,
    });
    change::carry_out(&config, changes.collect())
}

fn effect(connector: Option<&ConnectorConfig>, found: &[(&[u8], SourcePartition, &[u8], i32)]) -> String {
    let mut effects = found.iter().map(|(_, partition, value, _)| {
        let Some(connector) = connector else {
            return "it is not in the file; its checkpoint is deleted, and a connector of that name starts cold: what it asks for again is there twice".to_owned();
        };
        if *partition != SourcePartition::of(&connector.org) {
            return "the checkpoint of an org that is no longer its own is deleted".to_owned();
        }
        let since = connector.since.resolve(clock::wall());
        let effect = Effect::of(codec::decode_value(value).ok().as_ref(), &connector.org, Some(since));
        format!("the checkpoint is deleted, and a cold start begins at `since`; {effect}")
    });
    if found.len() == 1 {
        return effects.next().unwrap_or_default();
    }
    let each: Vec<String> = found
        .iter()
        .zip(effects)
        .map(|((_, partition, ..), effect)| format!("org `{}`: {effect}", partition.org))
        .collect();
    format!("{} records are stored under this name; {}", found.len(), each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_of_a_name_is_in_the_question() {
        let partition = |org: &str| SourcePartition { org: org.to_owned() };
        let found = [
            (&b"k1"[..], partition("old.okta.com"), &b"{}"[..], 0),
            (&b"k2"[..], partition("new.okta.com"), &b"{}"[..], 1),
        ];
        let one = effect(None, &found[..1]);
        assert!(one.starts_with("it is not in the file"), "{one}");
        let both = effect(None, &found);
        let says = ["2 records are stored", "org `old.okta.com`: it is not", "org `new.okta.com`: it is not"];
        assert!(says.iter().all(|part| both.contains(part)), "{both}");
    }
}
