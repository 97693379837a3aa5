//! How results are written, and where to.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;
use tokio::task::spawn_blocking;

use super::progress::Progress;
use super::request::usage;
use crate::config::{Config, ConnectorConfig};
use crate::demo::style::{self, Style};
use crate::okta::ad_hoc::AdHocQuery;
use crate::query::email::Attach;
use crate::query::error::QueryError;
use crate::query::output::{Array, Csv, Filled, Format, Lines, Path, Table, WhileRead, WholeFile, Written};
use crate::query::sink::{QueryResult, Sink};
use crate::query::topic::TopicSink;
use crate::worker::shutdown::Stop;

/// What becomes of the results.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What becomes of the results")]
pub struct AnswerArgs {
    /// How results are written [default: table on a terminal, else ndjson]
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,
    /// The columns of --output csv, and of --email-attach csv: members of an event, as `actor.alternateId`, `target.0.id`, or JSON Pointers, with commas in
    /// between
    #[arg(long, value_name = "MEMBER,…", value_delimiter = ',', value_parser = Path::parse)]
    pub columns: Vec<Path>,
    /// Write the results into this file, which is there when all of them are in it. What came of a query that fails or is
    /// interrupted is beside it, as FILE.….partial. A new file is readable by its owner alone
    #[arg(long, value_name = "FILE")]
    pub to_file: Option<PathBuf>,
    /// Publish the results into this topic, in the connector's format, each page as one transaction; it is made where it is not
    /// there and the connector's `topic.create` allows that. Whoever runs the same again has the events there twice, under the same
    /// keys. Nothing is printed but with --output
    #[arg(long, value_name = "TOPIC")]
    pub to_topic: Option<String>,
    /// Where the results for the file are until they are whole.
    #[arg(skip)]
    partial: OnceLock<PathBuf>,
    /// Which of the columns that were chosen have something in them.
    #[arg(skip)]
    filled: OnceLock<Filled>,
    /// How they are attached to an e-mail, where there is one.
    #[arg(skip)]
    pub mailed: Option<Attach>,
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One event a line, Okta's bytes
    Ndjson,
    /// One array, Okta's bytes of each event
    Json,
    /// For spreadsheets; texts that one would take for a formula get an apostrophe in front, also behind `;`
    Csv,
    /// For people: time, severity, actor, event, outcome, ip and target, as wide as the terminal
    Table,
}

impl AnswerArgs {
    /// Where the results go, but for the topic.
    pub fn sinks(&self, progress: &Progress) -> anyhow::Result<Vec<Box<dyn Sink>>> {
        if !self.columns.is_empty() && self.output() != Output::Csv && self.mailed != Some(Attach::Csv) {
            return Err(usage("--columns is for --output csv, and for --email-attach csv: write that, too".to_owned()));
        }
        Ok(match &self.to_file {
            Some(path) => {
                let file = WholeFile::create(path, self.format(false))?;
                let _ = self.partial.set(file.partial().to_owned());
                vec![Box::new(file)]
            }
            None if !self.is_on_stdout() => Vec::new(),
            None => {
                let is_terminal = stdout().is_terminal();
                let written = progress.beside(is_terminal, Box::new(Written::new(stdout(), self.format(is_terminal))));
                // A topic and a mail are to have all of it, whoever reads along.
                let is_whole = self.to_topic.is_some() || self.mailed.is_some();
                vec![if is_whole { Box::new(WhileRead::new(written)) } else { written }]
            }
        })
    }

    /// Whether results are on stdout.
    pub fn is_on_stdout(&self) -> bool {
        self.to_file.is_none() && (self.output.is_some() || (self.to_topic.is_none() && self.mailed.is_none()))
    }

    /// The topic that they are published into, ready to be; whoever reads it is not told of a query that can't be asked.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn topic(
        &self,
        config: &Arc<Config>,
        connector: &ConnectorConfig,
        request: &AdHocQuery,
        stop: &Stop,
    ) -> Result<Option<Box<dyn Sink>>, QueryError> {
        let Some(topic) = self.to_topic.clone() else { return Ok(None) };
        if let Some(owner) = config.connectors.iter().find(|one| one.topic.name == topic) {
            writeln!(
                stderr(),
                "warning: --to-topic: `{topic}` is the topic of connector `{}`: what `run` has published there is there twice then, \
                 and its readers have to remove duplicates by key; write a topic of its own",
                owner.name
            )?;
        }
        let schema_id = TopicSink::schema_id(config, connector, &topic).await?;
        let (config, connector, request, stop) = (Arc::clone(config), connector.clone(), request.clone(), stop.clone());
        // All of it calls librdkafka, which blocks.
        let open = move || TopicSink::open(&config, &connector, &topic, &request, schema_id, &stop);
        let sink = spawn_blocking(open).await.map_err(|_| QueryError::Panicked)??;
        Ok(Some(Box::new(sink)))
    }

    /// Where they are, where not there.
    pub fn whither(&self, result: &QueryResult) -> String {
        let file = self.to_file.as_ref().map(|path| format!(", written to `{}`", path.display()));
        let published = match result.dead_letters {
            0 => "published".to_owned(),
            dead_letters => format!("{} of them published", result.events.saturating_sub(dead_letters)),
        };
        let topic = self.to_topic.as_ref().map(|topic| format!(", {published} to `{topic}`"));
        [topic, file].into_iter().flatten().collect()
    }

    /// The same for whoever gets an e-mail about it, a sentence each.
    pub fn also(&self, result: &QueryResult) -> Vec<String> {
        let count = |number: u64| style::count(usize::try_from(number).unwrap_or(usize::MAX));
        let topic = self.to_topic.as_ref().map(|topic| match result.dead_letters {
            0 => format!("All of it was also published to `{topic}`."),
            dead_letters => format!(
                "{} of {} were also published to `{topic}`; {} are dead letters, which are not in it.",
                count(result.events.saturating_sub(dead_letters)),
                count(result.events),
                count(dead_letters)
            ),
        });
        let file = self.to_file.as_ref().map(|path| format!("All of it was also written to `{}`.", path.display()));
        [topic, file].into_iter().flatten().collect()
    }

    /// Where what came is, of a query that did not come to its end.
    pub fn partial(&self, result: &QueryResult) -> Option<PathBuf> {
        let partial = self.partial.get().filter(|partial| partial.exists())?;
        (!result.ended.is_whole() && result.events > 0).then(|| partial.clone())
    }

    /// What is worth a word after the last result.
    pub fn advice(&self, result: &QueryResult) -> Option<String> {
        let filled = self.filled.get().filter(|_| !self.columns.is_empty() && result.events > 0)?;
        let empty = filled.empty();
        (!empty.is_empty()).then(|| format!("--columns: empty in all of these events: `{}`", empty.join("`, `")))
    }

    /// How results are written.
    pub fn output(&self) -> Output {
        match self.output {
            Some(output) => output,
            None if self.to_file.is_none() && stdout().is_terminal() => Output::Table,
            None => Output::Ndjson,
        }
    }

    fn format(&self, is_shown: bool) -> Box<dyn Format> {
        match self.output() {
            Output::Ndjson => Box::new(Lines { is_shown }),
            Output::Json => Box::new(Array::new(is_shown)),
            Output::Csv => {
                let csv = Csv::new(&self.columns, is_shown);
                let _ = self.filled.set(csv.filled());
                Box::new(csv)
            }
            Output::Table => {
                let size = console::Term::stdout().size_checked().filter(|_| is_shown);
                let style = Style::new(is_shown, |name| std::env::var(name).ok());
                Box::new(Table::new(size.map(|(_, columns)| usize::from(columns)), style))
            }
        }
    }
}
