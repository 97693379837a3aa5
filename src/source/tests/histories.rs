//! Random histories in which positions are lost, altered and changed, and events come late: nothing is lost, nothing is twice.
//!
//! The world's topic is the truth: what may be learnt is read from it, and what has to be in it is known from the outside.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{World, begin, cursor, settings};
use crate::okta::page_url::PageUrl;
use crate::source::input::Refusal;
use crate::source::offset::SourceOffset;
use crate::source::old_ground::time_text;
use crate::source::task::TaskSettings;

#[derive(Debug, Clone)]
enum Step {
    /// The org gets events, each so many milliseconds late, or of the future.
    Grow(Vec<i32>),
    Answer,
    /// A page begins with events that were served before.
    Again(usize),
    /// A page is short, though there is more.
    Short(usize),
    /// The links that are out are refused from now on.
    LoseCursors,
    Retry,
    Learn,
    LearnNot(bool),
    Commit(usize),
    /// The commit's outcome is unknown, and the shard starts again from the topic.
    Unknown {
        pages: usize,
        happened: bool,
    },
    Crash,
    RefusePublish,
    Wake,
    Pass(u64),
    /// Another query, and the same topic.
    ChangeQuery,
    /// `offsets alter --since`, so many minutes before the last event.
    AlterSince(i64),
    /// Somebody puts an offset record of before back.
    PutBack(prop::sample::Index),
    /// `offsets reset`, or another name, or another offsets topic.
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let late = prop_oneof![12 => Just(0), 2 => 0..600_000, 1 => -FUTURE..0];
    prop_oneof![
        4 => vec(late, 1..40).prop_map(Step::Grow),
        14 => Just(Step::Answer),
        2 => (1..20_usize).prop_map(Step::Again),
        2 => (1..9_usize).prop_map(Step::Short),
        2 => Just(Step::LoseCursors),
        1 => Just(Step::Retry),
        8 => Just(Step::Learn),
        1 => any::<bool>().prop_map(Step::LearnNot),
        10 => (1..5_usize).prop_map(Step::Commit),
        2 => (1..5_usize, any::<bool>()).prop_map(|(pages, happened)| Step::Unknown { pages, happened }),
        2 => Just(Step::Crash),
        1 => Just(Step::RefusePublish),
        6 => Just(Step::Wake),
        2 => (1..3_000_u64).prop_map(Step::Pass),
        1 => Just(Step::ChangeQuery),
        1 => (70..120_i64).prop_map(Step::AlterSince),
        1 => any::<prop::sample::Index>().prop_map(Step::PutBack),
        1 => Just(Step::Reset),
    ]
}

/// How far in the future events are: more than the margin that clocks are given, and less than the overlap of a recovery.
const FUTURE: i32 = 3_600_000;

/// What has to be in the topic, whatever happens.
struct History {
    world: World,
    /// Events that some position of before had to give.
    owed: BTreeSet<usize>,
    /// From this one on, today's query owes all that it asks for.
    from: usize,
    /// Offset records of today's query since the last alteration, in order.
    records: Vec<SourceOffset>,
}

impl History {
    /// Behind the last event that the stored offset names, or from where it begins.
    fn position(&self) -> usize {
        let Some(stored) = &self.world.stored else { return 0 };
        if let Some(uuid) = &stored.uuid {
            return uuid.trim_start_matches("u-").parse::<usize>().expect("a number") + 1;
        }
        let (after, generation) = cursor(&stored.checkpoint_url);
        if generation != u32::MAX {
            return after;
        }
        let url = PageUrl::checked(&stored.checkpoint_url, &self.world.settings.org).expect("our own");
        let since = url.since().expect("a cold start's").duration_since(begin()).as_millis() as i64;
        let earlier = (0..self.world.org_has).rev().find(|number| self.world.published(*number) < since);
        earlier.map_or(0, |earlier| earlier + 1)
    }

    /// All that today's query has to have given up to `until`.
    fn owe(&mut self, until: usize) {
        let due: Vec<usize> = (self.from..until).filter(|number| self.world.matches(*number)).collect();
        self.owed.extend(due);
    }

    fn note(&mut self) {
        if let Some(stored) = &self.world.stored
            && self.records.last() != Some(stored)
        {
            self.records.push(stored.clone());
        }
    }

    fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Grow(late) => world.grow(late.len(), late),
            Step::Answer => world.answer(),
            Step::Again(events) => world.answer_with(*events, usize::MAX),
            Step::Short(most) => world.answer_with(0, *most),
            Step::LoseCursors => world.generation += 1,
            Step::Retry => world.refuse(Refusal::Retriable { wait: None }),
            Step::Learn => world.learn(),
            Step::LearnNot(retriable) => world.learn_not(*retriable),
            Step::Commit(pages) => world.commit(*pages),
            Step::Unknown { pages, happened } => {
                if *happened {
                    let _ = world.write(*pages);
                }
                world.restart();
            }
            Step::Crash => world.restart(),
            Step::RefusePublish => world.refuse_publish(),
            Step::Wake => world.wake(),
            Step::Pass(seconds) => world.time += Duration::from_secs(*seconds),
            Step::ChangeQuery => {
                let position = self.position();
                self.owe(position);
                self.from = position;
                self.records.clear();
                let filter = &mut self.world.settings.query.filter;
                *filter = filter.is_none().then(|| "even".to_owned());
                self.world.restart();
            }
            Step::AlterSince(minutes) => {
                let Some(published) = world.stored.as_ref().and_then(|stored| stored.published.clone()) else { return };
                let published: Timestamp = published.parse().expect("a time");
                let since = published - jiff::SignedDuration::from_mins(*minutes);
                let url = world.settings.query.cold_start_url(&world.settings.org, since);
                let offset = SourceOffset::cold(url.as_str().to_owned(), world.settings.query.hash());
                world.stored = Some(SourceOffset { suppress_until: Some(time_text(world.wall())), ..offset });
                self.records.clear();
                world.restart();
            }
            Step::PutBack(index) => {
                if self.records.is_empty() {
                    return;
                }
                world.stored = Some(index.get(&self.records).clone());
                world.restart();
            }
            Step::Reset => {
                world.stored = None;
                self.records.clear();
                // What today's query did not ask for before.
                self.from = 0;
                world.restart();
            }
        }
        self.note();
        self.check();
    }

    fn check(&self) {
        let once: BTreeSet<usize> = self.world.topic.iter().copied().collect();
        assert_eq!(once.len(), self.world.topic.len(), "twice: {:?}", self.world.topic);
        if let Some(committed) = self.world.task.committed() {
            assert_eq!(Some(committed), self.world.stored.as_ref(), "I2");
        }
    }

    /// All goes well until Okta has nothing new.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..20_000 {
            self.world.commit(usize::MAX);
            self.world.learn();
            if self.world.open.is_some() {
                self.world.answer();
                quiet = if self.world.caught_up { quiet + 1 } else { 0 };
                if quiet == 3 {
                    return;
                }
            } else {
                self.world.wake();
            }
            self.check();
        }
        panic!("the task does not come to rest: {:?}", self.world.task);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_the_position_no_event_is_lost_and_none_is_twice(
        capacity in 30..400_usize,
        tail in 20..40_usize,
        steps in vec(step(), 0..150),
    ) {
        let overlap = Duration::from_secs(2 * 3600);
        let settings = TaskSettings { recovery_overlap: overlap, ..settings() };
        let mut world = World::start_with(settings, 0, None);
        world.grow(45, &[]);
        world.learns_late = true;
        world.dated = true;
        world.capacity = capacity;
        world.tail = tail;
        let mut history = History { world, owed: BTreeSet::new(), from: 0, records: Vec::new() };
        for step in &steps {
            history.take(step);
        }
        history.settle();
        let all = history.world.org_has;
        history.owe(all);
        let there: BTreeSet<usize> = history.world.topic.iter().copied().collect();
        let lost: Vec<&usize> = history.owed.difference(&there).collect();
        prop_assert!(lost.is_empty(), "lost: {lost:?} of {:?}", history.world.topic);
    }
}
