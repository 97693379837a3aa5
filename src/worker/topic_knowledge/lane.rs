//! Who waits for a reading of which topic, and which are being read.

use std::collections::{BTreeMap, BTreeSet};

/// Asks by topic: whoever reads a topic answers all that wait for it by then.
#[derive(Debug)]
pub struct Lane<A> {
    waiting: BTreeMap<String, Vec<A>>,
    busy: BTreeSet<String>,
    threads: usize,
    most: usize,
}

impl<A> Lane<A> {
    /// For so many threads at most.
    pub fn new(most: usize) -> Self {
        Self { waiting: BTreeMap::new(), busy: BTreeSet::new(), threads: 0, most }
    }

    /// Whether a thread is to be begun for it: nobody reads the topic, who would go on with it, and there may be one more.
    pub fn push(&mut self, topic: String, ask: A) -> bool {
        let begins = self.threads < self.most && !self.busy.contains(&topic) && !self.waiting.contains_key(&topic);
        self.waiting.entry(topic).or_default().push(ask);
        self.threads += usize::from(begins);
        begins
    }

    /// What a thread reads next, which has `done` a topic; none where it is to end. Topics take turns.
    pub fn next(&mut self, done: Option<&str>) -> Option<(String, Vec<A>)> {
        if let Some(done) = done {
            let _ = self.busy.remove(done);
        }
        let is_behind = |topic: &&String| done.is_some_and(|done| topic.as_str() > done);
        let free = || self.waiting.keys().filter(|topic| !self.busy.contains(*topic));
        let Some(topic) = free().find(is_behind).or_else(|| free().next()).cloned() else {
            self.threads -= 1;
            return None;
        };
        let asks = self.waiting.remove(&topic)?;
        let _ = self.busy.insert(topic.clone());
        Some((topic, asks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_during_a_reading_is_answered_by_the_next_one() {
        let mut lane = Lane::new(2);
        assert!(lane.push("a".to_owned(), 1));
        // The thread has not begun yet.
        assert!(!lane.push("a".to_owned(), 2));
        assert_eq!(lane.next(None), Some(("a".to_owned(), vec![1, 2])));
        for ask in 3..50 {
            assert!(!lane.push("a".to_owned(), ask));
        }
        assert!(lane.push("b".to_owned(), 50));
        assert!(!lane.push("c".to_owned(), 51), "no more threads than that");
        assert_eq!(lane.next(None), Some(("b".to_owned(), vec![50])));
        assert_eq!(lane.next(Some("a")), Some(("c".to_owned(), vec![51])), "who waits for another topic comes first");
        assert_eq!(lane.next(Some("c")), Some(("a".to_owned(), (3..50).collect())));
        assert_eq!(lane.next(Some("b")), None);
        assert_eq!(lane.next(Some("a")), None);
        assert!(lane.push("a".to_owned(), 52), "and again from the beginning");
    }

    #[test]
    fn two_topics_that_wait_for_a_thread_get_one_each() {
        let mut lane = Lane::new(2);
        assert!(lane.push("a".to_owned(), 1));
        assert!(lane.push("b".to_owned(), 2));
        assert!(lane.next(None).is_some() && lane.next(None).is_some());
    }
}
