//! How far a query is, on stderr, where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::okta::ad_hoc::AdHocQuery;
use crate::query::News;
use crate::telemetry;

/// The spinner, and what is said beside it.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Drawn on stderr, and only where that is a terminal.
    pub fn new(_: &AdHocQuery) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Takes news.
    pub fn say(&self, news: &News<'_>) {
        match news {
            News::Asks | News::Page(_) => {}
            News::Waits { .. } => self.bar.set_message("waiting for the rate limit"),
            News::Retries { problem, after } => {
                tracing::warn!(retry_in = ?telemetry::shown(*after), "{problem}");
            }
        }
    }

    /// Takes it off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
