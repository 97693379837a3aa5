//! How far the demo is: a bar on a terminal, now and then a line elsewhere. Always on stderr.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::{Style, count};

/// Between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);
/// Lines without a terminal: one each time this part of a phase is done.
const LINES_PER_PHASE: usize = 4;

/// Where the demo is.
pub struct Progress {
    bar: Option<ProgressBar>,
    colour: bool,
    total: Cell<usize>,
    /// Quarters of the phase that were told.
    told: Cell<usize>,
    name: Cell<&'static str>,
}

impl Progress {
    /// A bar, where stderr is a terminal that nothing else is written to.
    pub fn new(env: impl Fn(&str) -> Option<String>) -> Self {
        let is_terminal = stderr().is_terminal();
        // Log lines would run through the bar.
        let logs = env("RUST_LOG").is_some_and(|value| !value.is_empty());
        let style = Style::new(is_terminal, &env);
        let shows_bar = is_terminal && !logs && env("TERM").is_none_or(|term| term != "dumb");
        let bar = shows_bar.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { bar, colour: style.has_colour(), total: Cell::new(0), told: Cell::new(0), name: Cell::new("") }
    }

    /// Begins something whose length nobody knows.
    pub fn wait_for(&self, what: &'static str) {
        match &self.bar {
            Some(bar) => {
                bar.set_style(style("  {spinner} {msg}"));
                bar.set_message(what);
                bar.enable_steady_tick(TICK);
            }
            None => drop(writeln!(stderr(), "  {what} …")),
        }
    }

    /// Begins a phase of `total` events.
    pub fn begin(&self, name: &'static str, total: usize) {
        self.total.set(total);
        self.told.set(0);
        self.name.set(name);
        if let Some(bar) = &self.bar {
            let colour = if self.colour { ".cyan/blue" } else { "" };
            bar.set_style(
                style(&format!("  {{spinner}} {{msg:<16}} {{bar:40{colour}}} {{prefix}}")).progress_chars("━╸─"),
            );
            bar.set_length(total as u64);
            bar.set_position(0);
            bar.set_message(name);
            bar.enable_steady_tick(TICK);
        }
        self.set(0);
    }

    /// So many events of the phase are in the topic.
    pub fn set(&self, done: usize) {
        let total = self.total.get();
        let done = done.min(total);
        let text = || format!("{} of {}", count(done), count(total));
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_prefix(text());
            return;
        }
        let quarters = (done * LINES_PER_PHASE).checked_div(total).unwrap_or(LINES_PER_PHASE);
        if quarters > self.told.get() {
            self.told.set(quarters);
            let _ = writeln!(stderr(), "  {}: {}", self.name.get(), text());
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
