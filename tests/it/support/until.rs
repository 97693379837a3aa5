//! Waiting for what tells nothing by itself, with an end.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

/// Asks every 20 ms until there is an answer; panics where there is none within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let _ = ticks.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
    }
}
