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
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// By connector; gone with the task that held it.
    held: BTreeMap<String, Weak<Known>>,
    /// Of readings that are under way: their connectors, and how many elements these may get in all.
    granted: BTreeMap<u64, (Vec<String>, usize)>,
    next: u64,
}

/// What a reading may collect, taken from the others while it lives.
pub struct Grant<'a> {
    budget: &'a Budget,
    id: u64,
    /// How many elements each of those that asked may get.
    pub each: usize,
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        let _ = self.budget.lock().granted.remove(&self.id);
    }
}

impl Budget {
    /// Of a worker with so many connectors.
    pub fn new(entries: usize, connectors: usize) -> Self {
        Self { entries, connectors, taken: Mutex::default() }
    }

    /// How many elements each of these connectors may get. What they hold already is not counted: it makes room for what they ask.
    ///
    /// Equal parts of what is free, and one part more for those that may come while it is held, where there are any.
    pub fn share<'a>(&self, asking: impl Iterator<Item = &'a str> + Clone) -> Grant<'_> {
        let mut taken = self.lock();
        taken.held.retain(|_, known| known.strong_count() > 0);
        let others = taken.held.iter().filter(|(name, _)| asking.clone().all(|asks| asks != *name));
        let (mut count, mut used) = others.fold((0, 0), |(count, used), (_, known)| {
            (count + 1, used + known.upgrade().map_or(0, |known| known.len()))
        });
        for (names, elements) in taken.granted.values() {
            // One that asks again while it holds something is counted once.
            count += names.iter().filter(|name| !taken.held.contains_key(*name)).count();
            used += elements;
        }
        let asks = asking.clone().count();
        let may_come = usize::from(asks + count < self.connectors);
        let each = (self.entries.saturating_sub(used) / (asks + may_come).max(1)).max(LEAST.min(self.entries));
        let id = taken.next;
        taken.next += 1;
        let _ = taken.granted.insert(id, (asking.map(str::to_owned).collect(), each * asks));
        Grant { budget: self, id, each }
    }

    /// Remembers what a connector got.
    pub fn hold(&self, connector: &str, known: &Arc<Known>) {
        let _ = self.lock().held.insert(connector.to_owned(), Arc::downgrade(known));
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let share = |budget: &Budget, names: &[&str]| budget.share(names.iter().copied()).each;
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
    fn topics_that_are_read_at_the_same_moment_take_from_each_other() {
        let budget = Budget::new(8_000_000, 50);
        let grants = ["a", "b", "c", "d"].map(|name| budget.share([name].into_iter()));
        assert_eq!(grants.each_ref().map(|grant| grant.each), [4_000_000, 2_000_000, 1_000_000, 500_000]);
        drop(grants);
        assert_eq!(budget.share(["e"].into_iter()).each, 4_000_000, "nothing is under way any more");
    }

    #[test]
    fn everybody_gets_something() {
        let budget = Budget::new(1_000_000, 50);
        let held = known(950_000);
        budget.hold("a", &held);
        assert_eq!(budget.share(["b", "c"].into_iter()).each, LEAST);
        assert_eq!(Budget::new(10, 2).share(["a"].into_iter()).each, 10, "a test's");
    }
}
