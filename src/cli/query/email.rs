//! `query --email`: the mail about the results, where they are kept until it is sent, and sending it again.

mod from_file;
mod spool;

use std::collections::HashSet;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use self::spool::Spool;
use super::answer::{AnswerArgs, Output};
use super::go_on;
use super::request::usage;
use crate::clock;
use crate::config::{Address, Config, ConnectorConfig, EmailConfig, Mailbox};
use crate::email::{self, News};
use crate::okta::ad_hoc::AdHocQuery;
use crate::query::email::{Attach, Collected, Digest, Letter, Source};
use crate::query::output::{Lines, WholeFile};
use crate::query::sink::{Ended, QueryResult, Sink};
use crate::telemetry;

pub use self::from_file::read as read_file;

/// What a mail says of its own is asked anew.
const TIMES: [&str; 2] = ["--since", "--until"];
const PLACES: [&str; 5] = ["--to-file", "--to-topic", "--from-file", "--output", "-o"];

/// The mail about the results.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "E-mail")]
pub struct EmailArgs {
    /// Send a summary to this address (`soc@example.com`, or `SOC <soc@example.com>`) when all results are there: counts, the first
    /// rows, and the results attached. May be repeated; the server is that of the file's `email` section, which is tried again for
    /// --retry-for where it is away or wants to be asked later. Nothing is printed but with --output. Where it is not sent, or not all
    /// results came, those that are there are in a file that is named, with the command that sends all; the exit code is 1
    #[arg(long, value_name = "ADDRESS", value_parser = mailbox)]
    pub email: Vec<Mailbox>,
    /// How the results are attached, as far as `email.max_attachment_size` allows. The summary has the first 25 of them in any case
    #[arg(
        long,
        value_enum,
        default_value = "csv",
        value_name = "csv|ndjson|none",
        requires = "email",
        hide_possible_values = true
    )]
    pub email_attach: Attach,
    /// Send nothing where there are no results
    #[arg(long, requires = "email")]
    pub email_if_any: bool,
    /// Ask nothing, and send the results that are in this file, one event a line, as --to-file writes it. What is asked beside it is
    /// not applied: the mail says that the file is of it
    #[arg(long, value_name = "FILE", requires = "email", conflicts_with_all = ["to_file", "to_topic", "output", "print_request"])]
    pub from_file: Option<PathBuf>,
}

/// Several at once are what everybody tries first.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).map_err(|problem| match text.contains([',', ';']) {
        true => "is not one address: give `--email` once for each".to_owned(),
        false => problem,
    })
}

/// The sinks that a mail needs.
type OfEmail = Vec<Box<dyn Sink>>;

/// A mail that is to be sent when the results are there.
pub struct Pending {
    config: EmailConfig,
    collected: Arc<Mutex<Collected>>,
    spool: Option<Spool>,
    /// Where the results are until it is sent, one event a line; and where they are until all are there, where that is ours.
    kept_in: PathBuf,
    partial: Option<PathBuf>,
    /// Who does not have it.
    missing: Mutex<Vec<Address>>,
}

impl EmailArgs {
    /// Whoever is named twice gets one mail, under the first name.
    pub fn name_each_once(&mut self) {
        let mut known = HashSet::new();
        self.email.retain(|mailbox| known.insert(mailbox.address.as_str().to_owned()));
    }

    /// What has to be there before anything is asked, and the sinks that keep the results for it.
    pub fn prepare(
        &self,
        config: &Config,
        connector: &ConnectorConfig,
        answer: &AnswerArgs,
    ) -> anyhow::Result<Option<(Pending, OfEmail)>> {
        if self.email.is_empty() {
            return Ok(None);
        }
        let Some(config) = config.email.clone() else {
            let example = "{host: smtp.example.com, from: okta@example.com}";
            return Err(usage(format!(
                "--email: the file says no mail server: write `email: {example}` at its top level"
            )));
        };
        if !config.unready.is_empty() {
            return Err(usage(format!("--email: {}", config.unready.join("\n"))));
        }
        let (digest, collected) = Digest::new(self.email_attach, &answer.columns, config.max_attachment_size);
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(digest)];
        let missing = Mutex::new(self.email.iter().map(|mailbox| mailbox.address.clone()).collect());
        let mut pending = Pending { config, collected, spool: None, kept_in: PathBuf::new(), partial: None, missing };
        let stored = answer.to_file.as_ref().filter(|_| answer.output() == Output::Ndjson).or(self.from_file.as_ref());
        match stored {
            Some(path) => pending.kept_in.clone_from(path),
            None => {
                let spool = Spool::create(&connector.name).context(
                    "no place to keep the results in until the e-mail is sent: name one with --to-file FILE, without --output, \
                     or set TMPDIR to a folder that can be written",
                )?;
                pending.kept_in = spool.file();
                let file = WholeFile::create(&pending.kept_in, Box::new(Lines { is_shown: false }))?;
                pending.partial = Some(file.partial().to_owned());
                pending.spool = Some(spool);
                sinks.push(Box::new(file));
            }
        }
        Ok(Some((pending, sinks)))
    }

    /// What is added to `12 events in 1 page`.
    pub fn whither(&self, result: &QueryResult) -> String {
        if self.email.is_empty() || self.is_left_out(result) {
            return String::new();
        }
        let all: Vec<String> = self.email.iter().map(|mailbox| format!("`{}`", mailbox.address)).collect();
        format!(", sent to {}", all.join(", "))
    }

    fn is_left_out(&self, result: &QueryResult) -> bool {
        self.email_if_any && result.events == 0
    }

    /// Sends it. Where that fails the results are kept, and the error says where, and the command that sends them.
    pub async fn send(
        &self,
        pending: &Pending,
        result: &QueryResult,
        also: Vec<String>,
        retry_for: Duration,
    ) -> anyhow::Result<()> {
        if self.is_left_out(result) {
            pending.missing().clear();
            return Ok(());
        }
        let source = match &self.from_file {
            Some(path) => Source::File { path, has_times: from_file::has_times() },
            None => Source::Okta { command: all_command(&result.request) },
        };
        let letter = Letter {
            config: &pending.config,
            recipients: &self.email,
            result,
            collected: &pending.collected,
            attach: self.email_attach,
            also,
            source,
            now: clock::wall(),
        };
        let say = |news: News<'_>| match news {
            News::Missing(addresses) => *pending.missing() = addresses.to_vec(),
            News::Retries { error, after } => {
                // What can't be written can't be complained about.
                let _ = writeln!(stderr(), "{error}; trying again in {:?}", telemetry::shown(after));
            }
        };
        let sent = match letter.write() {
            Ok(mailing) => {
                email::send(&pending.config, &mailing, retry_for, &say).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let Err(error) = sent else { return Ok(()) };
        anyhow::bail!("{error}\n{}", self.how_to_send(pending, result))
    }

    /// Where the results are, and the command that sends them to whom they are missing.
    pub fn how_to_send(&self, pending: &Pending, result: &QueryResult) -> String {
        let kept_in = &pending.kept_in;
        let missing = pending.missing();
        let mut dropped = [&TIMES[..], &PLACES, &["--email"]].concat();
        // What did not bound it then is nothing to tell of it.
        if result.ended != Ended::MaxPages {
            dropped.push("--max-pages");
        }
        if result.ended != Ended::MaxEvents {
            dropped.push("--max-events");
        }
        let mut added = vec![format!("--from-file {}", go_on::quoted(kept_in.as_os_str()))];
        if self.from_file.is_none() || from_file::has_times() {
            added.insert(0, times(&result.request));
        }
        let to = self.email.iter().filter(|mailbox| missing.contains(&mailbox.address));
        added.extend(to.map(|mailbox| format!("--email {}", go_on::quoted(mailbox.to_string().as_ref()))));
        let command = go_on::changed(std::env::args_os(), &dropped, &[], added);
        format!("the results are in `{}`; to send them from there:\n  {command}", kept_in.display())
    }
}

impl Pending {
    fn missing(&self) -> std::sync::MutexGuard<'_, Vec<Address>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everybody has it.
    pub fn is_sent(&self) -> bool {
        self.missing().is_empty()
    }

    /// What came of a query that did not come to its end, where we keep it.
    pub fn partial(&self) -> Option<&Path> {
        let spooled = [self.partial.as_deref()?, &self.kept_in];
        spooled.into_iter().find(|path| path.metadata().is_ok_and(|file| file.len() > 0))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let is_sent = self.is_sent();
        self.spool.iter_mut().filter(|_| is_sent).for_each(Spool::done);
    }
}

/// The command that gets all results into a file.
fn all_command(request: &AdHocQuery) -> String {
    let dropped = [&TIMES[..], &PLACES, &["--email", "--email-attach", "--columns"]].concat();
    let added = [times(request), "--to-file results.ndjson".to_owned()];
    go_on::changed(std::env::args_os(), &dropped, &["--email-if-any"], added)
}

/// The whole command once more, about the same time.
pub fn once_more(request: &AdHocQuery) -> String {
    go_on::changed(std::env::args_os(), &TIMES, &[], [times(request)])
}

fn times(request: &AdHocQuery) -> String {
    format!("--since {:.3} --until {:.3}", request.since, request.until)
}
