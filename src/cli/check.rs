//! `check`: tries everything that `run` needs, and changes nothing.

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};

use super::ConfigArg;
use crate::check;
use crate::check::line::Line;
use crate::config::Config;

/// What goes wrong is a line of the report, and need not be logged as well.
pub const LOG_FILTER: &str = "off";

/// Arguments of `check`.
#[derive(Args)]
#[command(after_help = "Example: okta-kafka-source check -c connectors.yaml\n\n\
    Prints a line for each thing that was looked at: ok, warn, or FAIL and what to do. Ends with 0 where nothing failed, \
    1 where something did, 2 where the file is not valid. Nothing is created and nothing is written: it may be run \
    beside a worker.")]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Look at the file only, with the variables and files that it names; nothing is asked over the network
    #[arg(long)]
    offline: bool,
}

/// Runs all checks.
pub async fn run(args: CheckArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let mut report = Report::new();
    for line in of_file(&args.config, &config) {
        report.say(line)?;
    }
    if !args.offline {
        let progress = report.progress.clone();
        check::all(config, |what| progress.set_message(what.to_owned()), |line| report.say(line)).await?;
    }
    report.end()
}

/// What is to be said of the file itself; that it is valid is known.
fn of_file(arg: &ConfigArg, config: &Config) -> Vec<Line> {
    let file = arg.path.display();
    let connectors = config.connectors.len();
    let mut lines = vec![Line::ok(
        "file",
        format!("{file} is valid: {connectors} connector{}", if connectors == 1 { "" } else { "s" }),
    )];
    for warning in &config.warnings {
        lines.push(Line::warn("file", format!("{file}:{}: {}: {}", warning.line, warning.path, warning.message)));
    }
    let (group_id, topic) = (&config.group_id, &config.offsets.topic);
    if group_id != topic {
        lines.push(Line::warn(
            "file",
            format!(
                "`group_id` is `{group_id}`, and the offsets topic `{topic}`: workers with this topic and another `group_id` would fence these without end; leave `group_id` out, or give all of them the same"
            ),
        ));
    }
    lines
}

/// Prints lines as they come, and counts what failed.
pub(super) struct Report {
    progress: ProgressBar,
    lines: usize,
    failed: usize,
    is_configuration: bool,
}

impl Report {
    pub fn new() -> Self {
        // Drawn on stderr, and only where that is a terminal.
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(Duration::from_millis(100));
        Self { progress, lines: 0, failed: 0, is_configuration: false }
    }

    /// Shows what is waited for.
    pub fn wait_for(&self, what: &str) {
        self.progress.set_message(what.to_owned());
    }

    /// Whether nothing was said yet.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    pub fn say(&mut self, line: Line) -> std::io::Result<()> {
        self.lines += 1;
        self.failed += usize::from(line.is_failure());
        self.is_configuration |= line.is_configuration;
        self.progress.suspend(|| {
            let mut out = stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        })
    }

    pub fn end(self) -> anyhow::Result<()> {
        self.progress.finish_and_clear();
        match self.failed {
            0 => Ok(()),
            failed if self.is_configuration => {
                let message = format!("{failed} of {} lines are FAIL: they say what to do\n", self.lines);
                Err(clap::Error::raw(ErrorKind::ValueValidation, message).into())
            }
            failed => bail!("{failed} of {} lines are FAIL: they say what to do", self.lines),
        }
    }
}
