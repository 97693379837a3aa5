//! Which page comes next, if any: the rule of the guide's ad hoc pseudocode, to the letter.
//!
//! | the page | asked next |
//! |---|---|
//! | as many events as its `limit`, with a `next` link | the link |
//! | as many, without a link: the last one of a bounded request | nothing |
//! | fewer | nothing, whatever links there are |
//! | any, after which there are `--max-events` or `--max-pages` | nothing; what is too much is cut off |

use super::sink::Ended;

/// How far a query is, and how far it may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Pages that came.
    pub pages: u64,
    /// Results that were kept.
    pub events: u64,
    /// No more pages than this.
    pub max_pages: Option<u64>,
    /// No more results than this.
    pub max_events: Option<u64>,
}

impl Steps {
    /// A page of so many events came, asked for with `limit`. Gives how many of them are kept, and why no further one is
    /// asked for; none where the `next` link is to be.
    pub fn page(&mut self, events: usize, limit: usize, has_next: bool) -> (usize, Option<Ended>) {
        let room = self.max_events.map_or(u64::MAX, |max| max.saturating_sub(self.events));
        let kept = events.min(usize::try_from(room).unwrap_or(usize::MAX));
        self.pages += 1;
        self.events += kept as u64;
        let ended = if kept < events {
            Some(Ended::MaxEvents)
        } else if events < limit || !has_next {
            Some(Ended::NoMore)
        } else if self.max_events.is_some_and(|max| self.events >= max) {
            Some(Ended::MaxEvents)
        } else if self.max_pages.is_some_and(|max| self.pages >= max) {
            Some(Ended::MaxPages)
        } else {
            None
        };
        (kept, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of each page, and the end, of an org with so many events; the last page has no link.
    fn run(events: usize, limit: usize, max_pages: Option<u64>, max_events: Option<u64>) -> (Vec<usize>, Ended) {
        let mut steps = Steps { max_pages, max_events, ..Steps::default() };
        let mut left = events;
        let mut kept = Vec::new();
        loop {
            let page = left.min(limit);
            left -= page;
            let (keep, ended) = steps.page(page, limit, left > 0);
            kept.push(keep);
            if let Some(ended) = ended {
                assert_eq!(steps.events, kept.iter().sum::<usize>() as u64);
                assert_eq!(steps.pages, kept.len() as u64);
                return (kept, ended);
            }
        }
    }

    #[test]
    fn no_page_more_than_needed() {
        use Ended::{MaxEvents, MaxPages, NoMore};
        for (events, limit, max_pages, max_events, kept, ended) in [
            (0, 100, None, None, vec![0], NoMore),
            (1, 100, None, None, vec![1], NoMore),
            (250, 100, None, None, vec![100, 100, 50], NoMore),
            // Exactly full: the missing link ends it.
            (200, 100, None, None, vec![100, 100], NoMore),
            (250, 100, Some(1), None, vec![100], MaxPages),
            (250, 100, Some(3), None, vec![100, 100, 50], NoMore),
            (250, 100, None, Some(200), vec![100, 100], MaxEvents),
            (250, 100, None, Some(150), vec![100, 50], MaxEvents),
            (250, 100, None, Some(1), vec![1], MaxEvents),
            // All that there is, and not because of the bound.
            (200, 100, None, Some(200), vec![100, 100], NoMore),
            (250, 100, Some(2), Some(200), vec![100, 100], MaxEvents),
            (3, 1, None, None, vec![1, 1, 1], NoMore),
        ] {
            let found = run(events, limit, max_pages, max_events);
            assert_eq!(found, (kept, ended), "{events} {limit} {max_pages:?} {max_events:?}");
        }
    }

    #[test]
    fn a_short_page_is_the_last_also_with_a_link() {
        assert_eq!(Steps::default().page(99, 100, true), (99, Some(Ended::NoMore)));
        assert_eq!(Steps::default().page(100, 100, true), (100, None));
        assert_eq!(Steps::default().page(101, 100, true), (101, None));
    }
}
