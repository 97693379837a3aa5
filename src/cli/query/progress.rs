//! How far a query is, on stderr, where that is a terminal.

use std::fs::File;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::demo::style;
use crate::query::News;
use crate::query::error::QueryError;
use crate::query::sink::{QueryResult, ResultPage, Sink};
use crate::telemetry;

/// Between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// The spinner, and what is said beside it.
pub struct Progress {
    bar: ProgressBar,
    /// What came until now.
    covered: Mutex<String>,
}

impl Progress {
    /// Drawn on stderr, and only where that is a terminal, and results do not go to a pipe: a pager may have the screen.
    pub fn new(is_on_stdout: bool) -> Self {
        let is_drawn = stderr().is_terminal() && !(is_on_stdout && is_pipe());
        let bar = if is_drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        if is_drawn {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, covered: Mutex::default() }
    }

    /// Takes news.
    pub fn say(&self, news: &News<'_>) {
        match news {
            News::Asks => self.show("asking"),
            News::Page(result) => {
                *lock(&self.covered) = format!("{}: ", covered(result));
                self.show("");
            }
            News::Waits { known, is_first } => {
                let window = known.map_or_else(String::new, |known| {
                    let (left, seconds) = (known.remaining, known.resets_in.as_secs() + 1);
                    // Why it waits though there are some.
                    let pace = if left > 0 { ", and leaving requests to `run`" } else { "" };
                    format!("{pace}: {left} of {} left, all of them again in {seconds} s", known.limit)
                });
                let text = format!("waiting for the rate limit{window}");
                if self.bar.is_hidden() && *is_first {
                    // What can't be written can't be complained about.
                    let _ = writeln!(stderr(), "{text}");
                }
                self.show(&text);
            }
            News::Retries { problem, after } => {
                let after = telemetry::shown(*after);
                let text = match after {
                    Duration::ZERO => format!("trying again: {problem}"),
                    after => format!("trying again in {after:?}: {problem}"),
                };
                self.bar.suspend(|| drop(writeln!(stderr(), "{text}")));
            }
        }
    }

    fn show(&self, doing: &str) {
        let covered = lock(&self.covered).clone();
        self.bar.set_message(format!("{covered}{doing}"));
    }

    /// A sink that writes to the terminal that the spinner is on.
    pub fn beside(&self, is_terminal: bool, sink: Box<dyn Sink>) -> Box<dyn Sink> {
        if is_terminal { Box::new(Beside { bar: self.bar.clone(), sink }) } else { sink }
    }

    /// Takes it off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody reads stdout at once.
fn is_pipe() -> bool {
    let stdout = stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout.and_then(|stdout| stdout.metadata()).is_ok_and(|stdout| stdout.file_type().is_fifo())
}

struct Beside {
    bar: ProgressBar,
    sink: Box<dyn Sink>,
}

impl Sink for Beside {
    fn page(&mut self, page: &ResultPage) -> Result<(), QueryError> {
        self.bar.suspend(|| self.sink.page(page))
    }

    fn end(&mut self, result: &QueryResult) -> Result<(), QueryError> {
        self.bar.suspend(|| self.sink.end(result))
    }
}

/// `3 pages, 300 events, at 2026-11-20 13:00:00 (42 %)`, of the time that is asked for.
fn covered(result: &QueryResult) -> String {
    let count = |number: u64| style::count(usize::try_from(number).unwrap_or(usize::MAX));
    let s = |number: u64| if number == 1 { "" } else { "s" };
    let QueryResult { pages, events, request, last, .. } = result;
    let mut text = format!("{} page{}, {} event{}", count(*pages), s(*pages), count(*events), s(*events));
    if let Some(last) = last.as_deref().and_then(|last| last.parse::<Timestamp>().ok()) {
        let all = request.until.duration_since(request.since).as_secs_f64();
        let from = if request.is_descending() { request.until } else { request.since };
        let done = last.duration_since(from).as_secs_f64().abs() / all;
        let time = format!("{last:.0}").replace('T', " ").replace('Z', "");
        text.push_str(&format!(", at {time} ({:.0} %)", (done * 100.0).clamp(0.0, 100.0)));
    }
    text
}
