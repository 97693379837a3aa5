//! Where the events come from: the backlog, the live ones that fall due as time goes by, and what tests add.

use std::fs;
use std::time::Duration;

use serde::Deserialize;

use super::config::{SimulatorConfig, SimulatorError};
use super::drift::DriftFrom;
use super::generator::{EventGenerator, EventKind, Shape};
use super::store::{EventStore, NewEvent};

/// One event in this many shares the millisecond of the one before it, so that the `_<n>` of cursors matters.
const SAME_MILLISECOND_ONE_IN: u32 = 50;
/// A late event is late by so many milliseconds at least.
const LATE_MILLIS: i64 = 1_000;

/// The store and what fills it.
pub(super) struct Feed {
    store: EventStore,
    generator: EventGenerator,
    rng: fastrand::Rng,
    started_millis: i64,
    live_rate: f64,
    live_limit: usize,
    live_made: usize,
    pub(super) drift_from: Option<DriftFrom>,
    awkward: f64,
    unpublishable: f64,
    late: f64,
    late_by_millis: i64,
    scratch: Vec<u8>,
}

/// What of a given event is read, if it is there.
#[derive(Deserialize)]
struct Envelope {
    uuid: Option<serde_json::Value>,
    published: Option<serde_json::Value>,
}

impl Feed {
    /// Makes the backlog; takes a second for a hundred thousand events, so not for an async thread.
    pub(super) fn new(config: &SimulatorConfig, now_millis: i64) -> Result<Self, SimulatorError> {
        let mut feed = Self {
            store: EventStore::default(),
            generator: EventGenerator::new(config.seed),
            rng: fastrand::Rng::with_seed(config.seed ^ 0x6665_6564),
            started_millis: now_millis,
            live_rate: config.live_rate,
            live_limit: config.live_limit.unwrap_or(usize::MAX),
            live_made: 0,
            drift_from: config.drift_from,
            awkward: config.awkward,
            unpublishable: config.unpublishable,
            late: config.late,
            late_by_millis: i64::try_from(config.late_by.as_millis()).unwrap_or(i64::MAX).max(LATE_MILLIS),
            scratch: Vec::with_capacity(4096),
        };
        match &config.events_file {
            Some(path) => {
                let content =
                    fs::read(path).map_err(|reason| SimulatorError::EventsFile { path: path.clone(), reason })?;
                let lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
                let times = feed.backlog_times(lines.len(), config.backlog_span);
                for (line, millis) in lines.into_iter().zip(times) {
                    feed.append(line, millis);
                }
            }
            None => {
                for millis in feed.backlog_times(config.events, config.backlog_span) {
                    feed.generate_at(millis);
                }
            }
        }
        Ok(feed)
    }

    /// Persistence times over the span before the start, in order, unevenly spaced.
    fn backlog_times(&mut self, count: usize, span: Duration) -> Vec<i64> {
        let span_millis = span.as_millis() as f64;
        let slot = span_millis / count.max(1) as f64;
        let mut last = i64::MIN;
        (0..count)
            .map(|index| {
                let millis = self.started_millis - 1 - (span_millis - slot * (index as f64 + self.rng.f64())) as i64;
                // The slots do not overlap, but at many events a millisecond their rounding does.
                last = if self.rng.u32(..SAME_MILLISECOND_ONE_IN) == 0 && index > 0 { last } else { millis.max(last) };
                last
            })
            .collect()
    }

    /// Adds the live events that are due at `now_millis`.
    pub(super) fn catch_up(&mut self, now_millis: i64) {
        let elapsed = (now_millis - self.started_millis).max(0) as f64;
        let due = ((elapsed * self.live_rate / 1000.0) as usize).min(self.live_limit);
        while self.live_made < due {
            self.live_made += 1;
            let millis = self.started_millis + (self.live_made as f64 * 1000.0 / self.live_rate) as i64;
            self.generate_at(millis);
        }
    }

    /// Makes an event that is persisted at `millis` or right behind the last one, and is late by chance.
    pub(super) fn generate_at(&mut self, millis: i64) {
        let is_late = self.rng.f64() < self.late;
        let delay = if is_late { self.rng.i64(LATE_MILLIS..=self.late_by_millis) } else { self.rng.i64(20..400) };
        self.generate_late(millis, delay);
    }

    /// Makes an event that is persisted at `millis` or right behind the last one, and was published `delay` milliseconds before.
    pub(super) fn generate_late(&mut self, millis: i64, delay: i64) {
        self.scratch.clear();
        let (number, after_start) = (self.store.events().len(), millis - self.started_millis);
        let shape = Shape {
            drifted: self.drift_from.map(|from| from.reached(number, after_start)),
            awkward: self.awkward,
            unpublishable: self.unpublishable,
        };
        let made = self.generator.write(millis - delay, shape, &mut self.scratch);
        let event = NewEvent {
            uuid: made.uuid,
            published: Some(made.published),
            published_millis: Some(millis - delay),
            kind: made.kind,
            raw: &self.scratch,
        };
        self.store.push(millis, event);
    }

    /// Adds an event as it is, persisted at `millis` or right behind the last one.
    pub(super) fn append(&mut self, raw: &[u8], millis: i64) {
        let envelope = serde_json::from_slice::<Envelope>(raw).ok();
        let text = |value: Option<serde_json::Value>| value.as_ref().and_then(|v| v.as_str()).map(Box::<str>::from);
        let (uuid, published) = match envelope {
            Some(envelope) => (text(envelope.uuid), text(envelope.published)),
            None => (None, None),
        };
        let published_millis = published
            .as_deref()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
            .map(|time| time.as_millisecond());
        self.store.push(millis, NewEvent { uuid, published, published_millis, kind: EventKind::Given, raw });
    }

    /// The events.
    pub(super) fn store(&mut self) -> &mut EventStore {
        &mut self.store
    }
}
