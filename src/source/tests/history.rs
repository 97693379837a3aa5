//! Random histories of pages, failures, crashes and restarts: no event lost, none twice, the cursor only after a commit.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{LIMIT, Poison, World};
use crate::source::input::Refusal;

/// What can happen next.
#[derive(Debug, Clone)]
enum Step {
    /// The org gets new events.
    Grow(usize),
    /// The open request is answered.
    Answer,
    /// It is not.
    Retry(Option<u64>),
    Unauthorized,
    Fatal,
    TimedOut,
    TooLarge,
    /// The next pages are committed, and we hear of it.
    Commit(usize),
    /// A transaction is aborted: nothing moved, the pages stay.
    Abort,
    /// The commit's outcome is unknown: it did or did not happen, and the shard starts again from the topic.
    Unknown {
        pages: usize,
        happened: bool,
    },
    /// Killed with a transaction open.
    Crash,
    RefusePublish,
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..40_usize).prop_map(Step::Grow),
        10 => Just(Step::Answer),
        2 => proptest::option::of(0..90_u64).prop_map(Step::Retry),
        1 => Just(Step::Unauthorized),
        1 => Just(Step::Fatal),
        1 => Just(Step::TimedOut),
        1 => Just(Step::TooLarge),
        6 => (1..5_usize).prop_map(Step::Commit),
        1 => Just(Step::Abort),
        2 => (1..5_usize, any::<bool>()).prop_map(|(pages, happened)| Step::Unknown { pages, happened }),
        1 => Just(Step::Crash),
        1 => Just(Step::RefusePublish),
        5 => Just(Step::Wake),
    ]
}

fn take(world: &mut World, step: &Step) {
    match *step {
        Step::Grow(events) => world.org_has += events,
        Step::Answer => world.answer(),
        Step::Retry(wait) => world.refuse(Refusal::Retriable { wait: wait.map(Duration::from_secs) }),
        Step::Unauthorized => world.refuse(Refusal::Unauthorized { message: "401".to_owned() }),
        Step::Fatal => world.refuse(Refusal::Fatal { message: "403".to_owned() }),
        Step::TimedOut => world.refuse(Refusal::TimedOut),
        Step::TooLarge => world.refuse(Refusal::TooLarge { problem: "413".to_owned(), next: None }),
        Step::Commit(pages) => world.commit(pages),
        Step::Abort => {}
        Step::Unknown { pages, happened } => {
            if happened {
                let _ = world.write(pages);
            }
            world.restart();
        }
        Step::Crash => world.restart(),
        Step::RefusePublish => world.refuse_publish(),
        Step::Wake => world.wake(),
    }
}

fn poison() -> impl Strategy<Value = Vec<Poison>> {
    let one = (0..200_usize, 1..=usize::from(LIMIT), any::<bool>());
    vec(one.prop_map(|(event, up_to, too_large)| Poison { event, up_to, too_large }), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_is_lost_and_none_is_twice(backlog in 0..60_usize, steps in vec(step(), 0..120), poison in poison()) {
        let mut world = World::start(backlog, None);
        world.poison = poison;
        for step in &steps {
            take(&mut world, step);
            world.check();
        }
        world.settle();
        prop_assert_eq!(world.topic.len(), world.org_has);
        // What is poison gets through in the end, and then pages have their size again.
        world.caught_up = false;
        world.settle();
        world.wake();
        prop_assert_eq!(world.limits.last(), Some(&usize::from(LIMIT)));
    }
}
