//! A world small enough to be random: an org that is a list, a topic that is a list, and a task between them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::config::{OnLostCursor, OnQueryChange};
use crate::convert::Converter;
use crate::okta::origin::Origin;
use crate::okta::page;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::action::{Action, ConnectorState, RecoveryReason};
use crate::source::input::{Input, LearnId, LostPosition, Now, PageAnswer, Refusal, RequestId, Tail};
use crate::source::known::{Identity, KnownBuilder, credible};
use crate::source::offset::SourceOffset;
use crate::source::record::{Element, PageRecords, SourceRecord};
use crate::source::task::{Task, TaskSettings};

pub const LIMIT: u16 = 10;
pub const INTERVAL: Duration = Duration::from_secs(60);
/// Of a cold start: before all that the org has.
pub const SINCE: &str = "2025-12-01T00:00:00Z";

pub fn org() -> Origin {
    "https://acme.okta.com".parse().expect("an origin")
}

pub fn settings() -> TaskSettings {
    TaskSettings {
        org: org(),
        query: SystemLogQuery { filter: None, q: None, limit: LIMIT },
        interval: INTERVAL,
        since: SINCE.parse().expect("a time"),
        recovery_overlap: Duration::from_secs(600),
        on_lost_cursor: OnLostCursor::Recover,
        on_query_change: OnQueryChange::RestartFromPublished,
        ahead_pages: 3,
        ahead_bytes: 1_000_000,
    }
}

/// When a world begins, by its wall clock.
pub const BEGIN: &str = "2026-01-01T00:00:00Z";

pub fn begin() -> Timestamp {
    BEGIN.parse().expect("a time")
}

/// The link to the page after `position` events.
pub fn link(position: usize) -> PageUrl {
    let text = format!("https://acme.okta.com/api/v1/logs?limit={LIMIT}&after={position}");
    PageUrl::checked(&text, &org()).expect("a link of the org")
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = PageUrl::checked(url, &org()).expect("a URL of the org");
    url.url().query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// Where a link points, and which generation of links it is of; a cold start's has no cursor.
pub fn cursor(url: &str) -> (usize, u32) {
    let Some(after) = parameter(url, "after") else { return (0, u32::MAX) };
    let (position, generation) = after.split_once('.').unwrap_or((&after, "0"));
    (position.parse().expect("a position"), generation.parse().expect("a generation"))
}

/// One event. `published` in milliseconds since the world began; every 29th has no uuid, and is a dead letter.
fn event(number: usize, published: i64) -> String {
    let published = begin() + SignedDuration::from_millis(published);
    let uuid = if number % 29 == 28 { String::new() } else { format!(r#""uuid":"u-{number}","#) };
    format!(r#"{{{uuid}"n":{number},"published":"{published:.3}","eventType":"a.b"}}"#)
}

fn body(events: impl Iterator<Item = (usize, i64)>) -> Bytes {
    let events: Vec<String> = events.map(|(number, published)| event(number, published)).collect();
    Bytes::from(format!("[{}]", events.join(",")))
}

/// The number of an event, by its bytes.
pub fn number(bytes: &[u8]) -> usize {
    #[derive(serde::Deserialize)]
    struct Numbered {
        n: usize,
    }
    serde_json::from_slice::<Numbered>(bytes).expect("an event").n
}

/// A page's elements, as the task gets them.
pub fn elements(body: &Bytes) -> Vec<Element> {
    let elements = page::split(body).expect("an array");
    elements.into_iter().map(|element| Converter::Json.convert(element, &mut |_| {})).collect()
}

/// A page of `count` events that starts at `position`.
pub fn answer(position: usize, count: usize) -> PageAnswer {
    let body = body((position..position + count).map(|number| (number, number as i64)));
    PageAnswer { elements: elements(&body), next: Some(Ok(link(position + count))), bytes: body.len(), date: None }
}

/// A task and all around it.
pub struct World {
    pub task: Task,
    pub time: Duration,
    /// How far the connector's wall clock is ahead of the org's.
    pub clock_ahead: SignedDuration,
    /// Events that the org has: numbers from 0.
    pub org_has: usize,
    /// Numbers of the events in the topic and the dead letter topic, page by page.
    pub topic: Vec<usize>,
    /// When events were published, in milliseconds since the world began, where that is not their number.
    pub published: Vec<i64>,
    /// Links of an older generation are refused.
    pub generation: u32,
    /// What the task wants to learn, where that is not answered at once.
    pub question: Option<(LearnId, i64)>,
    /// Whether it is not.
    pub learns_late: bool,
    /// Whether answers have a `Date`.
    pub dated: bool,
    /// How many elements may be known.
    pub capacity: usize,
    /// How many of the topic's newest elements are read at a start.
    pub tail: usize,
    /// The first event of that tail. A page that is served twice is no older: two faults at once, a checkpoint put back by
    /// hand and Okta going back from there, are more than is promised.
    pub tail_begins: usize,
    /// What the task is made of.
    pub settings: TaskSettings,
    /// Why it recovered, and what may be missing.
    pub recoveries: Vec<(RecoveryReason, bool)>,
    /// What was said to be missing once the org had answered.
    pub missing: Vec<(Timestamp, Timestamp)>,
    /// The `from` of each window that was asked for.
    pub windows: Vec<i64>,
    /// Elements that were left out and not committed yet, or committed.
    pub suppressed: usize,
    /// What was told of old ground: where it begins, and how much was left out at its end.
    pub told: Vec<Option<usize>>,
    /// Whether it was said that bytes differ.
    pub differing: Vec<String>,
    /// The last record of the offsets topic.
    pub stored: Option<SourceOffset>,
    pub open: Option<(RequestId, PageUrl)>,
    pub collected: VecDeque<PageRecords>,
    pub wake: Option<Duration>,
    pub state: ConnectorState,
    pub caught_up: bool,
    pub reloads: usize,
    pub failures: Vec<String>,
    /// Events that no page may hold that was asked for with more than so many.
    pub poison: Vec<Poison>,
    /// The `limit` of each request, in order.
    pub limits: Vec<usize>,
}

/// An event that makes a page fail.
#[derive(Debug, Clone, Copy)]
pub struct Poison {
    /// Its number.
    pub event: usize,
    /// The greatest `limit` with which a page that holds it gets through.
    pub up_to: usize,
    /// Whether the page is too large, rather than too late.
    pub too_large: bool,
}

impl World {
    /// A task that was just started on what is stored.
    pub fn start(org_has: usize, stored: Option<SourceOffset>) -> Self {
        Self::start_with(settings(), org_has, stored)
    }

    /// The same, with other settings.
    pub fn start_with(settings: TaskSettings, org_has: usize, stored: Option<SourceOffset>) -> Self {
        let mut world = Self {
            task: Task::new(settings.clone()),
            time: Duration::ZERO,
            clock_ahead: SignedDuration::ZERO,
            org_has,
            topic: Vec::new(),
            published: Vec::new(),
            generation: 0,
            question: None,
            learns_late: false,
            dated: false,
            capacity: 1_000,
            tail: 15,
            tail_begins: 0,
            settings,
            recoveries: Vec::new(),
            missing: Vec::new(),
            windows: Vec::new(),
            suppressed: 0,
            told: Vec::new(),
            differing: Vec::new(),
            stored,
            open: None,
            collected: VecDeque::new(),
            wake: None,
            state: ConnectorState::Starting,
            caught_up: false,
            reloads: 0,
            failures: Vec::new(),
            poison: Vec::new(),
            limits: Vec::new(),
        };
        world.restart();
        world
    }

    /// The process dies and comes back: memory is gone, the topic is not (I4).
    pub fn restart(&mut self) {
        self.task = Task::new(self.settings.clone());
        self.question = None;
        self.open = None;
        self.collected.clear();
        self.wake = None;
        self.state = ConnectorState::Starting;
        let newest = &self.topic[self.topic.len().saturating_sub(self.tail)..];
        self.tail_begins = newest.iter().min().copied().unwrap_or_default();
        let own: Vec<Identity> = newest.iter().map(|number| self.element(*number).identity()).collect();
        let tail = Tail { own, others: Vec::new() };
        self.give(Input::Started { stored: Ok(self.stored.clone()), tail });
    }

    pub fn give(&mut self, input: Input) {
        let now = Now { monotonic: self.time, wall: self.wall() + self.clock_ahead, jitter: 0.5 };
        for action in self.task.on(input, &now) {
            match action {
                Action::Request { request, url } => {
                    self.limits.push(url.limit());
                    self.open = Some((request, url));
                }
                Action::Publish(records) => self.collected.push_back(records),
                Action::WakeAt(at) => self.wake = Some(at),
                Action::State(state) => self.state = state,
                Action::CaughtUp => self.caught_up = true,
                Action::ReloadCredential => self.reloads += 1,
                Action::Failed { message, .. } => self.failures.push(message),
                Action::Learn { id, from } => {
                    self.windows.push(from);
                    self.question = Some((id, from));
                }
                Action::OverOldGround => self.told.push(None),
                Action::OldGroundEnds { suppressed } => {
                    assert_eq!(self.told.last(), Some(&None), "an end of what did not begin");
                    self.told.push(Some(suppressed));
                }
                Action::Differs { uuid } => self.differing.push(uuid),
                Action::Recovered { reason, hole, .. } => self.recoveries.push((reason, hole.is_some())),
                Action::Missing { from, until } => self.missing.push((from, until)),
                Action::LearnAgain { .. } => {}
                Action::ResumedFrom { .. } | Action::PageKind(_) | Action::PageSize { .. } | Action::Retry { .. } => {}
            }
        }
        if !self.learns_late {
            self.learn();
        }
    }

    /// The wall clock.
    pub fn wall(&self) -> Timestamp {
        begin() + SignedDuration::try_from(self.time).expect("not that long")
    }

    /// When an event was published, in milliseconds since the world began.
    pub fn published(&self, number: usize) -> i64 {
        self.published.get(number).copied().unwrap_or(number as i64)
    }

    /// One of the org's events, as the task gets it.
    pub fn element(&self, number: usize) -> Element {
        elements(&body(std::iter::once((number, self.published(number))))).remove(0)
    }

    /// The org gets new events: the last one now, each published `late` milliseconds before it was stored; behind it where that
    /// is negative, as by a clock that is ahead.
    pub fn grow(&mut self, events: usize, late: &[i32]) {
        let now = i64::try_from(self.time.as_millis()).expect("not that long");
        self.time += Duration::from_secs(events as u64);
        for number in 0..events {
            let stored = now + 1000 * (number as i64 + 1);
            let late = late.get(number).copied().unwrap_or_default();
            self.published.push(stored - i64::from(late));
        }
        self.org_has = self.published.len();
    }

    /// The question is answered by what the topic holds.
    pub fn learn(&mut self) {
        let Some((id, from)) = self.question.take() else { return };
        loop {
            let mut builder = KnownBuilder::new(from, self.capacity);
            let all = self.topic.iter().map(|number| self.element(*number));
            let pushed: Result<Vec<()>, _> = all
                .map(|element| {
                    let time = match &element {
                        Element::Record(_) => element.published_millis(),
                        Element::DeadLetter { .. } => None,
                    };
                    let now = (self.wall() + self.clock_ahead).as_millisecond();
                    builder.push(element.identity(), element.fingerprint(), credible(time, now))
                })
                .collect();
            match pushed {
                Ok(_) => return self.give(Input::Learned { id, known: builder.finish().into() }),
                Err(_) => self.capacity *= 2,
            }
        }
    }

    /// The topic can't be read for now.
    pub fn learn_not(&mut self, retriable: bool) {
        if let Some((id, _)) = self.question.take() {
            self.give(Input::NotLearned { id, message: "no answer".to_owned(), retriable });
        }
    }

    /// Whether the connector's query asks for an event: with a filter, for every second one.
    pub fn matches(&self, number: usize) -> bool {
        self.settings.query.filter.is_none() || number.is_multiple_of(2)
    }

    /// The org answers the open request as an org does.
    pub fn answer(&mut self) {
        self.answer_with(0, usize::MAX);
    }

    /// The same, but the page begins with so many events that were served before, and has no more than `most`.
    pub fn answer_with(&mut self, again: usize, most: usize) {
        let Some((request, url)) = self.open.take() else { return };
        let (position, generation) = cursor(url.as_str());
        self.caught_up = false;
        if generation < self.generation {
            let refusal = Refusal::LostCursor(LostPosition {
                reason: RecoveryReason::CursorRefused,
                message: "what cursor?".to_owned(),
                said: None,
                date: Some(self.wall()),
            });
            return self.give(Input::Refused { request, refusal });
        }
        let since = url.since().map_or(i64::MIN, |since| since.duration_since(begin()).as_millis() as i64);
        let filtered = parameter(url.as_str(), "filter").is_some();
        let asked: Vec<usize> = (position.saturating_sub(again).max(self.tail_begins.min(position))..self.org_has)
            .filter(|number| self.published(*number) >= since && (!filtered || number.is_multiple_of(2)))
            .take(url.limit().min(most))
            .collect();
        let is_in_page = |poison: &&Poison| asked.contains(&poison.event) && url.limit() > poison.up_to;
        if let Some(poison) = self.poison.iter().find(is_in_page) {
            let refusal = match poison.too_large {
                true => Refusal::TooLarge { problem: "too large".to_owned(), next: None },
                false => Refusal::TimedOut,
            };
            return self.give(Input::Refused { request, refusal });
        }
        let body = body(asked.iter().map(|number| (*number, self.published(*number))));
        // Where nothing is left, what other queries would give is behind it all the same.
        let next = asked.last().map_or(position, |last| last + 1);
        let next = match self.generation {
            0 => next.to_string(),
            generation => format!("{next}.{generation}"),
        };
        // As Okta does: a link repeats the limit, the `since` and the filter of its request.
        let since = url.since().map_or_else(String::new, |since| format!("&since={since:.3}"));
        let filter = if filtered { "&filter=even" } else { "" };
        let text = format!("https://acme.okta.com/api/v1/logs?limit={}&after={next}{since}{filter}", url.limit());
        let next = Some(Ok(PageUrl::checked(&text, &org()).expect("a link of the org")));
        let page =
            PageAnswer { elements: elements(&body), next, bytes: body.len(), date: self.dated.then(|| self.wall()) };
        self.give(Input::Page { request, page });
    }

    pub fn refuse(&mut self, refusal: Refusal) {
        let Some((request, _)) = self.open.take() else { return };
        self.give(Input::Refused { request, refusal });
    }

    /// What a transaction of the first `pages` pages would leave in Kafka.
    pub fn write(&mut self, pages: usize) -> Option<Input> {
        let mut through = None;
        for records in self.collected.drain(..pages.min(self.collected.len())) {
            let bytes = |record: &SourceRecord| number(&record.event.bytes);
            let mut numbers: Vec<usize> = records.events.iter().map(bytes).collect();
            numbers.extend(records.dead_letters.iter().map(|letter| number(&letter.bytes)));
            assert_eq!(numbers.len() + records.duplicates, records.elements, "I10");
            numbers.sort_unstable();
            self.topic.extend(numbers);
            self.suppressed += records.duplicates;
            self.stored = Some(records.offset);
            through = Some(records.sequence);
        }
        through.map(|through| Input::Committed { through })
    }

    /// A confirmed commit.
    pub fn commit(&mut self, pages: usize) {
        if let Some(committed) = self.write(pages) {
            self.give(committed);
        }
    }

    /// Time goes on to the next wake-up.
    pub fn wake(&mut self) {
        if let Some(at) = self.wake.take() {
            self.time = self.time.max(at);
            self.give(Input::Woken);
        }
    }

    /// Kafka refuses the connector's records for good: the shard drops what it has.
    pub fn refuse_publish(&mut self) {
        if let Some(generation) = self.collected.front().map(|records| records.sequence.generation) {
            self.collected.clear();
            self.give(Input::PublishRefused { generation, message: "no".to_owned() });
        }
    }

    /// The topic holds the org's first events, each once and in order; the stored offset is right behind them.
    pub fn check(&self) {
        for (index, number) in self.topic.iter().enumerate() {
            assert_eq!(*number, index, "lost, twice or out of order");
        }
        let stored = self.stored.as_ref().map_or(0, |stored| cursor(&stored.checkpoint_url).0);
        assert_eq!(stored, self.topic.len(), "the offset is not the one after the last event");
        if let Some(committed) = self.task.committed() {
            assert_eq!(Some(committed), self.stored.as_ref(), "I2");
        }
    }

    /// A page is asked for with the configured size, or with less than that.
    fn check_limits(&self) {
        assert!(self.limits.iter().all(|limit| (1..=usize::from(LIMIT)).contains(limit)), "{:?}", self.limits);
    }

    /// All goes well until the org has nothing new.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.commit(usize::MAX);
            if self.open.is_some() {
                self.answer();
                self.check_limits();
            } else if self.topic.len() < self.org_has || !self.caught_up {
                self.wake();
            } else {
                return;
            }
            self.check();
        }
        panic!("the task does not come to rest: {:?}", self.task);
    }
}
