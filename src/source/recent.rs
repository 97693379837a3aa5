//! The elements of the last pages, held in memory: a page that Okta serves twice is known again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::known::{Fingerprint, Identity};
use super::record::Sequence;

/// Committed pages that are held; what is collected on top of them is bounded by the task.
const RECENT_PAGES: usize = 20;
/// Elements of committed pages that are held at most, and of the end of the topic at a start.
pub const RECENT_EVENTS: usize = 20_000;

/// Identities of a connector's last committed pages, and of all that are collected behind them.
#[derive(Debug, Default)]
pub struct Recent {
    pages: VecDeque<Page>,
    /// How many of `pages`, from the front, are committed.
    committed: usize,
    /// In how many pages an element is, and its first value where that is known.
    elements: BTreeMap<Identity, (usize, Option<Fingerprint>)>,
    /// What stood at the end of the topic at the start. A checkpoint that was put back by hand, but not behind all of it, has
    /// it all before itself once more, in pages of whatever size.
    seed: BTreeSet<Identity>,
    /// Until so many elements are committed, and as many pages as are held.
    seed_left: usize,
}

#[derive(Debug)]
struct Page {
    sequence: Sequence,
    identities: Vec<Identity>,
}

impl Recent {
    /// Begins with what stands at the end of the topic, oldest first.
    pub fn seeded(tail: &[Identity]) -> Self {
        let newest = &tail[tail.len().saturating_sub(RECENT_EVENTS)..];
        Self { seed: newest.iter().copied().collect(), seed_left: newest.len(), ..Self::default() }
    }

    /// Whether an element is among them; its value too, where that is known.
    pub fn find(&self, identity: &Identity) -> Option<Option<Fingerprint>> {
        let known = self.elements.get(identity).map(|(_, fingerprint)| *fingerprint);
        known.or_else(|| self.seed.contains(identity).then_some(None))
    }

    /// Takes the elements of a page that was collected, duplicates too.
    pub fn push(&mut self, sequence: Sequence, elements: Vec<(Identity, Option<Fingerprint>)>) {
        if elements.is_empty() {
            return;
        }
        let mut identities = Vec::with_capacity(elements.len());
        for (identity, fingerprint) in elements {
            self.elements.entry(identity).or_insert((0, fingerprint)).0 += 1;
            identities.push(identity);
        }
        self.pages.push_back(Page { sequence, identities });
    }

    /// All pages up to this one are committed: what is too old now is forgotten.
    pub fn commit(&mut self, through: Sequence) {
        while let Some(page) = self.pages.get(self.committed).filter(|page| page.sequence <= through) {
            self.committed += 1;
            self.seed_left = self.seed_left.saturating_sub(page.identities.len());
        }
        if self.seed_left == 0 && self.committed >= RECENT_PAGES {
            self.seed.clear();
        }
        let held = |pages: &VecDeque<Page>, committed| -> usize {
            pages.iter().take(committed).map(|page| page.identities.len()).sum()
        };
        while self.committed > RECENT_PAGES || (self.committed > 1 && held(&self.pages, self.committed) > RECENT_EVENTS)
        {
            let oldest = self.pages.pop_front();
            self.committed -= 1;
            oldest.into_iter().for_each(|page| self.forget(&page));
        }
    }

    /// Gives up what is not committed: those pages are asked for again, and must not be taken for served twice.
    pub fn roll_back(&mut self) {
        while self.pages.len() > self.committed {
            let last = self.pages.pop_back();
            last.into_iter().for_each(|page| self.forget(&page));
        }
    }

    fn forget(&mut self, page: &Page) {
        for identity in &page.identities {
            if let Some((pages, _)) = self.elements.get_mut(identity) {
                *pages -= 1;
                if *pages == 0 {
                    let _ = self.elements.remove(identity);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: usize) -> Identity {
        Identity::of(number.to_string().as_bytes())
    }

    fn page(numbers: std::ops::Range<usize>) -> Vec<(Identity, Option<Fingerprint>)> {
        numbers.map(|number| (identity(number), Some(Fingerprint::of(&[0])))).collect()
    }

    fn at(number: u64) -> Sequence {
        Sequence { generation: 0, number }
    }

    #[test]
    fn the_last_pages_are_known_and_older_ones_are_not() {
        let mut recent = Recent::default();
        for number in 0..30 {
            recent.push(at(number as u64), page(number * 10..number * 10 + 10));
        }
        assert!(recent.find(&identity(0)).is_some(), "what is not committed stays, however much it is");
        recent.commit(at(24));
        for (number, held) in [(0, false), (49, false), (50, true), (299, true), (300, false)] {
            assert_eq!(recent.find(&identity(number)).is_some(), held, "{number}");
        }
        recent.roll_back();
        for (number, held) in [(49, false), (50, true), (249, true), (250, false), (299, false)] {
            assert_eq!(recent.find(&identity(number)).is_some(), held, "{number} after the roll-back");
        }
    }

    #[test]
    fn an_element_of_two_pages_stays_as_long_as_one_of_them() {
        let mut recent = Recent::default();
        recent.push(at(1), page(0..10));
        recent.commit(at(1));
        recent.push(at(2), page(5..15));
        recent.roll_back();
        assert!(recent.find(&identity(5)).is_some() && recent.find(&identity(12)).is_none());
        recent.push(Sequence { generation: 1, number: 3 }, Vec::new());
        recent.commit(Sequence { generation: 1, number: 3 });
        assert!(recent.find(&identity(5)).is_some());
    }

    #[test]
    fn no_more_elements_are_held_than_stated() {
        let mut recent = Recent::default();
        for number in 0..19 {
            recent.push(at(number as u64), page(number * 2_000..number * 2_000 + 2_000));
            recent.commit(at(number as u64));
        }
        assert_eq!(recent.elements.len(), RECENT_EVENTS);
        recent.push(at(100), page(0..RECENT_EVENTS + 5));
        recent.commit(at(100));
        assert_eq!(recent.elements.len(), RECENT_EVENTS + 5, "a page alone is held whole");
    }

    /// However small the pages are, what stood at the end of the topic is known until all of it was passed.
    #[test]
    fn the_end_of_the_topic_is_known_until_as_much_was_committed() {
        let tail: Vec<Identity> = (0..RECENT_EVENTS + 5).map(identity).collect();
        let mut recent = Recent::seeded(&tail);
        assert!(recent.find(&tail[4]).is_none());
        for (number, held) in tail.iter().enumerate().skip(5) {
            assert_eq!(recent.find(held), Some(None), "{number}");
            recent.push(at(number as u64), page(number..number + 1));
            recent.roll_back();
            recent.push(at(number as u64), page(number..number + 1));
            recent.commit(at(number as u64));
        }
        assert!(recent.seed.is_empty());
        assert!(recent.find(&tail[5]).is_none() && recent.find(&tail[RECENT_EVENTS + 4]).is_some());
    }
}
