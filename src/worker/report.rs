//! What a worker says of a shard's connectors: the metadata of the group's offset for that shard, for `status` to read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::debug;

use super::context::WorkerContext;
use super::shutdown::Stop;
use crate::clock;
use crate::source::action::ConnectorState;

/// `offset.metadata.max.bytes`, the broker's bound on such a text, less some room.
const MAX_BYTES: usize = 4000;
/// The longest part of a trouble's text that is told: what to do stands at its end, and is to be told.
const MAX_TROUBLE: usize = 600;
/// The same where many connectors are in trouble, so that all of them are told something.
const SHORT_TROUBLE: usize = 200;
/// How often the group is told how the connectors are.
const INTERVAL: Duration = Duration::from_secs(10);
/// How soon, where one has begun, caught up for the first time, failed or recovered.
const SOON: Duration = Duration::from_secs(1);
/// A report that is older tells of a worker that is gone.
pub const STALE_SECONDS: u64 = 30;

/// What is told of a connector that has been waiting for its turn for long, where nothing else is wrong.
const WAITS_LONG: &str = "has been waiting for its turn at the rate limit for more than 12 s; the log says why";

/// One connector's part, written by its runner and read by its shard.
#[derive(Debug, Default)]
pub struct ConnectorStatus {
    state: AtomicU8,
    caught_up: AtomicU64,
    /// Whether the topic held all that Okta had, once since the shard is ours.
    reached_end: AtomicBool,
    trouble: Mutex<Option<String>>,
    warning: Mutex<Option<String>>,
    /// It has been waiting for its turn for long.
    waits_long: AtomicBool,
}

impl ConnectorStatus {
    /// Notes the state; what was wrong is over unless it is one of the two that something is wrong in.
    pub fn set_state(&self, state: ConnectorState) {
        let index = ConnectorState::ALL.iter().position(|each| *each == state).unwrap_or_default();
        self.state.store(u8::try_from(index).unwrap_or_default(), Ordering::Relaxed);
        if !matches!(state, ConnectorState::Failed | ConnectorState::Recovering) {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Notes the caught-up time in Unix seconds.
    pub fn set_caught_up(&self, seconds: f64) {
        // Whole seconds are enough here; a time before 1970 is shown as 1970.
        self.caught_up.store(seconds as u64, Ordering::Relaxed);
    }

    /// Notes that the topic holds all that Okta has; gives whether it is the first time.
    pub fn reach_end(&self) -> bool {
        !self.reached_end.swap(true, Ordering::Relaxed)
    }

    /// Notes what is wrong, in the words of the log: never a secret.
    pub fn set_trouble(&self, message: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut(message, MAX_TROUBLE));
    }

    /// Notes what should be mended though the connector goes on, in the words of the log: never a secret.
    pub fn set_warning(&self, message: Option<&str>) {
        let told = message.map(|message| cut(message, MAX_TROUBLE));
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Notes whether it has been waiting for its turn at the rate limit for long.
    pub fn set_waits_long(&self, waits: bool) {
        self.waits_long.store(waits, Ordering::Relaxed);
    }

    fn line(&self) -> ConnectorLine {
        let state = ConnectorState::ALL[usize::from(self.state.load(Ordering::Relaxed))];
        let warning = self.warning.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waits = self.waits_long.load(Ordering::Relaxed).then(|| WAITS_LONG.to_owned());
        ConnectorLine {
            state: state.as_str().to_owned(),
            caught_up: self.caught_up.load(Ordering::Relaxed),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().or(warning).or(waits),
        }
    }
}

/// How one connector is, as a report tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorLine {
    /// A `state` of the metric `connector_state`.
    pub state: String,
    /// Unix seconds: when the topic was last known to hold all that Okta had.
    pub caught_up: u64,
    /// What is wrong, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// One worker's report of one shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The worker.
    pub worker: String,
    /// Unix seconds of the worker's clock.
    #[serde(default)]
    pub time: u64,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    connectors: BTreeMap<String, ConnectorLine>,
    /// Where the names would not fit: by the first 8 hex digits of the name's SHA-256, the state's place among
    /// [`ConnectorState::ALL`], and how many seconds before `time` it was caught up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    brief: BTreeMap<String, (usize, u64)>,
}

impl Report {
    fn new<'a>(worker: &str, time: u64, connectors: impl Iterator<Item = (&'a str, &'a Arc<ConnectorStatus>)>) -> Self {
        let connectors = connectors.map(|(name, status)| (name.to_owned(), status.line())).collect();
        Self { worker: worker.to_owned(), time, connectors, brief: BTreeMap::new() }
    }

    /// Compact JSON that a broker takes: what is wrong is shortened and then left out first, then names are shortened, then connectors left out.
    fn encode(mut self) -> String {
        let json = |report: &Self| serde_json::to_string(report).expect("strings and numbers are always JSON");
        let text = json(&self);
        if text.len() <= MAX_BYTES {
            return text;
        }
        for line in self.connectors.values_mut() {
            line.trouble = line.trouble.take().map(|trouble| cut(&trouble, SHORT_TROUBLE));
        }
        let text = json(&self);
        if text.len() <= MAX_BYTES {
            return text;
        }
        for line in self.connectors.values_mut() {
            line.trouble = None;
        }
        let text = json(&self);
        if text.len() <= MAX_BYTES {
            return text;
        }
        for (name, line) in std::mem::take(&mut self.connectors) {
            let state = ConnectorState::ALL.iter().position(|state| state.as_str() == line.state).unwrap_or_default();
            let _ = self.brief.insert(short(&name), (state, self.time.saturating_sub(line.caught_up)));
        }
        loop {
            let text = json(&self);
            if text.len() <= MAX_BYTES || self.brief.pop_last().is_none() {
                return text;
            }
        }
    }

    /// Reads a report; `None` for what is none.
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What it tells of a connector.
    pub fn of(&self, connector: &str) -> Option<ConnectorLine> {
        self.connectors.get(connector).cloned().or_else(|| {
            let &(state, behind) = self.brief.get(&short(connector))?;
            let state = ConnectorState::ALL.get(state)?.as_str().to_owned();
            Some(ConnectorLine { state, caught_up: self.time.saturating_sub(behind), trouble: None })
        })
    }
}

/// A text of `longest` bytes at most; `…` stands for what is cut off.
fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= longest).last().unwrap_or_default();
    format!("{}…", &text[..end])
}

fn short(name: &str) -> String {
    Sha256::digest(name).iter().take(4).fold(String::with_capacity(8), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Tells the group how a shard's connectors are, whatever the shard is doing: between two looks of each of its waits.
pub struct Reporter {
    context: Arc<WorkerContext>,
    shard: i32,
    connectors: Vec<(String, Arc<ConnectorStatus>)>,
    /// The shard's: after it another worker may have told the group.
    stop: Stop,
    /// When it was last told, in milliseconds of the worker's clock.
    told: AtomicU64,
    /// How the connectors were then, see [`Reporter::outlook`].
    outlook: AtomicU64,
    /// Where our partition of the offsets topic ends, as far as we know; less than 0 where we do not.
    end: AtomicI64,
    /// The broker takes no long text (a smaller `offset.metadata.max.bytes` than its default): only who we are is told.
    bare: AtomicBool,
}

impl Reporter {
    /// Of a shard's connectors.
    pub fn new(
        context: Arc<WorkerContext>,
        shard: i32,
        connectors: Vec<(String, Arc<ConnectorStatus>)>,
        stop: Stop,
    ) -> Self {
        Self {
            context,
            shard,
            connectors,
            stop,
            told: AtomicU64::new(0),
            outlook: AtomicU64::new(0),
            end: AtomicI64::new(-1),
            bare: AtomicBool::new(false),
        }
    }

    /// The report as it is now.
    pub fn report(&self) -> String {
        let told = if self.bare.load(Ordering::Relaxed) { &[][..] } else { &self.connectors };
        let connectors = told.iter().map(|(name, status)| (name.as_str(), status));
        Report::new(&self.context.worker, clock::wall().as_second().try_into().unwrap_or_default(), connectors).encode()
    }

    /// From now on tells only who we are.
    pub fn be_brief(&self) {
        self.bare.store(true, Ordering::Relaxed);
    }

    /// Notes where our partition ends.
    pub fn ends_at(&self, end: Option<i64>) {
        self.end.store(end.unwrap_or(-1), Ordering::Relaxed);
    }

    /// Notes that the group was just told.
    pub fn told(&self) {
        self.outlook.store(self.outlook(), Ordering::Relaxed);
        self.told.store(self.now(), Ordering::Relaxed);
    }

    /// Tells the group when it is time to; nobody waits for its answer. Never blocks. A shard that is
    /// told to stop tells no more, or it would overwrite what its next owner says.
    pub fn tick(&self) {
        if self.until_next().is_zero() && !self.stop.is_stopped() {
            self.told();
            let end = Some(self.end.load(Ordering::Relaxed)).filter(|end| *end >= 0);
            if let Err(error) = self.context.group.report(self.shard, end, &self.report()) {
                debug!(shard = self.shard, "no report: {error}");
            }
        }
    }

    /// How long until the group is to be told again.
    pub fn until_next(&self) -> Duration {
        let told = Duration::from_millis(self.told.load(Ordering::Relaxed));
        let interval = if self.outlook.load(Ordering::Relaxed) == self.outlook() { INTERVAL } else { SOON };
        (told + interval).saturating_sub(self.context.clock.elapsed())
    }

    /// How long the shard may wait for pages before it looks at [`Reporter::tick`] again: a change is noticed by looking.
    pub fn until_look(&self) -> Duration {
        let catches_up = |(_, status): &(_, Arc<ConnectorStatus>)| !status.reached_end.load(Ordering::Relaxed);
        let look = if self.connectors.iter().any(catches_up) { SOON } else { INTERVAL };
        self.until_next().min(look)
    }

    /// The states of all connectors in one number; asking and resting, between which a connector is all day, are one.
    fn outlook(&self) -> u64 {
        let running =
            1 + ConnectorState::ALL.iter().position(|state| *state == ConnectorState::Running).unwrap_or_default()
                as u64;
        self.connectors.iter().fold(0, |outlook: u64, (_, status)| {
            let state = usize::from(status.state.load(Ordering::Relaxed));
            let kind = if ConnectorState::ALL[state] == ConnectorState::Waiting { running } else { state as u64 + 1 };
            // Whoever looks right after the start shall not see how old the backlog was.
            let reached_end = u64::from(status.reached_end.load(Ordering::Relaxed));
            outlook.wrapping_mul(15).wrapping_add(kind + 7 * reached_end)
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.context.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: ConnectorState, trouble: Option<&str>) -> Arc<ConnectorStatus> {
        let status = Arc::new(ConnectorStatus::default());
        status.set_state(state);
        status.set_caught_up(1_763_769_600.9);
        if let Some(trouble) = trouble {
            status.set_trouble(trouble);
        }
        status
    }

    fn report(connectors: &[(String, Arc<ConnectorStatus>)]) -> String {
        let connectors = connectors.iter().map(|(name, status)| (name.as_str(), status));
        Report::new("worker-0", 1_763_769_700, connectors).encode()
    }

    #[test]
    fn a_report_is_compact_and_comes_back_as_it_went() {
        let acme = status(ConnectorState::Waiting, None);
        let failed = status(ConnectorState::Failed, Some("no token"));
        let text = report(&[("acme".to_owned(), acme), ("b".to_owned(), failed)]);
        assert_eq!(
            text,
            r#"{"worker":"worker-0","time":1763769700,"connectors":{"acme":{"state":"waiting","caught_up":1763769600},"b":{"state":"failed","caught_up":1763769600,"trouble":"no token"}}}"#
        );
        let read = Report::decode(&text).expect("our own");
        assert_eq!((read.worker.as_str(), read.time), ("worker-0", 1_763_769_700));
        assert_eq!(read.of("b").and_then(|line| line.trouble).as_deref(), Some("no token"));
        assert_eq!(read.of("c"), None);
        for foreign in ["", "x", "[]", "{}"] {
            assert!(Report::decode(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn a_trouble_is_short_and_over_when_the_connector_goes_on() {
        let long = "é".repeat(400);
        let connector = status(ConnectorState::Failed, Some(&long));
        let told = connector.line().trouble.expect("a trouble");
        assert!(told.len() <= MAX_TROUBLE + '…'.len_utf8() && told.ends_with("é…"), "{told}");
        connector.set_state(ConnectorState::Recovering);
        assert!(connector.line().trouble.is_some());
        connector.set_waits_long(true);
        assert_eq!(connector.line().trouble, Some(told), "a wait is no news then");
        connector.set_state(ConnectorState::Running);
        assert_eq!(connector.line().trouble.as_deref(), Some(WAITS_LONG));
        connector.set_waits_long(false);
        assert_eq!(connector.line().trouble, None);
        connector.set_warning(Some("access token not renewed"));
        connector.set_state(ConnectorState::Waiting);
        assert_eq!(connector.line().trouble.as_deref(), Some("access token not renewed"));
        connector.set_warning(None);
        assert_eq!(connector.line().trouble, None);
    }

    /// What a broker would refuse keeps the whole shard from starting.
    #[test]
    fn a_report_is_never_longer_than_a_broker_takes() {
        for (count, name_length, has_trouble, kept) in [
            (6, 10, true, 6),
            (10, 10, true, 10),
            (40, 10, false, 40),
            (100, 100, false, 100),
            (150, 20, false, 150),
            (1000, 20, false, 150),
        ] {
            let trouble = "t".repeat(MAX_TROUBLE);
            let state = ConnectorState::Failed;
            let connectors: Vec<_> = (0..count)
                .map(|index| {
                    (
                        format!("{index:0>name_length$}"),
                        status(state, Some(&trouble).filter(|_| has_trouble).map(String::as_str)),
                    )
                })
                .collect();
            let text = report(&connectors);
            assert!(text.len() <= MAX_BYTES, "{count} connectors: {} bytes", text.len());
            let read = Report::decode(&text).expect("our own");
            let told: Vec<_> = connectors.iter().filter_map(|(name, _)| read.of(name)).collect();
            assert!(told.len() >= kept, "{} of {count} connectors are told", told.len());
            assert!(told.iter().all(|line| line.state == "failed" && line.caught_up == 1_763_769_600));
            let troubles = told.iter().filter(|line| line.trouble.is_some()).count();
            assert_eq!(troubles, if count <= 10 { count } else { 0 }, "{count}");
        }
    }
}
