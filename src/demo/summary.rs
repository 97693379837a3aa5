//! What the demo tells: what is on the stage, what landed, and where to go next.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::excerpt::excerpt;
use super::read_back::ReadBack;
use super::stage::Stage;
use super::style::{Style, count, wrap};
use crate::kafka::record_reader::Record;

/// Columns of a line, and of its label.
const WIDTH: usize = 100;
const LABEL: usize = 14;

/// What the demo measured and read back.
pub struct Landed {
    /// What consumers of their own found.
    pub read: ReadBack,
    /// Events that were there from the start.
    pub backlog: usize,
    /// From the first request to the last event of the backlog at a reader; `None` when it was not reached.
    pub backlog_time: Option<Duration>,
    /// From the org to a reader: median and longest of the live events.
    pub live_delay: Option<(Duration, Duration)>,
}

/// Lines of text, with labels in one column.
pub struct Page {
    style: Style,
    text: String,
}

impl Page {
    /// Empty.
    pub fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// A heading, behind an empty line.
    pub fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(&self.style.heading(text));
    }

    /// A labelled text, on as many lines as it needs.
    pub fn row(&mut self, label: &str, text: &str) {
        let mut label = self.style.dim(&format!("{label:<LABEL$}"));
        for line in wrap(text, WIDTH - LABEL - 2) {
            self.line(&format!("  {label}{line}"));
            label = " ".repeat(LABEL);
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }
}

/// Before anything flows: the parts.
pub fn introduction(stage: &Stage, events: usize, live: usize, style: Style) -> String {
    let mut page = Page::new(style);
    page.heading("Okta System Log to Apache Kafka: the whole pipeline in one process");
    page.row("org", &format!("simulated, at {}: {} events, then {live} live ones", stage.org.url(), count(events)));
    let kind = if stage.broker.is_embedded() { "embedded, at " } else { "" };
    page.row("broker", &format!("{kind}{}", stage.broker.address()));
    page.row("topic", &stage.topics.data.name);
    page.row("connector", "the worker of `run`, asking every second");
    page.into_text()
}

/// After the check: what is in the topic.
pub fn landed(stage: &Stage, landed: &Landed, style: Style) -> String {
    let mut page = Page::new(style);
    page.text.push('\n');
    counts(&mut page, landed);
    page.heading("Three records, as a consumer reads them");
    for record in &landed.read.samples {
        sample(&mut page, record);
    }
    if let Some(checkpoint) = &landed.read.checkpoint {
        page.heading("The checkpoint, committed in the same transactions as the events");
        let place =
            format!("{}, partition {}, offset {}", stage.topics.offsets.name, checkpoint.partition, checkpoint.offset);
        page.row("record", &place);
        page.row("key", &text(checkpoint.key.as_deref()));
        page.row("value", &text(checkpoint.value.as_deref()));
    }
    page.heading("And now");
    if stage.broker.is_embedded() {
        page.row(
            "not shown",
            "exactly once: this broker shows aborted records to read_committed readers and lets a zombie commit. `make test`, or --bootstrap HOST:PORT, takes a real Kafka",
        );
    }
    page.row("your org", "README.md, quick start: five lines of YAML, and `okta-kafka-source run -c FILE`");
    page.row("the proof", "make test: this program killed and frozen on a real Kafka, nothing lost, nothing twice");
    page.row("an org to try", "okta-kafka-source simulate --print-config: with faults, for as long as you like");
    page.into_text()
}

fn counts(page: &mut Page, landed: &Landed) {
    let Landed { read: ReadBack { verdict, .. }, backlog, .. } = landed;
    let style = page.style;
    page.heading("What landed");
    let live = verdict.events.saturating_sub(*backlog);
    page.row(
        "in the org",
        &format!("{} events: {} of the backlog, {live} live", count(verdict.events), count(*backlog)),
    );
    page.row(
        "in the topic",
        &format!("{} records, read back by a consumer with isolation.level=read_committed", count(verdict.records)),
    );
    if verdict.is_exact() {
        page.row("check", &style.good("every event is there once, byte for byte"));
    }
    for (kind, differing) in verdict.differences() {
        let more = if differing.count > differing.uuids.len() { ", …" } else { "" };
        let uuids = differing.uuids.join(", ");
        page.row("check", &style.bad(&format!("{} {kind}: {uuids}{more}", count(differing.count))));
    }
    page.row("dead letters", &count(landed.read.dead_letters));
    if let Some(time) = landed.backlog_time.filter(|_| *backlog > 0) {
        let rate = count((*backlog as f64 / time.as_secs_f64().max(0.001)) as usize);
        page.row("backlog", &format!("{} s, {rate} events/s, in pages of 100", seconds(time)));
    }
    if let Some((median, longest)) = landed.live_delay {
        let text = format!("{} s from the org to a reader (median), {} s at most", seconds(median), seconds(longest));
        page.row("live events", &text);
    }
}

fn sample(page: &mut Page, record: &Record) {
    let timestamp = record.timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let timestamp = timestamp.map_or_else(|| "none".to_owned(), |time| format!("{time:.3}"));
    let mut key = String::new();
    // Writing to a string can't fail.
    let _ = write!(key, "{}  timestamp {timestamp}", text(record.key.as_deref()));
    page.row("key", &key);
    let headers: Vec<String> =
        record.headers.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
    page.row("  headers", &headers.join("  "));
    let value = record.value.as_deref().unwrap_or_default();
    page.row("  value", &format!("{} {} bytes", excerpt(value), count(value.len())));
}

/// What a person may look at while everything runs on.
pub fn still_running(stage: &Stage, style: Style) -> String {
    let mut page = Page::new(style);
    page.text.push('\n');
    page.heading("Still running, a new event every second: Ctrl-C ends it");
    page.row("metrics", &format!("http://{}/metrics", stage.http));
    page.row("health", &format!("http://{0}/readyz and http://{0}/livez", stage.http));
    page.row("broker", &format!("{}, topics {}", stage.broker.address(), stage.topics.names().join(", ")));
    page.into_text()
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "none".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
