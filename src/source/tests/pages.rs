//! Pages that hold an element twice, and pages that are short, a rule at a time.

use std::time::Duration;

use bytes::Bytes;

use super::world::{World, answer, elements, link, settings};
use crate::source::action::ConnectorState;
use crate::source::input::{Input, PageAnswer};
use crate::source::known::{Fingerprint, Identity, KnownBuilder};
use crate::source::record::PageRecords;
use crate::source::task::TaskSettings;

/// What a world's task makes of one page.
fn page_of(world: &mut World, body: &str) -> PageRecords {
    let body = Bytes::from(body.to_owned());
    let (request, _) = world.open.take().expect("asks");
    let page = PageAnswer { elements: elements(&body), ..answer(0, 0) };
    world.give(Input::Page { request, page });
    world.collected.pop_back().expect("a page")
}

/// Nothing says that two elements without a `uuid` are one event; that a page is served twice is another matter.
#[test]
fn within_a_page_only_a_uuid_makes_two_elements_one() {
    let mut world = World::start(0, None);
    world.commit(1);
    let body = r#"[{"uuid":"a","n":1},{},{"uuid":"a","n":2},{},7,7]"#;
    let first = page_of(&mut world, body);
    assert_eq!((first.events.len(), first.dead_letters.len(), first.duplicates), (1, 4, 1));
    assert_eq!(world.differing, ["a"]);
    world.wake();
    let again = page_of(&mut world, body);
    assert_eq!((again.events.len(), again.dead_letters.len(), again.duplicates), (0, 0, 6));
}

/// A short page of old events is asked on at once, once a second; whoever set a shorter interval is asked no less for it.
#[test]
fn a_short_page_of_old_events_is_no_end() {
    for (interval, age, rest) in [(60, 61, 1), (60, 59, 60), (3600, 4000, 1)] {
        short_page(Duration::from_secs(interval), Duration::from_secs(age), Duration::from_secs(rest));
    }
    short_page(Duration::from_millis(200), Duration::from_secs(61), Duration::from_millis(200));
}

fn short_page(interval: Duration, age: Duration, rest: Duration) {
    let mut world = World::start_with(TaskSettings { interval, ..settings() }, 0, None);
    world.commit(1);
    let (request, _) = world.open.take().expect("asks");
    let date = Some(super::world::begin() + age);
    world.give(Input::Page { request, page: PageAnswer { date, ..answer(0, 1) } });
    assert_eq!(world.wake, Some(rest), "{interval:?} {age:?}");
    let state = if age > interval { ConnectorState::Running } else { ConnectorState::Waiting };
    assert_eq!(world.state, state, "{interval:?} {age:?}");
    world.commit(1);
    assert_eq!(world.caught_up, age <= interval, "{interval:?} {age:?}");
    // An org whose log is always so late is not asked at once for ever.
    world.wake();
    let (request, _) = world.open.take().expect("asks");
    let since = world.time;
    let later = PageAnswer { next: Some(Ok(link(2))), date, ..answer(1, 0) };
    let later = PageAnswer { elements: answer(0, 1).elements, ..later };
    world.give(Input::Page { request, page: later });
    assert_eq!(world.wake, Some(since + interval), "{interval:?} {age:?}");
}

/// Neither a late event at a page's end nor the way back of a recovery makes old pages an end.
#[test]
fn a_late_event_or_a_recovery_is_no_end_either() {
    let mut world = World::start(0, None);
    world.dated = true;
    world.grow(2_000, &[]);
    world.published[1] = world.published[0] - 500_000;
    world.published[3] = world.published[0] - 400_000;
    world.commit(1);
    let short_page = |world: &mut World| {
        let before = world.time;
        world.answer_with(0, 2);
        world.commit(1);
        assert!(!world.caught_up && world.wake == Some(before + Duration::from_secs(1)), "{:?}", world.wake);
        world.wake();
    };
    for _ in 0..10 {
        short_page(&mut world);
    }
    world.generation += 1;
    world.answer();
    world.commit(1);
    assert_eq!(world.recoveries.len(), 1);
    for _ in 0..5 {
        short_page(&mut world);
    }
}

/// Connectors of one org and topic that ask at once share a window, from the earliest time on: over the capacity it may end before
/// another one's page.
#[test]
fn a_window_that_ends_too_early_is_asked_for_again_and_fails_nobody() {
    let mut world = World::start(0, None);
    world.grow(45, &[]);
    world.learns_late = true;
    world.commit(1);
    world.answer();
    for _ in 0..4 {
        let Some((id, from)) = world.question.take() else { break };
        let mut builder = KnownBuilder::new(from - 1_000_000, 4);
        for number in 0..9 {
            let key = Identity::of(format!("other {number}").as_bytes());
            builder.push(key, Fingerprint::of(b"x"), Some(from - 1_000_000 + number * 1_000)).expect("fits");
        }
        world.give(Input::Learned { id, known: builder.finish().into() });
    }
    assert_eq!((world.state, world.collected.len()), (ConnectorState::Recovering, 0));
    world.wake();
    world.learn();
    assert!(world.failures.is_empty(), "{:?}", world.failures);
    assert_eq!(world.collected.len(), 1);
}
