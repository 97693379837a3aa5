//! When each of many connectors asks first: one after the other, not all at the moment at which the process started.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// Between the first requests of two connectors, at most.
const STEP: Duration = Duration::from_millis(200);
/// All connectors of a process have asked after that, however many there are.
const WINDOW: Duration = Duration::from_secs(10);

/// Gives each connector its turn, in the order in which they are ready. Who comes alone does not wait, be it the only
/// connector, or one whose shard was just taken over. Since a connector rests for its interval from its own last page, they
/// stay apart afterwards, so a new life of their shard is no new beginning.
#[derive(Debug)]
pub struct Stagger {
    step: Duration,
    /// The next turn.
    next: Mutex<Duration>,
    /// Connectors that have asked in this process.
    asked: Mutex<BTreeSet<String>>,
}

impl Stagger {
    /// For a process with so many connectors.
    pub fn new(connectors: usize) -> Self {
        let connectors = u32::try_from(connectors).unwrap_or(u32::MAX).max(1);
        Self { step: STEP.min(WINDOW / connectors), next: Mutex::default(), asked: Mutex::default() }
    }

    /// Waits for a connector's turn; not at all for one that has had it: this is on every page's way, and a timer
    /// lasts a millisecond even where there is nothing to wait for.
    pub async fn turn(&self, connector: &str, clock: Clock) {
        let wait = self.wait(connector, clock.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let _ = lock(&self.asked).insert(connector.to_owned());
    }

    /// How long the one that is ready `now`, in monotonic time, waits with its request: never longer than [`WINDOW`],
    /// also where lives end before their turn comes and others begin.
    fn wait(&self, connector: &str, now: Duration) -> Duration {
        if lock(&self.asked).contains(connector) {
            return Duration::ZERO;
        }
        let mut next = lock(&self.next);
        let turn = (*next).clamp(now, now + WINDOW);
        *next = turn + self.step;
        turn - now
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    /// There is no runtime here, so a timer would panic.
    #[test]
    fn who_has_had_its_turn_is_not_held_up_by_a_timer() {
        let stagger = Stagger::new(2);
        for connector in ["a", "a", "a"] {
            let turn = std::pin::pin!(stagger.turn(connector, Clock::new()));
            assert!(turn.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        assert_eq!(stagger.wait("a", Duration::ZERO), Duration::ZERO, "a new life of its shard");
        assert!(stagger.wait("b", Duration::ZERO) > Duration::ZERO, "another connector");
    }

    #[test]
    fn lives_that_end_before_their_turn_push_it_no_further_than_the_window() {
        for connectors in [1, 50, 1_000] {
            let stagger = Stagger::new(connectors);
            let now = Duration::from_secs(5);
            let waits = (0..10_000).map(|_| stagger.wait("a", now));
            assert!(waits.max() <= Some(WINDOW), "{connectors}");
            assert!(stagger.wait("a", now + WINDOW / 2) <= WINDOW, "{connectors}");
        }
    }

    #[test]
    fn each_has_its_turn_and_who_comes_alone_does_not_wait() {
        let seconds = |n: f64| Duration::from_secs_f64(n);
        for (connectors, ready, waits) in [
            (1, vec![5.0, 6.0], vec![0.0, 0.0]),
            (3, vec![5.0, 5.0, 5.0], vec![0.0, 0.2, 0.4]),
            // The third one's turn has come before it was ready.
            (3, vec![5.0, 5.1, 7.0, 7.1], vec![0.0, 0.1, 0.0, 0.1]),
            (1_000, vec![5.0, 5.0, 5.0], vec![0.0, 0.01, 0.02]),
        ] {
            let stagger = Stagger::new(connectors);
            let found: Vec<f64> = ready.iter().map(|now| stagger.wait("a", seconds(*now)).as_secs_f64()).collect();
            let near = |(found, wanted): (&f64, &f64)| (found - wanted).abs() < 1e-9;
            assert!(found.iter().zip(&waits).all(near), "{connectors} {ready:?}: {found:?} instead of {waits:?}");
        }
        let last = |connectors: usize| {
            let stagger = Stagger::new(connectors);
            (0..connectors).map(|_| stagger.wait("a", Duration::ZERO)).max().unwrap_or_default()
        };
        for connectors in [50, 51, 5_000] {
            assert!(last(connectors) < WINDOW, "{connectors}: {:?}", last(connectors));
        }
    }
}
