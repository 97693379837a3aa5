//! What may be used once: the `jti` of a client assertion and of a proof.

use std::collections::HashMap;

/// How many uses are remembered before those that no longer matter are forgotten.
const SWEEP_AT: usize = 10_000;

/// Remembers ids for as long as what they belong to could be used again.
#[derive(Debug, Default)]
pub(super) struct OneTime {
    until: HashMap<String, i64>,
}

impl OneTime {
    /// Takes note of a use at `now`, remembered for so many seconds; false where it is not the first.
    pub(super) fn first_use(&mut self, id: &str, now: i64, remembered_seconds: i64) -> bool {
        if self.until.len() >= SWEEP_AT {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.get(id).is_some_and(|until| *until > now) {
            return false;
        }
        self.until.insert(id.to_owned(), now + remembered_seconds);
        true
    }
}
