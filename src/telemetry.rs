//! Logs: on stderr, as text for people or JSON for machines; results have stdout for themselves.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

/// A library that cries at each certificate; what we say of it has the advice as well.
const QUIET: &str = "rustls_platform_verifier=off";

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

/// Sends all logs to stderr, at the levels that `RUST_LOG` sets, or else those of `default` (in the same language).
///
/// A second call changes nothing.
pub fn init(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{QUIET}")));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    // Fails only where a subscriber is set already.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
