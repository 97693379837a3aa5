//! `--from-file`: results of an earlier query, which are sent without asking Okta.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::super::request::{RequestArgs, usage};
use crate::clock;
use crate::config::ConnectorConfig;
use crate::okta::page;
use crate::query::sink::{Ended, QueryResult, ResultPage, Sink};

/// Whether the times of the query that the file is of are on the command line.
pub fn has_times() -> bool {
    std::env::args().any(|word| super::TIMES.iter().any(|name| word.split('=').next() == Some(name)))
}

/// Puts the results of a file into the sinks, and gives what came of it. What the command line asks for is taken as what the file is of, as a
/// command that was printed has it.
pub fn read(
    path: &Path,
    connector: &ConnectorConfig,
    asked: &RequestArgs,
    sinks: &mut [Box<dyn Sink>],
) -> anyhow::Result<QueryResult> {
    let shown = path.display();
    let fix = "write it with `query … --to-file`, without another --output";
    let file = fs::File::open(path).with_context(|| format!("`{shown}` cannot be read"))?;
    let mut result = QueryResult {
        connector: connector.name.clone(),
        org: connector.org.to_string(),
        request: asked.resolve(clock::wall())?,
        pages: 0,
        events: 0,
        dead_letters: 0,
        first: None,
        last: None,
        ended: if asked.max_pages.is_some() { Ended::MaxPages } else { Ended::NoMore },
    };
    let url = result.request.url(&connector.org);
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let number = index + 1;
        let line = line.with_context(|| format!("`{shown}`, line {number}: {fix}"))?;
        let body = Bytes::from(format!("[{line}]"));
        let elements = page::split(&body).ok().filter(|elements| {
            // An array is JSON on one line, too, as `jq -c` writes it.
            matches!(elements.as_slice(), [element] if element.bytes().starts_with(b"{"))
        });
        let elements = elements.with_context(|| format!("`{shown}`, line {number} is not one event: {fix}"))?;
        let published = elements.first().and_then(|element| element.published()).map(str::to_owned);
        result.events += 1;
        result.first = result.first.take().or_else(|| published.clone());
        result.last = published.or_else(|| result.last.take());
        let page = ResultPage { number: 1, asked: url.clone(), elements, body_bytes: body.len(), server_date: None };
        for sink in &mut *sinks {
            sink.page(&page)?;
        }
    }
    match asked.max_events {
        Some(max) if result.events > max => {
            return Err(usage(format!(
                "--max-events: `{shown}` has {} events, and all of them are sent: leave it out, or shorten the file",
                result.events
            )));
        }
        Some(max) if result.events == max => result.ended = Ended::MaxEvents,
        _ => {}
    }
    if !has_times() {
        // What was asked for is not known: the subject has what is there.
        let times: [Option<Timestamp>; 2] =
            [&result.first, &result.last].map(|time| time.as_deref().and_then(|time| time.parse().ok()));
        if let [Some(first), Some(last)] = times {
            let after: Timestamp = first.max(last);
            result.request.since = first.min(last);
            // `until` is the first time that is not asked for.
            result.request.until = after.checked_add(SignedDuration::from_millis(1)).unwrap_or(after);
        }
    }
    Ok(result)
}
