//! What `alter` and `reset` have in common: the question, the write, and the record before and after.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ConnectorOffset, ConnectorOffsets};
use crate::cli::ConfigArg;
use crate::config::Config;
use crate::kafka::offset_log;
use crate::kafka::offset_writer::{self, OffsetRecord};
use crate::kafka::topics::Topics;
use crate::source::offset::{SourceOffset, SourcePartition};
use crate::source::resume;
use crate::worker::offsets_topic;

/// Longest time for one record, tries that were fenced included.
const WITHIN: Duration = Duration::from_secs(60);

/// What both commands take.
#[derive(Args)]
pub(super) struct ChangeArgs {
    /// The connector's name
    pub name: String,
    #[command(flatten)]
    pub config: ConfigArg,
    /// Publish again what the topic holds already, which is suppressed otherwise: it is there twice then
    #[arg(long)]
    pub allow_duplicates: bool,
    /// Do it, though events are or may be lost; needed for nothing else
    #[arg(long)]
    pub yes: bool,
}

/// The change of one record.
pub(super) struct Change<'a> {
    pub shard: i32,
    pub key: &'a [u8],
    pub partition: &'a SourcePartition,
    /// As it was when it was looked at.
    pub before: Option<Vec<u8>>,
    /// Null is a tombstone.
    pub after: Option<Vec<u8>>,
}

/// A connector's offsets as `offsets get` shows them, before and after; null where there are none.
#[derive(Serialize)]
pub(super) struct Changed<'a> {
    before: Option<ConnectorOffsets<'a>>,
    after: Option<ConnectorOffsets<'a>>,
}

/// Shards are where the configuration says only in a topic of so many partitions: as `run`, refuses another.
pub(super) fn check_partitions(config: &Config, topics: &Topics) -> anyhow::Result<()> {
    let found = usize::try_from(super::partition_count(config, topics)?)?;
    Ok(offsets_topic::judge_partitions(&config.offsets, found)?)
}

/// An error of the command line, for what the parser can't judge by itself: exit code 2.
pub(super) fn usage(message: &str) -> anyhow::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n")).into()
}

/// What a change does, as a sentence without a full stop.
pub(super) struct Told {
    pub effect: String,
    /// Whether events are or may be lost by it.
    pub may_lose: bool,
}

/// Says what the change does. Where it may lose events it goes on only when whoever started the command wants that: by `--yes`, or by
/// an answer on the terminal.
pub(super) fn confirm(args: &ChangeArgs, Told { effect, may_lose }: &Told) -> anyhow::Result<()> {
    let name = &args.name;
    if !may_lose || args.yes {
        tracing::info!(connector = name, "{effect}");
        if !may_lose && args.yes && !args.allow_duplicates {
            tracing::info!(
                connector = name,
                "`--yes` was not needed, as nothing is lost; `--allow-duplicates` publishes again what the topic holds already"
            );
        }
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let other = if args.allow_duplicates { "; `--allow-duplicates` is not for what is lost" } else { "" };
        return Err(usage(&format!(
            "connector `{name}`: {effect}; nothing was written: add `--yes` where that is wanted{other}"
        )));
    }
    write!(stderr(), "connector `{name}`: {effect}.\nGo on? [y/N] ")?;
    let mut answer = String::new();
    let _ = stdin().read_line(&mut answer)?;
    if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("nothing was written");
    }
    Ok(())
}

/// What the next start does with what is stored now, as a sentence without a full stop: whoever changed it need not look for it.
pub(super) fn next_start(after: Option<&SourceOffset>, topic: &str) -> String {
    let when = "a worker that runs it does so within 10 s or so, else the next `run`";
    let ground = |offset: Option<&SourceOffset>| match offset {
        Some(offset) if offset.allow_duplicates => {
            format!("what topic `{topic}` holds already is published again, this once")
        }
        Some(offset) if !resume::is_old_ground(offset, false) => "as before".to_owned(),
        _ => format!("over old ground: what topic `{topic}` holds already is suppressed"),
    };
    match after {
        Some(_) => format!("written: it goes on from there, {}; {when}", ground(after)),
        None => format!("deleted: it starts cold, at `since`, {}; {when}", ground(None)),
    }
}

/// Writes the changes one by one, each under its shard's transactional id, says what comes of it, and prints the record before
/// and after.
pub(super) fn carry_out(config: &Config, mut changes: Vec<Change<'_>>, name: &str, then: &str) -> anyhow::Result<()> {
    let topic = &config.offsets.topic;
    for done in 0..changes.len() {
        let change = &mut changes[done];
        let &mut Change { shard, key, .. } = change;
        let record = OffsetRecord { topic, shard, key, value: change.after.as_deref() };
        let offset = match offset_writer::write(&config.kafka, &config.group_id, &record, WITHIN) {
            Ok(Some(offset)) => offset,
            Ok(None) => continue,
            Err(error) if done == 0 => return Err(error.into()),
            Err(error) => {
                // What is done is done, and told; the exit code is that of the error.
                print(&changes[..done])?;
                let all = changes.len();
                tracing::warn!("{done} of {all} records are changed, and shown on stdout; do it again for the others");
                return Err(error.into());
            }
        };
        // A worker may have gone on between the look and the write: what it committed last is what was replaced.
        match offset_log::value_before(&config.kafka, &config.group_id, topic, (shard, offset), key) {
            // Tried twice, the record before ours may be ours.
            Ok(before) if before == change.after => {}
            Ok(before) => change.before = before,
            Err(problem) => tracing::warn!("`before` is as it was just before the change: {problem}"),
        }
    }
    tracing::info!(connector = name, "{then}");
    print(&changes)
}

/// Prints one JSON object: `{"before":…,"after":…}`.
pub(super) fn print(changes: &[Change<'_>]) -> anyhow::Result<()> {
    let changed = Changed {
        before: offsets(changes, |change| change.before.as_deref())?,
        after: offsets(changes, |change| change.after.as_deref())?,
    };
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, &changed).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn offsets<'a>(
    changes: &'a [Change<'_>],
    side: impl Fn(&'a Change<'_>) -> Option<&'a [u8]>,
) -> anyhow::Result<Option<ConnectorOffsets<'a>>> {
    let mut offsets = Vec::new();
    for change in changes {
        let Some(value) = side(change) else { continue };
        match serde_json::from_slice::<&RawValue>(value) {
            Ok(offset) => offsets.push(ConnectorOffset { partition: change.partition, offset }),
            Err(problem) => tracing::warn!(shard = change.shard, "a record that is not JSON is not shown: {problem}"),
        }
    }
    Ok(Some(ConnectorOffsets { offsets }).filter(|shown| !shown.offsets.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_what_the_next_start_does() {
        let cold = SourceOffset::cold("https://acme.okta.com/api/v1/logs".to_owned(), "q".to_owned());
        let own = SourceOffset { uuid: Some("u".to_owned()), ..cold.clone() };
        let marked = SourceOffset { suppress_until: Some("2026-11-22T00:00:00.000Z".to_owned()), ..own.clone() };
        let twice = SourceOffset { allow_duplicates: true, ..own.clone() };
        for (after, says) in [
            (
                None,
                "deleted: it starts cold, at `since`, over old ground: what topic `t` holds already is suppressed; ",
            ),
            (Some(cold), "from there, over old ground: what topic `t` holds already is suppressed; "),
            (Some(marked), "from there, over old ground: what topic `t` holds already is suppressed; "),
            (Some(own), "written: it goes on from there, as before; "),
            (Some(twice), "from there, what topic `t` holds already is published again, this once; "),
        ] {
            let found = next_start(after.as_ref(), "t");
            assert!(found.contains(says) && found.ends_with("else the next `run`"), "{found}");
        }
    }
}
