//! `offsets reset`: a tombstone in the place of a connector's checkpoint, or the record of a cold start that allows duplicates.

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;

use super::alter;
use super::change::{self, Change, ChangeArgs, Told};
use crate::clock;
use crate::config::ConnectorConfig;
use crate::kafka::topics::Topics;
use crate::offsets::codec;
use crate::okta::query::SystemLogQuery;
use crate::source::alteration::{Effect, Ground};
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::worker::{self, connector_topics};

const EXAMPLE: &str = "Example: okta-kafka-source offsets reset acme -c connectors.yaml

A cold start leaves out what the topic holds already. Where `since` is after the stored position, and where the name is only in the \
offsets topic, as that of a connector that was renamed, events may be lost: it asks on a terminal, and needs --yes elsewhere.

Prints {\"before\":…,\"after\":null}, as `offsets get` does. A running worker is fenced, and starts the connector cold.";

/// Arguments of `offsets reset`.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ResetArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// What is stored under the name: key, source partition, value, shard.
type Found<'a> = (&'a [u8], SourcePartition, &'a [u8], i32);

/// Runs the command. Blocks.
pub(super) fn run(args: &ResetArgs) -> anyhow::Result<()> {
    let config = args.change.config.load()?;
    let name = &args.change.name;
    let topics = Topics::new(&config.kafka)?;
    change::check_partitions(&config, &topics)?;
    let log = super::read(&config, None)?;
    let mut found: Vec<Found<'_>> = Vec::new();
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
    let allow_duplicates = args.change.allow_duplicates;
    let Some(connector) = connector else {
        if allow_duplicates {
            return Err(change::usage(&format!(
                "`--allow-duplicates` is for a connector of the file, which says where it begins, and `{name}` is only in the offsets topic: its checkpoint is deleted, and that can carry no mark; leave the option out, and give it to the connector that takes its place"
            )));
        }
        change::confirm(&args.change, &told(None, &found))?;
        let then = "deleted: no connector of this file has the name, so none starts by it";
        return change::carry_out(&config, found.iter().map(tombstone).collect(), name, then);
    };
    if found.is_empty() && !allow_duplicates {
        tracing::info!(connector = name, "no checkpoint is stored: nothing was written");
        return change::print(&[]);
    }
    let settings = topics.settings(&connector.topic.name);
    let since = connector.since.resolve(clock::wall());
    if let Some(settings) = &settings
        && let Err(problem) = alter::check_age(settings, connector, since)
    {
        // A mark is a record, which `run` would take for a position that was good once.
        if allow_duplicates {
            return Err(problem);
        }
        tracing::warn!(connector = name, "the cold start will be refused: {problem}");
    }
    let keeps = settings.as_ref().and_then(connector_topics::kept);
    let ground = Ground { topic: &connector.topic.name, keeps: keeps.as_deref(), allow_duplicates };
    if !found.is_empty() {
        change::confirm(&args.change, &told(Some((connector, since, &ground)), &found))?;
    }
    let own = SourcePartition::of(&connector.org);
    let own_key = codec::encode_key(name, &own);
    let mut changes: Vec<Change<'_>> = found.iter().map(tombstone).collect();
    if allow_duplicates {
        // A tombstone carries no mark: in its place the record that the cold start would begin with, and the mark.
        let query = SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit };
        let cold = SourceOffset::cold(query.cold_start_url(&connector.org, since).as_str().to_owned(), query.hash());
        let value = codec::encode_value(&SourceOffset { allow_duplicates, ..cold });
        match changes.iter_mut().find(|change| change.key == own_key) {
            Some(change) => change.after = Some(value),
            None => changes.push(Change {
                shard: worker::shard_of(connector, config.offsets.partitions),
                key: &own_key,
                partition: &own,
                before: None,
                after: Some(value),
            }),
        }
    }
    let own = changes.iter().find(|change| change.key == own_key).and_then(|change| change.after.as_deref());
    let own = own.and_then(|after| codec::decode_value(after).ok());
    let then = change::next_start(own.as_ref(), &connector.topic.name);
    change::carry_out(&config, changes, name, &then)
}

fn tombstone<'a>((key, partition, value, shard): &'a Found<'a>) -> Change<'a> {
    Change { shard: *shard, key, partition, before: Some(value.to_vec()), after: None }
}

/// What deleting these does; `cold` is the connector of the file, and where it begins then.
fn told(cold: Option<(&ConnectorConfig, Timestamp, &Ground<'_>)>, found: &[Found<'_>]) -> Told {
    let of_one = |(_, partition, value, _): &Found<'_>| {
        let Some((connector, since, ground)) = cold else {
            let effect = "it is not in the file; its position is deleted, and a connector of that name would start cold: where its `since` is later than this position, events are left out for good";
            return Told { effect: effect.to_owned(), may_lose: true };
        };
        if *partition != SourcePartition::of(&connector.org) {
            let effect = "the position in the log of an org that is no longer its own is deleted";
            return Told { effect: effect.to_owned(), may_lose: true };
        }
        let effect = Effect::of(codec::decode_value(value).ok().as_ref(), &connector.org, Some(since));
        let told = effect.told(ground);
        Told {
            effect: format!("the checkpoint is deleted, and a cold start begins at `since`; {told}"),
            may_lose: effect.may_lose(),
        }
    };
    if let [one] = found {
        return of_one(one);
    }
    let all: Vec<(&str, Told)> = found.iter().map(|one| (one.1.org.as_str(), of_one(one))).collect();
    let each: Vec<String> = all.iter().map(|(org, told)| format!("org `{org}`: {}", told.effect)).collect();
    Told {
        effect: format!("{} records are stored under this name; {}", found.len(), each.join("; ")),
        may_lose: all.iter().any(|(_, told)| told.may_lose),
    }
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
        let one = told(None, &found[..1]);
        assert!(one.may_lose && one.effect.starts_with("it is not in the file"), "{}", one.effect);
        let both = told(None, &found).effect;
        let says = ["2 records are stored", "org `old.okta.com`: it is not", "org `new.okta.com`: it is not"];
        assert!(says.iter().all(|part| both.contains(part)), "{both}");
    }
}
