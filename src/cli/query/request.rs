//! The parameters of a query: those of Okta's "Get Logs", its bounds, and shorthands.

use std::net::IpAddr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, Args};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::Since;
use crate::okta::ad_hoc::{AdHocQuery, Shorthands, SortOrder};
use crate::okta::event_types;
use crate::okta::filter::{self, FilterProblem};

/// Okta's default page size, and the greatest of its guide.
const DEFAULT_LIMIT: u16 = 100;

/// `outcome.result` of Okta's reference.
const OUTCOMES: [&str; 12] = [
    "SUCCESS",
    "FAILURE",
    "SKIPPED",
    "ALLOW",
    "DENY",
    "CHALLENGE",
    "UNKNOWN",
    "RATE_LIMIT",
    "DEFERRED",
    "SCHEDULED",
    "ABANDONED",
    "UNANSWERED",
];

/// What is asked, and how far.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is asked")]
pub struct RequestArgs {
    /// Keywords that all have to match exactly, in any member of an event, capitals aside; at most 10 of at most 40 characters.
    /// May be repeated
    #[arg(long, value_name = "KEYWORD")]
    pub q: Vec<String>,
    /// Events of this time or later: an age (`90m`, `7d`), an RFC 3339 time, or a date (its first moment, UTC)
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time)]
    pub since: Since,
    /// Events before this time: an age, an RFC 3339 time, a date, or `now`
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = time)]
    pub until: Since,
    /// An expression of Okta's filter language (SCIM)
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Events of this type. May be repeated, as all of these
    #[arg(long, value_name = "TYPE")]
    pub event_type: Vec<String>,
    /// Events of whoever did it: a login, or an id
    #[arg(long, value_name = "LOGIN|ID")]
    pub actor: Vec<String>,
    /// Events about this user, app, …: a login or name (`alternateId`), or an id
    #[arg(long, value_name = "LOGIN|ID")]
    pub target: Vec<String>,
    /// Events from this address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub ip: Vec<IpAddr>,
    /// Events with this result, as SUCCESS, FAILURE, ALLOW, DENY, CHALLENGE
    #[arg(long, value_name = "RESULT", value_parser = upper_case)]
    pub outcome: Vec<String>,
    /// Events of this severity: DEBUG, INFO, WARN or ERROR
    #[arg(long, value_name = "SEVERITY", ignore_case = true, value_parser = ["DEBUG", "INFO", "WARN", "ERROR"], hide_possible_values = true)]
    pub severity: Vec<String>,
    /// The order of the results, by the time of the events [default: ascending]
    #[arg(long, value_name = "ascending|descending", value_parser = order)]
    pub sort_order: Option<SortOrder>,
    /// Page size, 1 to 1000: how many events Okta is asked for at a time. 10 to 100 is what Okta's guide advises [default: 100, or
    /// --max-events where that is less]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: Option<u16>,
    /// Ask for no more pages than these; 1 is Okta's answer to a single request
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pages: Option<u64>,
    /// Stop after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_events: Option<u64>,
    /// How long to try again where Okta does not answer, or with errors of its own; three times as long where its rate limit
    /// refuses; and after that as long where a mail server does not answer, or wants to be asked later
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, action = ArgAction::Set)]
    pub retry_for: Duration,
}

impl RequestArgs {
    /// The query that this is at `now`.
    pub fn resolve(&self, now: Timestamp) -> anyhow::Result<AdHocQuery> {
        let (since, until) = (self.since.resolve(now), self.until.resolve(now));
        let age = self.since.judge(now).map_err(|error| usage(format!("--since {error}")))?;
        if let Some(unwise) = age {
            tracing::warn!("--since {unwise}");
        }
        // As they are sent.
        if until.as_millisecond() <= since.as_millisecond() {
            return Err(usage(format!(
                "--until ({until:.0}) is not after --since ({since:.0}): write an earlier --since, which is 7d where none is given"
            )));
        }
        let q = self.q.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        filter::check_q(&q).map_err(|problem| wrong("--q", &q, &problem))?;
        if let Some(filter) = self.filter.as_deref().filter(|filter| !filter.trim().is_empty()) {
            filter::check(filter).map_err(|problem| wrong("--filter", filter, &problem))?;
        }
        let shorthands = Shorthands {
            event_types: self.event_type.clone(),
            actors: self.actor.clone(),
            targets: self.target.clone(),
            ips: self.ip.iter().map(IpAddr::to_string).collect(),
            outcomes: self.outcome.clone(),
            severities: self.severity.iter().map(|severity| severity.to_uppercase()).collect(),
        };
        let enough = self.max_events.and_then(|max| u16::try_from(max).ok()).unwrap_or(DEFAULT_LIMIT);
        Ok(AdHocQuery {
            since,
            until,
            filter: shorthands.filter(self.filter.as_deref()),
            q: Some(q).filter(|q| !q.is_empty()),
            order: self.sort_order,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT.min(enough)),
        })
    }

    /// What is worth a word and may be right all the same, a text each.
    pub fn advice(&self) -> Vec<String> {
        let unknown = self.event_type.iter().filter(|name| !event_types::is_known(name)).map(|name| {
            if let Some(begin) =
                name.strip_suffix('*').or_else(|| Some(name.as_str()).filter(|name| name.ends_with('.')))
            {
                let filter = format!("--filter 'eventType sw \"{begin}\"'");
                return format!("--event-type: `{name}` is taken for a whole name; for all that begin so: {filter}");
            }
            match event_types::suggestions(name).as_slice() {
                [] => format!("--event-type: Okta's catalogue (release {}) has no `{name}`", event_types::RELEASE),
                near => {
                    format!("--event-type: Okta's catalogue has no `{name}`: did you mean `{}`?", near.join("` or `"))
                }
            }
        });
        let filter = self.filter.as_deref().unwrap_or_default();
        let doubtful = filter::advice(filter);
        let doubtful = doubtful.iter().map(|one| format!("--filter: {one}\n{}", filter::caret(filter, one.position)));
        let outcomes =
            self.outcome.iter().filter(|outcome| !OUTCOMES.contains(&outcome.as_str())).map(|outcome| {
                format!("--outcome: Okta's reference has no `{outcome}`: it has {}", OUTCOMES.join(", "))
            });
        unknown.chain(outcomes).chain(doubtful).collect()
    }
}

/// What Okta is sure to refuse, with a caret under the place.
fn wrong(option: &str, text: &str, problem: &FilterProblem) -> anyhow::Error {
    usage(format!("{option}: {problem}\n{}", filter::caret(text, problem.position)))
}

/// An error of the command line: exit code 2.
pub fn usage(message: String) -> anyhow::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n")).into()
}

fn time(text: &str) -> Result<Since, String> {
    match text.parse::<Date>() {
        // Of a time, it would be the day alone.
        Ok(date) if text.len() == "2026-11-22".len() => Since::parse(&format!("{date}T00:00:00Z")),
        _ => Since::parse(text),
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        let network = text.contains(['/', '*']);
        let begin = text.split(['/', '*']).next().unwrap_or_default().trim_end_matches(".0");
        let begin = format!("{}.", begin.trim_end_matches('.'));
        match network {
            true => {
                format!("one address, no network: for all that begin so, --filter 'client.ipAddress sw \"{begin}\"'")
            }
            false => "is no IP address".to_owned(),
        }
    })
}

fn order(text: &str) -> Result<SortOrder, String> {
    match text.to_ascii_lowercase().as_str() {
        "ascending" | "asc" => Ok(SortOrder::Ascending),
        "descending" | "desc" => Ok(SortOrder::Descending),
        _ => Err("write `ascending` or `descending`".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::config::duration(text)
}

fn upper_case(text: &str) -> Result<String, String> {
    Ok(text.to_uppercase())
}
