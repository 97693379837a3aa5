//! Hears what an admin client says, which rdkafka does not poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::admin::AdminClient;

use super::connection::Connection;
use super::native;

/// One wait for an event, and so the longest that a drop takes.
const SLICE: Duration = Duration::from_millis(100);

/// The thread of one client; ends when this is dropped.
pub struct EventThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EventThread {
    /// Starts to listen; an error is the operating system's, which gives no thread.
    pub fn start(admin: Arc<AdminClient<Connection>>) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let listen = move || {
            while !stopped.load(Ordering::Relaxed) {
                native::serve_event(admin.inner(), SLICE);
            }
        };
        let thread = std::thread::Builder::new().name("topics".to_owned()).spawn(listen);
        Ok(Self { stop, thread: Some(thread.map_err(|error| error.to_string())?) })
    }
}

impl Drop for EventThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it was told already.
            let _ = thread.join();
        }
    }
}
