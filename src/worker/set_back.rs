//! Notices that the wall clock was set back, and wakes who would wait for it to come again.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::context::WorkerContext;
use crate::clock::{self, Clock};
use crate::kafka::event_thread;
use crate::telemetry;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// What is corrected little by little is nobody's trouble.
const NOTICED_MS: i64 = 500;
/// A clock that is set back by more than that is said.
const SAID_MS: i64 = 60_000;

/// Looks for as long as it is let. librdkafka's waits are until a time of the wall clock (docs/adr/0038).
pub async fn watch(context: Arc<WorkerContext>) {
    let clock = Clock::new();
    let ahead = || clock::wall().as_millisecond().saturating_sub(millis(clock.elapsed()));
    let mut before = ahead();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = ahead();
        let back = before.saturating_sub(now);
        before = now;
        if back >= NOTICED_MS {
            if back >= SAID_MS {
                let by = telemetry::shown(Duration::from_millis(back.unsigned_abs()));
                warn!(set_back_by = ?by, "the wall clock was set back: intervals and waits go on as they were");
            }
            let context = Arc::clone(&context);
            let wake = move || {
                event_thread::wake_all();
                context.group.wake();
            };
            // Of its own, since librdkafka is asked. Without one they wake as events come.
            let _ = std::thread::Builder::new().name("wake".to_owned()).spawn(wake);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
