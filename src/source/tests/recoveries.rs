//! Lost positions, a rule at a time.

use std::time::Duration;

use jiff::SignedDuration;

use super::world::{INTERVAL, World, begin, cursor, settings};
use crate::config::OnQueryChange;
use crate::source::action::{ConnectorState, RecoveryReason};
use crate::source::input::{LostPosition, Refusal};
use crate::source::offset::SourceOffset;
use crate::source::task::FAILED_RETRY;

/// An org whose events are a second apart, and a connector that has read `read` pages of them.
fn world(events: usize, read: usize) -> World {
    let mut world = World::start(0, None);
    world.grow(events, &[]);
    world.commit(1);
    for _ in 0..read {
        world.answer();
        world.commit(1);
    }
    world
}

/// All goes well until the org has nothing new; then the topic has each event once.
fn settle(world: &mut World) {
    for _ in 0..100 {
        world.commit(usize::MAX);
        if world.open.is_some() {
            world.answer();
        } else if !world.caught_up {
            world.wake();
        } else {
            let mut topic = world.topic.clone();
            topic.sort_unstable();
            return assert!(topic.into_iter().eq(0..world.org_has), "lost or twice: {:?}", world.topic);
        }
    }
    panic!("does not come to rest: {:?}", world.task);
}

/// The org forgets all links that it gave.
fn forget(world: &mut World) {
    world.generation += 1;
}

#[test]
fn a_recovery_asks_at_once_and_what_the_topic_holds_is_suppressed() {
    let mut world = world(45, 3);
    forget(&mut world);
    world.answer();
    assert_eq!(world.recoveries, [(RecoveryReason::CursorRefused, false)]);
    assert!(world.open.is_none(), "I7: not durable yet");
    world.commit(1);
    assert_eq!(world.state, ConnectorState::Running);
    settle(&mut world);
    assert_eq!((world.suppressed, world.recoveries.len()), (30, 1));
    assert!(world.failures.is_empty());
}

/// An org that takes its own new links back again and again.
#[test]
fn one_that_got_no_further_rests_an_interval_before_it_asks() {
    let mut world = world(45, 3);
    forget(&mut world);
    world.answer();
    world.commit(1);
    for recoveries in 2..6 {
        // A page of the overlap gets through, its link is not known any more.
        world.answer();
        world.commit(1);
        forget(&mut world);
        world.answer();
        assert_eq!(world.recoveries.len(), recoveries);
        let lost_at = world.time;
        world.commit(1);
        assert!(world.open.is_none(), "asks at full speed");
        assert_eq!((world.state, world.wake), (ConnectorState::Recovering, Some(lost_at + INTERVAL)));
        world.wake();
        let (_, url) = world.open.as_ref().expect("asks after the rest");
        assert_eq!(cursor(url.as_str()).1, u32::MAX, "not the lost link");
    }
    assert!(world.failures.is_empty());
    settle(&mut world);
}

#[test]
fn one_that_got_further_does_not_rest() {
    let mut world = world(45, 1);
    for _ in 0..3 {
        forget(&mut world);
        world.answer();
        world.commit(1);
        assert!(world.open.is_some(), "a page further than the last one");
        // All of the overlap and one page more.
        let before = world.topic.len();
        while world.topic.len() == before {
            world.answer();
            world.commit(1);
        }
    }
    settle(&mut world);
    assert_eq!(world.recoveries.len(), 3);
}

/// It is the memory of a process: a new one begins at once.
#[test]
fn after_a_restart_nothing_rests() {
    let mut world = world(45, 3);
    for _ in 0..2 {
        forget(&mut world);
        world.answer();
        world.commit(1);
        world.answer();
        world.commit(1);
        world.restart();
    }
    assert_eq!(world.recoveries.len(), 2);
    assert!(world.wake.is_none() && world.open.is_some());
    settle(&mut world);
}

#[test]
fn a_new_position_that_is_refused_fails() {
    let mut world = world(45, 3);
    forget(&mut world);
    world.answer();
    world.commit(1);
    let reason = RecoveryReason::SinceTooOld;
    world.refuse(Refusal::LostCursor(LostPosition { reason, message: "no".to_owned(), said: None, date: None }));
    assert_eq!((world.state, world.recoveries.len()), (ConnectorState::Failed, 1));
    assert!(world.wake.expect("tries again") >= FAILED_RETRY);
}

/// A record that was put there by hand may say another query's hash beside a URL of this one.
#[test]
fn a_changed_query_never_fails_without_a_word() {
    let mut world = world(5, 0);
    let mut stored = world.stored.clone().expect("the cold start's");
    stored.query = "of another query".to_owned();
    world.stored = Some(stored);
    world.restart();
    assert_eq!(settings().on_query_change, OnQueryChange::RestartFromPublished);
    assert_eq!(world.recoveries, [(RecoveryReason::QueryChanged, false)]);
    settle(&mut world);
    assert!(world.failures.is_empty(), "{:?}", world.failures);
    assert_eq!(world.topic.len(), 5);
}

/// Another query after so long a stop, on a machine whose clock is ahead by so much.
fn changed_query_after(days: i64, ahead: i64) -> World {
    const DAY: u64 = 24 * 3600;
    let mut world = world(45, 3);
    world.dated = true;
    world.time += Duration::from_secs(days.unsigned_abs() * DAY);
    world.clock_ahead = SignedDuration::from_hours(ahead * 24);
    world.settings.query.filter = Some("even".to_owned());
    world.restart();
    assert_eq!(world.recoveries, [(RecoveryReason::QueryChanged, false)]);
    world.commit(1);
    world
}

/// Before the org has said what time it is, nobody knows what it no longer has.
#[test]
fn a_clock_that_is_ahead_moves_no_changed_query() {
    for ahead in [0, 100, 10_000] {
        let mut world = changed_query_after(1, ahead);
        let (_, url) = world.open.as_ref().expect("asks");
        assert!(url.since().expect("has one") < begin(), "{ahead}: {}", url.as_str());
        settle_even(&mut world);
        assert!(world.missing.is_empty(), "{ahead}: {:?}", world.missing);
        assert_eq!(world.stored.as_ref().expect("stored").missing_from, None, "{ahead}");
    }
}

#[test]
fn the_first_answer_tells_what_a_changed_query_comes_too_late_for() {
    for ahead in [-100, 0] {
        let mut world = changed_query_after(91, ahead);
        world.answer();
        let since = world.missing.first().expect("a hole").0;
        assert!(since < begin());
        world.commit(1);
        // Once, and it stays in the record.
        settle_even(&mut world);
        let stored = world.stored.as_ref().expect("stored");
        assert_eq!(stored.missing_from, Some(format!("{since:.3}")), "{ahead}");
        assert_eq!(world.missing.len(), 1, "{ahead}");
    }
}

/// Okta refuses so old a `since`, and says what time it is.
#[test]
fn a_changed_query_of_too_long_ago_begins_at_what_okta_has() {
    let mut world = changed_query_after(200, 0);
    let date = world.wall();
    let reason = RecoveryReason::SinceTooOld;
    world.refuse(Refusal::LostCursor(LostPosition { reason, message: "no".to_owned(), said: None, date: Some(date) }));
    assert_eq!(world.recoveries.last(), Some(&(RecoveryReason::SinceTooOld, true)));
    world.commit(1);
    world.wake();
    let (_, url) = world.open.as_ref().expect("asks");
    assert_eq!(url.since(), Some(date - SignedDuration::from_hours(90 * 24)));
    world.answer();
    assert!(world.failures.is_empty() && world.missing.is_empty(), "{:?}", world.failures);
}

fn settle_even(world: &mut World) {
    run(world);
    let mut topic = world.topic.clone();
    topic.sort_unstable();
    topic.dedup();
    assert_eq!(topic.len(), world.topic.len(), "twice: {:?}", world.topic);
    assert!((0..world.org_has).step_by(2).all(|number| topic.contains(&number)), "lost: {topic:?}");
}

/// `--allow-duplicates` is for all that the topic holds, whatever happens on the way, and for no more than that.
#[test]
fn what_is_wanted_twice_is_there_twice_after_a_crash_too() {
    for events in [45, 40] {
        let mut world = world(events, 5);
        world.tail = 1_000;
        let stored = world.stored.clone().expect("stored");
        let url = world.settings.query.cold_start_url(&world.settings.org, world.settings.since);
        let again = SourceOffset::cold(url.as_str().to_owned(), stored.query);
        world.stored = Some(SourceOffset { allow_duplicates: true, ..again });
        for _ in 0..3 {
            world.restart();
            world.answer();
            world.answer();
            world.commit(1);
        }
        assert!(world.stored.as_ref().is_some_and(|stored| stored.allow_duplicates));
        run(&mut world);
        assert!(world.stored.as_ref().is_some_and(|stored| !stored.allow_duplicates));
        world.grow(5, &[]);
        world.caught_up = false;
        world.restart();
        run(&mut world);
        let times = |number| world.topic.iter().filter(|there| **there == number).count();
        assert!((0..events).all(|number| times(number) == 2), "{:?}", world.topic);
        assert!((events..world.org_has).all(|number| times(number) == 1), "{:?}", world.topic);
    }
}

/// Until the org has nothing new.
fn run(world: &mut World) {
    for _ in 0..100 {
        world.commit(usize::MAX);
        if world.open.is_some() {
            world.answer();
        } else if !world.caught_up {
            world.wake();
        } else {
            return;
        }
    }
    panic!("does not come to rest: {:?}", world.task);
}
