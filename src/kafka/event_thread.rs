//! A thread that serves one client: its events, and its tokens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one step may wait for an event.
///
/// librdkafka waits until a time of the wall clock: where that is set back meanwhile, by as much longer (docs/adr/0038).
pub const SLICE: Duration = Duration::from_millis(100);

type Wake = dyn Fn() + Send + Sync;

/// How to wake each thread that there is.
static ALL: Mutex<Vec<Weak<Wake>>> = Mutex::new(Vec::new());

/// The thread of one client; ends when this is dropped, and with it the thread's hold on the client.
pub struct EventThread {
    stop: Arc<AtomicBool>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl EventThread {
    /// Does `step` again and again, each waiting for [`SLICE`] or until `wake` is called; an error is the operating system's,
    /// which gives no thread.
    pub fn start(
        name: &str,
        step: impl Fn() + Send + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            while !stopped.load(Ordering::Relaxed) {
                step();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(serve);
        let thread = Some(thread.map_err(|error| error.to_string())?);
        let wake: Arc<Wake> = Arc::new(wake);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|wake| wake.strong_count() > 0);
        all.push(Arc::downgrade(&wake));
        Ok(Self { stop, wake, thread })
    }
}

/// Ends the waits that all of these threads are in: for when the wall clock was set back.
pub fn wake_all() {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for wake in all.iter().filter_map(Weak::upgrade) {
        wake();
    }
}

impl Drop for EventThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        (self.wake)();
        if let Some(thread) = self.thread.take() {
            // A panic in it was told already.
            let _ = thread.join();
        }
    }
}
