//! Reading the files of secrets away from the runtime's threads: a mount that hangs shall stall no other connector, and no probe.

use std::time::Duration;

/// How long a request waits for it, and then goes with the secret that is there.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `read` on a thread that may block, for [`PATIENCE`]. `None` where it takes longer: it is left to itself, and what it
/// then reads is used from then on.
pub async fn away<R: Send + 'static>(read: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let reading = tokio::task::spawn_blocking(read);
    // A thread that panicked has read nothing either.
    tokio::time::timeout(PATIENCE, reading).await.ok()?.ok()
}

/// The time between two looks at a file.
pub async fn rest(time: Duration) {
    tokio::time::sleep(time).await;
}
