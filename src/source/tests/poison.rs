//! Pages that do not get through: asked again with half the size, and with the configured one once they are behind (I8).

use super::world::{LIMIT, Poison, World, answer, link, settings};
use crate::okta::page_url::PageUrl;
use crate::source::action::ConnectorState;
use crate::source::input::{Input, PageAnswer, Refusal};
use crate::source::offset::SourceOffset;
use crate::source::task::FAILED_RETRY;

/// A connector that goes on at event 0 of so many.
fn world(org_has: usize, poison: Vec<Poison>) -> World {
    let stored = SourceOffset::cold(link(0).as_str().to_owned(), settings().query.hash());
    let mut world = World::start(0, Some(stored));
    (world.org_has, world.poison) = (org_has, poison);
    world
}

fn too_large(event: usize, up_to: usize) -> Poison {
    Poison { event, up_to, too_large: true }
}

fn too_late(event: usize, up_to: usize) -> Poison {
    Poison { event, up_to, too_large: false }
}

/// Answers and commits until so many events are in the topic, and gives the limits that were asked with.
fn limits_until(world: &mut World, events: usize) -> Vec<usize> {
    while world.topic.len() < events {
        world.answer();
        world.commit(usize::MAX);
        world.check();
        if world.open.is_none() {
            world.wake();
        }
    }
    let mut limits = std::mem::take(&mut world.limits);
    // The one that is open.
    assert!(limits.pop().is_some());
    limits
}

#[test]
fn i8_the_sizes_that_are_asked() {
    for (name, poison, events, expected) in [
        ("nothing wrong", vec![], 30, vec![10, 10, 10]),
        // Doubled after two full pages, at once back to the configured one where that is no more than double.
        ("too large", vec![too_large(3, 5)], 40, vec![10, 5, 5, 10, 10, 10]),
        ("too large for two", vec![too_large(0, 1)], 26, vec![10, 5, 2, 1, 1, 2, 2, 4, 4, 8, 8]),
        // The first time-out at the configured size may be anything; from the second on it is the page.
        ("too late", vec![too_late(3, 5)], 40, vec![10, 10, 5, 5, 10, 10, 10]),
        ("too late for two", vec![too_late(0, 1)], 14, vec![10, 10, 5, 2, 1, 1, 2, 2, 4, 4]),
        // What lies before the bad event in its page is taken in larger steps.
        ("in the middle", vec![too_large(7, 1)], 12, vec![10, 5, 5, 2, 2, 1, 1, 2, 2]),
    ] {
        let mut world = world(1000, poison);
        assert_eq!(limits_until(&mut world, events), expected, "{name}");
        assert!(world.failures.is_empty(), "{name}");
    }
}

#[test]
fn a_long_stretch_costs_fewer_failures_the_longer_it_is() {
    let stretch = 2_000;
    let mut world = world(3_000, (0..stretch).map(|event| too_late(event, 5)).collect());
    let limits = limits_until(&mut world, stretch);
    let failed = limits.iter().filter(|limit| **limit > 5).count();
    // Four hundred pages of five; each failure at Okta takes half a minute.
    assert!(limits.len() - failed >= 400 && failed <= 25, "{failed} failures of {}", limits.len());
    let after = limits_until(&mut world, 2_500);
    assert_eq!(after.last(), Some(&usize::from(LIMIT)), "the size is back after at most 64 pages: {after:?}");
}

#[test]
fn a_short_page_ends_it_at_once() {
    let mut world = world(3, vec![too_large(0, 4)]);
    assert_eq!(limits_until(&mut world, 3), [10, 5, 2, 2]);
    assert_eq!(world.open.expect("asks after the interval").1.limit(), 10);
}

#[test]
fn i3_only_the_limit_of_a_link_changes_and_the_checkpoint_is_the_link_verbatim() {
    let mut world = world(100, vec![too_large(0, 5)]);
    world.answer();
    world.wake();
    assert_eq!(world.open.as_ref().expect("asks").1, link(0).with_limit(5));
    world.answer();
    world.commit(1);
    let stored = world.stored.clone().expect("committed").checkpoint_url;
    assert_eq!(stored, link(5).with_limit(5).as_str(), "as Okta wrote it, small limit and all");
    // A restart in the middle begins with the configured size, and gets through again.
    world.restart();
    assert_eq!(world.open.as_ref().expect("asks").1, link(5));
    world.settle();
}

#[test]
fn a_link_that_says_less_than_was_asked_is_sent_as_it_is() {
    let mut world = world(100, vec![]);
    let (request, _) = world.open.take().expect("asks");
    let clamped = PageUrl::checked(link(10).as_str(), &settings().org).expect("a link").with_limit(4);
    world.give(Input::Page { request, page: PageAnswer { next: Some(Ok(clamped.clone())), ..answer(0, 10) } });
    let (request, asked) = world.open.take().expect("a full page");
    assert_eq!(asked, clamped);
    // Half of what was asked, and not of what is configured.
    world.give(Input::Refused { request, refusal: Refusal::TooLarge { problem: String::new(), next: None } });
    world.wake();
    assert_eq!(world.open.as_ref().expect("asks").1.limit(), 2);
}

#[test]
fn a_link_that_says_even_less_than_the_smaller_size_is_not_raised() {
    let mut world = world(100, vec![too_large(0, 5)]);
    world.answer();
    world.wake();
    let (request, asked) = world.open.take().expect("asks");
    assert_eq!(asked.limit(), 5);
    let clamped = PageUrl::checked(link(5).as_str(), &settings().org).expect("a link").with_limit(3);
    world.give(Input::Page { request, page: PageAnswer { next: Some(Ok(clamped.clone())), ..answer(0, 5) } });
    assert_eq!(world.open.as_ref().expect("a full page").1, clamped, "Okta's own word");
}

#[test]
fn other_refusals_say_nothing_of_the_size() {
    let mut world = world(100, vec![]);
    for _ in 0..3 {
        world.refuse(Refusal::Retriable { wait: None });
        world.wake();
    }
    world.refuse(Refusal::TimedOut);
    world.wake();
    world.answer();
    world.refuse(Refusal::TimedOut);
    world.wake();
    assert!(world.limits.iter().all(|limit| *limit == 10), "{:?}", world.limits);
    // A refusal between two time-outs does not part them: no page came.
    world.refuse(Refusal::Retriable { wait: None });
    world.wake();
    world.refuse(Refusal::TimedOut);
    world.wake();
    assert_eq!(world.limits.last(), Some(&5));
}

#[test]
fn one_event_over_the_cap_fails_the_connector_and_loses_nothing() {
    let mut world = world(100, vec![too_large(12, 0)]);
    while world.state != ConnectorState::Failed {
        world.answer();
        if world.open.is_none() && world.state != ConnectorState::Failed {
            world.wake();
        }
        world.commit(usize::MAX);
    }
    world.check();
    assert_eq!(world.topic.len(), 12, "all before it");
    assert!(world.failures[0].contains("one event alone") && world.failures[0].contains("offsets alter"));
    // It is tried again, alone and at the same place.
    assert!(world.wake.expect("tried again") >= world.time + FAILED_RETRY);
    world.wake();
    assert_eq!(world.open.as_ref().expect("asks").1, link(12).with_limit(1));
    world.poison.clear();
    world.settle();
}

#[test]
fn time_outs_at_one_event_go_on_with_growing_delays() {
    let mut world = world(100, vec![]);
    let mut delays = Vec::new();
    for _ in 0..12 {
        let before = world.time;
        world.refuse(Refusal::TimedOut);
        delays.push(world.wake.expect("again") - before);
        world.wake();
    }
    // Twice as it was, four times smaller, and then what is left is patience.
    assert_eq!(world.limits[4..], [1; 9]);
    assert!(delays[..4].iter().all(|delay| delay.as_secs() < 1), "{delays:?}");
    assert_eq!(world.state, ConnectorState::Running);
    assert!(delays[4..].windows(2).all(|pair| pair[0] <= pair[1]) && delays[11].as_secs() > 20, "{delays:?}");
    world.settle();
}
