//! What a simulated org is made of, and why it may not start.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::drift::DriftFrom;
use super::faults::Faults;
use super::oauth::OauthConfig;
use super::poison::Poison;

/// The settings of a simulated org. [`Default`] is an org on a free port of the loopback, with no faults.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The API token it accepts; `None` makes a new one.
    pub token: Option<String>,
    /// The OAuth service app that may ask for access tokens; `None` is an org with no token endpoint.
    pub oauth: Option<OauthConfig>,
    /// What the events, the faults and the ids are drawn from.
    pub seed: u64,
    /// How many events it begins with. Of no effect with `events_file`.
    pub events: usize,
    /// The time before the start over which the first events are spread.
    pub backlog_span: Duration,
    /// A file whose lines are the first events, byte for byte, whatever they hold. Lines end in LF; empty ones are
    /// left out.
    pub events_file: Option<PathBuf>,
    /// New events a second, from the start on.
    pub live_rate: f64,
    /// No more new events than this; `None` goes on for ever.
    pub live_limit: Option<usize>,
    /// From when on made events have another shape; `None` is never.
    pub drift_from: Option<DriftFrom>,
    /// The share of made events that are odd, from 0 to 1.
    pub awkward: f64,
    /// The share of made events that cannot be published, from 0 to 1.
    pub unpublishable: f64,
    /// The share of made events that are persisted long after they were published, from 0 to 1. They come in persistence
    /// order, with an older `published` than those around them.
    pub late: f64,
    /// By how much they are late at most; they are by a second at least.
    pub late_by: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// After so many requests to the System Log each, every cursor that was given out before is refused.
    pub lose_cursors_after: Vec<usize>,
    /// Events whose pages fail until they are small enough.
    pub poison: Vec<Poison>,
    /// Every answer takes at least this long, as seen by the server.
    pub latency: Duration,
    /// Requests in a window of the rate limit.
    pub rate_limit: u32,
    /// The length of the window; counted in whole seconds, as the reset header is.
    pub rate_limit_window: Duration,
    /// More requests at once than this are answered 429, as by the fault `concurrency`. Okta documents 75 for an org, and
    /// 35 for a free one.
    pub concurrency_limit: u32,
    /// How far ahead the reset of a 429 by fault is; counted in whole seconds, at least one.
    pub rate_limit_wait: Duration,
    /// How late an answer with the fault `slow` comes.
    pub slow_delay: Duration,
    /// By how many seconds `Date` is off with the fault `date_off`; may be negative.
    pub date_offset_seconds: i64,
    /// By how many seconds the org's own clock is off, always: its `Date`, its resets, and what it holds the times in
    /// assertions and proofs against. May be negative. The times in the log stay on this machine's clock.
    pub clock_offset_seconds: i64,
    /// Where the faults `wrong_origin` and `redirect` point, as `https://host`.
    pub other_origin: String,
    /// The origin that links name, for an org that stands behind something else, as the end of TLS; `None` is the one
    /// that the request's `Host` names.
    pub origin: Option<String>,
    /// Compresses answers for clients that ask for it, as Okta does.
    pub gzip: bool,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            oauth: None,
            seed: 1,
            events: 5_000,
            backlog_span: Duration::from_secs(6 * 24 * 60 * 60),
            events_file: None,
            live_rate: 0.0,
            live_limit: None,
            drift_from: None,
            awkward: 0.0,
            unpublishable: 0.0,
            late: 0.025,
            late_by: Duration::from_secs(10 * 60),
            faults: Faults::none(),
            lose_cursors_after: Vec::new(),
            poison: Vec::new(),
            latency: Duration::ZERO,
            rate_limit: 60_000,
            rate_limit_window: Duration::from_secs(60),
            concurrency_limit: 75,
            rate_limit_wait: Duration::from_secs(2),
            slow_delay: Duration::from_secs(3),
            date_offset_seconds: 3_600,
            clock_offset_seconds: 0,
            other_origin: "https://not-the-org.example.com".to_owned(),
            origin: None,
            gzip: true,
        }
    }
}

impl fmt::Debug for SimulatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All but the token, which people may have set to a real one by mistake.
        f.debug_struct("SimulatorConfig")
            .field("listen", &self.listen)
            .field("seed", &self.seed)
            .field("events", &self.events)
            .field("events_file", &self.events_file)
            .field("live_rate", &self.live_rate)
            .field("faults", &self.faults)
            .field("latency", &self.latency)
            .field("rate_limit", &self.rate_limit)
            .finish_non_exhaustive()
    }
}

/// Why a simulated org did not start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The address is taken or not this machine's.
    #[error("cannot listen on `{listen}`: {reason}; choose another address, or port 0 for a free one")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The file of events cannot be read.
    #[error("cannot read the events file `{}`: {reason}; give a file with one event a line", path.display())]
    EventsFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A setting makes no sense.
    #[error("`{setting}` is `{value}`: {expected}")]
    BadSetting {
        /// The setting's name.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What to give instead.
        expected: &'static str,
    },
    /// OpenSSL made no key to sign access tokens with.
    #[error("making the org's signing key failed: {reason}; try again, on a machine with memory to spare")]
    SigningKey {
        /// What OpenSSL said.
        reason: String,
    },
    /// The thread that makes the first events failed.
    #[error("making the first events failed: {reason}; this is a bug, please report it")]
    Backlog {
        /// What the runtime said.
        reason: String,
    },
}

impl SimulatorConfig {
    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), SimulatorError> {
        let bad = |setting, value: String, expected| Err(SimulatorError::BadSetting { setting, value, expected });
        if !(0.0..=100_000.0).contains(&self.live_rate) {
            return bad("live-rate", self.live_rate.to_string(), "give events a second, from 0 to 100000");
        }
        for (setting, share) in [("awkward", self.awkward), ("unpublishable", self.unpublishable), ("late", self.late)]
        {
            if !(0.0..=1.0).contains(&share) {
                return bad(setting, share.to_string(), "give a share of the events, from 0 to 1");
            }
        }
        if self.awkward + self.unpublishable > 1.0 {
            let sum = (self.awkward + self.unpublishable).to_string();
            return bad("awkward and unpublishable", sum, "give shares that are at most 1 together");
        }
        if self.late_by < Duration::from_secs(1) || self.late_by > Duration::from_secs(7 * 24 * 60 * 60) {
            return bad("late-by", format!("{:?}", self.late_by), "give from 1s to seven days");
        }
        if self.rate_limit == 0 {
            return bad("rate-limit", "0".to_owned(), "give at least 1 request a window");
        }
        if self.concurrency_limit == 0 {
            return bad("concurrency-limit", "0".to_owned(), "give at least 1 request at once");
        }
        if self.backlog_span.is_zero() || self.backlog_span > Duration::from_secs(365 * 24 * 60 * 60) {
            return bad(
                "backlog-span",
                format!("{:?}", self.backlog_span),
                "give more than nothing and at most a year",
            );
        }
        if self.token.as_deref().is_some_and(|token| token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic())) {
            return bad("token", "…".to_owned(), "give printable ASCII characters without spaces, at least one");
        }
        if let Some(oauth) = &self.oauth {
            if oauth.client_id.is_empty() {
                return bad("client-id", String::new(), "give the id of the service app");
            }
            if oauth.token_rate_limit == 0 {
                return bad("token-rate-limit", "0".to_owned(), "give at least 1 request a minute");
            }
        }
        Ok(())
    }
}
