//! Pages between two transactions: a queue for each connector, in the order in which they came (I1).

use std::collections::{BTreeMap, VecDeque};

use super::inquiry::Inquiry;
use super::publish::OwnedPage;

/// What a life of a shard has taken in and not yet committed.
#[derive(Default)]
pub struct Collected {
    queues: BTreeMap<usize, Queue>,
}

#[derive(Default)]
struct Queue {
    pages: VecDeque<OwnedPage>,
    /// The generation whose pages were given up; a page of it that comes late is dropped.
    given_up: Option<u32>,
    /// Why its pages wait: it is not known yet which of their records Kafka refuses.
    inquiry: Option<Inquiry>,
}

impl Collected {
    /// Takes a page in, behind those of its connector that are here.
    pub fn take(&mut self, page: OwnedPage) {
        let queue = self.queues.entry(page.owner).or_default();
        if queue.given_up.is_none_or(|given_up| page.records.sequence.generation > given_up) {
            queue.pages.push_back(page);
        }
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.pages.is_empty())
    }

    /// Takes out what can be published now, by connector in order. `judge` says of each page whether it can be: where it
    /// can't, it waits with all that is behind it until those before it are committed. Where it is the first, its
    /// connector is named with the reason.
    pub fn draw(
        &mut self,
        mut judge: impl FnMut(&mut OwnedPage) -> Result<(), String>,
    ) -> (Vec<OwnedPage>, BTreeMap<usize, String>) {
        let (mut drawn, mut refused) = (Vec::new(), BTreeMap::new());
        for (&owner, queue) in self.queues.iter_mut().filter(|(_, queue)| queue.inquiry.is_none()) {
            let mut is_first = true;
            while let Some(mut page) = queue.pages.pop_front() {
                match judge(&mut page) {
                    Ok(()) => drawn.push(page),
                    Err(message) => {
                        queue.pages.push_front(page);
                        if is_first {
                            let _ = refused.insert(owner, message);
                        }
                        break;
                    }
                }
                is_first = false;
            }
        }
        (drawn, refused)
    }

    /// Puts back what was drawn and not committed, before all that is here.
    pub fn put_back(&mut self, drawn: Vec<OwnedPage>) {
        for page in drawn.into_iter().rev() {
            self.queues.entry(page.owner).or_default().pages.push_front(page);
        }
    }

    /// Drops a connector's pages; gives their generation.
    pub fn give_up(&mut self, owner: usize) -> u32 {
        let queue = self.queues.entry(owner).or_default();
        let generation = queue.pages.iter().map(|page| page.records.sequence.generation).max().unwrap_or_default();
        queue.given_up = Some(generation);
        queue.pages.clear();
        queue.inquiry = None;
        generation
    }

    /// From now on the connector's pages wait for what comes of this.
    pub fn inquire(&mut self, owner: usize, inquiry: Inquiry) {
        self.queues.entry(owner).or_default().inquiry = Some(inquiry);
    }

    /// A connector whose pages wait, with them and with what is known so far; taken out until [`Collected::inquire`].
    pub fn next_inquiry(&mut self) -> Option<(usize, Inquiry, &mut VecDeque<OwnedPage>)> {
        self.queues.iter_mut().find_map(|(&owner, queue)| Some((owner, queue.inquiry.take()?, &mut queue.pages)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::offset::SourceOffset;
    use crate::source::record::{PageRecords, Sequence};

    fn page(owner: usize, generation: u32, number: u64) -> OwnedPage {
        let before = SourceOffset::cold("before".to_owned(), "q".to_owned());
        let sequence = Sequence { generation, number };
        OwnedPage { owner, records: PageRecords::new(sequence, Vec::new(), 0, number.to_string(), &before) }
    }

    fn numbers(pages: &[OwnedPage], owner: usize) -> Vec<u64> {
        pages.iter().filter(|page| page.owner == owner).map(|page| page.records.sequence.number).collect()
    }

    #[test]
    fn i1_pages_keep_their_order_whatever_becomes_of_a_transaction() {
        let mut collected = Collected::default();
        for (owner, number) in [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3)] {
            collected.take(page(owner, 0, number));
        }
        let (drawn, refused) = collected.draw(|_| Ok(()));
        assert!(refused.is_empty() && collected.is_empty());
        collected.take(page(0, 0, 4));
        collected.put_back(drawn);
        collected.inquire(1, Inquiry::new(Vec::new()));
        let (drawn, _) = collected.draw(|_| Ok(()));
        assert_eq!((numbers(&drawn, 0), numbers(&drawn, 1)), (vec![1, 2, 3, 4], vec![]));
        collected.take(page(1, 0, 3));
        let (owner, _, pages) = collected.next_inquiry().expect("one waits");
        assert_eq!((owner, pages.len()), (1, 3));
        assert_eq!(numbers(&collected.draw(|_| Ok(())).0, 1), [1, 2, 3]);
    }

    /// What is before a page that can't be published is committed first; only then is its connector given up.
    #[test]
    fn i2_a_page_that_cannot_be_published_waits_for_those_before_it() {
        let mut collected = Collected::default();
        for number in 1..=4 {
            collected.take(page(0, 7, number));
        }
        let judge = |page: &mut OwnedPage| match page.records.sequence.number {
            3 => Err("why".to_owned()),
            _ => Ok(()),
        };
        let (drawn, refused) = collected.draw(judge);
        assert_eq!((numbers(&drawn, 0), refused.len()), (vec![1, 2], 0));
        let (drawn, refused) = collected.draw(judge);
        assert_eq!((drawn.len(), refused.get(&0).map(String::as_str)), (0, Some("why")));
        assert_eq!(collected.give_up(0), 7);
        collected.take(page(0, 7, 5));
        assert!(collected.is_empty(), "a late page of the same generation is dropped");
        collected.take(page(0, 8, 3));
        assert_eq!(numbers(&collected.draw(|_| Ok(())).0, 0), [3]);
    }
}
