//! `query`: ad hoc questions to the System Log, and their answers.

mod go_on;
mod progress;
mod request;

use std::io::{self, IsTerminal, Write, stderr, stdout};

use clap::Args;

use self::progress::Progress;
use self::request::RequestArgs;
use super::signals::{self, Signal};
use super::{ConfigArg, offsets};
use crate::clock;
use crate::config::{Config, ConnectorConfig};
use crate::query::error::QueryError;
use crate::query::output::{Array, Format, Lines, Written};
use crate::query::sink::{QueryResult, Sinks};
use crate::query::{Bounds, Query};
use crate::worker::shutdown::Stop;

/// What goes wrong is told by the command itself.
pub const LOG_FILTER: &str = "warn";

const EXAMPLES: &str = "\
Examples:
  Failed sign-ins of the last day, as a table:
    okta-kafka-source query acme -c connectors.yaml --since 1d --event-type user.session.start --outcome FAILURE

  The most recent 1000 events of a user, newest first, into a file:
    okta-kafka-source query acme -c connectors.yaml --actor john.doe@example.com --sort-order descending --max-events 1000 --to-file john.ndjson

  Whatever Okta's filter language can say (and see what would be asked, without asking):
    okta-kafka-source query acme -c connectors.yaml --filter 'eventType sw \"user.mfa.\" and not (outcome.result eq \"SUCCESS\")' --print-request

Every query has an end: --since and --until are always sent. The connector gives the org, the credential and the way there; its own
`filter`, `q`, `since` and `limit` are for `run`, and not applied. Requests live on the part of the rate limit that `run` leaves
(`rate_limit_bulk_reserve`), so a long query is not a fast one. Several of the same shorthand are joined by `or`, different ones
and --filter by `and`.

Exit codes: 0 done, also without results, and when whoever reads the output closes it; 1 Okta refused the query or did not answer;
2 bad command line or configuration; 130 interrupted: what was written until then is whole lines, and the command to go on with is
printed.";

/// Arguments of `query`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct QueryArgs {
    /// The connector's name
    name: String,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    request: RequestArgs,
    /// Print the URL of the first page, and ask nothing
    #[arg(long)]
    print_request: bool,
    /// How results are written [default: ndjson]
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// One event a line, Okta's bytes
    Ndjson,
    /// One array, Okta's bytes of each event
    Json,
}

/// Runs the query until its end or a signal.
pub async fn run(args: QueryArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let connector = connector(&config, &args.name)?;
    let request = args.request.resolve(clock::wall())?;
    if args.print_request {
        return Ok(writeln!(stdout(), "{}", request.url(&connector.org))?);
    }
    let bounds = Bounds {
        max_pages: args.request.max_pages,
        max_events: args.request.max_events,
        retry_for: args.request.retry_for,
    };
    let query = Query::new(connector, &config.okta_http, request, bounds)?;
    let stop = Stop::new();
    let progress = Progress::new(query.request());
    let sinks = Sinks(vec![Box::new(Written::new(stdout(), format(&args)))]);
    let (result, ran) = {
        let say = |news: crate::query::News<'_>| progress.say(&news);
        let mut running = std::pin::pin!(query.run(sinks, &stop, &say));
        let signal = signals::first();
        tokio::select! {
            ended = &mut running => ended,
            signal = signal => {
                stop.stop();
                let (result, _) = running.await;
                progress.finish();
                go_on::tell(&result, &args.request)?;
                return Err(Signal::into_error(signal));
            }
        }
    };
    progress.finish();
    tell(&result, &ran)?;
    Ok(ran?)
}

fn format(args: &QueryArgs) -> Box<dyn Format> {
    let is_shown = stdout().is_terminal();
    match args.output.unwrap_or(Output::Ndjson) {
        Output::Ndjson => Box::new(Lines { is_shown }),
        Output::Json => Box::new(Array::new(is_shown)),
    }
}

fn connector<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c ConnectorConfig> {
    let Some(connector) = config.connectors.iter().find(|connector| connector.name == name) else {
        let names = offsets::names(config.connectors.iter().map(|connector| connector.name.as_str()));
        anyhow::bail!("no connector `{name}` in the file, which says the org and its credential; there are: {names}");
    };
    Ok(connector)
}

/// The last word on stderr: for people, and where there is nothing on stdout.
fn tell(result: &QueryResult, ran: &Result<(), QueryError>) -> io::Result<()> {
    if ran.is_err() {
        return Ok(());
    }
    let QueryResult { events, pages, request, .. } = result;
    let mut err = stderr();
    if *events == 0 {
        return writeln!(err, "no events between {:.0} and {:.0} match", request.since, request.until);
    }
    if err.is_terminal() {
        let s = |count: u64| if count == 1 { "" } else { "s" };
        writeln!(err, "{events} event{} in {pages} page{}", s(*events), s(*pages))?;
    }
    Ok(())
}
