//! A thread that serves one client: its events, and its tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one step may wait for an event, and so the longest that a drop takes.
pub const SLICE: Duration = Duration::from_millis(100);

/// The thread of one client; ends when this is dropped, and with it the thread's hold on the client.
pub struct EventThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EventThread {
    /// Does `step` again and again, each taking [`SLICE`] at most; an error is the operating system's, which gives no thread.
    pub fn start(name: &str, step: impl Fn() + Send + 'static) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            while !stopped.load(Ordering::Relaxed) {
                step();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(serve);
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
