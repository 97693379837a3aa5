//! `query --email`: the mail about the results, where they are kept until it is sent, and sending it again.

use std::collections::HashSet;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::answer::{AnswerArgs, Output};
use super::go_on;
use super::request::{RequestArgs, usage};
use crate::clock;
use crate::config::{Config, ConnectorConfig, EmailConfig, Mailbox};
use crate::email::{self, EmailError};
use crate::okta::ad_hoc::AdHocQuery;
use crate::okta::page;
use crate::query::email::{Attach, Collected, Digest, Letter};
use crate::query::output::{Lines, WholeFile};
use crate::query::sink::{Ended, QueryResult, ResultPage, Sink};

/// What a mail says of its own is asked anew.
const TIMES: [&str; 2] = ["--since", "--until"];
const PLACES: [&str; 5] = ["--to-file", "--to-topic", "--from-file", "--output", "-o"];

/// The mail about the results.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "E-mail")]
pub struct EmailArgs {
    /// Send a summary to this address (`soc@example.com`, or `SOC <soc@example.com>`) when all results are there: counts, the first
    /// rows, and the results attached. May be repeated; the server is that of the file's `email` section. Nothing is printed but
    /// with --output. Where it is not sent, the results are in a file that is named, and the exit code is 1
    #[arg(long, value_name = "ADDRESS", value_parser = Mailbox::parse)]
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
    /// Ask nothing, and send the results that are in this file, one event a line, as --to-file writes it
    #[arg(long, value_name = "FILE", requires = "email", conflicts_with_all = ["to_file", "to_topic", "output", "print_request"])]
    pub from_file: Option<PathBuf>,
}

/// The sinks that a mail needs.
type OfEmail = Vec<Box<dyn Sink>>;

/// A mail that is to be sent when the results are there.
pub struct Pending {
    config: EmailConfig,
    collected: Arc<Mutex<Collected>>,
    spool: Option<Spool>,
    /// Where the results are until it is sent, one event a line.
    kept_in: PathBuf,
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
        let (digest, collected) = Digest::new(self.email_attach, &answer.columns, config.max_attachment_size);
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(digest)];
        let stored = answer.to_file.as_ref().filter(|_| answer.output() == Output::Ndjson).or(self.from_file.as_ref());
        let (spool, kept_in) = match stored {
            Some(path) => (None, path.clone()),
            None => {
                let spool = Spool::create(&connector.name).context(
                    "no place to keep the results in until the e-mail is sent: name one with --to-file FILE, without --output, \
                     or set TMPDIR to a folder that can be written",
                )?;
                let file = spool.file();
                sinks.push(Box::new(WholeFile::create(&file, Box::new(Lines { is_shown: false }))?));
                (Some(spool), file)
            }
        };
        Ok(Some((Pending { config, collected, spool, kept_in }, sinks)))
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
    pub async fn send(&self, mut pending: Pending, result: &QueryResult, whither: String) -> anyhow::Result<()> {
        if self.is_left_out(result) {
            return Ok(());
        }
        let letter = Letter {
            config: &pending.config,
            recipients: &self.email,
            result,
            collected: &pending.collected,
            attach: self.email_attach,
            whither,
            command: all_command(&result.request),
            now: clock::wall(),
        };
        // Kept also where whoever waits for it goes away.
        let spool = pending.spool.as_mut();
        spool.into_iter().for_each(|spool| spool.is_kept = true);
        let sent = match letter.write() {
            Ok(mailing) => email::send(&pending.config, &mailing).await.map_err(|error| {
                let is_missing = |mailbox: &&Mailbox| match &error {
                    EmailError::Refused { addresses, .. } => addresses.contains(&mailbox.address),
                    EmailError::NotSent { .. } | EmailError::Unsure { .. } => true,
                };
                (error.to_string(), self.email.iter().filter(is_missing).cloned().collect())
            }),
            Err(error) => Err((error.to_string(), self.email.clone())),
        };
        let Err((error, missing)) = sent else {
            let spool = pending.spool.as_mut();
            spool.into_iter().for_each(|spool| spool.is_kept = false);
            return Ok(());
        };
        let kept_in = &pending.kept_in;
        let command = self.again_command(&result.request, kept_in, &missing);
        anyhow::bail!("{error}\nthe results are in `{}`; to send them from there:\n  {command}", kept_in.display())
    }

    /// The command that sends what is in a file to these.
    pub fn again_command(&self, request: &AdHocQuery, kept_in: &Path, to: &[Mailbox]) -> String {
        let dropped = [&TIMES[..], &PLACES, &["--email"]].concat();
        let mut added = vec![times(request), format!("--from-file {}", go_on::quoted(kept_in.as_os_str()))];
        added.extend(to.iter().map(|mailbox| format!("--email {}", go_on::quoted(mailbox.to_string().as_ref()))));
        go_on::changed(std::env::args_os(), &dropped, &[], added)
    }
}

impl Pending {
    /// Where the results are, of a mail that somebody did not wait for.
    pub fn kept_in(&self) -> PathBuf {
        self.kept_in.clone()
    }
}

/// The command that gets all results into a file.
fn all_command(request: &AdHocQuery) -> String {
    let dropped = [&TIMES[..], &PLACES, &["--email", "--email-attach", "--columns"]].concat();
    let added = [times(request), "--to-file results.ndjson".to_owned()];
    go_on::changed(std::env::args_os(), &dropped, &["--email-if-any"], added)
}

fn times(request: &AdHocQuery) -> String {
    format!("--since {:.3} --until {:.3}", request.since, request.until)
}

/// Results in a folder that only we may read, until they are sent.
struct Spool {
    folder: PathBuf,
    is_kept: bool,
}

impl Spool {
    fn create(name: &str) -> io::Result<Self> {
        let number = clock::wall().as_millisecond();
        let folder = format!("okta-kafka-source-query-{name}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, is_kept: false })
    }

    fn file(&self) -> PathBuf {
        self.folder.join("results.ndjson")
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.is_kept {
            // What can't be removed can't be complained about.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Puts the results of a file into the sinks, and gives what came of it.
pub fn read_file(
    path: &Path,
    connector: &ConnectorConfig,
    asked: &RequestArgs,
    sinks: &mut [Box<dyn Sink>],
) -> anyhow::Result<QueryResult> {
    let shown = path.display();
    let usage = "write it with `query … --to-file`, without another --output";
    let file = fs::File::open(path).with_context(|| format!("`{shown}` cannot be read"))?;
    let request = asked.resolve(clock::wall())?;
    let mut result = QueryResult {
        connector: connector.name.clone(),
        org: connector.org.to_string(),
        request,
        pages: 0,
        events: 0,
        dead_letters: 0,
        first: None,
        last: None,
        ended: Ended::NoMore,
    };
    let url = result.request.url(&connector.org);
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let number = index + 1;
        let line = line.with_context(|| format!("`{shown}`, line {number}: {usage}"))?;
        let body = Bytes::from(format!("[{line}]"));
        let elements = page::split(&body).ok().filter(|elements| elements.len() == 1);
        let elements = elements.with_context(|| format!("`{shown}`, line {number} is not one event: {usage}"))?;
        let published = elements.first().and_then(|element| element.published()).map(str::to_owned);
        result.events += 1;
        result.first = result.first.take().or_else(|| published.clone());
        result.last = published.or_else(|| result.last.take());
        let page = ResultPage { number: 1, asked: url.clone(), elements, body_bytes: body.len(), server_date: None };
        for sink in &mut *sinks {
            sink.page(&page)?;
        }
    }
    if asked.max_events == Some(result.events) {
        result.ended = Ended::MaxEvents;
    }
    if !TIMES.iter().any(|name| std::env::args().any(|word| word.split('=').next() == Some(name))) {
        // What was asked for is not known: it is what is there.
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
