//! Logs: on stderr, as text for people or JSON for machines (docs/logs.md); results have stdout for themselves.

mod layer;
mod line;
mod repeats;

use std::io::{Write, stderr};
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::layer::{Lines, LogLayer};
use self::line::Line;

/// A library that cries at each certificate; what we say of it has the advice as well.
const QUIET: &str = "rustls_platform_verifier=off";

/// The lines of this process, from [`init`] on.
static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Warnings and errors that say the same again and again: for a service, whose log somebody keeps.
    LeftOut,
    /// Nothing: for a command that somebody waits for.
    Said,
}

/// A wait as a log tells it: to a tenth of a second, rounded up, so that none is 0.
pub fn shown(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_millis().div_ceil(100) * 100).unwrap_or(u64::MAX))
}

/// Sends all logs to stderr, at the levels that `RUST_LOG` sets, or else those of `default` (in the same language); a panic
/// too, where lines are JSON.
///
/// A second call changes nothing.
pub fn init(format: LogFormat, default: &str, repeats: Repeats) {
    let lines = LINES.get_or_init(|| Arc::new(Lines::new(format, repeats == Repeats::LeftOut)));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{QUIET}")));
    let layer = LogLayer(Arc::clone(lines));
    // Fails only where a subscriber is set already.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    if format == LogFormat::Json {
        std::panic::set_hook(Box::new(|panic| tell_panic(panic, "")));
    }
}

/// Says that there was a panic, which is a bug of ours, and `more`, whatever `RUST_LOG` says.
pub fn tell_panic(panic: &PanicHookInfo<'_>, more: &str) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let text = format!("thread `{thread}` {panic}; this is a bug: please report it{more}");
    match LINES.get() {
        Some(lines) => lines.write(&Line::new(Level::ERROR, env!("CARGO_CRATE_NAME"), text)),
        None => drop(writeln!(stderr(), "{text}")),
    }
}

/// Says why the program ends: text as it is, or a line of JSON.
pub fn tell_end(text: &str) {
    // A closed pipe takes nothing, and is no reason for another exit code.
    match LINES.get().filter(|lines| lines.format() == LogFormat::Json) {
        Some(lines) => lines.write(&Line::new(Level::ERROR, env!("CARGO_CRATE_NAME"), text.to_owned())),
        None => drop(writeln!(stderr(), "{text}")),
    }
}

/// Tells how many lines were left out of which nobody heard yet: for the end of the program.
pub fn tell_left_out() {
    if let Some(lines) = LINES.get() {
        lines.tell_rest();
    }
}
