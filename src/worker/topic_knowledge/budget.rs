//! How much of what topics hold may be in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::source::known::Known;

/// Elements of a worker, all connectors together: 28 bytes each, so 107 MiB.
pub const ENTRIES: usize = 4_000_000;
/// What a connector gets in any case: with more of them than that makes 40, a worker may hold more in all.
const LEAST: usize = 100_000;

/// Shares the worker's memory out among those that ask.
pub struct Budget {
    entries: usize,
    connectors: usize,
    /// By connector; gone with the task that held it.
    held: Mutex<BTreeMap<String, Weak<Known>>>,
}

impl Budget {
    /// Of a worker with so many connectors.
    pub fn new(entries: usize, connectors: usize) -> Self {
        Self { entries, connectors, held: Mutex::default() }
    }

    /// How many elements each of these connectors may get. What they hold already is not counted: it makes room for what they ask.
    ///
    /// Equal parts of what is free, and one part more for those that may come while it is held, where there are any.
    pub fn share<'a>(&self, asking: impl Iterator<Item = &'a str> + Clone) -> usize {
        let mut held = self.lock();
        held.retain(|_, known| known.strong_count() > 0);
        let others = held.iter().filter(|(name, _)| asking.clone().all(|asks| asks != *name));
        let (count, taken) = others.fold((0, 0), |(count, taken), (_, known)| {
            (count + 1, taken + known.upgrade().map_or(0, |known| known.len()))
        });
        let asks = asking.count();
        let may_come = usize::from(asks + count < self.connectors);
        (self.entries.saturating_sub(taken) / (asks + may_come).max(1)).max(LEAST.min(self.entries))
    }

    /// Remembers what a connector got.
    pub fn hold(&self, connector: &str, known: &Arc<Known>) {
        let _ = self.lock().insert(connector.to_owned(), Arc::downgrade(known));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Known>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::known::{Fingerprint, Identity, KnownBuilder};

    fn known(count: usize) -> Arc<Known> {
        let mut builder = KnownBuilder::new(0, count);
        for number in 0..count {
            builder.push(Identity::of(number.to_string().as_bytes()), Fingerprint::of(b""), None).expect("it fits");
        }
        Arc::new(builder.finish())
    }

    #[test]
    fn what_is_free_is_shared_and_what_is_held_is_not() {
        let share = |budget: &Budget, names: &[&str]| budget.share(names.iter().copied());
        let alone = Budget::new(1_000_000, 1);
        assert_eq!(share(&alone, &["a"]), 1_000_000);
        let budget = Budget::new(1_000_000, 4);
        assert_eq!(share(&budget, &["a"]), 500_000, "others may come");
        assert_eq!(share(&budget, &["a", "b", "c", "d"]), 250_000);
        let of_a = known(400_000);
        budget.hold("a", &of_a);
        assert_eq!(share(&budget, &["a"]), 500_000, "its own makes room");
        assert_eq!(share(&budget, &["b"]), 300_000);
        assert_eq!(share(&budget, &["b", "c", "d"]), 200_000);
        drop(of_a);
        assert_eq!(share(&budget, &["b"]), 500_000);
    }

    #[test]
    fn everybody_gets_something() {
        let budget = Budget::new(1_000_000, 50);
        let held = known(950_000);
        budget.hold("a", &held);
        assert_eq!(budget.share(["b", "c"].into_iter()), LEAST);
        assert_eq!(Budget::new(10, 2).share(["a"].into_iter()), 10, "a test's");
    }
}
