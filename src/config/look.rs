//! Looking whether the file of a secret changed, and saying once where that can't be done.

use std::sync::atomic::{AtomicBool, Ordering};

/// What came of it.
#[derive(Debug)]
pub enum Look<E> {
    /// Nothing that anybody has to know: it did not change, or what is wrong was said.
    Same,
    /// It changed, and the new secret is in use.
    Changed,
    /// It can't be read, for the first time since it could; the old secret is kept.
    Failed(E),
}

/// Whether the last look failed, and whether somebody looks now.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    is_known: AtomicBool,
    is_busy: AtomicBool,
}

impl Trouble {
    /// Reads, unless somebody does already: of a file that hangs, one thread is kept and no more.
    pub fn alone<R>(&self, read: impl FnOnce() -> R) -> Option<R> {
        if self.is_busy.swap(true, Ordering::Acquire) {
            return None;
        }
        let read = read();
        self.is_busy.store(false, Ordering::Release);
        Some(read)
    }

    /// Looks, where there is a file.
    pub fn look<E>(&self, has_file: bool, reload: impl FnOnce() -> Result<bool, E>) -> Look<E> {
        if !has_file {
            return Look::Same;
        }
        let Some(read) = self.alone(reload) else { return Look::Same };
        let was_known = self.is_known.swap(read.is_err(), Ordering::Relaxed);
        match read {
            Ok(true) => Look::Changed,
            Err(error) if !was_known => Look::Failed(error),
            Ok(false) | Err(_) => Look::Same,
        }
    }
}
