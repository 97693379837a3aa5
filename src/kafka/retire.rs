//! The end of a client that nobody waits for.

use std::sync::Arc;

use super::event_thread::SLICE;

/// Drops `shared` on a thread of its own, once nobody else holds it.
///
/// librdkafka ends a client by joining the threads of its brokers, one of which may be in a look-up of a name for half a
/// minute. Whoever holds the client last waits for that, which must be neither the group's thread nor a shard's. Nobody may
/// get hold of `shared` any more when this is called.
pub(super) fn retire<T: Send + Sync + 'static>(shared: Arc<T>) {
    let last = move || {
        while Arc::strong_count(&shared) > 1 {
            // No event tells of the last holder, and this thread has nothing else to do.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(SLICE);
        }
        drop(shared);
    };
    // Without a thread it ends with the closure, here and now.
    let _ = std::thread::Builder::new().name("retire".to_owned()).spawn(last);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use super::retire;

    /// Tells on which thread it ended.
    struct Ends(mpsc::Sender<ThreadId>);

    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn the_last_holder_is_not_the_caller() {
        let (sender, ended) = mpsc::channel();
        let mine = Arc::new(Ends(sender));
        retire(Arc::clone(&mine));
        assert!(ended.recv_timeout(Duration::from_millis(300)).is_err(), "somebody still holds it");
        drop(mine);
        let on = ended.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_ne!(on, thread::current().id());
    }
}
