//! Logs: on stderr, as text for people or JSON for machines (docs/logs.md); results have stdout for themselves.

mod layer;
mod line;
mod repeats;

use std::ffi::OsStr;
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

/// A wait as a log tells it: to a tenth of a second, rounded up, so that none is 0.
pub fn shown(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_millis().div_ceil(100) * 100).unwrap_or(u64::MAX))
}

/// Sends all logs to stderr, at the levels that `RUST_LOG` sets, or else those of `default` (in the same language); a panic
/// too, where lines are JSON.
///
/// A second call changes nothing.
pub fn init(format: LogFormat, default: &str) {
    let lines = LINES.get_or_init(|| Arc::new(Lines::new(format)));
    let (filter, problem) = levels(std::env::var_os("RUST_LOG").as_deref(), default);
    let layer = LogLayer(Arc::clone(lines));
    // Fails only where a subscriber is set already.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    if format == LogFormat::Json {
        std::panic::set_hook(Box::new(|panic| tell_panic(panic, "")));
    }
    if let Some(problem) = problem {
        // Whatever the levels are: somebody wanted others.
        lines.write(&Line::new(Level::WARN, env!("CARGO_CRATE_NAME"), problem));
    }
}

/// The levels, and what is wrong with `set`, the value of `RUST_LOG`.
fn levels(set: Option<&OsStr>, default: &str) -> (EnvFilter, Option<String>) {
    // The first, so that what was set has the last word of it.
    let quiet = |levels: &str| format!("{QUIET},{levels}");
    let of_default = || EnvFilter::new(quiet(default));
    // An empty one is what a container gets from a variable that its host does not have.
    let set = set.map(OsStr::to_string_lossy);
    let Some(set) = set.as_deref().filter(|set| !set.trim_matches([' ', ',']).is_empty()) else {
        return (of_default(), None);
    };
    match EnvFilter::try_new(quiet(set)) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let problem = format!(
                "RUST_LOG is `{set}`, which says no levels ({error}): it is as if it were not set; write `info`, or \
                 `info,okta_kafka_source::okta=debug`"
            );
            (of_default(), Some(problem))
        }
    }
}

/// From now on, warnings and errors that say the same again and again are left out: for a service, whose log somebody keeps.
/// What is given back tells how many, in time, as long as it is polled.
pub fn leave_out_repeats() -> impl Future<Output = ()> + Send + 'static {
    let lines = LINES.get();
    if let Some(lines) = lines {
        lines.leave_out_repeats();
    }
    async move {
        if let Some(lines) = lines {
            lines.tell_in_time().await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_is_heard_where_it_says_something() {
        let of = |set: Option<&str>| {
            let (filter, problem) = levels(set.map(OsStr::new), "info");
            (filter.to_string(), problem)
        };
        let unset = of(None);
        assert!(unset.0.contains("info") && unset.0.contains(QUIET), "{unset:?}");
        for empty in ["", " ", ",", " , "] {
            assert_eq!(of(Some(empty)), unset, "`{empty}`");
        }
        let set = of(Some("warn,okta_kafka_source::okta=debug"));
        assert!(set.1.is_none() && set.0.contains("warn") && set.0.contains(QUIET), "{set:?}");
        let loud = of(Some("warn,rustls_platform_verifier=debug"));
        assert!(loud.0.contains("rustls_platform_verifier=debug") && !loud.0.contains(QUIET), "{loud:?}");
        for wrong in ["info,okta_kafka_source::okta=debgu", "=", "info,[{"] {
            let (filter, problem) = of(Some(wrong));
            assert_eq!(filter, unset.0, "{wrong}");
            assert!(problem.is_some_and(|problem| problem.starts_with(&format!("RUST_LOG is `{wrong}`"))), "{wrong}");
        }
    }
}
