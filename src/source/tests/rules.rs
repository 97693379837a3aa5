//! One test a rule.

use super::world::{INTERVAL, LIMIT, World, answer, link, settings};
use crate::config::OnQueryChange;
use crate::okta::page_url::PageUrlError;
use crate::source::action::ConnectorState;
use crate::source::input::{Input, PageAnswer, Refusal};
use crate::source::offset::SourceOffset;
use crate::source::record::Sequence;
use crate::source::task::{FAILED_RETRY, TaskSettings};
use std::time::Duration;

fn stored(position: usize) -> SourceOffset {
    let TaskSettings { query, .. } = settings();
    SourceOffset::cold(link(position).as_str().to_owned(), query.hash())
}

fn warm(position: usize, org_has: usize) -> World {
    let mut world = World::start(org_has, Some(stored(position)));
    world.topic = (0..position).collect();
    world
}

/// The guide's pseudocode, "Collection Pseudocode": what a page leads to.
#[test]
fn the_guides_table() {
    let limit = usize::from(LIMIT);
    for (events, asks_at_once, publishes, asked_next) in [
        (limit, true, true, limit),
        (limit + 1, true, true, limit + 1),
        (limit - 1, false, true, limit - 1),
        (1, false, true, 1),
        (0, false, false, 0),
    ] {
        let mut world = warm(0, 0);
        let (request, _) = world.open.take().expect("a warm start asks at once");
        world.give(Input::Page { request, page: answer(0, events) });
        assert_eq!(world.open.is_some(), asks_at_once, "{events} events");
        assert_eq!(world.collected.len(), usize::from(publishes), "{events} events");
        if !asks_at_once {
            assert_eq!(world.wake, Some(INTERVAL), "{events} events");
            assert_eq!(world.state, ConnectorState::Waiting);
            world.wake();
        }
        assert_eq!(world.open.expect("asked by now").1, link(asked_next), "{events} events");
    }
}

#[test]
fn a_warm_start_asks_the_stored_link_verbatim() {
    let world = warm(7, 7);
    assert_eq!(world.open.expect("asks").1.as_str(), stored(7).checkpoint_url);
}

#[test]
fn a_page_is_full_by_the_limit_of_the_url_that_was_asked() {
    let small = link(0).with_limit(LIMIT / 2);
    let offset = SourceOffset { checkpoint_url: small.as_str().to_owned(), ..stored(0) };
    let world = World::start(100, Some(offset));
    // The configured size took effect at once, and nothing else of the link changed.
    assert_eq!(world.open.expect("asks").1, link(0));
}

#[test]
fn i7_a_cold_start_is_durable_before_it_asks() {
    let mut world = World::start(25, None);
    assert!(world.open.is_none());
    assert_eq!(world.state, ConnectorState::Starting);
    let records = world.collected.front().expect("the resolved since");
    assert!(records.events.is_empty());
    assert_eq!(records.offset.published, None);
    assert_eq!(records.offset.uuid, None);
    assert!(records.offset.checkpoint_url.contains("since=2025-12-01T00%3A00%3A00.000Z"));
    world.commit(1);
    assert_eq!(world.open.as_ref().expect("asks").1.as_str(), world.stored.expect("stored").checkpoint_url);
}

/// docs/adr/0038: our clock was ahead of the org's.
#[test]
fn i7_a_cold_start_that_began_too_late_begins_anew_and_is_durable_again() {
    let mut world = World::start(25, None);
    world.commit(1);
    let (request, late) = world.open.take().expect("asks");
    world.give(Input::BeganTooLate { since: "1969-12-31T23:00:00Z".parse().expect("a time") });
    assert!(world.open.is_none(), "not durable yet");
    assert_eq!(world.state, ConnectorState::Starting);
    let records = world.collected.back().expect("the earlier since");
    assert!(records.offset.checkpoint_url.contains("since=1969-12-31T23%3A00%3A00.000Z"), "{records:?}");
    // Whatever still comes of the first request is nobody's.
    world.give(Input::Page { request, page: answer(0, 3) });
    assert!(world.open.is_none());
    world.commit(1);
    let asked = world.open.as_ref().expect("asks").1.clone();
    assert_ne!(asked, late);
    assert_eq!(asked.as_str(), world.stored.expect("stored").checkpoint_url);
}

#[test]
fn the_interval_begins_at_the_end_of_the_last_page() {
    let mut world = warm(0, 12);
    world.answer();
    world.time = Duration::from_secs(100);
    world.answer();
    assert_eq!(world.wake, Some(Duration::from_secs(100) + INTERVAL));
    // An early wake-up asks nothing.
    world.time = Duration::from_secs(120);
    world.give(Input::Woken);
    assert!(world.open.is_none());
    world.wake();
    assert!(world.open.is_some());
}

#[test]
fn pages_are_asked_ahead_of_the_commit_up_to_the_bound() {
    let mut world = warm(0, 1000);
    for _ in 0..10 {
        world.answer();
    }
    assert_eq!(world.collected.len(), settings().ahead_pages);
    assert!(world.open.is_none());
    world.commit(1);
    assert!(world.open.is_some(), "a commit makes room");
    world.check();
}

#[test]
fn caught_up_is_said_when_the_last_page_is_committed_and_never_before() {
    let mut world = warm(0, 12);
    world.answer();
    world.answer();
    assert!(!world.caught_up);
    world.commit(1);
    assert!(!world.caught_up);
    world.commit(1);
    assert!(world.caught_up);
    world.wake();
    world.answer();
    assert!(world.caught_up, "an empty page needs no commit");
}

#[test]
fn an_empty_page_after_a_full_one_waits_for_its_commit() {
    let mut world = warm(0, 10);
    world.answer();
    world.answer();
    assert!(!world.caught_up);
    world.commit(1);
    assert!(world.caught_up);
}

#[test]
fn i3_and_i8_a_page_without_a_usable_next_link_is_not_published() {
    let elsewhere =
        || Some(Err(PageUrlError::OtherOrigin { found: "https://evil.example".to_owned(), org: String::new() }));
    for (events, next) in [(3, None), (10, None), (3, elsewhere()), (10, elsewhere()), (0, elsewhere())] {
        let mut world = warm(0, 0);
        let (request, _) = world.open.take().expect("asks");
        world.give(Input::Page { request, page: PageAnswer { next, ..answer(0, events) } });
        assert!(world.collected.is_empty());
        assert_eq!(world.state, ConnectorState::Failed);
        assert_eq!(world.failures.len(), 1);
        assert!(world.wake.expect("tried again") >= FAILED_RETRY);
        world.wake();
        assert_eq!(world.open.expect("asks").1, link(0), "the cursor has not moved");
    }
}

#[test]
fn an_empty_page_needs_no_next_link() {
    let mut world = warm(0, 0);
    let (request, _) = world.open.take().expect("asks");
    world.give(Input::Page { request, page: PageAnswer { next: None, ..answer(0, 0) } });
    assert_eq!(world.state, ConnectorState::Waiting);
}

#[test]
fn i8_a_refused_request_never_moves_the_cursor() {
    let retriable = |seconds| Refusal::Retriable { wait: Some(Duration::from_secs(seconds)) };
    let mut world = warm(5, 50);
    // Never before the time that the server named.
    world.refuse(retriable(17));
    assert!(world.wake.expect("again") >= Duration::from_secs(17));
    assert_eq!(world.state, ConnectorState::Recovering);
    world.wake();
    assert_eq!(world.open.as_ref().expect("asks").1, link(5));
    // Growing delays where it named none.
    let mut delays = Vec::new();
    for _ in 0..12 {
        let before = world.time;
        world.refuse(Refusal::Retriable { wait: None });
        delays.push(world.wake.expect("again") - before);
        world.wake();
        assert_eq!(world.open.as_ref().expect("asks").1, link(5));
    }
    assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]), "{delays:?}");
    assert!(delays[0] <= Duration::from_secs(1) && delays[11] <= Duration::from_secs(60), "{delays:?}");
    // A server that goes on refusing after the time that it named is asked ever later, too.
    let before = world.time;
    world.refuse(retriable(1));
    assert!(world.wake.expect("again") - before > delays[0]);
    world.wake();
    // A page resets them.
    world.answer();
    let before = world.time;
    world.refuse(Refusal::Retriable { wait: None });
    assert!(world.wake.expect("again") - before <= Duration::from_millis(500));
}

#[test]
fn a_401_reads_the_credential_again_once_before_it_fails() {
    let unauthorized = || Refusal::Unauthorized { message: "no".to_owned() };
    let mut world = warm(0, 5);
    world.refuse(unauthorized());
    assert_eq!((world.reloads, world.state), (1, ConnectorState::Running));
    world.refuse(unauthorized());
    assert_eq!((world.reloads, world.state), (1, ConnectorState::Failed));
    world.wake();
    assert_eq!(world.reloads, 2, "a failed connector's credential may have been replaced");
    world.answer();
    world.wake();
    world.refuse(unauthorized());
    assert_eq!(world.state, ConnectorState::Running, "after a page there is a new chance");
}

#[test]
fn a_fatal_answer_fails_the_connector_and_what_was_collected_is_still_committed() {
    let mut world = warm(0, 50);
    world.answer();
    world.refuse(Refusal::Fatal { message: "no".to_owned() });
    assert_eq!(world.state, ConnectorState::Failed);
    world.commit(1);
    world.check();
    assert_eq!(world.topic.len(), 10);
    world.wake();
    assert_eq!(world.open.expect("asks").1, link(10));
}

#[test]
fn a_failed_connector_goes_on_when_its_credential_changed_and_another_does_not_care() {
    let mut world = warm(0, 50);
    world.refuse(Refusal::Fatal { message: "no".to_owned() });
    assert!(world.open.is_none());
    world.give(Input::CredentialChanged);
    assert_eq!(world.open.as_ref().expect("asks").1, link(0));
    let open = world.open.clone();
    world.give(Input::CredentialChanged);
    assert_eq!((world.open.clone(), world.state), (open, ConnectorState::Running));
    world.settle();
}

#[test]
fn a_refused_publish_rolls_back_to_the_committed_offset() {
    let mut world = warm(0, 50);
    world.answer();
    world.answer();
    world.commit(1);
    let asked = world.open.as_ref().expect("a request is open").0;
    assert!(world.task.awaits(asked));
    world.give(Input::PublishRefused { generation: u32::MAX, message: "of before".to_owned() });
    assert!(world.task.awaits(asked), "a refusal of before a roll-back ends no request");
    world.refuse_publish();
    assert_eq!(world.state, ConnectorState::Failed);
    let late = world.open.take().expect("a request was open");
    assert!(!world.task.awaits(late.0), "nobody needs to wait for it");
    world.give(Input::Page { request: late.0, page: answer(20, 10) });
    assert!(world.collected.is_empty(), "the answer to a request of before the roll-back is ignored");
    world.check();
    world.wake();
    assert_eq!(world.open.as_ref().expect("asks").1, link(10));
    world.answer();
    assert!(world.collected.front().expect("a page").sequence > Sequence { generation: 0, number: u64::MAX });
    // A word about pages of before the roll-back says nothing of those that came after it.
    world.give(Input::Committed { through: Sequence { generation: 0, number: u64::MAX } });
    world.check();
    world.settle();
}

#[test]
fn a_cold_start_that_kafka_refuses_is_made_durable_again() {
    let mut world = World::start(5, None);
    world.refuse_publish();
    assert!(world.open.is_none());
    world.wake();
    assert!(world.open.is_none());
    assert_eq!(world.collected.len(), 1);
    world.settle();
}

#[test]
fn a_stored_offset_that_is_not_ours_is_never_asked() {
    let elsewhere = SourceOffset { checkpoint_url: "https://evil.example/api/v1/logs".to_owned(), ..stored(0) };
    let other_query = SourceOffset { query: "0".repeat(64), ..stored(0) };
    let newer = SourceOffset { v: 2, ..stored(0) };
    for (offset, says) in
        [(elsewhere, "evil.example"), (other_query, "`filter` or `q` changed"), (newer, "version `2`")]
    {
        let settings = TaskSettings { on_query_change: OnQueryChange::Fail, ..settings() };
        let mut world = World::start_with(settings, 5, Some(offset));
        for _ in 0..3 {
            assert!(world.open.is_none());
            assert!(world.collected.is_empty());
            assert_eq!(world.state, ConnectorState::Failed);
            world.wake();
        }
        assert!(world.failures.iter().all(|message| message.contains(says)), "{:?}", world.failures);
    }
}
