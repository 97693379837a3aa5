//! A world small enough to be random: an org that is a list, a topic that is a list, and a task between them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::{OnLostCursor, OnQueryChange};
use crate::convert::Converter;
use crate::okta::origin::Origin;
use crate::okta::page;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::action::{Action, ConnectorState};
use crate::source::input::{Input, Now, PageAnswer, Refusal, RequestId, Tail};
use crate::source::offset::SourceOffset;
use crate::source::record::{Element, PageRecords};
use crate::source::task::{Task, TaskSettings};

pub const LIMIT: u16 = 10;
pub const INTERVAL: Duration = Duration::from_secs(60);

pub fn org() -> Origin {
    "https://acme.okta.com".parse().expect("an origin")
}

pub fn settings() -> TaskSettings {
    TaskSettings {
        org: org(),
        query: SystemLogQuery { filter: None, q: None, limit: LIMIT },
        interval: INTERVAL,
        since: Timestamp::UNIX_EPOCH,
        recovery_overlap: Duration::from_secs(600),
        on_lost_cursor: OnLostCursor::Recover,
        on_query_change: OnQueryChange::RestartFromPublished,
        ahead_pages: 3,
        ahead_bytes: 1_000_000,
    }
}

/// The link to the page after `position` events.
pub fn link(position: usize) -> PageUrl {
    let text = format!("https://acme.okta.com/api/v1/logs?limit={LIMIT}&after={position}");
    PageUrl::checked(&text, &org()).expect("a link of the org")
}

/// Where a link points; a cold start's has no cursor.
fn position(url: &str) -> usize {
    url.split_once("after=").map_or(0, |(_, after)| after.parse().expect("a position"))
}

pub fn body(uuids: impl Iterator<Item = usize>) -> Bytes {
    let events: Vec<String> = uuids
        .map(|n| format!(r#"{{"uuid":"u-{n}","published":"2026-01-01T00:00:00.{:03}Z","eventType":"a.b"}}"#, n % 1000))
        .collect();
    Bytes::from(format!("[{}]", events.join(",")))
}

/// A page's elements, as the task gets them.
pub fn elements(body: &Bytes) -> Vec<Element> {
    let elements = page::split(body).expect("an array");
    elements.into_iter().map(|element| Converter::Json.convert(element, &mut |_| {})).collect()
}

/// A page of `count` events that starts at `position`.
pub fn answer(position: usize, count: usize) -> PageAnswer {
    let body = body(position..position + count);
    PageAnswer { elements: elements(&body), next: Some(Ok(link(position + count))), bytes: body.len(), age: None }
}

/// A task and all around it.
pub struct World {
    pub task: Task,
    pub time: Duration,
    /// Events that the org has: numbers from 0.
    pub org_has: usize,
    /// uuids in the topic, in order.
    pub topic: Vec<String>,
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
        let mut world = Self {
            task: Task::new(settings()),
            time: Duration::ZERO,
            org_has,
            topic: Vec::new(),
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
        self.task = Task::new(settings());
        self.open = None;
        self.collected.clear();
        self.wake = None;
        self.state = ConnectorState::Starting;
        self.give(Input::Started { stored: Ok(self.stored.clone()), tail: Tail::default() });
    }

    pub fn give(&mut self, input: Input) {
        let now = Now { monotonic: self.time, wall: Timestamp::UNIX_EPOCH, jitter: 0.5 };
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
                Action::Learn { .. } | Action::Differs { .. } | Action::Recovered { .. } => panic!("{action:?}"),
                Action::ResumedFrom { .. } | Action::PageKind(_) | Action::PageSize { .. } | Action::Retry { .. } => {}
            }
        }
    }

    /// The org answers the open request as an org does.
    pub fn answer(&mut self) {
        let Some((request, url)) = self.open.take() else { return };
        let from = position(url.as_str());
        let count = (self.org_has - from).min(url.limit());
        self.caught_up = false;
        let is_in_page = |poison: &&Poison| (from..from + count).contains(&poison.event) && url.limit() > poison.up_to;
        if let Some(poison) = self.poison.iter().find(is_in_page) {
            let refusal = match poison.too_large {
                true => Refusal::TooLarge { problem: "too large".to_owned(), next: None },
                false => Refusal::TimedOut,
            };
            return self.give(Input::Refused { request, refusal });
        }
        let mut page = answer(from, count);
        // As Okta does: a link repeats the limit of its request.
        page.next = page.next.map(|next| next.map(|next| next.with_limit(u16::try_from(url.limit()).expect("small"))));
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
            self.topic.extend(records.events.iter().map(|record| record.event.uuid.clone()));
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
        for (index, uuid) in self.topic.iter().enumerate() {
            assert_eq!(*uuid, format!("u-{index}"), "lost, twice or out of order");
        }
        let stored = self.stored.as_ref().map_or(0, |stored| position(&stored.checkpoint_url));
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
