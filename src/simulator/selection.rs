//! Which events a `filter` and a `q` select, remembered: an org of a hundred thousand events is read once for each
//! question, and not again for each of its pages.

use std::collections::VecDeque;

use serde_json::Value;

use super::error_body::OktaError;
use super::filter::Filter;
use super::keywords::Keywords;
use super::store::StoredEvent;

/// As many questions are remembered.
const MAX_SELECTIONS: usize = 32;

/// What selects events, besides times and cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    filter: Option<Filter>,
    keywords: Option<Keywords>,
}

impl Selector {
    /// Reads both; `None` where neither asks for anything.
    ///
    /// # Errors
    /// What Okta refuses of them.
    pub(super) fn parse(filter: Option<&str>, q: Option<&str>) -> Result<Option<Self>, OktaError> {
        let keywords = Keywords::parse(q.unwrap_or_default())?;
        let filter = Filter::parse(filter.unwrap_or_default())?;
        Ok((filter.is_some() || keywords.is_some()).then_some(Self { filter, keywords }))
    }

    /// Whether it selects an event. One that cannot be read has no attributes.
    fn selects(&self, raw: &[u8]) -> bool {
        let event = serde_json::from_slice(raw).unwrap_or(Value::Null);
        self.filter.as_ref().is_none_or(|filter| filter.holds(&event))
            && self.keywords.as_ref().is_none_or(|keywords| keywords.are_in(&event))
    }
}

/// One question and its answer so far.
struct Selection {
    selector: Selector,
    /// For each event in persistence order, as far as they were read.
    selected: Vec<bool>,
}

/// The last questions.
#[derive(Default)]
pub(super) struct Selections {
    /// The one that was asked last is the last.
    recent: VecDeque<Selection>,
}

impl Selections {
    /// Reads at most so many events more for a question; says whether all are read.
    pub(super) fn read_on(&mut self, selector: &Selector, events: &[StoredEvent], at_most: usize) -> bool {
        let at = self.recent.iter().position(|selection| selection.selector == *selector);
        let known = at.and_then(|at| self.recent.remove(at));
        let mut selection = known.unwrap_or_else(|| Selection { selector: selector.clone(), selected: Vec::new() });
        let unread = events[selection.selected.len()..].iter().take(at_most);
        selection.selected.extend(unread.map(|event| selector.selects(&event.raw)));
        let is_whole = selection.selected.len() == events.len();
        if self.recent.len() == MAX_SELECTIONS {
            self.recent.pop_front();
        }
        self.recent.push_back(selection);
        is_whole
    }

    /// For each event in persistence order, whether it is selected.
    pub(super) fn of(&mut self, selector: &Selector, events: &[StoredEvent]) -> &[bool] {
        self.read_on(selector, events, usize::MAX);
        self.recent.back().map_or(&[], |selection| &selection.selected)
    }
}
