//! `query`: ad hoc questions to the System Log, and their answers.

mod answer;
mod email;
mod go_on;
mod progress;
mod request;

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use self::answer::AnswerArgs;
use self::email::{EmailArgs, Pending};
use self::progress::Progress;
use self::request::RequestArgs;
use super::signals::{self, Signal};
use super::{ConfigArg, offsets};
use crate::clock;
use crate::config::{Config, ConnectorConfig};
use crate::demo::style;
use crate::query::error::QueryError;
use crate::query::sink::{QueryResult, Sinks};
use crate::query::{Bounds, News, Query};
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

  Yesterday's failed sign-ins by e-mail, with the results as CSV:
    okta-kafka-source query acme -c connectors.yaml --since 25h --event-type user.session.start --outcome FAILURE --email soc@example.com

Every query has an end: --since and --until are always sent. The connector gives the org, the credential and the way there; its own
`filter`, `q`, `since` and `limit` are for `run`, and not applied. Requests live on the part of the rate limit that `run` leaves
(`rate_limit_bulk_reserve`), so a long query is not a fast one. Several of the same shorthand are joined by `or`, different ones
and --filter by `and`.

Exit codes: 0 done, also without results, and when whoever reads the output closes it; 1 Okta refused the query or did not answer,
or a topic, a file or a mail server did not take the results; 2 bad command line or configuration; 130 interrupted: what was written until then is whole lines, and the command to go on with is
printed; with --email it is the command for all of it, as a mail is about all results.";

/// Arguments of `query`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct QueryArgs {
    /// The connector's name
    name: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Print the URL of the first page, and ask nothing
    #[arg(long)]
    print_request: bool,
    #[command(flatten)]
    request: RequestArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    email: EmailArgs,
}

/// Runs the query until its end or a signal.
pub async fn run(args: QueryArgs) -> anyhow::Result<()> {
    let QueryArgs { name, config, print_request, request: asked, mut answer, mut email } = args;
    email.name_each_once();
    answer.mailed = (!email.email.is_empty()).then_some(email.email_attach);
    let config = Arc::new(config.load()?);
    let connector = connector(&config, &name)?;
    if let Some(file) = &email.from_file {
        return send_again(file, &config, connector, &asked, &answer, &email).await;
    }
    let request = asked.resolve(clock::wall())?;
    for advice in asked.advice() {
        writeln!(stderr(), "warning: {advice}")?;
    }
    if print_request {
        return Ok(writeln!(stdout(), "{}", request.url(&connector.org))?);
    }
    let bounds = Bounds { max_pages: asked.max_pages, max_events: asked.max_events, retry_for: asked.retry_for };
    let query = Query::new(connector, &config.okta_http, request, bounds)?;
    let stop = Stop::new();
    let progress = Progress::new(answer.is_on_stdout());
    let mut signal = std::pin::pin!(signals::first());
    // What is wrong with the command line is said before Kafka is asked for anything.
    let (pending, of_email) = email.prepare(&config, connector, &answer)?.unzip();
    let shown = answer.sinks(&progress)?;
    // The topic first: what is shown or in a file is published.
    let topic = tokio::select! {
        topic = answer.topic(&config, connector, query.request(), &stop) => topic?,
        signal = &mut signal => return Err(Signal::into_error(signal)),
    };
    let sinks = topic.into_iter().chain(shown).chain(of_email.into_iter().flatten());
    let sinks = Sinks(sinks.collect());
    let say = |news: News<'_>| progress.say(&news);
    let mut interrupted = None;
    let (result, ran) = {
        let mut running = std::pin::pin!(query.run(sinks, &stop, &say));
        tokio::select! {
            ended = &mut running => ended,
            signal = &mut signal => {
                interrupted = Some(signal);
                stop.stop();
                // The second one does not wait for whoever does not read.
                let again = signals::first();
                tokio::select! {
                    ended = &mut running => ended,
                    again = again => {
                        if let Some(partial) = pending.as_ref().and_then(Pending::partial) {
                            writeln!(stderr(), "what came until then is in `{}`", partial.display())?;
                        }
                        return Err(Signal::into_error(again));
                    }
                }
            }
        }
    };
    progress.finish();
    let mut err = stderr();
    if result.dead_letters > 0 {
        // Whoever is given the topic has to know.
        let QueryResult { dead_letters, connector, .. } = &result;
        writeln!(
            err,
            "dead letters, which are not in the topic: {dead_letters}; `dead-letters list {connector}` shows why"
        )?;
    }
    if let Err(error) = ran {
        // What came is not asked for again, but for a mail; nobody goes on who has closed the output.
        let is_closed = matches!(&error, QueryError::Output(error) if error.kind() == ErrorKind::BrokenPipe);
        if let Some(pending) = &pending {
            unfinished(pending, &result, &answer)?;
        } else if !is_closed {
            if let Some(partial) = answer.partial(&result) {
                let partial = partial.display();
                writeln!(err, "what came until then is in `{partial}`; what goes on writes the rest alone")?;
            }
            go_on::tell(&result, &asked)?;
        }
        return Err(interrupted.map_or_else(|| error.into(), Signal::into_error));
    }
    if let Some(pending) = &pending {
        send(pending, &result, answer.also(&result), asked.retry_for, &email).await?;
    }
    tell(&result, &answer, &email)
}

/// A mail is about all results, or there is none: where those are that came, and the command for all of them.
fn unfinished(pending: &Pending, result: &QueryResult, answer: &AnswerArgs) -> std::io::Result<()> {
    if result.pages == 0 {
        return Ok(());
    }
    let mut err = stderr();
    let partials = answer.partial(result).into_iter().chain(pending.partial().map(Path::to_owned));
    for partial in partials {
        writeln!(err, "what came until then is in `{}`", partial.display())?;
    }
    let twice = if answer.to_topic.is_some() { "; what was published comes into the topic again" } else { "" };
    let command = email::once_more(&result.request);
    writeln!(
        err,
        "ended early, after {}, and no e-mail was sent; to ask for all of it again{twice}:\n  {command}",
        go_on::counted(result)
    )
}

/// Sends the mail, unless a signal comes first.
async fn send(
    pending: &Pending,
    result: &QueryResult,
    also: Vec<String>,
    retry_for: Duration,
    email: &EmailArgs,
) -> anyhow::Result<()> {
    // The first signal may be taken already.
    let signal = signals::first();
    tokio::select! {
        biased;
        sent = email.send(pending, result, also, retry_for) => sent,
        signal = signal => {
            if pending.is_sent() {
                // The server was being told good-bye.
                return Ok(());
            }
            writeln!(stderr(), "the e-mail may not be sent; {}", email.how_to_send(pending, result))?;
            Err(Signal::into_error(signal))
        }
    }
}

/// `--from-file`: results of an earlier query.
async fn send_again(
    file: &Path,
    config: &Config,
    connector: &ConnectorConfig,
    asked: &RequestArgs,
    answer: &AnswerArgs,
    email: &EmailArgs,
) -> anyhow::Result<()> {
    let Some((pending, mut sinks)) = email.prepare(config, connector, answer)? else { return Ok(()) };
    let result = email::read_file(file, connector, asked, &mut sinks)?;
    send(&pending, &result, Vec::new(), asked.retry_for, email).await?;
    Ok(writeln!(
        stderr(),
        "{} of `{}`{}",
        style::count(usize::try_from(result.events)?),
        file.display(),
        email.whither(&result)
    )?)
}

fn connector<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c ConnectorConfig> {
    let Some(connector) = config.connectors.iter().find(|connector| connector.name == name) else {
        let names = offsets::names(config.connectors.iter().map(|connector| connector.name.as_str()));
        anyhow::bail!("no connector `{name}` in the file, which says the org and its credential; there are: {names}");
    };
    Ok(connector)
}

/// The last word on stderr: for people, and where there is nothing on stdout.
fn tell(result: &QueryResult, answer: &AnswerArgs, email: &EmailArgs) -> anyhow::Result<()> {
    let QueryResult { events, pages, request, ended, .. } = result;
    let mut err = stderr();
    if let Some(advice) = answer.advice(result) {
        writeln!(err, "warning: {advice}")?;
    }
    if *events == 0 {
        writeln!(err, "no events from {:.0} to {:.0} match{}", request.since, request.until, email.whither(result))?;
    } else if err.is_terminal() || !answer.is_on_stdout() {
        let [events, pages] = [(*events, "event"), (*pages, "page")].map(|(count, what)| {
            let number = style::count(usize::try_from(count).unwrap_or(usize::MAX));
            format!("{number} {what}{}", if count == 1 { "" } else { "s" })
        });
        writeln!(err, "{events} in {pages}{}{}{}", answer.whither(result), email.whither(result), ended.note())?;
    }
    Ok(())
}
