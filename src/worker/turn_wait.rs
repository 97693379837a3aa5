//! A connector's wait for its turn at its org's limit, counted and shown while it lasts.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Counter;

use super::report::ConnectorStatus;
use crate::clock::Clock;

/// The last requests of a window and the first of the next one are up to 10 s apart; longer waits are told.
const LONG: Duration = Duration::from_secs(12);
/// How often a wait is counted while it lasts; a part of [`LONG`].
const SLICE: Duration = Duration::from_secs(2);

/// One wait, from its making to its end, be it that the turn came or that nobody waits for it any more.
#[derive(Debug)]
pub struct TurnWait {
    clock: Clock,
    began: Duration,
    counted: Duration,
    seconds: Counter,
    status: Arc<ConnectorStatus>,
}

impl TurnWait {
    /// Begins now; `seconds` is what it is counted by.
    pub fn new(clock: Clock, seconds: Counter, status: Arc<ConnectorStatus>) -> Self {
        let began = clock.elapsed();
        Self { clock, began, counted: began, seconds, status }
    }

    /// Waits for the turn; `long` is called once where that takes long.
    pub async fn until<T>(mut self, turn: impl Future<Output = T>, long: impl FnOnce()) -> T {
        let mut turn = std::pin::pin!(turn);
        let mut long = Some(long);
        loop {
            if let Ok(turn) = tokio::time::timeout(SLICE, turn.as_mut()).await {
                return turn;
            }
            self.count();
            if self.counted >= self.began + LONG
                && let Some(long) = long.take()
            {
                self.status.set_waits_long(true);
                long();
            }
        }
    }

    fn count(&mut self) {
        let now = self.clock.elapsed();
        let waited = now.saturating_sub(self.counted);
        // Not the way through an open gate.
        if waited >= Duration::from_millis(1) {
            self.seconds.inc_by(waited.as_secs_f64());
            self.counted = now;
        }
    }
}

impl Drop for TurnWait {
    fn drop(&mut self) {
        self.count();
        self.status.set_waits_long(false);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_wait_that_comes_to_nothing_is_counted_and_an_open_gate_is_not() {
        let (clock, seconds, status) = (Clock::new(), Counter::new("seconds", "of waits").unwrap(), Arc::default());
        let wait = || TurnWait::new(clock, seconds.clone(), Arc::clone(&status));
        wait().until(ready(()), || panic!("not long")).await;
        assert!(seconds.get() < 0.01, "{}", seconds.get());
        let cancelled = tokio::time::timeout(Duration::from_millis(30), wait().until(pending::<()>(), || ())).await;
        assert!(cancelled.is_err());
        assert!(seconds.get() >= 0.03, "{}", seconds.get());
    }
}
