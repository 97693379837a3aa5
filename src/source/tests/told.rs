//! What an operator is told of old ground: where it begins to matter, and how much of it was left out.

use super::world::{World, link, settings};
use crate::source::offset::SourceOffset;
use crate::source::task::TaskSettings;

/// All goes well until the org has nothing new.
fn go_on(world: &mut World) {
    for _ in 0..1000 {
        world.commit(usize::MAX);
        match (world.open.is_some(), world.caught_up) {
            (true, _) => world.answer(),
            (false, true) => return,
            (false, false) => world.wake(),
        }
    }
    panic!("the task does not come to rest: {:?}", world.task);
}

#[test]
fn old_ground_is_told_where_it_holds_something_and_its_end_says_how_much_was_left_out() {
    let at = |position: usize| {
        let TaskSettings { query, .. } = settings();
        SourceOffset::cold(link(position).as_str().to_owned(), query.hash())
    };
    let own = |position: usize| SourceOffset { uuid: Some(format!("u-{}", position - 1)), ..at(position) };
    let altered =
        |position: usize| SourceOffset { suppress_until: Some("2026-11-22T00:00:00.000Z".to_owned()), ..at(position) };
    let twice = |position: usize| SourceOffset { allow_duplicates: true, ..at(position) };
    for (what, stored, topic, expected) in [
        ("a cold start into an empty topic", None, 0, vec![]),
        ("a cold start into a topic that holds all but five", None, 65, vec![None, Some(65)]),
        ("its own last link", Some(own(50)), 50, vec![]),
        ("set back by hand", Some(altered(20)), 65, vec![None, Some(45)]),
        ("set back by hand, into another topic", Some(altered(20)), 0, vec![]),
        ("set back by hand, duplicates allowed", Some(twice(20)), 65, vec![]),
        // Nothing of it comes again, and the window of the first page holds what is before it.
        ("set to where it was", Some(altered(60)), 60, vec![None, Some(0)]),
    ] {
        let mut world = World::start(0, None);
        world.topic = (0..topic).collect();
        world.stored = stored;
        world.org_has = 70;
        world.restart();
        go_on(&mut world);
        assert_eq!(world.told, expected, "{what}");
        let stored = world.stored.as_ref().expect("all of it is committed");
        assert!(stored.suppress_until.is_none() && !stored.allow_duplicates, "{what}: {stored:?}");
        // Another round has nothing to tell.
        world.org_has += 25;
        world.wake();
        go_on(&mut world);
        assert_eq!(world.told, expected, "{what}, and on");
    }
}

/// A start that is cut short is told again, with its own count.
#[test]
fn a_process_that_dies_on_old_ground_tells_again() {
    let mut world = World::start(0, None);
    world.topic = (0..65).collect();
    world.org_has = 70;
    world.stored = None;
    world.restart();
    world.commit(usize::MAX);
    world.answer();
    world.commit(usize::MAX);
    assert_eq!(world.told, [None]);
    world.restart();
    go_on(&mut world);
    let left = world.told.last().copied().flatten().expect("the end");
    assert_eq!((world.told.len(), world.suppressed), (3, 65), "{:?}", world.told);
    assert!((1..65).contains(&left), "{left}");
}
