//! What the demo tells: what is on the stage, what landed, and where to go next.

use std::time::Duration;

use jiff::Timestamp;

use super::excerpt::excerpt;
use super::read_back::ReadBack;
use super::stage::Stage;
use super::style::{Style, count, wrap};
use crate::kafka::record_reader::Record;

/// Columns of a line, and of its label.
const WIDTH: usize = 100;
const LABEL: usize = 13;

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
        self.text.push('\n');
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
    page.line(&style.heading("Okta System Log to Apache Kafka: the whole pipeline in one process"));
    page.row("org", &format!("simulated, at {}: {} events, then {live} live ones", stage.org.url(), count(events)));
    page.row("connector", "the worker of `run`, asking every second");
    let kind = if stage.broker.is_embedded() { "embedded, at " } else { "" };
    page.row("broker", &format!("{kind}{}", stage.broker.address()));
    page.row("topics", &format!("{}, and with .dlq and -offsets behind it", stage.topics.data.name));
    page.into_text()
}

/// After the check: what is in the topic.
pub fn landed(stage: &Stage, landed: &Landed, style: Style) -> String {
    let mut page = Page::new(style);
    counts(&mut page, landed);
    page.heading("Three records, as a consumer reads them");
    for (index, record) in landed.read.samples.iter().enumerate() {
        sample(&mut page, record, index == 0);
    }
    if let Some(checkpoint) = &landed.read.checkpoint {
        page.heading("The checkpoint, committed in the same transactions as the events");
        let place = format!("partition {}, offset {}", checkpoint.partition, checkpoint.offset);
        page.row("key", &format!("{}   {place}", text(checkpoint.key.as_deref())));
        page.row("value", &text(checkpoint.value.as_deref()));
    }
    page.heading("And now");
    if stage.broker.is_embedded() {
        page.row(
            "not shown",
            "exactly once: the embedded broker shows aborted records to read_committed readers, and lets a zombie commit. A real Kafka: `make test`, or --bootstrap HOST:PORT",
        );
    }
    page.row("your org", "README.md, \"With a real org\": some YAML, then `okta-kafka-source run -c FILE`");
    page.row("the proof", "`make test`: killed and frozen on a real Kafka, nothing lost, nothing twice");
    page.row("to play with", "`okta-kafka-source simulate --print-config`: an org with faults, for `run`");
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
    let (records, dead_letters) = (count(verdict.records), count(landed.read.dead_letters));
    let read = format!("{records} records, read back as isolation.level=read_committed; dead letters: {dead_letters}");
    page.row("in the topic", &read);
    if verdict.is_exact() {
        page.row("check", &style.good("every event is there once, byte for byte"));
    }
    for (kind, differing) in verdict.differences() {
        let more = if differing.count > differing.uuids.len() { ", …" } else { "" };
        let uuids = differing.uuids.join(", ");
        page.row("check", &style.bad(&format!("{} {kind}: {uuids}{more}", count(differing.count))));
    }
    if let Some(time) = landed.backlog_time.filter(|_| *backlog > 0) {
        let rate = count((*backlog as f64 / time.as_secs_f64().max(0.001)) as usize);
        let time = seconds(time);
        page.row("backlog", &format!("{time} s, {rate} events/s, from an org that answers at once, 100 events a page"));
    }
    if let Some((median, longest)) = landed.live_delay {
        let text = format!("{} s from the org to a reader (median), {} s at most", seconds(median), seconds(longest));
        page.row("live events", &text);
    }
}

/// Headers that all records of the demo share are shown once.
fn sample(page: &mut Page, record: &Record, first: bool) {
    let timestamp = record.timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let timestamp = timestamp.map_or_else(|| "none".to_owned(), |time| format!("{time:.3}"));
    page.row("key", &format!("{}   timestamp {timestamp}", text(record.key.as_deref())));
    let shown = |name: &str| first || name == "ce_type";
    let headers = record.headers.iter().filter(|(name, _)| shown(name));
    let headers: Vec<String> =
        headers.map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
    let hidden = record.headers.len() - headers.len();
    let more = if hidden > 0 { format!("  and {hidden} more, as above") } else { String::new() };
    page.row("  headers", &format!("{}{more}", headers.join("  ")));
    let value = record.value.as_deref().unwrap_or_default();
    page.row("  value", &format!("{}  ({} bytes)", excerpt(value), count(value.len())));
}

/// What a person may look at while everything runs on.
pub fn still_running(stage: &Stage, style: Style) -> String {
    let mut page = Page::new(style);
    page.heading("Still running, a new event every second: Ctrl-C ends it");
    page.row("metrics", &format!("http://{}/metrics", stage.http));
    page.row("health", &format!("http://{0}/readyz and http://{0}/livez", stage.http));
    page.row("broker", &format!("{}, topics {}", stage.broker.address(), stage.topics.names().join(", ")));
    if !stage.broker.is_embedded() {
        page.row("afterwards", "the topics stay: delete them when you have seen enough");
    }
    page.into_text()
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "none".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
